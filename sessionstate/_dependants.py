"""What depends on a session outside of it: timers, containers, listeners, processes."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context
from subprocess import PIPE, CompletedProcess
from typing import TYPE_CHECKING, Any, TypeVarTuple, Unpack, cast, overload

from ._alarms import Alarm, Tenancy, Tenant
from ._belongings import Belongings, callable_
from ._clock import UNSET, Seconds, seconds
from ._commands import Command, CommandLine, ProcessOptions, Stream
from ._context import Task, describe
from ._listeners import Emitter, Handler, listen
from ._processes import GRACE, OwnedProcess, begin
from ._resources import Callback, cancelled_outside, context_of
from ._runs import MAX_OUTPUT, run_process
from ._tasks import OwnedTask

if TYPE_CHECKING:
    from ._session import Session

Ts = TypeVarTuple("Ts")


class Dependants(Belongings):
    """The part of `Session` that keeps watch over what would outlive it."""

    __slots__ = ()

    def call_later(self, delay: Seconds, call: Callable[[*Ts], object], /, *args: *Ts) -> Callback:
        """
        Have ``call(*args)`` called after *delay*, unless the session ends before.

        The timer waits in a queue of the supervisor: it fires never early, and late by at most a
        256th of *delay* or 5 ms. It does not touch the session. If *call* raises, the session ends
        as `resource_failed`, as it does when an owned task crashes.

        Args:
            delay: Seconds from now, or a timedelta.
            call: A function; if it is async, it runs as a task of the session.
            *args: What *call* is given.

        Returns:
            A handle with which to cancel the timer.

        Raises:
            SessionClosed: If the session has ended.
            TypeError: If *call* cannot be called.
        """
        wait = seconds("delay", delay, zero=True)
        self._check_open()
        timer = Timer(cast("Session", self), callable_(call), args)
        self._own(timer)
        timer.set(timer.due + wait, wait)
        return timer

    @overload
    def listen(self, emitter: Emitter, event: object, handler: Handler) -> Callback: ...
    @overload
    def listen(
        self,
        *,
        subscribe: Callable[[Any], object],
        unsubscribe: Callable[[Any], object],
        handler: Handler,
    ) -> Callback: ...
    @overload
    def listen(
        self, *, subscribe: Callable[[Any], Callable[[], object]], handler: Handler
    ) -> Callback: ...
    @overload
    def listen(
        self, *, subscribe: Callable[[], object], unsubscribe: Callable[[], object]
    ) -> Callback: ...
    @overload
    def listen(self, *, subscribe: Callable[[], Callable[[], object]]) -> Callback: ...
    def listen(
        self,
        emitter: Any = UNSET,
        event: object = UNSET,
        handler: Handler | None = None,
        *,
        subscribe: Callable[..., object] | None = None,
        unsubscribe: Callable[..., object] | None = None,
    ) -> Callback:
        """
        Have *handler* called for each *event* of *emitter*, until the session ends.

        Then the emitter holds nothing of the session any more. A plain handler is called inline, as
        the session's, and what it returns or raises goes to the emitter; an async one runs as a
        task of the session. Called from another thread, the handler runs in the loop's thread soon
        after, the emitter gets None, and an error ends the session as `resource_failed`. A handler
        is never called once the end is decided, nor twice by two emitters that took it for one. An
        event does not touch the session.

        Args:
            emitter: Whatever has one of these, the first that is found: ``on`` with
                ``remove_listener`` or ``off``; ``add_listener`` with ``remove_listener``;
                ``connect`` with ``disconnect``, as blinker's signals; a ``subscribe`` that returns
                a function.
            event: The event; of a signal the sender, or None for all senders.
            handler: A function, plain or async.
            subscribe: Instead of an emitter: what adds the handler. It is called with a function to
                be added, or without arguments if no *handler* is given.
            unsubscribe: What takes that back, called with the same; None if *subscribe* returns a
                function that does.

        Returns:
            A handle with which to take the registration back at once.

        Raises:
            SessionClosed: If the session has ended, or ends while the handler is added.
            TypeError: If it is not clear how to add the handler and how to take it back.

        .. versionadded:: 0.1
        """
        self._check_open()
        session = cast("Session", self)
        return listen(
            session, emitter, event, handler, subscribe=subscribe, unsubscribe=unsubscribe
        )

    async def open_process(
        self,
        command: CommandLine,
        *,
        stdin: Stream = PIPE,
        stdout: Stream = PIPE,
        stderr: Stream = PIPE,
        grace: Seconds = GRACE,
        **options: Unpack[ProcessOptions],
    ) -> OwnedProcess:
        """
        Start a process that ends with the session, with all that it started.

        The end closes its stdin, asks all of it to end (SIGTERM; on Windows Ctrl+Break), and after
        *grace* kills what is left. What has ended by itself is forgotten. However the caller is
        cancelled, a process is either returned or ended.

        Args:
            command: A program and its arguments, or one str for the shell.
            stdin: As for `anyio.open_process`: a pipe, unless it says otherwise.
            stdout: The same.
            stderr: The same.
            grace: Seconds between the request to end and the kill, or a timedelta; at most what
                the clean-up's time allows. Processes opened in a row share it.
            **options: cwd, env and others as for `anyio.open_process`; subreaper and
                parent_death_signal.

        Raises:
            SessionClosed: If the session has ended, or ends while it is started.
            OSError: If it cannot be started, such as FileNotFoundError.
            TypeError: If *command* or an option is none.
        """
        self._check_open()
        given = Command(command, stdin=stdin, stdout=stdout, stderr=stderr, **options)
        process: OwnedProcess = await begin(cast("Session", self), given, grace).value()
        return process

    async def run_process(
        self,
        command: CommandLine,
        *,
        input: bytes | None = None,  # noqa: A002 - its name in anyio
        stdin: Stream = None,
        stdout: Stream = PIPE,
        stderr: Stream = PIPE,
        check: bool = True,
        max_output: int | None = MAX_OUTPUT,
        grace: Seconds = GRACE,
        **options: Unpack[ProcessOptions],
    ) -> CompletedProcess[bytes]:
        """
        Run a command, and return what it ended with and what it wrote, as `anyio.run_process` does.

        It returns when the command itself has ended. What that left running is the session's, and
        ends with it. Cancelling the call ends the command, as `open_process` says, before it is
        raised; cancelled again, it does not wait for *grace*.

        Args:
            command: A program and its arguments, or one str for the shell.
            input: What the command reads from its stdin.
            stdin: What its stdin is, without *input*; None for that of this process.
            stdout: As for `anyio.run_process`.
            stderr: The same.
            check: Raise an error if it ends with another code than 0.
            max_output: Bytes that it may write in all; None for no bound.
            grace: As for `open_process`.
            **options: The same.

        Raises:
            OutputExceeded: If it wrote more than *max_output*; it was ended then.
            subprocess.CalledProcessError: If *check* is true and it failed.
            SessionClosed: If the session has ended, or ends meanwhile.
            OSError: If it cannot be started, such as FileNotFoundError.
            TypeError: If *command* or an option is none.
        """
        self._check_open()
        if input is not None:
            if stdin is not None:
                raise ValueError("run_process() takes stdin or input, not both")
            stdin = PIPE
        given = Command(command, stdin=stdin, stdout=stdout, stderr=stderr, **options)
        return await run_process(
            cast("Session", self), command, given, grace, feed=input, check=check, most=max_output
        )

    def _house(self, tenant: Tenant) -> Tenancy:
        """Let a container expire promptly, and empty it when the session ends."""
        self._check_open()
        tenancy = Tenancy(self._supervisor._bells, tenant)
        tenancy.row = Vacating(self, tenancy.vacate, (self._closed_error,), {})
        self._own(tenancy.row)
        return tenancy


class Vacating(Callback):
    """The end of what keeps things for the session, and of the loads that are under way there."""

    __slots__ = ()

    kind = "container"

    @property
    def where(self) -> str:
        return f"container {self.tenancy.name}"

    @property
    def tenancy(self) -> Tenancy:
        """
        What binds the container to the session.
        """
        return cast("Tenancy", self._call.__self__)  # type: ignore[attr-defined]

    def run(self, thrown: BaseException | None) -> Awaitable[object] | None:  # noqa: ARG002
        self._session = None
        tasks = cast("list[Task]", self._call(*self._args))
        return Settling(tasks) if tasks else None


class Settling:
    """Waits for tasks, if anybody waits for it."""

    def __init__(self, tasks: list[Task]) -> None:
        self._tasks = tasks

    def __await__(self) -> Generator[Any, Any, object]:
        return asyncio.wait(self._tasks).__await__()


class Timer(Callback, Alarm):
    """A call that waits for its time in the supervisor's queue."""

    __slots__ = ("_bells", "_chunk", "_context", "due")

    kind = "timer"

    def __init__(
        self, session: Session, call: Callable[..., object], args: tuple[Any, ...]
    ) -> None:
        super().__init__(session, call, args, {})
        self._chunk = None
        self._context: Context | None = context_of(session, detached=True)
        self._bells = session._supervisor._bells
        self.due = session._clock()

    @property
    def where(self) -> str:
        return f"timer {describe(self._call)}"

    def cancel(self) -> bool:
        """
        Forget the call.

        Returns:
            True if it was still to come; False if it was made, or the session has ended.
        """
        cancelled = super().cancel()
        if cancelled:
            self._forget()
        return cancelled

    def ring(self) -> None:
        """Make the call, unless the session has ended."""
        session, context = self._session, self._context
        assert session is not None
        assert context is not None
        session._disown(self)
        self._forget()
        if session._end is not None:
            return
        try:
            context.run(self._make_call, cast("Session", session))
        except CancelledError as error:
            crash = cancelled_outside(self.where)
            crash.__cause__ = error
            cast("Session", session)._fail(crash)
        except Exception as error:
            cast("Session", session)._fail(error)
        except (KeyboardInterrupt, SystemExit) as error:
            cast("Session", session)._fail(error)
            raise

    def _make_call(self, session: Session) -> None:
        result = self._call(*self._args)
        if isinstance(result, Coroutine):
            coro = cast("Coroutine[Any, Any, object]", result)
            OwnedTask(session, self._call).begin(coro, f"{session.id}: {self.where}")

    def run(self, thrown: BaseException | None) -> None:  # noqa: ARG002 - as of every step
        """Forget the call, as the session ends."""
        self._forget()

    def _forget(self) -> None:
        self.clear()
        self._session = self._context = None
