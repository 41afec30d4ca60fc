"""
Every parameter is validated, with advice; nothing is opened by a call that was refused.
"""

from __future__ import annotations

import asyncio
import copy
import pickle
from datetime import timedelta
from decimal import Decimal
from math import inf, nan
from typing import Any

import pytest

from sessionstate import CloseReason, Supervisor, SupervisorClosed, session

LIMITS = [
    "idle_timeout",
    "max_age",
    "unused_timeout",
    "stall_timeout",
    "open_timeout",
    "close_timeout",
    "shutdown_timeout",
]
NO_DURATION = [0, -1, -0.5, nan, inf, -inf, timedelta(0), timedelta(seconds=-1)]
NO_NUMBER = ["60", True, False, b"1", object(), Decimal(3), [1], 1j]
BY_CALL = {
    "session": ["linger", "max_age", "stall_timeout"],
    "attach": ["idle_timeout", "max_age", "stall_timeout"],
    "open": ["idle_timeout", "max_age"],
}
CALLS = [(call, name) for call, each in BY_CALL.items() for name in each]


async def call(supervisor: Supervisor, name: str, **options: Any) -> None:
    """
    Come into session "a" by the way *name*.
    """
    if name == "open":
        await supervisor.open("a", **options)
    else:
        async with getattr(supervisor, name)("a", **options):
            pass


class TestSupervisor:
    @pytest.mark.parametrize("name", LIMITS)
    @pytest.mark.parametrize("value", NO_DURATION)
    def test_refuses_what_is_no_duration(self, name: str, value: Any) -> None:
        """
        Zero, negative, NaN and infinite limits are `ValueError`s that say to write None for never.
        """
        with pytest.raises(ValueError, match=rf"^{name} must be .*write {name}=None for 'never'"):
            Supervisor(**{name: value})

    @pytest.mark.parametrize("name", [*LIMITS, "linger"])
    @pytest.mark.parametrize("value", NO_NUMBER)
    def test_refuses_what_is_no_number(self, name: str, value: Any) -> None:
        """
        A limit that is neither a number nor a timedelta is a `TypeError` that shows it.
        """
        with pytest.raises(TypeError, match=f"^{name} must be seconds as a number or a timedelta"):
            Supervisor(**{name: value})

    @pytest.mark.parametrize("name", LIMITS)
    def test_refuses_what_no_float_can_hold(self, name: str) -> None:
        """
        An integer beyond every float is a `ValueError` with advice like an infinite one.
        """
        with pytest.raises(ValueError, match=name):
            Supervisor(**{name: 10**400})  # type: ignore[arg-type]

    @pytest.mark.parametrize("value", [-1, nan, inf, timedelta(seconds=-1)])
    def test_refuses_a_linger_with_advice_that_works(self, value: Any) -> None:
        """
        A linger may be zero, not negative or endless; as it may not be None, None is not advised.
        """
        with pytest.raises(ValueError, match=r"^linger must be ") as caught:
            Supervisor(linger=value)
        assert "None" not in str(caught.value)

    def test_refuses_an_endless_linger(self) -> None:
        """
        A linger of None is a `TypeError`: nothing would end such a session.
        """
        with pytest.raises(TypeError, match="linger must be seconds"):
            Supervisor(linger=None)  # type: ignore[arg-type]

    @pytest.mark.parametrize("name", [*LIMITS, "max_sessions", "max_closing"])
    def test_takes_none_for_never(self, name: str) -> None:
        """
        Every limit may be None.
        """
        Supervisor(**{name: None})  # type: ignore[arg-type]

    @pytest.mark.parametrize("name", ["max_sessions", "max_closing"])
    @pytest.mark.parametrize(
        ("value", "error"),
        [
            (0, ValueError),
            (-3, ValueError),
            (1.5, TypeError),
            (inf, TypeError),
            ("9", TypeError),
            (True, TypeError),
        ],
    )
    def test_refuses_what_is_no_count(self, name: str, value: Any, error: type[Exception]) -> None:
        """
        A count is a whole number of at least one, or None, and the error says so.
        """
        with pytest.raises(error, match=f"^{name} must be .*no limit"):
            Supervisor(**{name: value})

    @pytest.mark.parametrize("value", ["drop", "EVICT", None, 3, ["evict"]])
    def test_refuses_an_unknown_policy(self, value: Any) -> None:
        """
        `when_full` is one of three words, which the error lists.
        """
        with pytest.raises(ValueError, match="when_full must be 'evict', 'refuse' or 'wait', not"):
            Supervisor(when_full=value)

    @pytest.mark.parametrize("value", [1, 0, "time", 2.5])
    def test_refuses_a_clock_that_is_no_function(self, value: Any) -> None:
        """
        A clock is a function, and the error names one.
        """
        with pytest.raises(TypeError, match=r"clock must be a function .* such as time\.monotonic"):
            Supervisor(clock=value)

    @pytest.mark.parametrize("value", [None, 3, b"x"])
    def test_refuses_a_name_that_is_no_str(self, value: Any) -> None:
        """
        A supervisor's name is a str.
        """
        with pytest.raises(TypeError, match="name must be a str"):
            Supervisor(name=value)

    def test_takes_keywords_only(self) -> None:
        """
        A number without a name would not tell which limit it is.
        """
        with pytest.raises(TypeError):
            Supervisor(1800)  # type: ignore[misc]

    @pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
    def test_is_not_copied(self, duplicate: Any) -> None:
        """
        Copying or pickling a supervisor is a `TypeError` with advice.
        """
        with pytest.raises(TypeError, match="cannot be copied or pickled: each process"):
            duplicate(Supervisor())


