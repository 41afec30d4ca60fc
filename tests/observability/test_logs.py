from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import CloseReason, Supervisor, SupervisorFull
from sessionstate.observability import log_events, redact_logs

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionstate.testing import VirtualClock
    from tests.conftest import StartSupervisor

pytestmark = pytest.mark.virtual_time

CHAT = "3f2c9a7e-chat-of-somebody"


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "sessionstate")


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """
    Give what was logged as a warning or worse since the last look.
    """

    def look() -> list[str]:
        found = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
        caplog.clear()
        return found

    return look


async def ended(supervisor: Supervisor, id: str, reason: CloseReason) -> None:
    """
    Open a session, and end it for *reason*.
    """
    await supervisor.open(id)
    await supervisor.close(id, reason=reason)


async def fail() -> None:
    """
    Fail to clean up.
    """
    raise ValueError(f"{CHAT} is not known")


class TestSessions:
    async def test_ordinary_life(
        self, supervisor: Supervisor, lines: Callable[[], list[str]]
    ) -> None:
        """
        A session that begins and ends as it should is not worth a line.
        """
        log_events(supervisor)
        for reason in (CloseReason.COMPLETED, CloseReason.IDLE, CloseReason.DELETED):
            await ended(supervisor, "a", reason)
        assert lines() == []

    @pytest.mark.parametrize("reason", ["failed", "stalled", "evicted", "shed", "resource_failed"])
    async def test_notable_end(
        self,
        supervisor: Supervisor,
        clock: VirtualClock,
        caplog: pytest.LogCaptureFixture,
        reason: str,
    ) -> None:
        """
        A session that ended as none should is a line, with the facts beside it.
        """
        log_events(supervisor)
        await supervisor.open(CHAT)
        await clock.advance(12)
        await supervisor.close(CHAT, reason=CloseReason(reason))
        (record,) = [each for each in caplog.records if each.levelno == logging.WARNING]
        assert record.getMessage() == f"session '3f2c9a7e…' ended after 12.0 s: {reason}"
        facts = {
            "event": "ended",
            "supervisor": "sessionstate",
            "session_id": "3f2c9a7e…",
            "incarnation": 1,
            "reason": reason,
            "lifetime": 12,
            "took": 0,
            "clean_up_errors": 0,
        }
        assert {name: getattr(record, name) for name in facts} == facts

    async def test_clean_up_that_failed(
        self, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        A failed step is a line with its traceback, and counted in the line of the end.
        """
        log_events(supervisor)
        s = await supervisor.open(CHAT)
        s.push_async_callback(fail)
        with pytest.raises(ExceptionGroup):
            await supervisor.close(CHAT)
        failed, end = [each for each in caplog.records if each.levelno == logging.WARNING]
        assert failed.getMessage() == (
            "session '3f2c9a7e…' had a clean-up that failed: async callback fail raised ValueError"
        )
        assert vars(failed)["error_type"] == "ValueError"
        assert vars(failed)["where"] == "async callback fail"
        assert end.getMessage() == (
            "session '3f2c9a7e…' ended after 0.0 s: deleted; 1 clean-up error"
        )
        assert failed.exc_text is not None
        assert failed.exc_text.endswith("\nValueError: 3f2c9a7e… is not known")
        assert "in fail" in logging.Formatter().format(failed)

    async def test_slow_clean_up(
        self, supervisor: Supervisor, lines: Callable[[], list[str]]
    ) -> None:
        """
        A clean-up that took long is a line, whatever the session ended for.
        """
        log_events(supervisor, slow=2)
        for seconds in (1, 3):
            s = await supervisor.open("a")
            s.push_async_callback(asyncio.sleep, seconds)
            await supervisor.close("a")
        assert lines() == ["session 'a' ended after 0.0 s: deleted; its clean-up took 3.0 s"]

    @pytest.mark.parametrize(("verbose", "level"), [(True, "INFO"), (False, "DEBUG")])
    async def test_every_session(
        self,
        supervisor: Supervisor,
        caplog: pytest.LogCaptureFixture,
        *,
        verbose: bool,
        level: str,
    ) -> None:
        """
        Who wants every opening and end gets them, at INFO or at DEBUG.
        """
        log_events(supervisor, verbose=verbose)
        await ended(supervisor, "a", CloseReason.COMPLETED)
        assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
            (level, "session 'a' was opened"),
            (level, "session 'a' ended after 0.0 s: completed"),
        ]

    async def test_nothing_is_made_that_nobody_reads(
        self, start_supervisor: StartSupervisor, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        What no handler would print costs no text: not even the id is asked for.
        """
        supervisor = await start_supervisor(max_sessions=1, when_full="refuse")
        caplog.set_level(logging.CRITICAL, "sessionstate")
        asked: list[str] = []

        def shown(id: str) -> str:
            asked.append(id)
            return id

        handle = log_events(supervisor, redact=shown)
        s = await supervisor.open("a")
        s.push_async_callback(fail)
        with pytest.raises(SupervisorFull):
            await supervisor.open("b")
        with pytest.raises(ExceptionGroup):
            await supervisor.close("a", reason=CloseReason.FAILED)
        handle.cancel()
        assert asked == caplog.records == []

    async def test_to_another_logger_and_level(
        self, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        Logger and level are those that were asked for.
        """
        log_events(supervisor, logger=logging.getLogger("chat"), level=logging.ERROR)
        await ended(supervisor, "a", CloseReason.FAILED)
        assert [(each.name, each.levelno) for each in caplog.records] == [("chat", logging.ERROR)]


class TestIds:
    async def test_function_that_fails(
        self, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        A redaction that raises loses no line, and lets nothing of the id out of anything.
        """
        log_events(supervisor, redact=lambda id: str(1 / 0), verbose=True)
        s = await supervisor.open(CHAT)
        s.push_async_callback(fail)
        with pytest.raises(ExceptionGroup):
            await supervisor.close(CHAT, reason=CloseReason.FAILED)
        assert len(caplog.records) == 3
        for record in caplog.records:
            assert CHAT not in str(vars(record))
            assert vars(record)["session_id"] == "<not redacted>"

    async def test_whole(self, supervisor: Supervisor, lines: Callable[[], list[str]]) -> None:
        """
        Who wants whole ids has to say so.
        """
        log_events(supervisor, redact="none")
        await ended(supervisor, CHAT, CloseReason.FAILED)
        assert lines() == [f"session '{CHAT}' ended after 0.0 s: failed"]

    async def test_lines_of_the_library(
        self, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        The library's own lines can be redacted too, their tracebacks included, until told not to.
        """
        handle = redact_logs()
        log_events(supervisor)
        s = await supervisor.open(CHAT)
        s.push_async_callback(fail)
        supervisor.close_soon(CHAT)
        await s.wait_closed()
        (record,) = [each for each in caplog.records if "nobody waited" in each.getMessage()]
        text = logging.Formatter().format(record)
        assert "errors in the clean-up of session '3f2c9a7e…'" in text
        assert vars(record)["session_id"] == "3f2c9a7e…"
        caplog.clear()
        logging.getLogger("sessionstate").warning("session %r and %r", CHAT, "b")
        logging.getLogger("sessionstate").warning("nothing")
        assert caplog.messages == ["session '3f2c9a7e…' and 'b'", "nothing"]
        assert (handle.cancel(), handle.cancel()) == (True, False)
        caplog.clear()
        logging.getLogger("sessionstate").warning("session %r", CHAT)
        assert caplog.messages == [f"session {CHAT!r}"]


class TestAll:
    async def test_many_of_a_kind(
        self, supervisor: Supervisor, clock: VirtualClock, lines: Callable[[], list[str]]
    ) -> None:
        """
        After 20 lines of one kind the others are counted, and told in one line at the next look.
        """
        log_events(supervisor)
        for number in range(25):
            await ended(supervisor, str(number), CloseReason.EVICTED)
        await ended(supervisor, "a", CloseReason.FAILED)
        found = lines()
        assert len(found) == 21
        assert found[-1].endswith("failed")
        await clock.advance(10)
        assert lines() == ["supervisor 'sessionstate': 5 more sessions ended as evicted"]
        await clock.advance(10)
        await ended(supervisor, "b", CloseReason.EVICTED)
        assert lines() == ["session 'b' ended after 0.0 s: evicted"]

    async def test_end_of_the_supervisor(
        self, clock: VirtualClock, lines: Callable[[], list[str]]
    ) -> None:
        """
        What was held back is told at the end of the supervisor.
        """
        async with Supervisor(default=False) as supervisor:
            log_events(supervisor)
            for number in range(21):
                await ended(supervisor, str(number), CloseReason.SHED)
            assert len(lines()) == 20
        assert lines() == ["supervisor 'sessionstate': 1 more session ended as shed"]
        await clock.advance(60)
        assert lines() == []

    async def test_refusals(
        self,
        start_supervisor: StartSupervisor,
        clock: VirtualClock,
        lines: Callable[[], list[str]],
    ) -> None:
        """
        Openings that were refused are told with their number at the next look.
        """
        supervisor = await start_supervisor(max_sessions=1, when_full="refuse")
        await supervisor.open("a")
        log_events(supervisor)
        await clock.settle()
        for number in (1, 2):
            for _ in range(number):
                with pytest.raises(SupervisorFull):
                    await supervisor.open("b")
            assert lines() == []
            await clock.advance(10)
            openings = "1 opening" if number == 1 else "2 openings"
            assert lines() == [f"supervisor 'sessionstate': no room: {openings} refused"]

    async def test_orphans(
        self, supervisor: Supervisor, clock: VirtualClock, lines: Callable[[], list[str]]
    ) -> None:
        """
        Sessions that should be gone are told when there are more of them than there were.
        """
        log_events(supervisor)
        blocks = [supervisor.session(id) for id in ("a", "b", "c")]
        await asyncio.create_task(blocks[0].__aenter__())
        await clock.advance(60)
        assert lines() == ["supervisor 'sessionstate': 1 session should be gone"]
        await clock.advance(60)
        for block in blocks[1:]:
            await asyncio.create_task(block.__aenter__())
        await clock.advance(60)
        assert lines() == ["supervisor 'sessionstate': 3 sessions should be gone"]
        for id in ("a", "b", "c"):
            await supervisor.close(id)
        await clock.advance(60)
        assert lines() == []


class TestHandle:
    async def test_cancel(
        self, supervisor: Supervisor, clock: VirtualClock, lines: Callable[[], list[str]]
    ) -> None:
        """
        A cancelled log tells what it held back, and then nothing; it can be cancelled once.
        """
        handle = log_events(supervisor)
        for number in range(21):
            await ended(supervisor, str(number), CloseReason.SHED)
        lines()
        assert (handle.cancel(), handle.cancel()) == (True, False)
        assert lines() == ["supervisor 'sessionstate': 1 more session ended as shed"]
        await ended(supervisor, "a", CloseReason.SHED)
        await clock.advance(60)
        assert lines() == []

    async def test_cancel_at_once(
        self, supervisor: Supervisor, lines: Callable[[], list[str]]
    ) -> None:
        """
        A log that is cancelled before it looked for the first time never does.
        """
        log_events(supervisor).cancel()
        await asyncio.sleep(60)
        assert lines() == []

    async def test_before_the_start(self, lines: Callable[[], list[str]]) -> None:
        """
        A supervisor may be given before it is entered.
        """
        supervisor = Supervisor(default=False)
        log_events(supervisor)
        async with supervisor:
            await ended(supervisor, "a", CloseReason.FAILED)
        assert lines() == ["session 'a' ended after 0.0 s: failed"]

    async def test_while_the_supervisor_is_left(self, lines: Callable[[], list[str]]) -> None:
        """
        A log that begins while its supervisor is left tells of the ends that are to come.
        """
        async with Supervisor(default=False) as supervisor:
            s = await supervisor.open("a")
            s.callback(int, "x")
            s.callback(log_events, supervisor)
        assert lines()[0] == (
            "session 'a' had a clean-up that failed: callback int raised ValueError"
        )

    async def test_keeps_nothing_alive(self) -> None:
        """
        Neither the log nor its handle keeps a supervisor.
        """
        supervisor = Supervisor(default=False)
        handle = log_events(supervisor)
        gone = weakref.ref(supervisor)
        del supervisor
        gc.collect()
        assert gone() is None
        assert handle.cancel()

    @pytest.mark.parametrize("option", ["slow", "every"])
    def test_durations_are_checked(self, option: str) -> None:
        """
        A duration that makes no sense is refused, with advice.
        """
        options: dict[str, Any] = {option: -1}
        with pytest.raises(ValueError, match=option):
            log_events(Supervisor(default=False), **options)
