"""
What the tests of processes start: one small program with many ways to behave.

It is run by its path, by an interpreter that imports nothing: `python -IS children.py what ...`.
Each process that it becomes prints its number, on a line of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

ME = [sys.executable, "-IS", __file__]


def say(text: object) -> None:
    """
    Write a line at once, in one piece.
    """
    os.write(1, f"{text}\n".encode())


def tree(depth: str) -> None:
    """
    Be a process with a child that has a child, and so on; none of them ends.
    """
    say(os.getpid())
    if int(depth) > 1:
        subprocess.Popen([*ME, "tree", str(int(depth) - 1)])
    time.sleep(1000)


def stubborn() -> None:
    """
    Ignore SIGTERM.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say(os.getpid())
    time.sleep(1000)


def reader() -> None:
    """
    Ignore SIGTERM, and end with 5 when there is nothing more to read.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say(os.getpid())
    sys.stdin.buffer.read()
    sys.exit(5)


def polite() -> None:
    """
    Say something when asked to end, and end.
    """

    def answer(number: int, frame: object) -> None:
        say("asked")
        sys.exit(3)

    signal.signal(signal.SIGTERM, answer)
    say(os.getpid())
    time.sleep(1000)


def leave() -> None:
    """
    End, and leave a child in the group that has stdout open.
    """
    subprocess.Popen([*ME, "tree", "1"])
    say(os.getpid())


def leave_shortly() -> None:
    """
    End, and leave a child that ends soon after.
    """
    subprocess.Popen([sys.executable, "-ISc", "import time; time.sleep(0.3)"])
    say(os.getpid())


def daemon(stay: str, clear: str = "") -> None:
    """
    Start a daemon in the classical way, whose parents are gone; end, or *stay*.
    """
    say(os.getpid())
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        say(os.getpid())
        if clear:
            os.execve(sys.executable, [*ME, "tree", "1"], {})  # noqa: S606 - no shell
        time.sleep(1000)
    os.wait()
    if stay == "stay":
        time.sleep(1000)


def escape() -> None:
    """
    Have a child that leaves the group and forgets its environment.
    """
    say(os.getpid())
    subprocess.Popen([*ME, "tree", "1"], start_new_session=True, env={})
    time.sleep(1000)


def flood(size: str) -> None:
    """
    Write much.
    """
    piece = b"x" * 65536
    for _ in range(int(size) // len(piece)):
        os.write(1, piece)


def endless() -> None:
    """
    Write without end.
    """
    piece = b"x" * 65536
    while True:
        os.write(1, piece)


def leave_flood() -> None:
    """
    End, and leave a child that writes without end.
    """
    subprocess.Popen([*ME, "endless"])


def stray(delay: str = "0") -> None:
    """
    Have a child that leaves the group, and after the *delay* forgets its environment.
    """
    say(os.getpid())
    if os.fork() == 0:
        os.setsid()
        say(os.getpid())
        if float(delay):
            time.sleep(float(delay))
            os.execve(sys.executable, [*ME, "tree", "1"], {})  # noqa: S606 - no shell
    time.sleep(1000)


def changing() -> None:
    """
    End, and leave a child in the group that goes on with another environment, time and again.
    """
    if not os.environ.get("CHANGING"):
        say(os.getpid())
        if os.fork():
            sys.exit()
        say(os.getpid())
    mark = "SESSIONSTATE_OWNER"
    environ = {**os.environ, "CHANGING": os.environ.get(mark, "") or os.environ["CHANGING"]}
    if mark in environ:
        del environ[mark]
    else:
        environ[mark] = environ["CHANGING"]
    os.execve(sys.executable, [*ME, "changing"], environ)  # noqa: S606 - no shell


def deaf() -> None:
    """
    Close stdin.
    """
    os.close(0)
    say(os.getpid())
    time.sleep(1000)


def echo() -> None:
    """
    Give back what comes in, on both ways out, and end with 7.
    """
    data = sys.stdin.buffer.read()
    os.write(1, data)
    os.write(2, data.upper())
    sys.exit(7)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
