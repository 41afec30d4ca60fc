"""
Installing signal handlers: which signals they take, and when they are given back.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
from typing import Any

import pytest

import sessionstate
from sessionstate import Supervisor
from sessionstate._signals import SIGNALS, multiplexer
from sessionstate.testing import VirtualClock
from tests.test_signals import FIRST, handlers, needs_signals

__all__ = ["handlers"]  # a fixture for every test here


class TestInstalling:
    def test_takes_what_would_end_the_process(self) -> None:
        """
        It takes the signals that end a process, tells which, and leaving gives them back.
        """

        async def main() -> None:
            async with Supervisor() as supervisor:
                assert supervisor.install_signal_handlers() == SIGNALS
                handlers = [signal.getsignal(number) for number in SIGNALS]
                assert supervisor.install_signal_handlers() == SIGNALS
                assert [signal.getsignal(number) for number in SIGNALS] == handlers
                assert signal.SIG_DFL not in handlers
            assert {signal.getsignal(number) for number in SIGNALS} == {signal.SIG_DFL}

        VirtualClock().run(main())

    @pytest.mark.parametrize("before", [signal.SIG_IGN, lambda number, frame: None])
    def test_leaves_others_alone(self, before: Any) -> None:
        """
        A signal that is ignored, as under nohup, or that somebody handles is left alone.
        """

        async def main() -> None:
            async with Supervisor() as supervisor:
                taken = supervisor.install_signal_handlers()
                assert taken == SIGNALS[1:]
                assert signal.getsignal(FIRST) is before

        signal.signal(FIRST, before)
        VirtualClock().run(main())
        assert signal.signal(FIRST, signal.SIG_DFL) is before

    def test_under_run(self) -> None:
        """
        Under `sessionstate.run` there is no need of it, and it takes nothing.
        """

        async def main() -> None:
            async with Supervisor() as supervisor:
                assert supervisor.install_signal_handlers() == ()

        sessionstate.run(main(), loop_factory=VirtualClock().new_event_loop)

    @pytest.mark.real_loop
    @needs_signals
    async def test_under_a_handler_of_the_loop(self) -> None:
        """
        What `loop.add_signal_handler` has is left alone.
        """
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(FIRST, print)
        async with Supervisor() as supervisor:
            assert FIRST not in supervisor.install_signal_handlers()
        assert loop.remove_signal_handler(FIRST)

    def test_handler_installed_since(self) -> None:
        """
        A handler that somebody installed over ours stays when the supervisor is left.
        """

        def handler(*_: object) -> None: ...

        async def main() -> None:
            async with Supervisor() as supervisor:
                supervisor.install_signal_handlers()
                signal.signal(FIRST, handler)
                assert supervisor.install_signal_handlers() == SIGNALS[1:]

        VirtualClock().run(main())
        assert signal.signal(FIRST, signal.SIG_DFL) is handler

    def test_other_threads(self) -> None:
        """
        Outside of the main thread it is a RuntimeError with advice.
        """
        errors: list[str] = []

        async def main() -> None:
            async with Supervisor() as supervisor:
                try:
                    supervisor.install_signal_handlers()
                except RuntimeError as error:
                    errors.append(str(error))

        thread = threading.Thread(target=lambda: VirtualClock().run(main()))
        thread.start()
        thread.join()
        assert len(errors) == 1
        assert "outside of the main thread" in errors[0]

    @pytest.mark.parametrize("server", ["run", "a server"])
    def test_given_back_too_late(self, server: str) -> None:
        """
        A server's handler may stand over ours until the supervisor was left: the next restores all.
        """

        async def serve() -> None:
            async with supervisor:
                pass

        supervisor = Supervisor()
        supervisor.install_signal_handlers()
        if server == "run":
            sessionstate.run(serve(), loop_factory=VirtualClock().new_event_loop)
        else:
            ours = signal.signal(FIRST, lambda *_: None)
            VirtualClock().run(serve())
            signal.signal(FIRST, ours)
        following = Supervisor()
        assert following.install_signal_handlers() == SIGNALS
        multiplexer.release(following)
        assert {signal.getsignal(number) for number in SIGNALS} == {signal.SIG_DFL}

    def test_several_supervisors(self) -> None:
        """
        One handler serves all supervisors, and goes with the last of them.
        """

        async def main() -> None:
            async with Supervisor() as one:
                one.install_signal_handlers()
                async with Supervisor(default=False) as other:
                    other.install_signal_handlers()
                    other.install_signal_handlers()
                    assert multiplexer._supervisors() == [one, other]
                assert multiplexer._supervisors() == [one]
                assert signal.getsignal(FIRST) is not signal.SIG_DFL

        VirtualClock().run(main())

    def test_dropped(self) -> None:
        """
        A supervisor that was dropped before it was entered gives back what it took.
        """
        assert Supervisor().install_signal_handlers() == SIGNALS
        gc.collect()
        assert signal.getsignal(FIRST) is signal.SIG_DFL

    def test_left_elsewhere(self) -> None:
        """
        One that another thread leaves cannot give it back: then a signal just ends the process.
        """
        supervisor = Supervisor()
        supervisor.install_signal_handlers()

        async def main() -> None:
            async with supervisor:
                pass

        thread = threading.Thread(target=lambda: VirtualClock().run(main()))
        thread.start()
        thread.join()
        assert signal.getsignal(FIRST) is not signal.SIG_DFL
        multiplexer.restore()
