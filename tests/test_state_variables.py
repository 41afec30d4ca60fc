from __future__ import annotations

import asyncio
import copy
import functools
import pickle
from typing import TYPE_CHECKING, Any, cast

import pytest

from sessionstate import (
    CloseReason,
    Session,
    SessionClosed,
    SessionMap,
    SessionState,
    SessionVar,
    Supervisor,
    attach,
    current_session,
    session,
)
from tests.test_state import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionstate.testing import VirtualClock


class TestVar:
    async def test_each_session_has_its_own(self, supervisor: Supervisor) -> None:
        """
        Each session has its own value, reached as the current one's or by handle.
        """
        var = SessionVar[int]("var")
        async with session("a") as a:
            var.set(1)
            async with session("b") as b:
                var.set(2)
                assert (var.get(), var.get(a), var.get(b)) == (2, 1, 2)
            assert var.get() == 1
            var.set(3, a)
            assert var.get() == 3

    async def test_factory_is_stored_and_default_is_not(self, supervisor: Supervisor) -> None:
        """
        A factory's value is made once and stored; a default is handed out and not stored.
        """
        made, given = SessionVar("made", factory=list[int]), SessionVar("given", default=5)
        async with session("a") as a:
            made.get().append(1)
            assert made.get() == made.get(a) == [1]
            assert given.get() == given.get(a) == 5
            assert "keeps made\n" in supervisor.dump() + "\n"
            made.reset()
            assert made.get() == []
            given.set(6)
            given.reset(a)
            given.reset(a)
            assert given.get() == 5

    async def test_failing_factory_stores_nothing(self, supervisor: Supervisor) -> None:
        """
        A factory that raises is asked again.
        """
        answers = [ValueError("no"), 7]

        def factory() -> int:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        var = SessionVar("var", factory=factory)
        async with session("a"):
            with pytest.raises(ValueError, match="no"):
                var.get()
            assert var.get() == var.get() == 7

    async def test_nothing_to_give(self, supervisor: Supervisor) -> None:
        """
        With nothing set, no default and no factory, get is a LookupError with advice.
        """
        var = SessionVar[int]("var")
        async with session("a"):
            with pytest.raises(LookupError, match=r"'var' was not set in session 'a': set it"):
                var.get()

    async def test_none_is_a_value(self, supervisor: Supervisor) -> None:
        """
        None is a default and a value like any other.
        """
        var = SessionVar[int | None]("var", default=None)
        async with session("a"):
            assert var.get() is None
            var.set(1)
            var.set(None)
            assert var.get() is None

    @pytest.mark.parametrize(
        "options", [{}, {"default": 1}, {"factory": dict}], ids=["bare", "default", "factory"]
    )
    async def test_outside_of_a_session(
        self, supervisor: Supervisor, options: dict[str, Any]
    ) -> None:
        """
        Outside of a session it is a RuntimeError, even with a default.
        """
        var = SessionVar[Any]("var", **options)
        for call in (var.get, lambda: var.set(1), var.reset):
            with pytest.raises(RuntimeError, match="no current session"):
                call()

    @pytest.mark.parametrize(
        "options", [{}, {"default": 1}, {"factory": dict}], ids=["bare", "default", "factory"]
    )
    async def test_closed_session(self, supervisor: Supervisor, options: dict[str, Any]) -> None:
        """
        A closed session has dropped its values: SessionClosed, however it is reached.
        """
        var = SessionVar[Any]("var", **options)

        async def outlive() -> list[type]:
            seen: list[type] = []
            await asyncio.sleep(1)
            for call in (var.get, lambda: var.set(1), var.reset):
                try:
                    call()
                except Exception as error:
                    seen.append(type(error))
            return seen

        async with session("a") as s:
            var.set(2)
            task = asyncio.create_task(outlive())
        assert await task == [SessionClosed] * 3
        for call in (lambda: var.get(s), lambda: var.set(1, s), lambda: var.reset(s)):
            with pytest.raises(SessionClosed):
                call()

    async def test_values_last_through_clean_up(self, supervisor: Supervisor) -> None:
        """
        Values work in bodies that unwind, in hooks and in clean-up, until the session is closed.
        """
        var = SessionVar[str]("var")
        seen: list[str] = []

        @supervisor.on_close
        def hook(s: Session, reason: CloseReason) -> None:
            seen.append(f"hook {var.get()}")

        with pytest.raises(SessionClosed):
            async with session("a") as s:
                var.set("value")
                s.callback(lambda: seen.append(f"callback {var.get()}"))
                asyncio.get_running_loop().call_soon(s.close_soon)
                try:
                    await asyncio.Event().wait()
                finally:
                    seen.append(f"body {var.get()}")
        assert seen == ["body value", "hook value", "callback value"]

    @pytest.mark.parametrize("wrong", ["a", "", 0, {}])
    async def test_what_is_no_session(self, supervisor: Supervisor, wrong: Any) -> None:
        """
        An argument that is no session is a TypeError, and never means the current one.
        """
        var = SessionVar("var", default=1)
        async with session("a"):
            var.set(2)
            for call in (
                lambda: var.get(wrong),
                lambda: var.set(1, wrong),
                lambda: var.reset(wrong),
            ):
                with pytest.raises(TypeError, match="a Session is needed"):
                    call()

    async def test_set_from_another_thread(self, supervisor: Supervisor) -> None:
        """
        Another thread may read; its writes are a RuntimeError.
        """
        var = SessionVar[int]("var")
        s = await supervisor.open("a")
        var.set(1, s)
        assert in_thread(lambda: var.get(s)) == 1
        for call in (lambda: var.set(2, s), lambda: var.reset(s)):
            assert isinstance(in_thread(call), RuntimeError)
        assert var.get(s) == 1


