"""
One run of a scenario in a loop of its own, with one injection, and what was wrong after it.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import re
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Final, cast

import anyio

from ._clock import VirtualClock
from ._complaints import listening
from ._inside import Inside, describe, silent_peers_left, watched
from ._order import scopes_in_order
from ._outside import Outside
from ._places import place, raised_at
from ._points import Course, Injected, Mode, Point, span
from ._scenario import Reader, Scenario
from ._swallowed import Hit, excuse, hits, never_begun, waits_on
from ._threads import ThreadStarted, threads_noted
from ._throwing import Thrower, sleeps_can_fail
from ._virtual_loop import DeadlockError, LivelockError
from ._watch import Step, Task, Watch

MOST_STEPS: Final = 20_000
"""Iterations of the loop without a millisecond going by that are taken for a livelock."""
PATIENCE: Final = 5.0
"""Real seconds without a sign of processes or threads that are taken for a deadlock."""
LONGEST_SILENCE: Final = 1.0
"""Real seconds in which the peers of sockets may say nothing, until time moves all the same."""
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
        self.other = ""
        """The name of the task that was disturbed, if it is not the scenario's own."""
        self.struck = False
        """Whether the run got to the point of injection."""
        self._hit: list[Task] = []
        self._others: list[Hit] = []
        self._unbegun: list[Coroutine[Any, Any, Any]] = []
        """What anyio drops if the task that is to run it is cancelled before it begins."""
        self._excuse = ""
        self._scope: anyio.CancelScope | None = None
        self._scope_cancelled = False
        self._waited_in_cancelled_scope = False
        self._complaints: list[str] = []
        at = 0 if point is None else point.step
        mode = None if point is None else point.mode
        self._mode = mode
        self._from, self._to = (math.inf, 0.0) if point is None else span(point)
        """The steps before which there is something to do."""
        self._reader = Reader(at if mode is Mode.ABANDON else 0)
        self._thrower = Thrower(at) if mode is Mode.THROW else None
        self._clock = VirtualClock(most_steps=MOST_STEPS, patience=PATIENCE)
        self._loop = (
            self._clock.new_eager_event_loop() if terms.eager else self._clock.new_event_loop()
        )
        self._loop.longest_silence = LONGEST_SILENCE
        self._loop.longest_talk = LONGEST_TALK
        self._loop.set_exception_handler(self._complain)
        self._watch = Watch(self._loop, self._before_step, record=record, thrower=self._thrower)
        self._main: Task | None = None
        self._main_steps = 0
        self._host: Task | None = None
        self._stop = asyncio.Event()

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
                left = self._drive()
                self._verify_end()
                self.problems += left
            except (DeadlockError, LivelockError) as exc:
                self.problems.append(f"it hangs: {self._told(exc)}")
            except ThreadStarted:
                pass
            finally:
                self._note_where()
                self._close()
                for coro in self._unbegun:
                    coro.close()
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

    def _drive(self) -> list[str]:
        """
        Return what is left of it inside of its loop.
        """
        loop, watch = self._loop, self._watch
        ready: asyncio.Future[Any] = loop.create_future()
        self._host = loop.create_task(self._be_host(ready), name="setup")
        self._until(self._host, ready)
        if self._host.done():
            self._host.result()
        world = ready.result()
        watch.start(spare=self._host)
        before = Inside(loop, watch)
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
        self._settle()
        watch.stop()
        stays = Inside(loop, watch, before)
        if self.scenario.check is not None:
            self._ask(self.scenario.check, world)
        self._stop.set()
        self._until(self._host, within=self.terms.time_limit)
        loop.run_until_complete(self._clock.settle())
        left = stays.left()  # an hour after it, though its setup is left; what that kept is gone
        if not left:
            self._settle()
            left = Inside(loop, watch).left()
        return left

    def _settle(self) -> None:
        """
        Let time go by.
        """
        try:
            with silent_peers_left(self._loop):
                self._until(within=self.terms.settle)
        except DeadlockError:
            if not watched(self._loop):
                raise

    async def _be_host(self, ready: asyncio.Future[Any]) -> None:
        async with await self.scenario.make() as world:
            ready.set_result(world)
            await self._stop.wait()

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
        if self._scope_cancelled and not main.done() and waits_on(main):
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
                self.waited_at, self._excuse = place(main), excuse(main)
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
                    task = targets[point.task]
                    self.other = "" if task is main else task.get_name()
                    self._others = hits(task, main)
                    self._cancel(task)

    def _note_where(self) -> None:
        where = self._reader.struck if self._thrower is None else self._thrower.struck
        if where:
            self.struck, self.waited_at = True, where

    def _cancel(self, task: Task) -> None:
        where, excused, unbegun = place(task), excuse(task), never_begun(task)
        if task.cancel():
            self._unbegun += unbegun
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
                count = f"cancelling() is {main.cancelling()} after its scope"
                self.problems.append(count + self._excuse)
            elif (
                self._waited_in_cancelled_scope
                and main.exception() is None
                and not (self._scope is not None and self._scope.cancelled_caught)
            ):
                self.problems.append("it waited on in a cancelled scope, and went on to its end")

    def _verify_outcome(self, who: str, task: Task) -> None:
        hit = task in self._hit
        if task.cancelled():
            if not hit and self._mode not in (Mode.EACH, Mode.ALL, Mode.SCOPE):
                self.problems.append(f"{who} ended cancelled, but nobody had cancelled it")
        elif (error := task.exception()) is not None:
            if not self._is_expected(error):
                self.problems.append(f"{who} raised {error!r}{raised_at(error)}")
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

    def _told(self, hang: DeadlockError | LivelockError) -> str:
        """
        Say what hangs; the setup's own task has to wait while the scenario runs.
        """
        watch = self._watch
        tasks = watch.alive() if self._stop.is_set() else watch.targets()
        what, *_ = str(hang).splitlines()
        return what + "".join(f"\n      {describe(task)}" for task in tasks)

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
            self.problems.append(f"it hangs even afterwards: {self._told(exc)}")
        for task in left:
            if task.done() and not task.cancelled():
                task.exception()
        watch.part()
        loop.close()


def _all(loop: asyncio.AbstractEventLoop, tasks: list[Task]) -> Task:
    async def wait() -> None:
        await asyncio.wait(tasks)

    return loop.create_task(wait())


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
