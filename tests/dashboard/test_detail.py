"""
All that is shown of one session: what holds it, what it owns and keeps, what it is tied to.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import SessionMap, SessionVar, Supervisor
from sessionstate.dashboard._detail import CHILDREN, HOLDERS, RESOURCES
from sessionstate.dashboard._probe import Probe
from tests.bodies import LONG
from tests.dashboard.shapes import shown
from tests.traces import nothing, open_here, stop_expiry, traced

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sessionstate import Session
    from sessionstate.dashboard._source import ResourceOf
    from sessionstate.testing import VirtualClock

__all__ = ["traced"]  # a fixture

agents = SessionMap[object]("agents")
drafts = SessionVar[object]("drafts", factory=dict)


@pytest.fixture
def probe(supervisor: Supervisor) -> Iterator[Probe]:
    """
    Give a probe that looks only when it is asked.
    """
    probe = Probe(supervisor)
    yield probe
    probe.stop()


def functions(stack: list[str]) -> list[str]:
    """
    Return the functions of a stack, the innermost first.
    """
    return [each.rpartition(" in ")[2] for each in stack]


class TestSession:
    async def test_idle(self, probe: Probe, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        Of a session that nobody holds: since when it is there, and when and as what it ends.
        """
        session = await open_here(supervisor, "a")
        clock.jump(10)
        detail = await shown(probe, session)
        assert detail.items() >= {
            "incarnation": 1, "id": "a", "state": "idle", "reason": "idle", "age": 10.0,
            "idle": 10.0, "expires_in": 1790.0, "group": None, "weight": 0.0, "orphan": None,
            "parent": None, "children": [], "holders": [], "resources": [], "more_resources": 0,
            "opened_by": [], "used_at": [],
        }.items()  # fmt: skip
        assert detail["opened_where"] == session.opened_where

    async def test_endless(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        A session without a deadline has no reason to end.
        """
        session = await supervisor.open("a", idle_timeout=None)
        detail = await shown(probe, session)
        assert (detail["reason"], detail["expires_in"]) == (None, None)

    async def test_closing(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        A closing session says why; it is found as long as its clean-up runs.
        """
        session = await supervisor.open("a", group="g")
        session.push_async_callback(asyncio.sleep, 1)
        session.close_soon()
        assert supervisor.get("a") is None
        detail = await shown(probe, session)
        assert (detail["state"], detail["reason"]) == ("closing", "completed")
        assert (detail["expires_in"], detail["orphan"]) == (None, None)
        assert detail["group"] == "g"

    async def test_closed(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        A session that is looked at is shown when it is closed too; another is not found.
        """
        session, other = await supervisor.open("a"), await supervisor.open("b")
        session.callback(nothing)
        await shown(probe, session)
        session.close_soon()
        other.close_soon()
        detail = await shown(probe, session)
        assert (detail["state"], detail["reason"]) == ("closed", "completed")
        assert (detail["resources"], detail["orphan"], detail["expires_in"]) == ([], None, None)
        assert await probe.session(other.incarnation) is None
        assert await probe.session(99) is None

    async def test_another_life(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        Two lives of one id are not taken for each other.
        """
        first = await supervisor.open("a")
        await shown(probe, first)
        await supervisor.close("a")
        second = await supervisor.open("a")
        assert (await shown(probe, first))["state"] == "closed"
        assert (await shown(probe, second))["state"] == "idle"

    async def test_sampled(self, traced: Supervisor) -> None:
        """
        Of a sampled session it is told what opened it, and what used it last.
        """
        probe = Probe(traced)
        session = await open_here(traced, "a")
        agents[session] = 1
        detail = await shown(probe, session)
        assert functions(detail["opened_by"])[:2] == ["open_here", "TestSession.test_sampled"]
        use, *_ = detail["used_at"]
        assert "TestSession.test_sampled" in use
        probe.stop()

    async def test_orphan(self, probe: Probe, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        Of a session that should be gone it is told why.
        """
        stop_expiry(supervisor)
        session = await supervisor.open("a", idle_timeout=10)
        clock.jump(20)
        detail = await shown(probe, session)
        assert detail["orphan"] == "overdue: its deadline passed 10 s ago, and it is still live"
        assert detail["expires_in"] == -10


class TestTies:
    async def test_parent_and_children(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        Parent and children are told with their state; who holds a child holds the parent.
        """
        parent = await supervisor.open("a-parent-with-an-id")
        idle = await supervisor.open("a-child-with-an-id", parent=parent, group="g", weight=1.5)
        async with supervisor.attach("another-child", parent=parent) as held:
            above = await shown(probe, parent)
            assert above["parent"] is None
            assert above["children"] == [
                {"incarnation": idle.incarnation, "id": "a-child-…", "state": "idle"},
                {"incarnation": held.incarnation, "id": "another-…", "state": "open"},
            ]
            assert above["holders"] == [{"where": "child session 'another-…'", "stack": []}]
            below = await shown(probe, idle)
            assert below["parent"] == {
                "incarnation": parent.incarnation, "id": "a-parent…", "state": "open",
            }  # fmt: skip
            assert (below["group"], below["weight"]) == ("g", 1.5)

    async def test_at_most(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        Of many children, and of many who are inside, the first are told.
        """
        parent = await supervisor.open("parent")
        blocks = [supervisor.attach("parent") for _ in range(HOLDERS + 5)]
        for block in blocks:
            await block.__aenter__()
        for number in range(CHILDREN + 5):
            await supervisor.open(f"{number}", parent=parent)
        detail = await shown(probe, parent)
        assert [each["id"] for each in detail["children"]] == [f"{n}" for n in range(CHILDREN)]
        assert len(detail["holders"]) == HOLDERS
        for block in reversed(blocks):
            await block.__aexit__(None, None, None)


class TestHolders:
    async def test_where_they_wait(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        Of each who is inside it is told as what, where, and where its task waits.
        """

        async def body() -> None:
            await asyncio.sleep(LONG)

        async def own() -> None:
            async with supervisor.session("a"):
                await body()

        async def visit() -> None:
            async with supervisor.attach("a"):
                await body()

        tasks = [asyncio.create_task(each(), name="a person's name") for each in (own, visit)]
        await asyncio.sleep(0)
        detail = await shown(probe, supervisor["a"])
        assert detail["state"] == "open"
        first, second = detail["holders"]
        assert first["where"].startswith("owner at ")
        assert second["where"].startswith("visitor at ")
        for holder, function in ((first, "own"), (second, "visit")):
            told = [each.rpartition(".")[2] for each in functions(holder["stack"])]
            assert told == ["sleep", "body", function]
            file, line = holder["where"].rpartition(" at ")[2].rsplit(":", 1)
            assert file == __file__
            assert line.isdigit()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def test_whoever_asks(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        Who is inside may look at the session itself.
        """
        async with supervisor.session("a") as session:
            (holder,) = (await shown(probe, session))["holders"]
            assert functions(holder["stack"]) == ["TestHolders.test_whoever_asks"]


class Hostile:
    """
    A value that does not want to be looked at.
    """

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def __sizeof__(self) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def __repr__(self) -> str:
        raise AssertionError("nobody may ask for this")

    __str__ = __eq__ = __hash__ = __repr__  # type: ignore[assignment]


class TestResources:
    async def test_every_kind(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        Tasks come first, with where they wait; then clean-ups; then values, by type and size.
        """
        session = await supervisor.open("a")

        async def work() -> None:
            await asyncio.sleep(LONG)

        agents[session] = [1, 2, 3]
        drafts.get(session)
        session.vars["secret"] = 1
        session.callback(nothing)
        session.push_async_callback(work)
        session.call_later(LONG, nothing)
        session.start_soon(work)
        await asyncio.sleep(0)
        detail = await shown(probe, session)
        task, callback, later, timer, *slots = detail["resources"]
        assert task["kind"] == "task"
        assert task["name"].endswith("work")
        assert [each.rpartition(".")[2] for each in functions(task["stack"])] == ["sleep", "work"]
        assert callback == {
            "kind": "callback", "name": "nothing", "type": None, "size": None, "pid": None,
            "stack": [],
        }  # fmt: skip
        assert (later["kind"], timer["kind"], timer["name"]) == (
            "async callback", "timer", "nothing",
        )  # fmt: skip
        assert slots == [
            _slot("agents", "list", sys.getsizeof([1, 2, 3])),
            _slot("drafts", "dict", sys.getsizeof({})),
        ]
        assert detail["more_resources"] == 0

    @pytest.mark.parametrize(
        ("answer", "size"),
        [(RuntimeError("no"), None), (-1, None), ("many", None), (2**80, None), (1000, 1000)],
    )
    async def test_hostile(
        self, probe: Probe, supervisor: Supervisor, answer: Any, size: int | None
    ) -> None:
        """
        A value that fails to tell its size has none; nothing else is asked of it.
        """
        session = await supervisor.open("a")
        agents[session] = Hostile(answer)
        (slot,) = (await shown(probe, session))["resources"]
        assert (slot["name"], slot["type"]) == ("agents", "Hostile")
        if size is None:
            assert slot["size"] is None
        else:
            assert slot["size"] is not None
            assert slot["size"] >= size

    async def test_at_most(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        Of many resources the first are told, and how many there are besides.
        """
        session = await supervisor.open("a")
        agents[session] = drafts.get(session)
        for _ in range(RESOURCES - 1):
            session.callback(nothing)
        detail = await shown(probe, session)
        assert len(detail["resources"]) == RESOURCES
        assert detail["resources"][-1]["name"] == "drafts"
        assert detail["more_resources"] == 1
        for _ in range(5):
            session.callback(nothing)
        detail = await shown(probe, session)
        assert {each["kind"] for each in detail["resources"]} == {"callback"}
        assert (len(detail["resources"]), detail["more_resources"]) == (RESOURCES, 6)

    async def test_context(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        A context is told with where its task waits.
        """

        class Connection:
            async def __aenter__(self) -> None:
                """
                Be entered.
                """

            async def __aexit__(self, *exc: object) -> None:
                """
                Be left.
                """

        session = await supervisor.open("a")
        await session.enter_async_context(Connection())
        (context,) = (await shown(probe, session))["resources"]
        assert context["kind"] == "context"
        assert context["name"].endswith("Connection")
        assert len(context["stack"]) == 1


def _slot(name: str, cls: str, size: int) -> ResourceOf:
    return {"kind": "slot", "name": name, "type": cls, "size": size, "pid": None, "stack": []}


@pytest.mark.real_loop
class TestProcess:
    @pytest.fixture
    async def session(self, supervisor: Supervisor) -> AsyncIterator[Session]:
        """
        Give a session whose clean-up is over when the test is.
        """
        session = await supervisor.open("a")
        yield session
        await supervisor.close("a")

    async def test_pid(self, probe: Probe, session: Session) -> None:
        """
        A process is told with its number, and not with its arguments.
        """
        code = "import sys; sys.stdin.read(); secret = 1"
        process = await session.open_process([sys.executable, "-c", code])
        detail = await shown(probe, session)
        (told,) = (each for each in detail["resources"] if each["kind"] == "process")
        assert told["pid"] == process.pid
        assert "secret" not in told["name"]
        await process.aclose()
        assert (await shown(probe, session))["resources"] == []

    async def test_not_begun(self, probe: Probe, session: Session) -> None:
        """
        A process that is only about to start has no number yet.
        """
        opening = asyncio.create_task(session.open_process([sys.executable, "-c", "input()"]))
        while not session._steps:  # noqa: ASYNC110 - nobody tells that a start has begun
            await asyncio.sleep(0)
        (told,) = (await shown(probe, session))["resources"]
        assert (told["kind"], told["pid"]) == ("process", None)
        await opening