class TestCalls:
    @pytest.mark.parametrize(("way", "name"), CALLS)
    @pytest.mark.parametrize("value", [-1, nan, inf])
    async def test_refuse_what_is_no_duration(
        self, supervisor: Supervisor, way: str, name: str, value: Any
    ) -> None:
        """
        Each way in validates its limits as the supervisor does, and then opens nothing.
        """
        with pytest.raises(ValueError, match=f"^{name} must be"):
            await call(supervisor, way, **{name: value})
        assert len(supervisor) == supervisor.statistics().opened == 0

    @pytest.mark.parametrize(("way", "name"), CALLS)
    @pytest.mark.parametrize("value", ["1", True])
    async def test_refuse_what_is_no_number(
        self, supervisor: Supervisor, way: str, name: str, value: Any
    ) -> None:
        """
        Each way in refuses what is no number of seconds.
        """
        with pytest.raises(TypeError, match=f"^{name} must be seconds"):
            await call(supervisor, way, **{name: value})

    @pytest.mark.parametrize(("way", "name"), [each for each in CALLS if each[1] != "linger"])
    async def test_take_none_for_never(self, supervisor: Supervisor, way: str, name: str) -> None:
        """
        Each limit of each way in may be None.
        """
        await call(supervisor, way, **{name: None})

    @pytest.mark.parametrize(
        ("value", "error"), [("", ValueError), (None, TypeError), (7, TypeError), (b"a", TypeError)]
    )
    @pytest.mark.parametrize(
        "way", ["attach", "open", "lookup", "close", "close_soon", "close_threadsafe"]
    )
    async def test_refuse_what_is_no_id(
        self, supervisor: Supervisor, way: str, value: Any, error: type[Exception]
    ) -> None:
        """
        An id is a non-empty str everywhere, and the error says what to pass.
        """
        with pytest.raises(error, match=r"a session's id is a .*(pass|leave it out)"):
            result = getattr(supervisor, way)(value)
            if asyncio.iscoroutine(result):
                await result

    @pytest.mark.parametrize(("value", "error"), [("", ValueError), (7, TypeError)])
    def test_refuse_no_id_in_session_too(self, value: Any, error: type[Exception]) -> None:
        """
        `session()` takes no id for a random one, but no empty one and no number.
        """
        with pytest.raises(error, match="a session's id is a"):
            Supervisor().session(value)

    async def test_take_a_subclass_of_str(self, supervisor: Supervisor) -> None:
        """
        An id may be of a subclass of str, such as a `StrEnum`.
        """
        async with supervisor.attach(CloseReason.IDLE):
            assert supervisor["idle"].id == "idle"

    @pytest.mark.virtual_time
    async def test_take_a_timedelta(self, supervisor: Supervisor) -> None:
        """
        A limit may be a timedelta.
        """
        opened = await supervisor.open("a", idle_timeout=timedelta(minutes=1))
        assert opened.expires_in == 60

    @pytest.mark.parametrize("reason", ["deleted", None, 3])
    async def test_refuse_what_is_no_reason(self, supervisor: Supervisor, reason: Any) -> None:
        """
        A reason that is no `CloseReason` is a `TypeError`, of an unknown id too, and ends nothing.
        """
        opened = await supervisor.open("a")
        wrong = "reason must be a CloseReason"
        for id in ("a", "unknown"):
            with pytest.raises(TypeError, match=wrong):
                supervisor.close_soon(id, reason=reason)
            with pytest.raises(TypeError, match=wrong):
                await supervisor.close(id, reason=reason)
        for end in (opened.close_soon, opened.aclose):
            with pytest.raises(TypeError, match=wrong):
                await end(reason)  # type: ignore[misc]
        assert supervisor.get("a") is opened

    @pytest.mark.parametrize("hook", [None, "print", 3])
    @pytest.mark.parametrize("name", ["on_open", "on_close", "on_error"])
    def test_refuse_what_is_no_hook(self, name: str, hook: Any) -> None:
        """
        A hook is a function.
        """
        with pytest.raises(TypeError, match="a hook must be a function"):
            getattr(Supervisor(), name)(hook)

    @pytest.mark.parametrize(
        ("value", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)]
    )
    def test_refuse_an_unbounded_stream(self, value: Any, error: type[Exception]) -> None:
        """
        A stream of events keeps a whole number of events, at least one.
        """
        with pytest.raises(error, match="limit must be"):
            Supervisor().events(value)

    @pytest.mark.parametrize("value", [0, -1, inf, nan])
    @pytest.mark.virtual_time
    async def test_refuse_to_extend_by_no_duration(
        self, supervisor: Supervisor, value: float
    ) -> None:
        """
        `extend` takes a duration, and does not advise None, which it does not take.
        """
        opened = await supervisor.open("a")
        with pytest.raises(ValueError, match=r"^seconds must be") as caught:
            opened.extend(value)
        assert "None" not in str(caught.value)
        assert opened.expires_in == 1800


