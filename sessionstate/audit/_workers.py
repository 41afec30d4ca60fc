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

import marshal
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from queue import SimpleQueue
from threading import Lock, Thread
from typing import BinaryIO, Final

from sessionstate.audit._reducing import Reduced, reduced

PROGRAM: Final = """\
import sys, marshal
sys.path[:] = marshal.load(sys.stdin.buffer)
from sessionstate.audit._workers import main
main()
"""
GREETING: Final = b"sessionstate audit\n"

Chunk = Sequence[int]
Answers = SimpleQueue[list[tuple[int, Reduced]] | None]


def processors() -> int:
    """
    Return how many processors this process may use.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available() -> bool:
    """
    Tell whether other processes of this interpreter can be started.
    """
    return bool(sys.executable) and not getattr(sys, "frozen", False)
