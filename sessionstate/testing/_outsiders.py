"""
Who could still wake an event loop from outside: peers, threads, jobs, processes, an alarm.
"""

from __future__ import annotations

import os
import selectors
import signal
import sys
import threading
from stat import S_ISSOCK
from typing import TYPE_CHECKING, Any

from ._outside import _has_children

if TYPE_CHECKING:
    import asyncio


class Outsiders:
    """
    Those of one loop; who was there before it is none of them.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, selector: selectors.BaseSelector) -> None:
        self.jobs = 0
        """How many jobs executors have that were given them by the loop."""
        self._bystanders = frozenset(threading.enumerate())
        self._inside = len(selector.get_map())
        # Windows has none; the loop itself would be held in a cycle.
        self._handled: Any = getattr(loop, "_signal_handlers", ())

    @property
    def threads(self) -> list[str]:
        """
        The names of the threads that were started since, and could wake the loop.
        """
        newer = [t for t in threading.enumerate() if t not in self._bystanders]
        return [t.name for t in newer if not _is_idle_worker(t)]

    def named(self, selector: selectors.BaseSelector) -> str:
        """
        Return who there is, or an empty string.
        """
        peers = len(selector.get_map()) - self._inside
        if peers > 0:
            return f"{peers} file descriptors"
        if self.jobs:
            return f"{self.jobs} executor jobs"
        threads = self.threads
        return f"threads {threads}" if threads else self._signals()

    def are_peers(self, selector: selectors.BaseSelector) -> bool:
        """
        Tell whether there is nobody but the peers of sockets, who may be silent for long.
        """
        if self.jobs or self.threads or _has_children():
            return False
        fds = [key.fd for key in selector.get_map().values()]
        return sys.platform == "win32" or all(map(_is_socket, fds))

    def _signals(self) -> str:
        """
        Return who could send a signal that the loop handles, as far as that can be known.
        """
        if not self._handled:
            return ""
        if signal.SIGALRM in self._handled and signal.getitimer(signal.ITIMER_REAL)[0]:
            return "an alarm"
        return "child processes" if _has_children() else ""


def _is_socket(fd: int) -> bool:
    try:
        return S_ISSOCK(os.fstat(fd).st_mode)
    except OSError:  # closed, though it is watched still: it is silent for ever
        return True


def _is_idle_worker(thread: threading.Thread) -> bool:
    """
    Tell whether nothing is to be expected from *thread*.

    Executor jobs are counted, so their threads are not; anyio's workers say when they are idle.
    """
    module = sys.modules.get("concurrent.futures.thread")
    if thread in getattr(module, "_threads_queues", ()):
        return True
    return thread in getattr(thread, "idle_workers", ())
