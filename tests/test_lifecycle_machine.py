"""
The whole lifecycle against a model: blocks, deadlines, eviction, ends, clean-ups.

Actors are tasks inside one block or several, one inside the other, that do what a rule tells them.
Everything that happens is written to one log with its time; after each rule the log is read to the
model, which objects to whatever breaks a rule.
"""

# ruff: noqa: D102 - a rule's name says what it does

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sessionstate import (
    CloseReason,
    Session,
    SessionState,
    Supervisor,
    SupervisorFull,
)
from sessionstate.testing import VirtualClock
from tests.actors import Actor, CleanupError, CrashError, Order
from tests.lifecycle_log import Log
from tests.lifecycle_strategies import ANY, IDS, OPENED, OPTIONS, OWNER, VISITOR
from tests.model import Asked, Kind, Model, Named, Options

if TYPE_CHECKING:
    from collections.abc import Coroutine

# The machines make their own virtual loops: uvloop would see the same again.
pytestmark = pytest.mark.virtual_time


class LifecycleMachine(RuleBasedStateMachine):
    """
    Rules that do what programs do, and a log that the model reads.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clock = VirtualClock()
        self.loop = self.clock.new_event_loop()
        self.loop.set_exception_handler(lambda _, context: self.loop_errors.append(context))
        self.loop_errors: list[dict[str, Any]] = []
        self.log = Log(self.clock)
        self.actors: list[Actor] = []
        self.handles: dict[tuple[str, int], Session] = {}
        self.registered: Counter[tuple[str, int]] = Counter()
        self.hook_errors = 0
        self.blocks = 0

    def do(self, coro: Coroutine[Any, Any, Any] | None = None) -> None:
        """
        Run *coro*, then everything that follows from it at this time, then tell the model.
        """
        if coro is not None:
            self.loop.run_until_complete(coro)
        self.loop.run_until_complete(self.clock.settle())
        self.log.read()
        self.model.opening = False

    def block(self, asked: Asked) -> Any:
        """
        Make the block that was asked for.
        """
        given: dict[str, Any] = asked.named.given()
        if asked.kind == "owner":
            return self.supervisor.session(asked.id, **given)
        return self.supervisor.attach(asked.id, create=asked.create, **given)

    # The rules.

    @initialize(options=OPTIONS)
    def start(self, options: Options) -> None:
        self.model = self.log.model = Model(options)
        self.stop = asyncio.Event()
        self.started: asyncio.Future[Supervisor] = self.loop.create_future()
        self.host = self.loop.create_task(self.be_host())
        self.supervisor = self.loop.run_until_complete(self.started)
        self.supervisor.on_close(self.closed)
        self.supervisor.on_error(self.error)

    async def be_host(self) -> None:
        """
        Be the task in which the supervisor lives.
        """
        options = vars(self.model.options)
        async with Supervisor(default=False, **options) as supervisor:
            self.started.set_result(supervisor)
            await self.stop.wait()

    def closed(self, session: Session, reason: CloseReason) -> None:
        """
        Be the close hook.
        """
        self.log("closed", session.id, session.incarnation, str(reason))

    def error(self, session: Session, error: BaseException, where: str) -> None:
        """
        Be the error hook.
        """
        assert isinstance(error, CleanupError | CrashError), f"{error!r} in {where}"
        self.hook_errors += isinstance(error, CleanupError)

    def asked(self, id: str, kind: Kind | None, named: Named, *, create: bool = True) -> Asked:
        """
        Number a new call for a session.
        """
        self.model.opening = True
        self.blocks += 1
        return Asked(id, named, self.blocks if kind else None, kind, create)

    def begin(self, asked: Asked) -> None:
        """
        Have a new actor enter a block.
        """
        actor = Actor(self)
        self.actors.append(actor)

        async def begin() -> None:
            actor.begin(asked)

        self.do(begin())

    def tell(self, actor: Actor, order: Order) -> None:
        """
        Have *actor* await *order* in its innermost body.
        """

        async def tell() -> None:
            actor.tell(order)

        self.do(tell())

    def pick(self, index: int) -> Actor:
        """
        Choose among the actors that listen.
        """
        listening = [actor for actor in self.actors if actor.listens]
        return listening[index % len(listening)]

    def some_listen(self) -> bool:
        return any(actor.listens for actor in self.actors)

    @rule(id=IDS, named=OWNER)
    def own(self, id: str, named: Named) -> None:
        self.begin(self.asked(id, "owner", named))

    @rule(id=IDS, named=VISITOR, create=st.sampled_from((True, True, False)))
    def visit(self, id: str, named: Named, *, create: bool) -> None:
        self.begin(self.asked(id, "visitor", named, create=create))

    @precondition(some_listen)
    @rule(index=ANY, id=IDS, kind=st.sampled_from(("owner", "visitor")))
    def nest(self, index: int, id: str, kind: Kind) -> None:
        actor, asked = self.pick(index), self.asked(id, kind, Named())

        async def nest() -> None:
            await actor.enter(asked)

        self.tell(actor, nest)

    @precondition(some_listen)
    @rule(index=ANY, how=st.sampled_from(("completed", "completed", "failed")))
    def leave(self, index: int, how: str) -> None:
        async def leave() -> str:
            return how

        self.tell(self.pick(index), leave)

    @precondition(some_listen)
    @rule(index=ANY, which=ANY)
    def close_from_inside(self, index: int, which: int) -> None:
        actor = self.pick(index)
        session = actor.stack[which % len(actor.stack)]

        async def close() -> None:
            if session.close_reason is None:
                actor.asked_for_end.add(session)
                self.log("ended", session, "completed")
                assert session.close_soon()

        self.tell(actor, close)

    @precondition(lambda self: any(actor.runs for actor in self.actors))
    @rule(index=ANY)
    def cancel(self, index: int) -> None:
        running = [actor for actor in self.actors if actor.runs]
        actor = running[index % len(running)]

        async def cancel() -> None:
            actor.cancel()

        self.do(cancel())

    @rule(id=IDS, named=OPENED)
    def open(self, id: str, named: Named) -> None:
        if self.model.options.when_full == "wait" and id not in self.model.lives:
            return  # it would have to be an actor's

        async def open_() -> None:
            asked = self.asked(id, None, named)
            try:
                session = await self.supervisor.open(id, **named.given())
            except (SupervisorFull, ValueError) as error:
                self.log("refused", asked, error)
            else:
                self.log.live[session] = None
                self.log("opened", asked, session)

        self.do(open_())

    @rule(id=IDS)
    def delete(self, id: str) -> None:
        async def delete() -> None:
            session = self.supervisor.get(id)
            if session is not None:
                self.log("ended", session, "deleted")
            assert self.supervisor.close_soon(id) is (session is not None)

        self.do(delete())

    @rule(id=IDS)
    def close(self, id: str) -> None:
        async def close() -> None:
            session = self.supervisor.get(id)
            if session is not None:
                # Now or never: what it lets happen is logged before it returns.
                self.log("ended", session, "deleted")
            failing = self.model.lives[id].failing if session is not None else 0
            errors: tuple[Exception, ...] = ()
            try:
                assert await self.supervisor.close(id) is (session is not None)
            except ExceptionGroup as group:
                errors = group.exceptions
            assert len(errors) == failing, f"{errors} of {session}"
            assert session is None or session.state is SessionState.CLOSED

        self.do(close())

    def some_live(self) -> bool:
        return bool(self.model.lives)

    def live(self, index: int) -> Session:
        """
        Choose among the live sessions.
        """
        ids = sorted(self.model.lives)
        return self.supervisor[ids[index % len(ids)]]

    @precondition(some_live)
    @rule(index=ANY)
    def touch(self, index: int) -> None:
        session = self.live(index)
        session.touch()
        self.model.touch(session.id, self.clock.now)

    @precondition(some_live)
    @rule(index=ANY, seconds=st.sampled_from((1.0, 9.0, 50.0)))
    def extend(self, index: int, seconds: float) -> None:
        session = self.live(index)
        session.extend(seconds)
        self.model.extend(session.id, seconds, self.clock.now)
        self.do()

    @precondition(some_live)
    @rule(index=ANY, kind=st.sampled_from(("sync", "async", "fails", "fails later")))
    def own_something(self, index: int, kind: str) -> None:
        session = self.live(index)
        key = (session.id, session.incarnation)
        self.handles[key] = session
        number, self.registered[key] = self.registered[key], self.registered[key] + 1

        def clean() -> None:
            self.log("ran", *key, number)
            if kind == "fails":
                raise CleanupError

        async def clean_slowly() -> None:
            self.log("ran", *key, number)
            await asyncio.sleep(0)
            if kind == "fails later":
                raise CleanupError

        self.model.lives[session.id].failing += kind.startswith("fails")
        if kind in ("sync", "fails"):
            session.callback(clean)
        else:
            session.push_async_callback(clean_slowly)

    @precondition(some_live)
    @rule(index=ANY)
    def crash(self, index: int) -> None:
        session = self.live(index)

        async def crash() -> None:
            self.log("ended", session, "resource_failed")
            raise CrashError

        async def start() -> None:
            session.start_soon(crash)

        self.do(start())

    @rule(seconds=st.sampled_from((0.5, 3.0, 10.0, 41.0)))
    def advance(self, seconds: float) -> None:
        self.do(self.clock.advance(seconds))

    @precondition(lambda self: self.model.instants(self.clock.now))
    @rule(index=ANY)
    def advance_to_an_instant(self, index: int) -> None:
        instants = self.model.instants(self.clock.now)
        self.do(self.clock.advance_to(instants[index % len(instants)]))

    # What is true after each rule.

    @invariant()
    def agrees_with_the_model(self) -> None:
        self.log.broken = True
        self.supervisor._check()
        seen = {
            id: (session.incarnation, str(session.state)) for id, session in self.supervisor.items()
        }
        self.model.observe_live(seen, self.clock.now)
        assert len(self.supervisor) == len(self.model.lives)
        waiting = [actor for actor in self.actors if actor.waiting]
        if len(self.model.lives) < self.model.options.max_sessions:
            assert not waiting, f"{waiting} wait in spite of room"
        self.check_ended()
        assert not self.loop_errors, f"{self.loop_errors}"
        self.actors = [actor for actor in self.actors if actor.runs]
        self.log.broken = False

    def check_ended(self) -> None:
        """
        What ended was closed, and everything it owned was cleaned up once.
        """
        for life in self.model.ended:
            key = (life.id, life.number)
            assert life.closed, f"the close hook never saw {life}"
            for index in range(self.registered[key]):
                assert self.log.ran[(*key, index)] == 1, f"clean-up {index} of {life}"
            session = self.handles.get(key)
            if session is not None:
                assert session.state is SessionState.CLOSED
                assert str(session.close_reason) == life.reason
        for id, life in self.model.lives.items():
            for index in range(self.registered[id, life.number]):
                assert not self.log.ran[id, life.number, index], f"clean-up {index} of {life}"
        assert self.hook_errors == sum(life.failing for life in self.model.ended)

    def teardown(self) -> None:
        try:
            if hasattr(self, "supervisor") and not self.log.broken:
                self.check_the_end()
        finally:
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.run_until_complete(self.clock.advance(100))
            self.loop.close()

    def check_the_end(self) -> None:
        """
        Leave the supervisor: nothing is left.
        """
        self.model.leaving = True
        self.stop.set()
        self.do(asyncio.wait_for(asyncio.shield(self.host), 60))
        assert not self.model.lives, f"{self.model.lives} after the end"
        self.check_ended()
        left = asyncio.all_tasks(self.loop)
        assert not left, f"tasks left: {left}"
        assert not self.loop.timers, f"timers left: {self.loop._scheduled}"


# One failure, shrunk, says enough; explaining several takes minutes.
FEW = settings(
    max_examples=250,
    stateful_step_count=40,
    report_multiple_bugs=False,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
TestLifecycle = LifecycleMachine.TestCase
TestLifecycle.settings = FEW


@pytest.mark.stress
class TestLifecycleForLong(LifecycleMachine.TestCase):  # type: ignore[misc,valid-type]
    settings = settings(FEW, max_examples=4000, stateful_step_count=100, derandomize=False)
