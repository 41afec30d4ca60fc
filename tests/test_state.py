from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, cast

import pytest

from sessionstate import (
    CloseReason,
    SessionClosed,
    SessionMap,
    SessionNotFound,
    SessionState,
    Supervisor,
)
from sessionstate.testing import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import StartSupervisor


@pytest.fixture
def agents() -> SessionMap[Any]:
    """
    Give a map of the default supervisor.
    """
    return SessionMap[Any]("agents")


def in_thread(call: Callable[[], object]) -> object:
    """
    Call in another thread and return what came out: a value or an error.
    """
    outcome: list[object] = []

    def target() -> None:
        try:
            outcome.append(call())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    return outcome[0]


class TestMapReads:
    async def test_value_is_found_by_id_and_by_handle(
        self, supervisor: Supervisor, agents: SessionMap[Any]
    ) -> None:
        """
        What was written for an id is read by the id and by the session's handle.
        """
        s = await supervisor.open("a")
        agents["a"] = 1
        assert agents[s] == agents["a"] == agents.get(s) == agents.peek(s) == 1
        agents[s] = 2
        assert agents["a"] == agents.peek("a") == 2
        assert s in agents
        assert "a" in agents

    async def test_reading_never_creates(
        self, supervisor: Supervisor, agents: SessionMap[Any]
    ) -> None:
        """
        No read opens a session, even of an adopting map.
        """
        adopting = SessionMap[int]("adopting", adopt=True)
        for each in (agents, adopting):
            with pytest.raises(SessionNotFound) as caught:
                each["a"]
            assert caught.value.id == "a"
            assert each.get("a", 5) == 5
            assert each.peek("a", 6) == 6
            assert each.pop("a", 7) == 7
            assert "a" not in each
        assert len(supervisor) == 0

    async def test_live_session_without_value_is_a_key_error(
        self, supervisor: Supervisor, agents: SessionMap[Any]
    ) -> None:
        """
        A live session without a value is an ordinary KeyError, not a session that was not found.
        """
        s = await supervisor.open("a")
        for key in ("a", s):
            with pytest.raises(KeyError) as caught:
                agents[key]
            assert not isinstance(caught.value, SessionNotFound)
            with pytest.raises(KeyError) as caught:
                del agents[key]
            assert not isinstance(caught.value, SessionNotFound)
            assert agents.peek(key, 3) == 3
            assert key not in agents

    @pytest.mark.parametrize(
        "read",
        [
            lambda agents, key: agents[key],
            lambda agents, key: agents.get(key),
            lambda agents, key: agents.setdefault(key, 0),
            lambda agents, key: agents.__setitem__(key, 2),
        ],
        ids=["item", "get", "setdefault", "write"],
    )
    @pytest.mark.parametrize("by_handle", [False, True])
    async def test_item_access_touches(
        self,
        supervisor: Supervisor,
        agents: SessionMap[Any],
        clock: VirtualClock,
        read: Callable[[SessionMap[Any], Any], object],
        by_handle: bool,
    ) -> None:
        """
        Reading and writing an item touch its session.
        """
        s = await supervisor.open("a")
        agents["a"] = 1
        await clock.advance(10)
        read(agents, s if by_handle else "a")
        assert s.last_used == clock.now

    async def test_looking_on_does_not_touch(
        self, supervisor: Supervisor, agents: SessionMap[Any], clock: VirtualClock
    ) -> None:
        """
        A metrics loop keeps nothing alive: membership, size, views, comparison, repr and peek.
        """
        s = await supervisor.open("a")
        agents["a"] = 1
        before = s.last_used
        await clock.advance(10)
        assert ("a" in agents, s in agents, len(agents)) == (True, True, 1)
        assert (list(agents), list(agents.keys())) == (["a"], ["a"])
        assert (list(agents.values()), list(agents.items())) == ([1], [("a", 1)])
        assert agents == {"a": 1}
        assert agents != {"a": 2}
        assert repr(agents) == "<SessionMap 'agents' of 1 sessions>"
        assert agents.peek("a") == agents.peek(s) == 1
        assert s.last_used == before

    async def test_views_are_snapshots(
        self, supervisor: Supervisor, agents: SessionMap[Any]
    ) -> None:
        """
        Ending sessions while iterating disturbs nobody.
        """
        for id in "abc":
            await supervisor.open(id)
            agents[id] = id
        seen = []
        for view in (agents, agents.keys(), agents.values(), agents.items()):
            for each in view:
                seen.append(each)
                supervisor.close_soon("c")
        assert seen[:3] == ["a", "b", "c"]
        assert list(agents) == ["a", "b"]

    async def test_key_of_another_kind_gets_advice(
        self, supervisor: Supervisor, agents: SessionMap[Any]
    ) -> None:
        """
        A key that is neither id nor session is a TypeError that says what to pass.
        """
        wrong = cast("Any", 5)
        for call in (
            lambda: agents[wrong],
            lambda: agents.__setitem__(wrong, 1),
            lambda: agents.__delitem__(wrong),
        ):
            with pytest.raises(TypeError, match=r"a session's id is a str, not 5"):
                call()
        assert wrong not in agents


