"""
One run of a scenario in a loop of its own, with one injection, and what was wrong after it.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import re
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Final, cast

import anyio

from ._clock import VirtualClock
from ._complaints import listening
from ._order import scopes_in_order
from ._outside import Outside
from ._places import place, waits_at
from ._points import Course, Injected, Mode, Point
from ._scenario import Reader, Scenario
from ._swallowed import Hit, excuse, hits
from ._threads import ThreadStarted, threads_noted
from ._throwing import Thrower, sleeps_can_fail
from ._virtual_loop import DeadlockError, LivelockError
from ._watch import Step, Task, Watch

MOST_STEPS: Final = 20_000
"""Iterations of the loop without a millisecond going by that are taken for a livelock."""
LONGEST_TALK: Final = 10.0
"""Real seconds that sockets may keep a run busy."""


@dataclass(frozen=True, slots=True)
class Terms:
    """
    On what terms a scenario runs, and what is a problem afterwards.
    """

    eager: bool
    repeatable: bool
    settle: float
    time_limit: float
    raises: tuple[type[BaseException], ...]
    ignore: tuple[re.Pattern[str], ...]


class Run:
    """
    One run.
    """

    def __init__(
        self, scenario: Scenario, terms: Terms, point: Point | None, *, record: bool = True
    ) -> None:
        self.problems: list[str] = []
        self.threads: list[str] = []
        """The names of threads that were started; only an undisturbed run looks for them."""
        self.scenario = scenario
        self.terms = terms
        self.point = point
        self.waited_at = ""
        self.struck = False
        """Whether the run got to the point of injection."""
        self._hit: list[Task] = []
        self._others: list[Hit] = []
        self._excuse = ""
        self._scope: anyio.CancelScope | None = None
        self._scope_cancelled = False
        self._waited_in_cancelled_scope = False
        self._complaints: list[str] = []
        at = 0 if point is None else point.step
        mode = None if point is None else point.mode
        self._mode = mode
        self._from, self._to = (math.inf, 0.0) if point is None else _span(point)
        """The steps before which there is something to do."""
        self._reader = Reader(at if mode is Mode.ABANDON else 0)
        self._thrower = Thrower(at) if mode is Mode.THROW else None
        self._clock = VirtualClock(most_steps=MOST_STEPS)
        self._loop = (
            self._clock.new_eager_event_loop() if terms.eager else self._clock.new_event_loop()
        )
        self._loop.longest_talk = LONGEST_TALK
        self._loop.set_exception_handler(self._complain)
        self._watch = Watch(self._loop, self._before_step, record=record, thrower=self._thrower)
        self._main: Task | None = None
        self._main_steps = 0
        self._host: Task | None = None

    @property
    def trace(self) -> list[Step]:
        """
        What ran, step by step.
        """
        return self._watch.trace

    @property
    def course(self) -> Course:
        """
        What there is to inject into.
        """
        awaits = 0 if self._thrower is None else self._thrower.awaits
        return Course(self._main_steps, self._watch.alive_at, awaits, self._reader.values)

    def go(self) -> Run:
        """
        Run the scenario, let time go by, check, leave the setup, and look at what is left.
        """
        outside = Outside()
        sleeps = nullcontext() if self._thrower is None else sleeps_can_fail()
        alone = self.point is None and self.terms.repeatable
        threads = threads_noted(self.threads) if alone else nullcontext()
        with listening(self._complaints), scopes_in_order(), sleeps, threads:
            try:
                self._drive()
                self._verify_end()
                self._verify_rest()
            except (DeadlockError, LivelockError) as exc:
                self.problems.append(f"it hangs: {exc}")
            except ThreadStarted:
                pass
            finally:
                self._note_where()
                self._close()
                self._hit.clear()
                self._others.clear()
                self._main = self._host = self._scope = None
        self._loop.set_exception_handler(None)  # only now: what was left in cycles complains too
        self.problems += self._complaints
        self.problems += outside.left()
        kept = [p for p in self.problems if not any(i.search(p) for i in self.terms.ignore)]
        self.problems[:] = kept
        return self

    # The course of a run

    def _drive(self) -> None:
        loop, watch = self._loop, self._watch
        ready: asyncio.Future[Any] = loop.create_future()
        stop = asyncio.Event()
        self._host = loop.create_task(self._be_host(ready, stop), name="setup")
        self._until(self._host, ready)
        if self._host.done():
            self._host.result()
        world = ready.result()
        watch.start(spare=self._host)
        body: Any = self._be_main(world)
        body.__qualname__ = self.scenario.name
        self._main = loop.create_task(body, name=self.scenario.name)
        self._until(self._main, within=self.terms.time_limit)
        if not self._main.done():
            self.problems.append(
                f"it has not ended after {self.terms.time_limit:g} virtual seconds (time_limit=): "
                f"it waits at {place(self._main)}"
            )
            self._cancel(self._main)
            self._until(self._main, within=self.terms.time_limit)
        self._until(within=self.terms.settle)
        watch.stop()
        if self.scenario.check is not None:
            self._ask(self.scenario.check, world)
        stop.set()
        self._until(self._host, within=self.terms.time_limit)
        self._until(within=self.terms.settle)

    async def _be_host(self, ready: asyncio.Future[Any], stop: asyncio.Event) -> None:
        async with await self.scenario.make() as world:
            ready.set_result(world)
            await stop.wait()

    async def _be_main(self, world: Any) -> None:
        made = self.scenario.body(*self.scenario.arguments(world))
        try:
            if self._mode is not Mode.SCOPE:
                await self._reader.run(made)
                return
            with anyio.CancelScope() as self._scope:
                if self._scope_cancelled:
                    self._scope.cancel()
                await self._reader.run(made)
        finally:
            self._main_steps = self._watch.steps

    def _ask(self, check: Callable[..., Any], world: Any) -> None:
        async def ask() -> None:
            answer = check(*self.scenario.arguments(world))
            if inspect.isawaitable(answer):
                await answer

        asked = self._loop.create_task(ask(), name="check")
        self._until(asked, within=self.terms.time_limit)
        if not asked.done():
            self.problems.append(f"the check has not ended after {self.terms.time_limit:g} s")
        elif not asked.cancelled() and (error := asked.exception()) is not None:
            self.problems.append(f"check: {type(error).__name__}: {error}")

    def _until(self, *any_of: asyncio.Future[Any], within: float | None = None) -> None:
        """
        Run the loop until one of the futures is done, or so many seconds went by.
        """
        over: asyncio.Future[None] = self._loop.create_future()
        for each in any_of:
            each.add_done_callback(lambda _: _resolve(over))
        limit = None if within is None else self._loop.call_later(within, _resolve, over)
        self._loop.run_until_complete(over)
        if limit is not None:
            limit.cancel()

    # The injection

    def _before_step(self, step: int) -> None:
        if self.threads:
            raise ThreadStarted  # the loop would wait for it, really
        if not self._from <= step <= self._to:
            return
        point, main = self.point, self._main
        assert point is not None
        assert main is not None
        if self._scope_cancelled and not main.done():
            waiter = cast("Any", main)._fut_waiter
            if waiter is not None and not waiter.done():
                self._waited_in_cancelled_scope = True
        if step == point.step:
            self.struck = point.mode is not Mode.TWICE
            self._inject(point, main)
        if point.mode is Mode.TWICE and step == point.step + point.gap:
            self.struck = True
            self._cancel(main)

    def _inject(self, point: Point, main: Task) -> None:
        match point.mode:
            case Mode.CANCEL | Mode.TWICE:
                self._cancel(main)
            case Mode.SCOPE:
                self._scope_cancelled = True
                self.waited_at = place(main)
                if self._scope is not None:
                    self._scope.cancel()
            case Mode.ALL:
                visible = asyncio.all_tasks(self._loop)
                for task in self._watch.alive():
                    if task in visible:
                        self._cancel(task)
            case _:  # each
                targets = self._watch.targets()
                self.struck = point.task < len(targets)
                if self.struck:
                    self._others = hits(targets[point.task], main)
                    self._cancel(targets[point.task])

    def _note_where(self) -> None:
        where = self._reader.struck if self._thrower is None else self._thrower.struck
        if where:
            self.struck, self.waited_at = True, where

    def _cancel(self, task: Task) -> None:
        where, excused = place(task), excuse(task)
        if task.cancel():
            self._excuse = self._excuse or excused
            self.waited_at = where
            self._hit.append(task)

    # What must be true of every run

    def _verify_end(self) -> None:
        main, mode = self._main, self._mode
        assert main is not None
        if not main.done():
            self.problems.append("it cannot be ended by a cancellation either")
            return
        self._verify_outcome("it", main)
        self.problems += [each.told for each in self._others if each.swallowed][-1:]
        assert self._host is not None
        if self._host.done():
            self._verify_outcome("its setup", self._host)
        else:
            self.problems.append("its setup cannot be left")
        if mode is Mode.SCOPE and not main.cancelled():
            if main.cancelling():
                self.problems.append(f"cancelling() is {main.cancelling()} after its scope")
            elif (
                self._waited_in_cancelled_scope
                and main.exception() is None
                and not (self._scope is not None and self._scope.cancelled_caught)
            ):
                self.problems.append("it waited on in a cancelled scope, and went on to its end")

    def _verify_outcome(self, who: str, task: Task) -> None:
        hit = task in self._hit
        if task.cancelled():
            if not hit and self._mode not in (Mode.EACH, Mode.ALL):
                self.problems.append(f"{who} ended cancelled, but nobody had cancelled it")
        elif (error := task.exception()) is not None:
            if not self._is_expected(error):
                self.problems.append(f"{who} raised {error!r}{_raised_at(error)}")
        elif hit:
            self.problems.append(
                f"{who} swallowed the cancellation, and went on to its end{self._excuse}"
            )

    def _is_expected(self, error: BaseException) -> bool:
        if isinstance(error, BaseExceptionGroup):
            group = cast("BaseExceptionGroup[BaseException]", error)
            return all(map(self._is_expected, group.exceptions))
        if isinstance(error, asyncio.CancelledError):
            return self._mode is not None
        if isinstance(error, Injected):
            return self._mode is Mode.THROW
        return isinstance(error, self.terms.raises) and self._mode is not None

    def _verify_rest(self) -> None:
        left = self._watch.alive()
        self.problems += [f"a task is left: {_describe(task)}" for task in left]
        if not left and self._loop.timers:
            handles = [repr(each) for each in self._loop._scheduled if not each.cancelled()]
            self.problems.append(f"timers are left: {', '.join(handles)}")

    def _complain(self, _: object, context: dict[str, Any]) -> None:
        error = context.get("exception")
        message = context.get("message")
        self._complaints.append(f"the loop's exception handler was told: {message} ({error!r})")

    def _close(self) -> None:
        loop, watch = self._loop, self._watch
        watch.stop()
        left = watch.alive()
        for task in left:
            task.cancel()
        try:
            if left:
                self._until(_all(loop, left), within=self.terms.time_limit)
            loop.run_until_complete(loop.shutdown_asyncgens())
        except (DeadlockError, LivelockError) as exc:
            self.problems.append(f"it hangs even afterwards: {exc}")
        for task in left:
            if task.done() and not task.cancelled():
                task.exception()
        watch.part()
        loop.close()


def _span(point: Point) -> tuple[float, float]:
    """
    Return the first and the last step before which something is done, or looked at.
    """
    if point.mode in (Mode.THROW, Mode.ABANDON):  # which come otherwise
        return math.inf, 0.0
    return point.step, math.inf if point.mode is Mode.SCOPE else point.step + point.gap


def _all(loop: asyncio.AbstractEventLoop, tasks: list[Task]) -> Task:
    async def wait() -> None:
        await asyncio.wait(tasks)

    return loop.create_task(wait())


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _raised_at(error: BaseException) -> str:
    """
    Say which line raised *error*, the innermost one.
    """
    lines = list(traceback.walk_tb(error.__traceback__))
    return f" at {lines[-1][0].f_code.co_filename}:{lines[-1][1]}" if lines else ""


def _describe(task: Task) -> str:
    coro: Any = task.get_coro()
    name = getattr(coro, "__qualname__", "?")
    where = waits_at(task)
    return f"{task.get_name()}, {name}" + (f", at {where}" if where else "")
