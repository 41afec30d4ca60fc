from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest

from sessionstate import Session, SessionClosed, Supervisor
from sessionstate._signals import SIGNALS, multiplexer
from sessionstate.testing import VirtualClock
from tests.bodies import LONG
from tests.programs import MAIN, Program

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

FIRST, LAST = SIGNALS[0], SIGNALS[-1]
needs_signals = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows ends a process that is sent SIGTERM at once"
)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """
    Expect each signal's handler to be as it was, and give it back.
    """
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    after = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in before.items():
        signal.signal(number, handler)
    assert after == before
    assert multiplexer._supervisors() == []


@pytest.fixture
def raised(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """
    Give the signals by which the process would have ended: it goes on, as process 1 would.
    """
    raised: list[int] = []
    monkeypatch.setattr(signal, "raise_signal", raised.append)
    return raised


def handle(number: int) -> None:
    """
    Have a signal handled as if it had been sent now.
    """
    handler = signal.getsignal(number)
    assert callable(handler)
    handler(number, None)


def ends(main: Coroutine[Any, Any, None], number: int, raised: list[int]) -> None:
    """
    Run *main*, and expect the process to end by *number*, with its default handler.
    """
    with pytest.raises(SystemExit) as caught:
        VirtualClock().run(main)
    assert caught.value.code == 128 + number
    assert raised == [number]


async def hold(supervisor: Supervisor, id: str, log: list[str]) -> None:
    """
    Be inside of a session with clean-up of both kinds.
    """
    try:
        async with supervisor.session(id) as s:
            fill(s, log)
            await asyncio.sleep(LONG)
    except SessionClosed as closed:
        log.append(f"{id} {closed.reason}")


def fill(s: Session, log: list[str]) -> None:
    """
    Give a session clean-up of both kinds.
    """
    s.callback(log.append, f"{s.id} sync")

    async def clean() -> None:
        await asyncio.sleep(1)
        log.append(f"{s.id} async")

    s.push_async_callback(clean)


class TestSignal:
    @pytest.mark.parametrize("number", SIGNALS)
    def test_ends_the_sessions_first(self, number: int, raised: list[int], log: list[str]) -> None:
        """
        Sessions are ended in order, their clean-up is awaited, and then the process ends by it.
        """

        async def main() -> None:
            async with Supervisor() as supervisor:
                supervisor.install_signal_handlers()
                fill(await supervisor.open("b"), log)
                async with supervisor["b"].child("c", linger=LONG) as child:
                    fill(child, log)
                await asyncio.gather(hold(supervisor, "a", log), later(1, handle, number))
                await asyncio.sleep(LONG)
                log.append("never")

        ends(main(), number, raised)
        family = [line for line in log if line[0] in "bc"]
        assert family == ["c async", "c sync", "b async", "b sync"]
        assert [line for line in log if line[0] not in "bc"] == ["a async", "a sync", "a shutdown"]

    def test_within_shutdown_timeout(self, raised: list[int], log: list[str]) -> None:
        """
        A clean-up that hangs delays the end of the process by no more than shutdown_timeout.
        """

        async def main() -> None:
            async with Supervisor(shutdown_timeout=5, close_timeout=None) as supervisor:
                supervisor.install_signal_handlers()
                s = await supervisor.open("a")
                s.callback(log.append, "sync")
                s.push_async_callback(asyncio.sleep, LONG)
                handle(FIRST)
                await later(5.5, log.append, "too late")

        ends(main(), FIRST, raised)
        assert log == ["sync"]

    def test_second_signal(self, raised: list[int], log: list[str]) -> None:
        """
        A second signal cuts nothing short, and the first is the one by which the process ends.
        """

        async def main() -> None:
            async with Supervisor() as supervisor:
                supervisor.install_signal_handlers()
                fill(await supervisor.open("a"), log)
                handle(FIRST)
                handle(LAST)
                await later(0.5, handle, LAST)
                await asyncio.sleep(LONG)

        ends(main(), FIRST, raised)
        assert log == ["a async", "a sync"]

    def test_several_supervisors(self, raised: list[int], log: list[str]) -> None:
        """
        Every supervisor that asked is ended; one that did not gets what needs no loop.
        """

        async def main() -> None:
            async with Supervisor() as one, Supervisor(default=False) as other:
                silent = await Supervisor(default=False).__aenter__()
                for each, id in ((one, "a"), (other, "b"), (silent, "c")):
                    fill(await each.open(id), log)
                one.install_signal_handlers()
                other.install_signal_handlers()
                handle(FIRST)
                await asyncio.sleep(LONG)

        with pytest.warns(ResourceWarning):
            ends(main(), FIRST, raised)
        assert sorted(log) == ["a async", "a sync", "b async", "b sync", "c sync"]

    def test_while_being_left(self, raised: list[int], log: list[str]) -> None:
        """
        A signal that comes while the supervisor is being left waits for that, and then ends it all.
        """

        async def main() -> None:
            async with Supervisor() as supervisor:
                supervisor.install_signal_handlers()
                fill(await supervisor.open("a"), log)
                asyncio.get_running_loop().call_later(0.5, handle, FIRST)
            await asyncio.sleep(LONG)

        ends(main(), FIRST, raised)
        assert log == ["a async", "a sync"]

    def test_as_it_was_left(self, raised: list[int]) -> None:
        """
        A signal that comes in the moment in which the supervisor is left is not lost.
        """

        async def main() -> None:
            async with Supervisor() as supervisor:
                supervisor.install_signal_handlers()
            asyncio.get_running_loop().call_soon(multiplexer._shut_down, FIRST)
            await asyncio.sleep(1)

        ends(main(), FIRST, raised)

    def test_in_a_clean_up(self, raised: list[int], log: list[str]) -> None:
        """
        A signal that interrupts a session's own clean-up waits for the rest of that.
        """

        async def main() -> None:
            async with Supervisor() as supervisor:
                supervisor.install_signal_handlers()
                s = await supervisor.open("a")
                fill(s, log)
                s.push_async_callback(clean)
                s.close_soon()
                await asyncio.sleep(LONG)

        async def clean() -> None:
            handle(FIRST)
            await asyncio.sleep(1)
            log.append("interrupted")

        ends(main(), FIRST, raised)
        assert log == ["interrupted", "a async", "a sync"]

    def test_without_a_loop(self, raised: list[int]) -> None:
        """
        Before the supervisor is entered, a signal does what it would have done.
        """
        supervisor = Supervisor()
        supervisor.install_signal_handlers()
        with pytest.raises(SystemExit):
            handle(FIRST)
        assert raised == [FIRST]
        multiplexer.restore()

    def test_in_another_loop(self, raised: list[int]) -> None:
        """
        In a loop that is not the supervisor's, too.
        """
        supervisor = Supervisor()
        supervisor.install_signal_handlers()

        async def main() -> None:
            handle(FIRST)

        ends(main(), FIRST, raised)
        multiplexer.restore()

    @pytest.mark.parametrize("stream", [None, Mock(flush=Mock(side_effect=ValueError("closed")))])
    def test_whatever_else(
        self, raised: list[int], monkeypatch: pytest.MonkeyPatch, stream: object
    ) -> None:
        """
        Neither a broken stdout nor a warning that is an error keeps the process from ending.
        """

        async def main() -> None:
            async with Supervisor() as supervisor:
                supervisor.install_signal_handlers()
                others.extend([await Supervisor(default=False).__aenter__() for _ in "ab"])
                monkeypatch.setattr(sys, "stdout", stream)
                handle(FIRST)
                await asyncio.sleep(LONG)

        others: list[Supervisor] = []
        ends(main(), FIRST, raised)
        assert [other._running for other in others] == [False, False]


@pytest.mark.real_loop
@needs_signals
class TestPrograms:
    def test_two_signals_at_once(self, tmp_path: Path) -> None:
        """
        Signals of both kinds at once, as service managers send them, lose nothing.
        """
        source = MAIN + "asyncio.run(main())"
        with Program(tmp_path, source, install="yes") as program:
            program.wait_for("ready")
            program.send(signal.SIGTERM)
            program.send(signal.SIGHUP)
            assert program.status() in (-signal.SIGTERM, -signal.SIGHUP)
        assert sum("sync" in line for line in program.log()) == 4

    @pytest.mark.parametrize("runner", ["asyncio.run(main())", "uvloop.run(main())"])
    def test_what_was_printed(self, tmp_path: Path, runner: str) -> None:
        """
        What a clean-up has printed is not lost, on uvloop neither.
        """
        if "uvloop" in runner:
            pytest.importorskip("uvloop")
        source = f"""
async def main():
    async with Supervisor() as supervisor:
        supervisor.install_signal_handlers()
        (await supervisor.open("a")).callback(print, "cleaned up")
        await wait()
if "uvloop" in {runner!r}:
    import uvloop
{runner}
"""
        with Program(tmp_path, source) as program:
            program.wait_for("ready")
            program.send(signal.SIGTERM)
            assert program.status() == -signal.SIGTERM
        assert "cleaned up" in program.output

    def test_ignored(self, tmp_path: Path) -> None:
        """
        Under nohup, SIGHUP stays ignored.
        """
        source = "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + MAIN + "asyncio.run(main())"
        with Program(tmp_path, source, install="yes") as program:
            program.wait_for("ready")
            program.send(signal.SIGHUP)
            program.send(signal.SIGTERM)
            assert program.status() == -signal.SIGTERM
        assert sum("sync" in line for line in program.log()) == 4

    def test_forked_child(self, tmp_path: Path) -> None:
        """
        In a forked child the signal ends the child at once, and nothing of the parent's runs.
        """
        source = f"""
import multiprocessing, warnings
warnings.simplefilter("ignore")
{MAIN}
async def inside():
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    child.start()
    child.terminate()
    child.join()
    log(f"child: {{child.exitcode}}")
    os._exit(0)
asyncio.run(main(inside))
"""
        with Program(tmp_path, source, install="yes") as program:
            assert program.status() == 0, program.output
        assert program.log() == ["child: -15"]


async def later(delay: float, call: Callable[..., object], *args: object) -> None:
    """
    Call something after a while.
    """
    await asyncio.sleep(delay)
    call(*args)