class TestMapWrites:
    async def test_write_without_session_is_refused(
        self, supervisor: Supervisor, agents: SessionMap[Any]
    ) -> None:
        """
        A write for an id that has no session is an error, and deleting likewise.
        """
        with pytest.raises(SessionNotFound):
            agents["a"] = 1
        with pytest.raises(SessionNotFound):
            del agents["a"]
        with pytest.raises(SessionNotFound):
            agents.pop("a")
        assert len(supervisor) == 0

    async def test_end_drops_all_values(
        self, supervisor: Supervisor, agents: SessionMap[Any]
    ) -> None:
        """
        The end of a session drops its values in every map, so that no sibling is forgotten.
        """
        siblings = [agents, SessionMap[Any]("tools"), SessionMap[Any]("tools")]
        await supervisor.open("a")
        for number, each in enumerate(siblings):
            each["a"] = number
        assert [each["a"] for each in siblings] == [0, 1, 2]  # by map, not by name
        await supervisor.close("a")
        await supervisor.open("a")
        assert [len(each) for each in siblings] == [0, 0, 0]

    async def test_dropping_values_keeps_sessions(
        self, supervisor: Supervisor, agents: SessionMap[Any]
    ) -> None:
        """
        `del`, `pop` and `clear` drop values, never sessions.
        """
        for id in "abcd":
            await supervisor.open(id)
        for id in "abc":
            agents[id] = id
        del agents["a"]
        assert agents.pop("b") == "b"
        assert list(agents) == ["c"]
        agents.clear()
        assert list(agents) == []
        assert list(supervisor) == ["a", "b", "c", "d"]

    async def test_old_handle_never_reaches_a_new_life(
        self, supervisor: Supervisor, agents: SessionMap[Any]
    ) -> None:
        """
        A handle of an earlier life raises SessionClosed instead of touching the new one.
        """
        old = await supervisor.open("a")
        await supervisor.close("a")
        await supervisor.open("a")
        agents["a"] = "new"
        for call in (
            lambda: agents[old],
            lambda: agents.get(old),
            lambda: agents.__setitem__(old, "old"),
            lambda: agents.__delitem__(old),
        ):
            with pytest.raises(SessionClosed) as caught:
                call()
            assert caught.value.session is old
            assert caught.value.reason is CloseReason.DELETED
        assert agents.peek(old, "nothing") == "nothing"
        assert old not in agents
        assert agents["a"] == "new"

    async def test_handle_works_until_closed(
        self, supervisor: Supervisor, agents: SessionMap[Any]
    ) -> None:
        """
        While closing, the id answers "not found" and the handle reads and writes.
        """
        seen: list[object] = []
        s = await supervisor.open("a")
        agents["a"] = "agent"

        async def clean_up() -> None:
            await asyncio.sleep(0)
            seen.extend([s.state, "a" in agents, agents[s], s in agents])
            agents[s] = "other"
            seen.append(agents.pop(s))

        s.push_async_callback(clean_up)
        await s.aclose()
        assert seen == [SessionState.CLOSING, False, "agent", True, "other"]
        assert s not in agents

    async def test_named_supervisor(self, start_supervisor: StartSupervisor) -> None:
        """
        A map of a named supervisor sees its sessions, and not those of the default one.
        """
        main, own = await start_supervisor(), await start_supervisor(default=False)
        agents = SessionMap[int]("agents", supervisor=own)
        foreign = await main.open("a")
        with pytest.raises(SessionNotFound):
            agents["a"] = 1
        with pytest.raises(SessionNotFound):
            agents[foreign] = 1
        assert foreign not in agents
        assert agents.peek(foreign, 0) == 0
        mine = await own.open("a")
        agents["a"] = 1
        assert agents[mine] == 1
        assert repr(agents) == "<SessionMap 'agents' of 1 sessions>"

    def test_maps_of_two_loops(self) -> None:
        """
        With a default supervisor in each of two loops, a map means the one of the running loop.
        """
        agents = SessionMap[str]("agents")

        async def in_loop(value: str, inner: Callable[[], object] | None = None) -> object:
            async with Supervisor() as supervisor:
                await supervisor.open("a")
                agents["a"] = value
                inner_result = inner() if inner is not None else repr(agents)
                assert agents["a"] == agents.peek("a") == value
                assert dict(agents) == {"a": value}
                return inner_result

        outcome = VirtualClock().run(
            in_loop("outer", lambda: in_thread(lambda: VirtualClock().run(in_loop("inner"))))
        )
        assert outcome == "<SessionMap 'agents'>"

    async def test_without_supervisor(self, agents: SessionMap[Any]) -> None:
        """
        Without a supervisor, use is a RuntimeError that says what to write, and repr works.
        """
        assert repr(agents) == "<SessionMap 'agents'>"
        with pytest.raises(RuntimeError, match=r"async with Supervisor"):
            agents["a"]
        with pytest.raises(RuntimeError, match=r"async with Supervisor"):
            agents["a"] = 1

    async def test_other_threads_read_only(
        self, supervisor: Supervisor, agents: SessionMap[Any]
    ) -> None:
        """
        Another thread may read plainly; its writes are a RuntimeError and change nothing.
        """
        adopting = SessionMap[int]("adopting", adopt=True)
        await supervisor.open("a")
        agents["a"] = 1
        assert in_thread(lambda: agents["a"]) == 1
        assert in_thread(lambda: len(agents)) == 1
        for write in (
            lambda: agents.__setitem__("a", 2),
            lambda: agents.__delitem__("a"),
            agents.clear,
            lambda: adopting.__setitem__("b", 2),
        ):
            error = in_thread(write)
            assert isinstance(error, RuntimeError)
            assert "thread" in str(error)
        assert agents == {"a": 1}
        assert list(supervisor) == ["a"]