class _AsyncObject:
    async def __call__(self) -> int:
        return 1


async def _load() -> int:
    return 1


class TestMistakes:
    @pytest.mark.parametrize("kind", [SessionMap, SessionVar])
    @pytest.mark.parametrize("name", ["", None, 5])
    def test_name(self, kind: Any, name: object) -> None:
        """
        Maps and vars have a name, which shows in dumps.
        """
        with pytest.raises(TypeError, match="needs a name"):
            kind(name)
        assert kind("name").name == "name"
        assert "'name'" in repr(kind("name"))

    @pytest.mark.parametrize("default", [[], {}, set()])
    def test_mutable_default(self, default: object) -> None:
        """
        A mutable default would be shared by all sessions: it is refused with advice.
        """
        with pytest.raises(TypeError, match=rf"factory={type(default).__name__}"):
            SessionVar("var", default=default)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"default": 1, "factory": int}, "not both"),
            ({"factory": 5}, "must be a function"),
            ({"factory": _load}, "get_or_create"),
            ({"factory": functools.partial(_load)}, "get_or_create"),
        ],
        ids=["both", "no function", "async", "async partial"],
    )
    def test_var_options(self, options: dict[str, Any], message: str) -> None:
        """
        A default and a factory exclude each other, and a factory is a plain function.
        """
        with pytest.raises(TypeError, match=message):
            SessionVar("var", **options)

    @pytest.mark.parametrize(
        "factory", [_AsyncObject(), lambda *_: _load()], ids=["object", "lambda"]
    )
    async def test_hidden_async_factory(self, supervisor: Supervisor, factory: Any) -> None:
        """
        An async factory that does not look like one is refused when it is called, at the latest.
        """
        with pytest.raises(TypeError, match="get_or_create"):
            async with session("a"):
                SessionVar("var", factory=factory).get()

    def test_supervisor_of_a_map(self) -> None:
        """
        What is passed as supervisor must be one.
        """
        with pytest.raises(TypeError, match="must be a Supervisor"):
            SessionMap("map", supervisor=cast("Any", "default"))

    @pytest.mark.parametrize("make", [SessionMap, SessionVar])
    @pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickle.dumps])
    def test_copying(self, make: Callable[[str], object], how: Callable[[object], object]) -> None:
        """
        Copying or pickling a map or var is a TypeError with advice.
        """
        with pytest.raises(TypeError, match="cannot be copied or pickled: "):
            how(make("name"))


class TestCurrentSession:
    async def test_inside_every_place(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        It is known in blocks, owned tasks, loads, contexts, hooks and clean-up, and nowhere else.
        """
        seen: list[tuple[str, Session]] = []

        def note(where: str) -> None:
            seen.append((where, current_session()))

        async def anote(where: str) -> None:
            await asyncio.sleep(0)
            note(where)

        class Context:
            async def __aenter__(self) -> None:
                note("enter")

            async def __aexit__(self, *exc: object) -> None:
                note("exit")

        supervisor.on_open(lambda s: note("on_open"))
        supervisor.on_open(lambda s: anote("async on_open"))
        supervisor.on_close(lambda s, reason: anote("on_close"))
        supervisor.on_error(lambda s, error, where: anote("on_error"))
        with pytest.raises(ExceptionGroup):
            async with session("a") as s:
                note("owner")
                async with attach("a"):
                    note("visitor")
                s.start_soon(anote, "task")
                await s.get_or_create("key", lambda: anote("load"))
                await s.enter_async_context(Context())
                s.callback(note, "callback")
                s.push_async_callback(anote, "async callback")
                s.callback(lambda: 1 / 0)
        assert [where for where, _ in seen] == [
            *("on_open", "async on_open", "owner", "visitor", "task", "load", "enter"),
            *("on_close", "on_error", "async callback", "callback", "exit"),
        ]
        assert {each for _, each in seen} == {s}
        with pytest.raises(RuntimeError, match=r"async with session"):
            current_session()

    async def test_hook_told_of_an_error_outside_of_the_end(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        An async `on_error` hook knows its session too when nothing ends.
        """
        seen: list[Session] = []

        async def hook(s: Session, error: BaseException, where: str) -> None:
            seen.append(current_session())

        class Context:
            async def __aenter__(self) -> None:
                asyncio.get_running_loop().call_soon(task.cancel)

            async def __aexit__(self, *exc: object) -> None:
                raise ValueError("from exit")

        supervisor.on_error(hook)
        s = await supervisor.open("a")
        task = asyncio.create_task(s.enter_async_context(Context()))
        await clock.settle()
        assert seen == [s]
        assert s.state is SessionState.IDLE

    async def test_in_a_task_that_outlived_its_session(self, supervisor: Supervisor) -> None:
        """
        A task that outlived its session is told that it is closed.
        """

        async def outlive() -> None:
            await asyncio.sleep(1)
            current_session()

        async with session("a"):
            task = asyncio.create_task(outlive())
        with pytest.raises(SessionClosed):
            await task
