"""
Processes that reduce files beside the audit.
"""

from __future__ import annotations

import gc
import io
import marshal
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sessionstate.audit import _workers
from sessionstate.audit._reducing import Reduced, reduced
from sessionstate.audit._workers import (
    GREETING,
    _let_go,
    available,
    elsewhere,
    main,
    processors,
)

pytestmark = pytest.mark.real_loop


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """
    Make files, one of which has an error, and one of which is not there.
    """
    for number in range(8):
        (tmp_path / f"{number}.py").write_text(f"x = {number}\n")
    (tmp_path / "8.py").write_text("x = (\n")
    return [str(tmp_path / f"{number}.py") for number in range(10)]


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """
    No process stays.
    """
    before = set(psutil.Process().children())
    yield
    assert set(psutil.Process().children()) <= before


def program(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """
    Let the processes do something else.
    """
    monkeypatch.setattr(_workers, "PROGRAM", text)


class TestElsewhere:
    def test_same_as_here(self, paths: list[str]) -> None:
        """
        What comes from other processes is what would be found here.
        """
        found = dict(elsewhere(paths, [[0, 1, 2], [5, 4], [9, 8, 3]], 2))
        assert sorted(found) == [0, 1, 2, 3, 4, 5, 8, 9]
        assert all(one == reduced(paths[number]) for number, one in found.items())

    def test_given_up(self, paths: list[str]) -> None:
        """
        Who does not wait for the end ends the processes.
        """
        found = elsewhere(paths, [[0], [1], [2]], 2)
        next(found)
        found.close()

    @pytest.mark.parametrize(
        "text",
        [
            "import os; os._exit(3)",
            "import sys; sys.stdin.buffer.read(1); print('x' * 100)",
            "import sys; print('sessionstate audit', flush=True); sys.stdin.buffer.read(1)",
            "print('sessionstate audit\\n\\xff\\n', flush=True)",
            "import os; os.write(1, b'sessionstate audit\\n' + b'[\\x01\\0\\0\\0i\\1\\0\\0\\0')",
            "import os; os.write(1, b'sessionstate audit\\n' + b'[\\x05\\0\\0\\0i\\1\\0')",
        ],
    )
    def test_death(self, paths: list[str], monkeypatch: pytest.MonkeyPatch, text: str) -> None:
        """
        What a process had in hand when it died, or what it garbled, is left to the caller.
        """
        program(monkeypatch, text)
        assert not list(elsewhere(paths, [[0, 1], [2]], 2))

    def test_chatter(self, paths: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """
        What an interpreter prints while it starts does not matter.
        """
        program(
            monkeypatch, f"print('welcome'); print('hello', end='', flush=True)\n{_workers.PROGRAM}"
        )
        assert len(list(elsewhere(paths, [[0, 1], [2]], 1))) == 3

    def test_does_not_start(self, paths: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """
        If no process can be started, all is left to the caller.
        """
        monkeypatch.setattr(sys, "executable", str(Path(paths[0]).parent / "no-python"))
        assert not list(elsewhere(paths, [[0], [1]], 2))

    def test_full_pipe(self, paths: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A process that reads nothing of what it is handed is let go.
        """
        program(monkeypatch, "print('sessionstate audit', flush=True)")
        many = ["x" * 100] * 10_000
        assert not list(elsewhere(many, [range(10_000)], 1))

    def test_something_unread(self) -> None:
        """
        A process that is gone before it has read all is let go as any other.
        """
        worker = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE)
        worker.wait()
        assert worker.stdin is not None
        worker.stdin.write(b"x")  # stays in the buffer until that is closed
        _let_go(worker)
        assert worker.stdin.closed

    def test_they_go_with_the_audit(self, tmp_path: Path) -> None:
        """
        An audit that is killed takes its processes with it.
        """
        text = (
            "import time\n"
            "from sessionstate.audit._workers import _start\n"
            "workers = [_start(), _start()]\n"
            "print(*(each.pid for each in workers), flush=True)\n"
            "time.sleep(60)\n"
        )
        with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE) as one:
            assert one.stdout is not None
            workers = [psutil.Process(int(pid)) for pid in one.stdout.readline().split()]
            one.kill()
        _, alive = psutil.wait_procs(workers, timeout=20)
        assert not alive


class TestMain:
    def test_reduces_what_comes(self, paths: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A process says that it is there, answers what comes, and goes when nothing comes any more.
        """
        source = marshal.dumps(paths[:2]) + marshal.dumps(paths[8:])
        target = io.BytesIO()
        output = io.TextIOWrapper(target)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(source)))
        monkeypatch.setattr(sys, "stdout", output)
        before = signal.getsignal(signal.SIGINT)
        try:
            main()
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        finally:
            signal.signal(signal.SIGINT, before)
            gc.enable()
        target.seek(0)
        assert target.readline() + target.readline() == b"\n" + GREETING
        answers = [Reduced._make(one) for _ in range(2) for one in marshal.load(target)]  # noqa: S302
        assert answers == [reduced(path) for path in (*paths[:2], *paths[8:])]


class TestMachine:
    def test_processors(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        As many as this process may use, where that is known.
        """
        assert 1 <= processors() <= (os.cpu_count() or 1)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2, 5}, raising=False)
        assert processors() == 3
        monkeypatch.delattr(os, "sched_getaffinity", raising=False)
        monkeypatch.setattr(os, "cpu_count", lambda: None)
        assert processors() == 1

    def test_available(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A program that holds an interpreter within may have none to start.
        """
        assert available()
        monkeypatch.setattr(sys, "frozen", True, raising=False)
        assert not available()
        monkeypatch.setattr(sys, "executable", "")
        assert not available()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of a terminal are otherwise")
class TestInterrupt:
    def test_interrupt(self, tmp_path: Path) -> None:
        """
        Ctrl-C ends the audit and its processes, without a word from them.
        """
        source = "".join(f"def f{n}(a):\n    return [a.x({n}), a]\n" for n in range(20_000))
        for number in range(4):
            (tmp_path / f"{number}.py").write_text(source)
        text = (
            "import sys\n"
            "from sessionstate.audit._reading import read\n"
            "from sessionstate.audit._settings import Settings\n"
            "print('ready', flush=True)\n"
            "read(sys.argv[1:], Settings(jobs=2, cache=False))\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", text, str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as one:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
            parent = psutil.Process(one.pid)
            while len(parent.children()) < 2:
                time.sleep(0.01)
            workers = parent.children()
            os.killpg(one.pid, signal.SIGINT)
            _, errors = one.communicate(timeout=30)
        assert errors.count("KeyboardInterrupt") == 1
        assert errors.count("Traceback") == 1
        assert not psutil.wait_procs(workers, timeout=10)[1]
