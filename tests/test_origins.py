"""
Where what is left came from, as far as it was noted while somebody checked.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import anyio
import pytest

from sessionstate import SessionMap, Supervisor
from sessionstate._resources import Callback
from sessionstate.testing import Leftover, LeftoverError, VirtualClock, census, no_leaks
from sessionstate.testing._origins import SPARE, defined_at, origins
from tests.test_leftovers import Emitter
from tests.traces import nothing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from sessionstate import Session

agents = SessionMap[str]("agents")


def here(lines: int = 0) -> str:
    """
    Return the caller's place, so many *lines* further down.
    """
    frame = sys._getframe(1)
    return f"{frame.f_code.co_filename}:{frame.f_lineno + lines}"


def defined(function: Callable[..., object]) -> str:
    """
    Return the place that defines *function*.
    """
    code = function.__code__
    return f"{code.co_filename}:{code.co_firstlineno}"


async def left_by(body: Callable[[], Awaitable[object]]) -> list[Leftover]:
    """
    Return what *body* leaves.
    """
    with pytest.raises(LeftoverError) as info:
        async with no_leaks(settle=0):
            await body()
    return info.value.leftovers


async def idle() -> None:
    """
    Wait for long.
    """
    await asyncio.sleep(1000)


@asynccontextmanager
async def entered() -> AsyncIterator[None]:
    """
    Be a context.
    """
    yield


class TestOwned:
    async def test_its_own_place(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        What a session owns is told with the line that gave it, what defines it, and its own age.
        """
        given: dict[str, str] = {}
        promised: list[Callback] = []

        async def body() -> None:
            session = await supervisor.open("a")
            given["session"] = here(-1)
            await clock.advance(3)
            session.callback(nothing)
            given["callback"] = here(-1)
            promised.append(session.push_async_callback(partial(idle)))
            given["async callback"] = here(-1)
            session.start_soon(idle)
            given["task"] = here(-1)
            session.listen(Emitter(), "event", nothing)
            given["listener"] = here(-1)
            session.call_later(500, nothing)
            given["timer"] = here(-1)
            await session.enter_async_context(entered())
            given["context"] = here(-1)
            await clock.advance(2)

        left = await left_by(body)
        assert {each.kind: each.opened_where for each in left} == given
        assert [each.age for each in left] == [5, *[2] * 6]
        of_session = f"of session 'a', opened at {given['session']}"
        assert {each.reason for each in left[1:]} == {of_session}
        functions = {each.kind: each.defined_where for each in left}
        for kind in ("callback", "listener", "timer"):
            assert functions[kind] == defined(nothing)
        assert functions["task"] == functions["async callback"] == defined(idle)
        callback = next(each for each in left if each.kind == "callback")
        assert callback.text == (
            f"callback a: nothing, 2 s old: {of_session}\n"
            f"    opened at {given['callback']}\n"
            f"    defined at {defined(nothing)}"
        )
        promised[0].cancel()
        await supervisor.close("a")

    async def test_without_a_check(self, supervisor: Supervisor) -> None:
        """
        What nobody noted is told with the place of its session, and with what defines it.
        """
        before = census()
        session = await supervisor.open("a")
        session.callback(nothing)
        agents["a"] = "agent"
        of_session, callback, slot = census().since(before)
        assert callback.opened_where == slot.opened_where == of_session.opened_where
        assert (callback.reason, callback.age) == ("of session 'a'", None)
        assert (callback.defined_where, slot.defined_where) == (defined(nothing), None)
        assert callback.matches(f"*/{__name__.rpartition('.')[2]}.py:*")
        await session.aclose()

    async def test_notes_do_not_grow(self, supervisor: Supervisor) -> None:
        """
        Of what a session does not own any more few notes are kept, and none without the session.
        """
        async with no_leaks():
            async with supervisor.session("a") as session:
                lasting = [session.callback(nothing) for _ in range(10)]
                for _ in range(20):
                    many = [session.callback(nothing) for _ in range(100)]
                    for each in many:
                        each.cancel()
                    assert len(origins._made[session]) <= SPARE + 2 * 110
                assert all(origins.of(session, each)[0] for each in lasting)
            del session, lasting, many, each
            assert len(origins._made) == 0


