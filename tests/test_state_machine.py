"""
SessionMap and SessionVar against plain dicts, one for each life of each id.
"""

# ruff: noqa: D102 - a rule's name says what it does

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sessionstate import (
    Session,
    SessionClosed,
    SessionMap,
    SessionNotFound,
    SessionState,
    SessionVar,
    Supervisor,
)
from sessionstate.testing import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

pytestmark = pytest.mark.virtual_time

IDLE: Final = 50.0
LATE: Final = IDLE / 256
SLOW: Final = 4.0
ID = st.sampled_from(["a", "b", "c"])
MAP = st.sampled_from(["plain", "adopting"])
VAR = st.sampled_from(["bare", "default", "factory"])
VALUE = st.integers(0, 3)


class Life:
    """
    What a life of an id should hold.
    """

    def __init__(self, session: Session, now: float) -> None:
        self.session = session
        self.used = now
        self.ends: float | None = None
        """When its clean-up is over, once its end is decided."""
        self.values: dict[str, Any] = {}
        """By the name of a map or a variable."""


class StateMachine(RuleBasedStateMachine):
    """
    Reads and writes, by id and by handle, while sessions come and go.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clock = VirtualClock()
        self.loop = self.clock.new_event_loop()
        self.lives: list[Life] = []

    def do(self, coro: Coroutine[Any, Any, Any]) -> Any:
        """
        Run *coro*, and what follows from it at this time.
        """
        result = self.loop.run_until_complete(coro)
        self.loop.run_until_complete(self.clock.settle())
        return result

    def live(self, id: str) -> Life | None:
        """
        Return the live life of *id*.
        """
        found = [each for each in self.lives if each.session.id == id and each.ends is None]
        return found[0] if found else None

    def closing(self, id: str) -> bool:
        """
        Tell whether a life of *id* is being cleaned up.
        """
        now = self.clock.now
        return any(
            each.session.id == id and each.ends is not None and each.ends > now
            for each in self.lives
        )

    def began(self, session: Session) -> Life:
        """
        Take note of a new life.
        """
        life = Life(session, self.clock.now)
        self.lives.append(life)
        return life

    def readable(self, life: Life) -> bool:
        """
        Tell whether its handle still has its values.
        """
        return life.ends is None or life.ends > self.clock.now

    def expect(self, life: Life | None, call: Callable[[], Any], id: str) -> tuple[bool, Any]:
        """
        Call, and check that it raises where there is no *life*; tell whether it went well.
        """
        if life is not None:
            return True, call()
        with pytest.raises(SessionNotFound):
            call()
        assert self.live(id) is None
        return False, None

    # The rules.

    @initialize()
    def start(self) -> None:
        self.supervisor = Supervisor(idle_timeout=IDLE, default=False, clock=self.clock)
        self.do(self.supervisor.__aenter__())
        self.maps: dict[str, SessionMap[int]] = {
            "plain": SessionMap("same name", supervisor=self.supervisor),
            "adopting": SessionMap("same name", supervisor=self.supervisor, adopt=True),
        }
        self.variables: dict[str, SessionVar[int]] = {
            "bare": SessionVar("same name"),
            "default": SessionVar("same name", default=-1),
            "factory": SessionVar("same name", factory=lambda: -2),
        }

    @rule(id=ID)
    def open(self, id: str) -> None:
        if self.closing(id):
            return
        session = self.do(self.supervisor.open(id))
        life = self.live(id) or self.began(session)
        assert life.session is session
        life.used = self.clock.now

    @rule(id=ID, slow=st.booleans())
    def close(self, id: str, slow: bool) -> None:
        life = self.live(id)
        if life is not None and slow:
            life.session.push_async_callback(asyncio.sleep, SLOW)
        assert self.supervisor.close_soon(id) is (life is not None)
        if life is not None:
            life.ends = self.clock.now + (SLOW if slow else 0)
        self.loop.run_until_complete(self.clock.settle())

    @rule(seconds=st.sampled_from([1.0, 3.0, 20.0, IDLE + 1]))
    def advance(self, seconds: float) -> None:
        self.do(self.clock.advance(seconds))
        now = self.clock.now
        for life in self.lives:
            if life.ends is None and life.used + IDLE <= now:
                gone = life.session.close_reason is not None
                assert gone or life.used + IDLE + LATE > now, "not ended in time"
                if gone:
                    life.ends = now

    @rule(name=MAP, id=ID, value=VALUE, default=st.booleans())
    def write(self, name: str, id: str, value: int, default: bool) -> None:
        target, life = self.maps[name], self.live(id)

        def call() -> int:
            if default:
                return target.setdefault(id, value)
            target[id] = value
            return value

        if life is None and name == "adopting":
            if self.closing(id):
                with pytest.raises(SessionClosed):
                    call()
                return
            assert call() == value
            session = self.supervisor.get(id)
            assert session is not None
            life = self.began(session)
            life.values[name] = value
            return
        went, result = self.expect(life, call, id)
        if went:
            assert life is not None
            life.values[name] = life.values.get(name, value) if default else value
            life.used = self.clock.now
            assert result == life.values[name]

    @rule(name=MAP, id=ID, how=st.sampled_from(["item", "get", "peek", "in"]))
    def read(self, name: str, id: str, how: str) -> None:
        source, life = self.maps[name], self.live(id)
        values = {} if life is None else life.values
        if how == "in":
            assert (id in source) is (name in values)
        elif how == "peek":
            assert source.peek(id) == values.get(name)
        elif name in values:
            assert (source[id] if how == "item" else source.get(id)) == values[name]
            assert life is not None
            life.used = self.clock.now
        elif how == "get":
            assert source.get(id, -9) == -9
        else:
            with pytest.raises(SessionNotFound if life is None else KeyError):
                source[id]

    @rule(name=MAP, id=ID, pop=st.booleans())
    def drop(self, name: str, id: str, pop: bool) -> None:
        source, life = self.maps[name], self.live(id)
        if life is None or name not in life.values:
            with pytest.raises(SessionNotFound if life is None else KeyError):
                source.pop(id) if pop else source.__delitem__(id)
            return
        value = life.values.pop(name)
        life.used = self.clock.now
        if pop:
            assert source.pop(id) == value
        else:
            del source[id]

    @precondition(lambda self: self.lives)
    @rule(name=MAP, value=VALUE, write=st.booleans(), data=st.data())
    def by_handle(self, name: str, value: int, write: bool, data: st.DataObject) -> None:
        life = data.draw(st.sampled_from(self.lives))
        target, session = self.maps[name], life.session
        if not self.readable(life):
            with pytest.raises(SessionClosed):
                target.__setitem__(session, value) if write else target[session]
        elif write:
            target[session] = value
            life.values[name] = value
            life.used = self.clock.now if life.ends is None else life.used
        elif name in life.values:
            assert target[session] == life.values[name]
            life.used = self.clock.now if life.ends is None else life.used
        else:
            with pytest.raises(KeyError):
                target[session]

    @precondition(lambda self: self.lives)
    @rule(var=VAR, how=st.sampled_from(["get", "set", "reset"]), value=VALUE, data=st.data())
    def variable(self, var: str, how: str, value: int, data: st.DataObject) -> None:
        life = data.draw(st.sampled_from(self.lives))
        source, session = self.variables[var], life.session
        calls: dict[str, Callable[[], object]] = {
            "get": lambda: source.get(session),
            "set": lambda: source.set(value, session),
            "reset": lambda: source.reset(session),
        }
        if not self.readable(life):
            with pytest.raises(SessionClosed):
                calls[how]()
        elif how == "get":
            if var == "factory":
                life.values.setdefault(var, -2)
            if var == "bare" and var not in life.values:
                with pytest.raises(LookupError):
                    calls[how]()
            else:
                assert calls[how]() == life.values.get(var, -1)
        else:
            calls[how]()
            life.values.pop(var, None)
            if how == "set":
                life.values[var] = value

    @rule(name=MAP)
    def clear(self, name: str) -> None:
        self.maps[name].clear()
        for life in self.lives:
            if life.ends is None:
                life.values.pop(name, None)

    @invariant()
    def is_as_expected(self) -> None:
        """
        The maps hold what the live lives should, nothing else was touched, and the dead hold none.
        """
        if not hasattr(self, "maps"):
            return
        live = {each.session.id: each for each in self.lives if each.ends is None}
        assert set(self.supervisor) == live.keys()
        for name, each_map in self.maps.items():
            expected = {id: life.values[name] for id, life in live.items() if name in life.values}
            assert each_map == expected
            assert len(each_map) == len(expected)
            assert set(each_map) == expected.keys()
            assert dict(each_map.items()) == expected
        for life in self.lives:
            session = life.session
            assert (session.state is SessionState.CLOSED) is not self.readable(life)
            if life.ends is None:
                assert session.last_used == life.used, "touched, or not touched"
            for name, each_map in self.maps.items():
                there = self.readable(life) and name in life.values
                assert each_map.__contains__(session) is there
                assert each_map.peek(session, -9) == (life.values[name] if there else -9)
            if not self.readable(life):
                assert not session._slots

    def teardown(self) -> None:
        try:
            if hasattr(self, "supervisor"):
                self.do(self.supervisor.__aexit__(None, None, None))
                assert not any(self.maps.values())
                assert not asyncio.all_tasks(self.loop)
        finally:
            self.loop.close()


TestStateMachine = StateMachine.TestCase
TestStateMachine.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    report_multiple_bugs=False,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