class TestWhoMayCall:
    @pytest.mark.parametrize("way", ["session", "attach", "open"])
    async def test_nobody_before_the_supervisor_runs(self, way: str) -> None:
        """
        Opening without a running supervisor is a `SupervisorClosed` that says what to write.
        """
        with pytest.raises(
            SupervisorClosed, match=r"is not running: write 'async with supervisor:'"
        ):
            await call(Supervisor(), way)

    @pytest.mark.parametrize("way", ["session", "attach", "open"])
    async def test_nobody_after_it_was_left(self, way: str) -> None:
        """
        A supervisor that was left opens nothing more, and says so.
        """
        async with Supervisor() as supervisor:
            pass
        with pytest.raises(SupervisorClosed, match="was left: it opens no more sessions"):
            await call(supervisor, way)
        assert await supervisor.lookup("a") is None
        assert await supervisor.close("a") is False
        assert supervisor.close_soon("a") is False

    async def test_nobody_in_another_loop(self, supervisor: Supervisor) -> None:
        """
        Use from another thread and loop is a `RuntimeError` with advice, and changes nothing.
        """
        opened = await supervisor.open("b")

        async def elsewhere() -> list[str]:
            said = []
            for way in ("session", "attach", "open"):
                with pytest.raises(RuntimeError) as caught:
                    await call(supervisor, way)
                said.append(str(caught.value))
            for use in (
                lambda: supervisor.close("b"),
                lambda: supervisor.__aexit__(None, None, None),
                opened.wait_closed,
            ):
                with pytest.raises(RuntimeError) as caught:
                    await use()
                said.append(str(caught.value))
            for act in (lambda: supervisor.close_soon("b"), opened.close_soon):
                with pytest.raises(RuntimeError) as caught:
                    act()
                said.append(str(caught.value))
            return said

        said = await asyncio.to_thread(asyncio.run, elsewhere())
        assert all("another event loop" in each or "another thread" in each for each in said)
        assert list(supervisor) == ["b"]
        assert supervisor.statistics().opened == 1

    async def test_nobody_without_a_default_one(self) -> None:
        """
        The module functions tell what to write where no default supervisor runs.
        """
        with pytest.raises(RuntimeError, match=r"write 'async with Supervisor\(\):'"):
            session("a")

    async def test_one_call_is_for_one_block(self, supervisor: Supervisor) -> None:
        """
        Entering the block of one call twice is a `RuntimeError`, while it is entered and after.
        """
        block = supervisor.session("a")
        async with block:
            with pytest.raises(RuntimeError, match="once for each 'async with'"):
                await block.__aenter__()
        with pytest.raises(RuntimeError, match="once for each 'async with'"):
            await block.__aenter__()
        with pytest.raises(RuntimeError, match="is not entered, or was left"):
            await block.__aexit__(None, None, None)

    async def test_a_supervisor_is_entered_once(self, supervisor: Supervisor) -> None:
        """
        A supervisor is good for one life, and not to be left before it.
        """
        with pytest.raises(RuntimeError, match="was entered before: make a new one"):
            await supervisor.__aenter__()
        with pytest.raises(RuntimeError, match="was not entered: write"):
            await Supervisor().__aexit__(None, None, None)