class TestForeign:
    async def test_tasks(self) -> None:
        """
        A task of nobody's is told with the line that called its coroutine, and what defines it.
        """
        tasks: list[asyncio.Task[None]] = []

        async def body() -> None:
            tasks.append(asyncio.create_task(idle()))
            await asyncio.sleep(0)

        (left,) = await left_by(body)
        assert left.opened_where == f"{__file__}:{body.__code__.co_firstlineno + 1}"
        assert left.defined_where == defined(idle)
        tasks[0].cancel()
        with suppress(asyncio.CancelledError):
            await tasks[0]

    async def test_tasks_of_a_library(self) -> None:
        """
        Of a task that a library starts, it is the line that told the library.
        """
        async with anyio.create_task_group() as group:

            async def body() -> None:
                group.start_soon(idle)

            (left,) = await left_by(body)
            assert left.opened_where == f"{__file__}:{body.__code__.co_firstlineno + 1}"
            group.cancel_scope.cancel()

    @pytest.mark.real_loop
    async def test_children(self) -> None:
        """
        A child process is told with its age, and with the line that started it, if Python did.
        """
        code = [sys.executable, "-c", "input()"]
        children: list[asyncio.subprocess.Process | subprocess.Popen[bytes]] = []

        async def body() -> None:
            pipe = subprocess.PIPE
            children.append(await asyncio.create_subprocess_exec(*code, stdin=pipe))
            children.append(subprocess.Popen(code, stdin=pipe))  # noqa: ASYNC220 - it waits for us

        try:
            left = [each for each in await left_by(body) if each.kind == "child process"]
        finally:
            for each in children:
                each.kill()
                waiting = each.wait()
                if not isinstance(waiting, int):
                    await waiting
                assert each.stdin is not None
                each.stdin.close()
            await asyncio.sleep(0.01)
        line = body.__code__.co_firstlineno
        uvloop = type(asyncio.get_running_loop()).__module__ == "uvloop"  # which does without
        assert {each.name.partition(",")[0]: each.opened_where for each in left} == {
            str(children[0].pid): None if uvloop else f"{__file__}:{line + 2}",
            str(children[1].pid): f"{__file__}:{line + 3}",
        }
        assert all(each.age is not None and each.age < 60 for each in left)

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell what is open")
    @pytest.mark.real_loop
    async def test_sockets(self) -> None:
        """
        A socket is told with its age, and with the line that made it; a file with what it is.
        """
        made: list[socket.socket | BinaryIO] = []

        async def body() -> None:
            made.append(socket.socket())
            made.extend(socket.socketpair())
            made.append(Path(__file__).open("rb"))  # noqa: ASYNC230, SIM115 - left on purpose

        left = [each for each in await left_by(body) if each.kind == "file descriptor"]
        line = body.__code__.co_firstlineno
        assert [each.opened_where for each in left] == [
            f"{__file__}:{line + 1}",
            *[f"{__file__}:{line + 2}"] * 2,
            None,
        ]
        assert [each.age is not None for each in left] == [True, True, True, False]
        for each in made:
            each.close()
        made.clear()

    async def test_sockets_of_the_loop_itself(self) -> None:
        """
        A socket to which no code of the program's leads has an age, and no place.
        """
        made: list[socket.socket] = []
        async with no_leaks():
            families = map(socket.socket, [socket.AF_INET])
            asyncio.get_running_loop().call_soon(made.extend, families)
            await asyncio.sleep(0)
            where, age = origins.of_sockets()[made[0].fileno()]
            made[0].close()
        assert where is None
        assert age >= 0


class TestPlaces:
    async def test_what_the_loop_itself_makes(self, s: Session) -> None:
        """
        What no code of the program's leads to has no place but that of its session.
        """
        async with no_leaks():
            handles: list[Callback] = []
            call = partial(s.callback, nothing)
            asyncio.get_running_loop().call_soon(lambda: handles.append(call()))
            await asyncio.sleep(0)
            assert origins.of(s, handles[0])[0] == here(-2)
            done = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(call)
            asyncio.get_running_loop().call_soon(done.set_result, None)
            await done
            (*_, loose) = s.resources()
            assert origins.of(s, loose.handle)[0] is None
            handles[0].cancel()
            assert isinstance(loose.handle, Callback)
            loose.handle.cancel()

    def test_definitions(self) -> None:
        """
        The place that defines a method, or what a partial calls, is that of the function.
        """
        assert defined_at(partial(nothing)) == defined(nothing)
        assert defined_at(Emitter().on) == defined(Emitter.on)
        assert defined_at(print) is None
