"""
The tool that some conversations run: a real process, which starts another.

Whoever runs one notes it here, outside both servers, where its processes are counted by what the
system says of them, and ended by their pids when the demo is over.
"""

from __future__ import annotations

import sys
from contextlib import suppress

import psutil

SECONDS = 3600
"""How long the tool runs unless it is ended."""

if sys.platform == "win32":
    _SLEEP = f"import time; time.sleep({SECONDS})"
    _START = f"subprocess.Popen([sys.executable, '-c', {_SLEEP!r}])"
    TOOL = [
        sys.executable,
        "-c",
        f"import subprocess, sys; print({_START}.pid, flush=True); {_SLEEP}",
    ]
else:
    TOOL = ["sh", "-c", f"sleep {SECONDS} & echo $!; wait"]
"""The command; the first line that it writes is the pid of the process that it started."""

children: list[psutil.Process] = []
grandchildren: list[psutil.Process] = []


def note(pid: int, line: bytes) -> None:
    """
    Keep in view the tool *pid*, and what it started according to the *line* that it wrote.
    """
    for number, noted in ((pid, children), (int(line), grandchildren)):
        try:
            noted.append(psutil.Process(number))
        except psutil.NoSuchProcess:
            continue


def running() -> tuple[int, int]:
    """
    Count the tools that are there, unreaped ones too, and what runs of all that they started.
    """
    return sum(map(psutil.Process.is_running, children)), sum(map(_runs, grandchildren))


def end_all(*others: psutil.Process) -> None:
    """
    End whatever still runs, and *others*.
    """
    for process in (*others, *grandchildren, *children):
        with suppress(psutil.NoSuchProcess):  # psutil looks whether it is still the same one
            process.kill()


def _runs(process: psutil.Process) -> bool:
    """
    Tell whether a process runs; what init has not reaped yet does not.
    """
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
