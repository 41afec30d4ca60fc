from __future__ import annotations

import asyncio
import functools
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest

from sessionstate import CloseReason, Session, SessionClosed, SessionState, Supervisor, session
from tests.test_state import in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


async def forever() -> None:
    """
    Wait until cancelled.
    """
    await asyncio.Event().wait()


async def noop() -> None:
    """
    Return at once.
    """


class TestCallbacks:
    async def test_last_in_first_out_with_arguments(self, s: Session, log: list[str]) -> None:
        """
        Steps run last in, first out, each with its arguments, whatever their kind.
        """

        def note(*args: str, **kwargs: str) -> None:
            log.append(" ".join([*args, *kwargs.values()]))

        async def anote(*args: str, **kwargs: str) -> None:
            await asyncio.sleep(0)
            note(*args, **kwargs)

        @contextmanager
        def context() -> Iterator[str]:
            yield "value"
            note("context")

        @asynccontextmanager
        async def acontext() -> AsyncIterator[str]:
            yield "avalue"
            await anote("acontext")

        s.callback(note, "a", b="1")
        s.push_async_callback(anote, "b", c="2")
        assert s.enter_context(context()) == "value"
        assert await s.enter_async_context(acontext()) == "avalue"
        s.push_async_callback(anote, "c")
        s.callback(note)
        assert repr(s).startswith("<Session 'a' idle, 6 resources")
        await s.aclose()
        assert log == ["", "c", "acontext", "context", "b 2", "a 1"]

    async def test_handle_takes_it_back(self, s: Session, log: list[str]) -> None:
        """
        A handle's cancel takes the promise back once, and the session does not grow by it.
        """
        handles = [s.callback(log.append, "x"), s.push_async_callback(noop)]
        assert repr(handles[0]) == "<Callback callback list.append>"
        assert repr(handles[1]) == "<AsyncCallback async callback noop>"
        assert [each.cancel() for each in handles] == [True, True]
        assert [each.cancel() for each in handles] == [False, False]
        assert repr(handles[0]) == "<Callback callback list.append, done>"
        assert "resource" not in repr(s)
        await s.aclose()
        assert log == []

    async def test_handle_after_the_run(self, s: Session) -> None:
        """
        Cancelling what has begun, also from inside of it, does nothing and says so.
        """
        answers: list[bool] = []
        first = s.callback(lambda: answers.append(first.cancel()))
        second = s.callback(lambda: answers.append(first.cancel()))
        third = s.callback(lambda: answers.append(third.cancel()))
        await s.aclose()
        assert answers == [False, True]
        assert [each.cancel() for each in (first, second, third)] == [False] * 3

    async def test_accepted_while_closing(self, s: Session, log: list[str]) -> None:
        """
        While CLOSING, callbacks are accepted and run; what has to be entered or started is refused.
        """

        async def late() -> None:
            log.append("late")

        async def clean_up() -> None:
            s.push_async_callback(late)
            s.callback(log.append, "first")
            for call in (
                lambda: s.start_soon(forever),
                lambda: s.enter_context(ExitStack()),
                lambda: s.extend(5),
            ):
                with pytest.raises(SessionClosed):
                    call()
            with pytest.raises(SessionClosed):
                await s.enter_async_context(AsyncExitStack())
            with pytest.raises(SessionClosed):
                await s.start(forever)

        s.push_async_callback(clean_up)
        await s.aclose()
        assert log == ["first", "late"]
        for call in (lambda: s.callback(noop), lambda: s.push_async_callback(noop)):
            with pytest.raises((SessionClosed, TypeError)):
                call()
        with pytest.raises(SessionClosed):
            s.callback(log.clear)

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda s: s.callback(5), "needs a plain function, not 5"),
            (lambda s: s.callback(noop), "use push_async_callback"),
            (lambda s: s.callback(functools.partial(noop)), "use push_async_callback"),
            (lambda s: s.push_async_callback(5), "a function is needed, not 5"),
            (lambda s: s.push_async_callback(noop()), "write f, args instead"),
            (lambda s: s.start_soon(5), "a function is needed, not 5"),
            (lambda s: s.start_soon(noop()), "write f, args instead"),
            (lambda s: s.start_soon(lambda: 5), "an async function is needed"),
            (lambda s: s.enter_context(5), "it has no __enter__"),
            (lambda s: s.enter_context(AsyncExitStack()), "use enter_async_context"),
            (lambda s: s.enter_context(anyio.CancelScope()), "cannot own CancelScope"),
        ],
    )
    async def test_mistakes(self, s: Session, call: Callable[[Any], object], message: str) -> None:
        """
        What cannot be owned is a TypeError that says what to write, and nothing is registered.
        """
        with pytest.raises(TypeError, match=message):
            call(s)
        assert "resource" not in repr(s)

    @pytest.mark.parametrize(
        ("push", "message"),
        [
            (lambda s: s.callback(lambda: noop()), "use push_async_callback"),  # noqa: PLW0108
            (lambda s: s.push_async_callback(lambda: 5), "cannot be awaited: use callback"),
        ],
    )
    async def test_mistakes_seen_at_the_end(
        self, s: Session, push: Callable[[Any], object], message: str
    ) -> None:
        """
        A callback of the wrong kind that did not look like one is a clean-up error with advice.
        """
        push(s)
        with pytest.raises(ExceptionGroup) as caught:
            await s.aclose()
        assert caught.group_contains(TypeError, match=message)

    async def test_other_thread(self, s: Session, log: list[str]) -> None:
        """
        From another thread, owning anything is a RuntimeError.
        """
        handle, task = s.callback(log.append, "x"), s.start_soon(forever)
        for call in (
            lambda: s.callback(log.clear),
            lambda: s.push_async_callback(noop),
            lambda: s.enter_context(ExitStack()),
            lambda: s.start_soon(forever),
            lambda: s.vars,
            handle.cancel,
            task.cancel,
        ):
            assert isinstance(in_thread(call), RuntimeError)
        await s.aclose()
        assert log == ["x"]


