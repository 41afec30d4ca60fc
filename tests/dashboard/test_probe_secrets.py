"""
What is never told: values, variables, ids, and whatever else only the program should know.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import ExpiringMap, SessionMap, SessionVar, Supervisor
from sessionstate.dashboard._probe import Probe
from sessionstate.dashboard._source import SORTS, STATES, Query
from tests.bodies import LONG, deaf
from tests.dashboard.shapes import as_json, check
from tests.traces import PARANOID

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sessionstate import Session
    from sessionstate._redaction import Redact
    from tests.conftest import StartSupervisor

pytestmark = pytest.mark.virtual_time

SECRET = "Zx9topsecret"  # noqa: S105 - it opens nothing
SHOWN = "visible-"
"""What "short" may show of an id."""

agents = SessionMap[object]("agents")
drafts = SessionVar[object]("drafts", factory=dict)


class Telling:
    """
    A value, a callable and a context that tells its secret to whoever asks.
    """

    def __repr__(self) -> str:
        return SECRET

    __str__ = __repr__

    def __call__(self) -> None:
        """
        Fail, as a callback.
        """
        raise ValueError(SECRET)

    async def later(self) -> None:
        """
        Fail, as an async callback.
        """
        raise LookupError(SECRET)

    def __enter__(self) -> str:
        return SECRET

    def __exit__(self, *exc: object) -> None:
        raise KeyError(SECRET)


@asynccontextmanager
async def connection(secret: str) -> AsyncIterator[str]:
    """
    Be a context that an error leaves.
    """
    yield secret
    raise OSError(secret)


async def waiting(secret: str) -> None:
    """
    Be an owned task that knows a secret.
    """
    await asyncio.sleep(LONG)


async def entered(supervisor: Supervisor, ids: list[str], seconds: float) -> None:
    """
    Be inside of sessions.
    """
    async with supervisor.session(ids[0]), supervisor.attach(ids[1]):
        await deaf(seconds)


async def visit(supervisor: Supervisor, id: str, **options: Any) -> None:
    """
    Be inside of a session until it ends.
    """
    async with supervisor.attach(id, **options):
        await asyncio.sleep(LONG)


def _named(name: str) -> Callable[[], None]:
    def call() -> None:
        """
        Do nothing.
        """

    call.__qualname__ = name
    return call


def fill(session: Session) -> None:
    """
    Have secrets in everything that *session* keeps and owns.
    """
    tell = Telling()
    agents[session] = tell
    drafts.set({SECRET: SECRET}, session)
    session.vars[SECRET] = SECRET
    session.callback(tell)
    session.callback(partial(repr, SECRET))
    session.callback(_named(f"notify {session.id}"))
    session.push_async_callback(tell.later)
    session.enter_context(tell)
    session.start_soon(waiting, SECRET, name=SECRET)
    ExpiringMap[str, str](ttl=100, session=session)[SECRET] = SECRET


async def everything(probe: Probe) -> str:
    """
    Return as one text all that is told of all sessions that there are.
    """
    supervisor = probe.supervisor
    await probe.overview(after=probe._number)
    overview = await probe.overview()
    told = [check(overview, "Overview")]
    told += [
        check(await probe.sessions(Query(sort=sort, state=state)), "Page")
        for sort, state in product(SORTS, (None, *STATES))
    ]
    there = [*supervisor._live.values(), *supervisor._closing.values()]
    told += [check(await probe.session(each.incarnation), "Detail") for each in there]
    return "\n".join(told)


@pytest.mark.parametrize("redact", ["short", "hash", "own"])
class TestSecrets:
    async def test_of_all_kinds(
        self,
        start_supervisor: StartSupervisor,
        redact: Any,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """
        Nothing of values, variables, names of tasks, errors and ids is ever told.
        """
        supervisor = await start_supervisor(leak_detection=PARANOID, close_timeout=8)
        given: dict[str, Redact] = {"own": lambda id: f"<{len(id)}>"}
        probe = Probe(supervisor, redact=given.get(redact, redact))
        probe.start()
        ids = [f"{SHOWN}{SECRET}-{number}" for number in range(8)]
        parent = await supervisor.open(ids[0])
        holding = asyncio.create_task(entered(supervisor, ids[1:3], 10), name=f"chat of {SECRET}")
        await asyncio.sleep(0)
        child = await supervisor.open(ids[3], parent=parent, group="team")
        visiting = asyncio.create_task(visit(supervisor, ids[4], parent=child), name=SECRET)
        await asyncio.sleep(0)
        for session in list(supervisor.values()):
            fill(session)
            await session.enter_async_context(connection(SECRET))
            await session.get_or_create(SECRET, partial(asyncio.sleep, 0, SECRET))
        parent.start_soon(visit, supervisor, ids[2])
        await asyncio.sleep(0)
        texts = [await everything(probe)]
        for session in list(supervisor.values()):
            session.push_async_callback(asyncio.sleep, 1)
            session.close_soon()
        incarnations = range(1, supervisor.statistics().opened + 1)
        texts += [await everything(probe) for _ in range(12)]
        texts += [check(await probe.session(each), "Detail") for each in incarnations]
        await asyncio.gather(holding, visiting, return_exceptions=True)
        text = "\n".join(texts)
        assert SECRET not in text
        assert text.count("KeyError") >= len(incarnations)
        assert "stuck owner at " in text
        if redact != "short":
            assert SHOWN not in text
        await probe.close(1, "somebody")
        told = [each.getMessage() for each in caplog.records if each.name.endswith("dashboard")]
        assert len(told) == 1
        assert SECRET not in told[0]
        probe.stop()

    async def test_left_in_a_lost_task(
        self, start_supervisor: StartSupervisor, redact: Any
    ) -> None:
        """
        An orphan is told without the name of the task that did not leave it.
        """
        supervisor = await start_supervisor()
        probe = Probe(supervisor, redact="hash" if redact == "own" else redact)
        block = supervisor.session(f"{SHOWN}{SECRET}")
        await asyncio.create_task(block.__aenter__(), name=SECRET)
        detail = await probe.session(1)
        assert detail is not None
        assert detail["orphan"] is not None
        assert detail["orphan"].startswith("not left: owner at ")
        assert SECRET not in as_json(detail)
        await block.__aexit__(None, None, None)
        probe.stop()


def _failing(id: str) -> str:
    raise LookupError(id)


STYLES: list[tuple[Redact | None, str]] = [
    (None, "a-long-i…"),
    ("short", "a-long-i…"),
    ("none", "a-long-id"),
    (str.upper, "A-LONG-ID"),
    (_failing, "<not redacted>"),
]


class TestForms:
    @pytest.mark.parametrize(("redact", "shown"), STYLES)
    async def test_as_wanted(
        self, supervisor: Supervisor, redact: Any, shown: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        An id is shown in the wanted form, and everywhere in the same.
        """
        assert await self._forms(supervisor, redact, caplog) == {shown}

    async def test_hash(self, supervisor: Supervisor, caplog: pytest.LogCaptureFixture) -> None:
        """
        A hash is the same everywhere too, so that one finds a session again.
        """
        (shown,) = await self._forms(supervisor, "hash", caplog)
        assert re.fullmatch(r"[0-9a-f]{16}", shown)

    async def _forms(
        self, supervisor: Supervisor, redact: Redact | None, caplog: pytest.LogCaptureFixture
    ) -> set[str]:
        """
        Return the forms in which an id is shown in all places where it can be.
        """
        parent = await supervisor.open("parent")
        session = await supervisor.open("a-long-id", parent=parent)
        probe = Probe(supervisor, redact=redact)
        overview = await probe.overview()
        forms = [each["id"] for each in overview["deadlines"] if each["incarnation"] == 2]
        rows = (await probe.sessions(Query(search="a-long-id")))["rows"]
        forms += [row["id"] for row in rows if row["incarnation"] == 2]
        async with supervisor.attach("a-long-id"):
            above = await probe.session(parent.incarnation)
        assert above is not None
        forms += [each["id"] for each in above["children"]]
        (holder,) = above["holders"]
        assert holder["where"].startswith("child session ")
        forms.append(holder["where"].removeprefix("child session ").strip("'"))
        detail = await probe.session(session.incarnation)
        assert detail is not None
        forms.append(detail["id"])
        assert await probe.close(session.incarnation, "me")
        logged = re.search(r"session '(\S.*)' \(life 2\) was closed by me", caplog.text)
        assert logged is not None
        probe.stop()
        assert len(forms) == 5
        return {*forms, logged[1]}
