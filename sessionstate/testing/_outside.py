"""
What a run may leave outside of its loop: file descriptors and child processes.
"""

from __future__ import annotations

import os
import sys
from os import listdir, readlink  # themselves, whatever a test puts in their place

from psutil import Error, Process

PLACES = {"linux": "/proc/self/fd", "darwin": "/dev/fd"}


class Outside:
    """
    A look at both, to be compared with a later one.
    """

    def __init__(self) -> None:
        self._files = open_files()
        self._children = children()

    def left(self) -> list[str]:
        """
        Return a sentence for whatever is there now and was not before.
        """
        before = self._files
        files = {fd: place for fd, place in open_files().items() if before.get(fd) != place}
        left = [f"a file descriptor is left: {fd}, {place}" for fd, place in files.items()]
        return left + [
            f"a child process is left: {pid}, {name}"
            for pid, name in children().items()
            if pid not in self._children
        ]


def open_files() -> dict[int, str]:
    """
    Return the file descriptors that are open, and what each is, where the system tells.
    """
    folder = PLACES.get(sys.platform)
    if folder is None:  # pragma: no cover - on Windows there are handles instead
        return {}
    found: dict[int, str] = {}
    for name in listdir(folder):  # noqa: PTH208 - twice as fast, twice in each run
        try:
            found[int(name)] = readlink(f"{folder}/{name}")
        except OSError:  # the one of the listing itself is closed by now
            continue
    return found


def children() -> dict[int, str]:
    """
    Return the child processes that run, or that nobody has reaped.
    """
    if not _has_children():
        return {}
    found: dict[int, str] = {}
    for process in Process().children():
        try:
            found[process.pid] = f"{process.name()} ({process.status()})"
        except Error:  # pragma: no cover - a child that ends as it is looked at
            continue
    return found


def _has_children() -> bool:
    """
    Tell whether there is any child: a microsecond, where a list of them takes milliseconds.
    """
    if not hasattr(os, "waitid"):  # pragma: no cover - on Windows, and on macOS before 3.13
        return True
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
