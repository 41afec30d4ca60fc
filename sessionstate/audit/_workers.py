"""
Processes that reduce files to facts, beside this one.

They are no pool of `multiprocessing`, on purpose. That imports the caller's `__main__` into each
process, so a script without a guard would audit once more in each of them, and one that comes from
standard input would fail; or it forks, which may lock up if there are threads, such as that of a
progress bar. These import the audit and nothing else.

Each has a thread here that hands it a few files at a time. A process whose input ends goes, so none
outlives this one, however that ends.
"""

from __future__ import annotations

import gc
import marshal
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import IO, Any, Final

from sessionstate.audit._reducing import Reduced, reduced

PROGRAM: Final = """\
import sys, marshal
sys.path[:] = marshal.load(sys.stdin.buffer)
from sessionstate.audit._workers import main
main()
"""
GREETING: Final = b"sessionstate audit\n"

Numbered = tuple[int, Reduced]
"""What became of a file, with its place among all files."""


def processors() -> int:
    """
    Return how many processors this process may use.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available() -> bool:
    """
    Tell whether there is an interpreter to start.
    """
    return bool(sys.executable) and not getattr(sys, "frozen", False)


def elsewhere(
    paths: Sequence[str], chunks: Sequence[Sequence[int]], jobs: int
) -> Generator[Numbered, None, None]:
    """
    Reduce those of *paths* that *chunks* have the numbers of, in *jobs* processes.

    What a process had in hand when it died is left out.

    Yields:
        The number of each file with what became of it, in any order.
    """
    answers = SimpleQueue[list[Numbered] | None]()
    waiting = iter(chunks)
    workers: list[subprocess.Popen[bytes]] = []
    threads: list[Thread] = []
    try:
        for _ in range(jobs):
            worker = _start()
            if worker is not None:
                workers.append(worker)
                thread = Thread(
                    target=_feed, args=(worker, paths, waiting, answers), name="audit", daemon=True
                )
                thread.start()
                threads.append(thread)
        busy = len(threads)
        while busy:
            answer = answers.get()
            if answer is None:
                busy -= 1
            else:
                yield from answer
    finally:
        for worker in workers:
            worker.kill()
        for thread in threads:
            thread.join()
        for worker in workers:
            _let_go(worker)


def _start() -> subprocess.Popen[bytes] | None:
    flags = ["-X", f"utf8={sys.flags.utf8_mode}", "-W", "ignore"]
    try:
        return subprocess.Popen(  # noqa: S603 - this interpreter
            [sys.executable, *flags, "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError:
        return None


def _let_go(worker: subprocess.Popen[bytes]) -> None:
    try:
        with worker:
            pass
    except OSError:  # it did not take all that was written
        pass


def _feed(
    worker: subprocess.Popen[bytes],
    paths: Sequence[str],
    chunks: Iterator[Sequence[int]],
    answers: SimpleQueue[list[Numbered] | None],
) -> None:
    """
    Hand chunks to a process for as long as there are some, in a thread of its own.
    """
    assert worker.stdin is not None
    assert worker.stdout is not None
    try:
        _send(worker.stdin, sys.path)
        # Whatever is printed while an interpreter starts comes first.
        while (line := worker.stdout.readline()) != GREETING:
            if not line:
                return
        for chunk in chunks:
            _send(worker.stdin, [paths[number] for number in chunk])
            found = map(Reduced._make, _receive(worker.stdout))
            answers.put(list(zip(chunk, found, strict=True)))
    except (OSError, EOFError, ValueError, TypeError):  # it died, maybe while it wrote
        pass
    finally:
        answers.put(None)


def main() -> None:
    """
    Do what a process beside the audit does: reduce what comes, until nothing comes any more.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it ends it
    gc.disable()
    source, target = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr
    target.write(b"\n" + GREETING)
    target.flush()
    while True:
        try:
            paths = _receive(source)
        except EOFError:
            return
        _send(target, [tuple(reduced(path)) for path in paths])


def _send(target: IO[bytes], what: list[str] | list[tuple[Any, ...]]) -> None:
    marshal.dump(what, target)
    target.flush()


def _receive(source: IO[bytes]) -> list[Any]:
    received: list[Any] = marshal.load(source)  # noqa: S302 - from the other end of our own pipe
    return received