class TestContexts:
    @pytest.mark.parametrize("answers", ["returns", "raises", "swallows"])
    async def test_body_error_is_thrown_in(self, supervisor: Supervisor, answers: str) -> None:
        """
        A failed body's error is thrown into every context; answering with it is no clean-up error.
        """
        seen: list[object] = []

        class Context:
            def __enter__(self) -> None: ...

            def __exit__(self, cls: object, error: BaseException | None, tb: object) -> bool:
                seen.append(error)
                if answers == "raises" and error is not None:
                    raise error
                return answers == "swallows"

        class AsyncContext(Context):
            async def __aenter__(self) -> None: ...

            async def __aexit__(self, *exc: object) -> bool:
                return self.__exit__(*cast("Any", exc))

        error = ValueError("body")
        with pytest.raises(ValueError, match="body") as caught:
            async with session("a") as s:
                await s.enter_async_context(AsyncContext())
                s.enter_context(Context())
                raise error
        assert caught.value is error
        assert seen == [error, error]
        assert getattr(error, "__notes__", []) == []

    async def test_other_answer_is_a_clean_up_error(self, supervisor: Supervisor) -> None:
        """
        Whatever else a context raises is a clean-up error, and a note on the body's error.
        """

        class Context:
            def __enter__(self) -> None: ...

            def __exit__(self, *exc: object) -> None:
                raise KeyError("other")

            async def __aenter__(self) -> None: ...

            async def __aexit__(self, *exc: object) -> None:
                raise ExceptionGroup("", [cast("Any", exc[1]), KeyError("group")])

        with pytest.raises(ValueError, match="body") as caught:
            async with session("a") as s:
                await s.enter_async_context(Context())
                s.enter_context(Context())
                raise ValueError("body")
        notes = caught.value.__notes__
        assert ["'other'" in notes[0], "'group'" in notes[1]] == [True, True]
        assert supervisor.statistics().clean_up_errors == 2

    async def test_completed_session_throws_nothing(self, s: Session) -> None:
        """
        Completion throws nothing; a crash throws SessionClosed with the crash as its cause.
        """
        seen: list[BaseException | None] = []

        class Context:
            def __enter__(self) -> None: ...

            def __exit__(self, cls: object, error: BaseException | None, tb: object) -> None:
                seen.append(error)

        s.enter_context(Context())
        await s.aclose(CloseReason.DELETED)
        assert seen == [None]
        again = await s.supervisor.open("a")
        again.enter_context(Context())
        crash = ValueError("crash")

        async def crashing() -> None:
            raise crash

        again.start_soon(crashing)
        await again.wait_closed()
        assert isinstance(seen[1], SessionClosed)
        assert seen[1].__cause__ is crash

    async def test_context_that_ends_its_session_is_left(self, s: Session, log: list[str]) -> None:
        """
        A context whose entering ended the session is left at once: SessionClosed.
        """

        @contextmanager
        def context() -> Iterator[None]:
            s.close_soon()
            try:
                yield
            finally:
                log.append("left")

        with pytest.raises(SessionClosed):
            s.enter_context(context())
        assert log == ["left"]

    async def test_failing_entry_registers_nothing(self, s: Session) -> None:
        """
        A context that fails to enter is its caller's error, and leaves nothing behind.
        """

        class Context:
            def __enter__(self) -> None:
                raise ValueError("enter")

            def __exit__(self, *exc: object) -> None: ...

            async def __aenter__(self) -> None:
                raise ValueError("enter")

            async def __aexit__(self, *exc: object) -> None: ...

        with pytest.raises(ValueError, match="enter"):
            s.enter_context(Context())
        with pytest.raises(ValueError, match="enter"):
            await s.enter_async_context(Context())
        assert "resource" not in repr(s)
        assert s.state is SessionState.IDLE
