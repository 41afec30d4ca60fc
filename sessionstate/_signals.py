"""
The signals that end a process: who handles them, and what a supervisor that asked for it does.

There is one handler for all supervisors, and it is installed only where a signal would end the
process at once: what is ignored, as SIGHUP is under nohup, or handled by somebody else, such as a
server, is left alone. A handler may run between any two instructions, so what it reads is replaced
and never changed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from threading import TIMEOUT_MAX, get_ident
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from ._last import abandon_all

if TYPE_CHECKING:
    from ._supervisor import Supervisor

SIGNALS: Final = tuple(
    signal.Signals[name]
    for name in ("SIGTERM", "SIGHUP", "SIGBREAK")  # of which each platform has some
    if name in signal.Signals.__members__
)

SLACK: Final = 1.0  # seconds by which the loop of another thread may be late

_everywhere: weakref.WeakSet[Handlers] = weakref.WeakSet()


class Handlers:
    """
    One handler of the signals that end a process, and what was there before it.

    In a forked child it gives them back, so that `multiprocessing.Process.terminate` does there
    what it should.
    """

    def __init__(self, handler: Callable[[int, FrameType | None], None]) -> None:
        self._handler = handler
        self._before: dict[int, Any] = {}

    def install(self, *, instead_of_others: bool) -> None:
        """Install it for each signal that is not ignored, nor handled in C or by somebody else."""
        _everywhere.add(self)
        for number in SIGNALS:
            before = signal.getsignal(number)
            if before is signal.SIG_DFL or (instead_of_others and callable(before)):
                self._before[number] = signal.signal(number, self._handler)

    def installed(self) -> tuple[signal.Signals, ...]:
        """Return the signals that have it now."""
        return tuple(each for each in SIGNALS if signal.getsignal(each) == self._handler)

    def restore(self) -> None:
        """Give back what nobody has taken since."""
        for number in self.installed():
            # Where somebody else gave it back, it may stand although it was restored before.
            signal.signal(number, self._before.get(number, signal.SIG_DFL))
        self._before.clear()


class Multiplexer(Handlers):
    """
    The one handler of all supervisors that asked to be ended before the process is.
    """

    def __init__(self) -> None:
        super().__init__(self._on_signal)
        self._asked: tuple[weakref.ref[Supervisor], ...] = ()
        self._received = False

    def take(self, supervisor: Supervisor) -> tuple[signal.Signals, ...]:
        """Let the signals end *supervisor* first; return those that do."""
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError(
                "install_signal_handlers() was called outside of the main thread, where Python "
                "cannot install any: call it in the main thread, and let the code there end this "
                "loop"
            )
        self.install(instead_of_others=False)
        if supervisor not in self._supervisors():
            self._asked = (*self._asked, weakref.ref(supervisor))
        return self.installed()

    def release(self, supervisor: Supervisor) -> None:
        """Take note that *supervisor* was left; the last one restores what was there."""
        others = [each for each in self._supervisors() if each is not supervisor]
        if self._asked and not others and threading.current_thread() is threading.main_thread():
            self.restore()
        self._asked = tuple(weakref.ref(each) for each in others)

    def restore(self) -> None:
        super().restore()
        self._asked, self._received = (), False

    def _supervisors(self) -> list[Supervisor]:
        return [supervisor for ref in self._asked if (supervisor := ref()) is not None]

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        """End the sessions, those of the loop that runs here last, and then the process."""
        self._leave_other_threads()
        loop = asyncio._get_running_loop()
        mine = [each for each in self._supervisors() if loop is not None and each._loop is loop]
        if mine:
            # In a clean context: the one that was interrupted may be that of a clean-up.
            mine[0]._loop.call_soon_threadsafe(self._shut_down, number, context=mine[0]._context)
        else:
            self._end_process(number)

    def _leave_other_threads(self) -> None:
        """
        End the sessions of loops in other threads, and wait here for that.

        A loop that is stuck, or ends meanwhile, is waited for within `shutdown_timeout` as well. A
        second signal waits for the same.
        """
        over = [
            (asyncio.run_coroutine_threadsafe(each._stop(), each._loop), each._shutdown_timeout)
            for each in self._supervisors()
            if each._pid and each._thread != get_ident() and each._loop.is_running()
        ]
        for future, patience in over:
            with suppress(Exception):
                future.result(min(patience + SLACK, TIMEOUT_MAX))

    def _shut_down(self, number: int) -> None:
        if self._received:  # a second signal cuts nothing short: shutdown_timeout bounds the first
            return
        self._received = True
        loop = asyncio.get_running_loop()
        over = [each._leave()._over for each in self._supervisors() if each._loop is loop]
        ended = asyncio.gather(*over, return_exceptions=True)
        ended.add_done_callback(lambda _: self._end_process(number))

    def _end_process(self, number: int) -> None:
        """Do what the signal would have done, so that the exit status is right."""
        self._received = False
        abandon_all()
        for stream in (sys.stdout, sys.stderr):  # a signal does not flush them
            with suppress(Exception):
                stream.flush()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
        # Process 1 of a container does not die of a signal that it does not handle.
        raise SystemExit(128 + number)


multiplexer: Final = Multiplexer()


_mask = threading.local()


def _before_fork() -> None:
    # Python forgets what comes to the child before it has restored the handlers.
    _mask.before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # type: ignore[attr-defined, unused-ignore]


def _after_fork() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _mask.before)  # type: ignore[attr-defined, unused-ignore]


def _forked() -> None:
    try:
        for handlers in list(_everywhere):
            handlers.restore()
    finally:
        _after_fork()


if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows, which does not fork
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_forked)
