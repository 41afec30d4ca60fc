"""
An explorer of cancellations: a scenario is run once for every step of the loop, cancelled there.

A scenario is an async function of a `World`. It opens sessions of `world.supervisor`, which lives
in a task of its own, and takes resources that have to be released exactly once. `explore` runs it
undisturbed to count the steps of the loop, then once for each step, with one injection before it:

* `main`: the scenario's task is cancelled; `twice`: two cancellations in a row; `again`: a second
  one three steps later, while it cleans up;
* `scope`: the anyio scope around the scenario is cancelled;
* `each`: every live task of the loop, one a run; `all`: all of them, as `asyncio.run` does last;
* `hidden`: the tasks in which clean-up runs, which no sweep over `asyncio.all_tasks()` finds.

Afterwards nothing may be left: see `_Run.verify`.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from unittest.mock import patch

import anyio

from sessionstate import SessionClosed, Supervisor, SupervisorClosed
from tests.virtual_time import VirtualLoop, eager_loop
from tests.world import FOR_EVER, World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

Mode = Literal["main", "twice", "again", "scope", "each", "all", "hidden"]
MODES: tuple[Mode, ...] = ("main", "twice", "again", "scope", "each", "all", "hidden")

PATIENCE = 60.0


class _Hidden:
    """
    The tasks that were taken out of `asyncio.all_tasks()`.
    """

    def __init__(self) -> None:
        self.tasks: list[weakref.ref[asyncio.Task[Any]]] = []
        self._unregister = asyncio._unregister_task

    def __call__(self, task: asyncio.Task[Any]) -> None:
        self.tasks.append(weakref.ref(task))
        self._unregister(task)

    def pending(self) -> list[asyncio.Task[Any]]:
        """
        Return those that are not done yet.
        """
        tasks = [ref() for ref in self.tasks]
        return [task for task in tasks if task is not None and not task.done()]


@dataclass
class _Injection:
    """
    Cancel something before step *at* of the loop, and remember what that was.
    """

    mode: Mode | None
    at: int
    which: int = 0
    """Which of the live tasks, where one of them is meant."""
    hit: list[asyncio.Task[Any]] = field(default_factory=list)

    def cancel(self, task: asyncio.Task[Any]) -> None:
        """
        Cancel *task*, and remember it if it takes notice.
        """
        if task.cancel():
            self.hit.append(task)


class _Run:
    """
    One run of a scenario with one injection.
    """

    def __init__(
        self, scenario: Callable[[World], Awaitable[None]], injection: _Injection, *, eager: bool
    ) -> None:
        self.scenario = scenario
        self.injection = injection
        self.loop = eager_loop() if eager else VirtualLoop()
        self.errors: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.errors.append(context))
        self.hidden = _Hidden()
        self.scope: anyio.CancelScope | None = None
        self.scope_cancelled = False
        self.ignored = False
        """Whether the scenario waited for something in a cancelled scope."""
        self.numbers: weakref.WeakKeyDictionary[asyncio.Task[Any], int] = (
            weakref.WeakKeyDictionary()
        )
        self.numbered = 0
        if eager:
            # Of its very own kind: anyio looks at the factory's code. (By name: 3.11 has none.)
            kind = getattr(asyncio, "create_eager_task_factory")  # noqa: B009
            self.loop.set_task_factory(kind(self._make))
        else:
            self.loop.set_task_factory(
                lambda loop, coro, **options: self._make(coro, loop=loop, **options)
            )
        self.problems: list[str] = []
        self.finished = False
        self.counts: list[tuple[int, int]] = []
        """For each step, how many tasks could be hit: visible, hidden."""

    def run(self) -> _Run:
        """
        Run the scenario, let for ever go by, leave the supervisor, and verify.
        """
        asyncio.set_event_loop(self.loop)
        try:
            with patch.object(asyncio, "_unregister_task", self.hidden):
                self._drive()
                self.verify()
        except Exception as exc:
            self.problems.append(f"{type(exc).__name__}: {exc}")
        finally:
            self._close()
        return self

    def _drive(self) -> None:
        loop = self.loop
        stop = asyncio.Event()
        ready: asyncio.Future[Supervisor] = loop.create_future()
        self.host = loop.create_task(self._host(ready, stop), name="host")
        self.supervisor = loop.run_until_complete(ready)
        self.world = World(loop, self.supervisor)
        self.main = loop.create_task(self._main(), name="main")
        self.start = loop.steps
        loop.before_step = self._before_step
        self._until_done(self.main)
        self.took = loop.time()
        self._sleep(FOR_EVER)
        if not self.host.done() and len(self.supervisor):
            self.problems.append(f"sessions live for ever: {list(self.supervisor.values())}")
        loop.before_step = None
        stop.set()
        self._until_done(self.host)
        self._sleep(FOR_EVER)

    async def _host(self, ready: asyncio.Future[Supervisor], stop: asyncio.Event) -> None:
        async with Supervisor() as supervisor:
            ready.set_result(supervisor)
            await stop.wait()

    async def _main(self) -> None:
        if self.injection.mode != "scope":
            await self.scenario(self.world)
            self.finished = True
            return
        with anyio.CancelScope() as self.scope:
            if self.scope_cancelled:
                self.scope.cancel()
            await self.scenario(self.world)
            self.finished = True

    def _until_done(self, task: asyncio.Task[Any]) -> None:
        done: asyncio.Future[None] = self.loop.create_future()
        task.add_done_callback(lambda _: done.set_result(None))
        self.loop.run_until_complete(done)

    def _sleep(self, seconds: float) -> None:
        done: asyncio.Future[None] = self.loop.create_future()
        self.loop.call_later(seconds, done.set_result, None)
        self.loop.run_until_complete(done)

    def _visible(self) -> list[asyncio.Task[Any]]:
        # all_tasks() is a set, in the order of addresses: sort, so that each run is the same.
        tasks = [task for task in asyncio.all_tasks(self.loop) if not task.done()]
        for task in sorted(tasks, key=_name):
            self._number(task)
        return sorted(tasks, key=self.numbers.__getitem__)

    def _number(self, task: asyncio.Task[Any]) -> None:
        if task not in self.numbers:
            self.numbers[task] = self.numbered = self.numbered + 1

    def _make(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        # Their names do not tell tasks apart: on 3.13 each eager one without a name is 'None'.
        task: asyncio.Task[Any] = asyncio.Task(coro, **options)
        self._number(task)
        return task

    def _before_step(self) -> None:
        injection, step = self.injection, self.loop.steps - self.start
        now = step == injection.at
        if injection.mode == "scope" and (now or self.scope_cancelled) and not self.main.done():
            waiter = self.main._fut_waiter  # type: ignore[attr-defined]
            self.ignored = self.ignored or (waiter is not None and not waiter.done())
        elif injection.mode in (None, "each", "all") and not injection.hit:
            # At each step: a task's number is its place in the order of appearance.
            self.counts.append((len(self._visible()), len(self.hidden.pending())))
        if now:
            self._inject()
        elif injection.mode == "again" and step == injection.at + 3:
            injection.cancel(self.main)

    def _inject(self) -> None:
        injection = self.injection
        if injection.mode in ("main", "again"):
            injection.cancel(self.main)
        elif injection.mode == "twice":
            injection.cancel(self.main)
            injection.cancel(self.main)
        elif injection.mode == "scope":
            self.scope_cancelled = True
            if self.scope is not None:
                self.scope.cancel()
        elif injection.mode == "all":
            for task in self._visible():
                injection.cancel(task)
        else:
            tasks = self._visible() if injection.mode == "each" else self.hidden.pending()
            if injection.which < len(tasks):
                injection.cancel(tasks[injection.which])

    # What must be true of every run.

    def verify(self) -> None:
        """
        Append to `problems` whatever is wrong after the run.
        """
        self._verify_end()
        self._verify_book()
        supervisor = self.supervisor
        supervisor._check()
        if len(supervisor):
            self.problems.append(f"sessions left: {list(supervisor.values())}")
        left = self._visible() + self.hidden.pending()
        if left:
            self.problems.append(f"tasks left: {left}")
        if self.loop.timers:
            self.problems.append(f"{self.loop.timers} timers left: {self.loop._scheduled}")
        if self.errors:
            self.problems.append(f"the loop's exception handler was called: {self.errors}")
        if self.took > PATIENCE:
            self.problems.append(f"the scenario took until {self.took} s")

    def _verify_end(self) -> None:
        main, injection = self.main, self.injection
        if injection.mode == "scope":
            if main.cancelled() or main.exception() is not None:
                self.problems.append(f"scope cancelled, but the task ended so: {main}")
            elif main.cancelling():
                self.problems.append(f"cancelling() is {main.cancelling()} after the scope")
            elif self.ignored and self.finished:
                self.problems.append("the scenario went on to its end in a cancelled scope")
            return
        for task in injection.hit:
            if task in (main, self.host) and not task.cancelled():
                self.problems.append(f"the cancellation was swallowed: {task}")
        if main.cancelled():
            if main not in injection.hit:
                self.problems.append("the scenario ended cancelled, but nobody cancelled it")
        elif (error := main.exception()) is not None and not (
            injection.hit and _is_expected(error, injection.mode)
        ):
            self.problems.append(f"the scenario raised {error!r}")

    def _verify_book(self) -> None:
        world = self.world
        for name in world.taken | world.begun | world.released:
            taken, begun, released = world.taken[name], world.begun[name], world.released[name]
            if taken != begun:
                self.problems.append(f"{name}: taken {taken} times, release begun {begun} times")
            # A clean-up whose own task was cancelled may stop half-way; it never runs twice.
            if released > begun or (released < begun and self.injection.mode != "hidden"):
                self.problems.append(f"{name}: release begun {begun} times, done {released} times")

    def _close(self) -> None:
        loop = self.loop
        loop.before_step = None
        try:
            left = self._visible() + self.hidden.pending()
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.wait(left, timeout=PATIENCE))
            for task in left:
                if task.done() and not task.cancelled():
                    task.exception()
        except Exception as exc:
            self.problems.append(f"not even afterwards: {exc!r}")
        finally:
            asyncio.set_event_loop(None)
            loop.close()


def _name(task: asyncio.Task[Any]) -> tuple[int, str, str]:
    """
    Return what tells tasks apart that a library made, not the loop, in the same step.
    """
    frame = getattr(task.get_coro(), "cr_frame", None)
    argument = frame.f_locals.get("name") if frame is not None else None
    return len(task.get_name()), task.get_name(), str(argument)


def _is_expected(error: BaseException, mode: Mode | None) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_is_expected(each, mode) for each in error.exceptions)
    if isinstance(error, SessionClosed | SupervisorClosed | asyncio.CancelledError):
        return True
    # Whoever waits for a clean-up, a context or a load that is cancelled is told so.
    cut = "cut short by CancelledError" in str(error) or "was cancelled, by" in str(error)
    return mode in ("each", "hidden", "all") and isinstance(error, RuntimeError) and cut


@contextmanager
def _unraisable(into: list[str]) -> Iterator[None]:
    before = sys.unraisablehook

    def note(args: sys.UnraisableHookArgs) -> None:
        # anyio makes the coroutine of a child at once: one that never starts is never awaited.
        if "'World.work' was never awaited" not in str(args.exc_value):
            into.append(f"{args.exc_value!r} in {args.object!r}")

    sys.unraisablehook = note
    try:
        yield
        gc.collect(1)
    finally:
        sys.unraisablehook = before


def _plan(mode: Mode, counts: list[tuple[int, int]]) -> list[_Injection]:
    """
    Return the injections of *mode* for a scenario with these counts of tasks at its steps.
    """
    plan: list[_Injection] = []
    for index, (visible, hidden) in enumerate(counts):
        many = {"each": visible, "hidden": hidden}.get(mode, 1)
        plan += [_Injection(mode, index + 1, which) for which in range(many)]
    return plan


def explore(
    scenario: Callable[[World], Awaitable[None]],
    mode: Mode,
    *,
    most: int | None = None,
    eager: bool = False,
) -> int:
    """
    Run *scenario* with every injection of *mode* and raise AssertionError if anything went wrong.

    Args:
        scenario: An async function of the `World`.
        mode: What is cancelled.
        most: How many runs at most, spread evenly over the steps; None for all.
        eager: Use eager tasks.

    Returns:
        The number of runs.
    """
    calm = [_Run(scenario, _Injection(None, 0), eager=eager).run() for _ in range(2)]
    assert not calm[0].problems, f"undisturbed: {calm[0].problems}"
    assert calm[0].world.taken, "a scenario that takes nothing proves nothing"
    assert calm[0].world.log == calm[1].world.log, "two undisturbed runs differ"
    assert calm[0].counts == calm[1].counts, "two undisturbed runs differ in their steps"
    plan = _plan(mode, calm[0].counts)
    stride = 1 if most is None else -(-len(plan) // most) or 1
    findings: list[str] = []
    unraisable: list[str] = []
    for number, injection in enumerate(plan[::stride]):
        with _unraisable(unraisable):
            run = _Run(scenario, injection, eager=eager).run()
            problems = run.problems
            if number % 10 == 0:
                second = _Injection(injection.mode, injection.at, injection.which)
                log = _Run(scenario, second, eager=eager).run().world.log
                if log != run.world.log:
                    problems.append("two runs with the same injection differ")
            # all_tasks() looks at every task there is: let those of this run go.
            injection.hit.clear()
            del run
        problems += unraisable
        unraisable.clear()
        if problems:
            where = f"{mode}, step {injection.at} of {len(calm[0].counts)}, task {injection.which}"
            findings.append(f"{where}: {'; '.join(problems)}")
    runs = len(plan[::stride])
    assert not findings, "\n".join([f"{len(findings)} of {runs} runs:", *findings[:8]])
    return runs
