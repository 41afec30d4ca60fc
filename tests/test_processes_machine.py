"""
Real child processes, of several sessions at once, however they end and whoever ends them.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sessionstate import OwnedProcess, Session, SessionClosed, Supervisor
from tests.trees import PATIENCE, POSIX, child, living, nobody_left, pids

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["nobody_left"]

pytestmark = [pytest.mark.real_loop, pytest.mark.usefixtures("nobody_left")]

GRACE = 0.1
COMMANDS = {"tree 1": 1, "tree 2": 2, "stubborn": 1, "leave": 2, "short": 0, "echo": 0}
"""What is started, and how many numbers it tells."""


class Child:
    """
    A process, and the numbers of all that belong to it.
    """

    def __init__(self, session: Session, process: OwnedProcess, kind: str, tree: list[int]) -> None:
        self.session = session
        self.process = process
        self.kind = kind
        self.tree = [process.pid, *tree]
        self.ending = False
        """Whether somebody asked for its end."""


class ProcessesMachine(RuleBasedStateMachine):
    """
    Sessions with processes, in real time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.errors: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.errors.append(context))
        self.sessions: list[Session] = []
        self.children: list[Child] = []

    def do(self, coro: Coroutine[Any, Any, Any]) -> Any:
        """
        Run *coro*, which does not take long.
        """
        return self.loop.run_until_complete(asyncio.wait_for(coro, PATIENCE))

    def of(self, session: Session) -> list[Child]:
        """
        Return the children of *session*.
        """
        return [each for each in self.children if each.session is session]

    # The rules.

    @initialize()
    def start(self) -> None:
        self.supervisor = Supervisor(default=False)
        self.do(self.supervisor.__aenter__())
        self.open_session()

    @rule()
    def open_session(self) -> None:
        self.sessions.append(self.do(self.supervisor.open(f"s{len(self.sessions)}")))

    @precondition(lambda self: self.sessions)
    @rule(kind=st.sampled_from(sorted(COMMANDS)), data=st.data())
    def open_process(self, kind: str, data: st.DataObject) -> None:
        session = data.draw(st.sampled_from(self.sessions))
        self.do(self._open_process(session, kind))

    async def _open_process(self, session: Session, kind: str) -> None:
        command = [sys.executable, "-ISc", "print(1)"] if kind == "short" else child(*kind.split())
        try:
            process = await session.open_process(command, grace=GRACE)
        except SessionClosed:
            assert session.close_reason is not None
            return
        assert session.close_reason is None
        tree = await pids(process, COMMANDS[kind])
        self.children.append(Child(session, process, kind, tree))

    @precondition(lambda self: self.sessions)
    @rule(kind=st.sampled_from(sorted(COMMANDS)), steps=st.integers(0, 5), data=st.data())
    def cancel_an_opening(self, kind: str, steps: int, data: st.DataObject) -> None:
        session = data.draw(st.sampled_from(self.sessions))
        known = len(session._steps or ())
        self.do(self._cancel_an_opening(session, kind, steps))
        assert len(session._steps or ()) <= known + 1

    async def _cancel_an_opening(self, session: Session, kind: str, steps: int) -> None:
        opening = asyncio.create_task(self._open_process(session, kind))
        for _ in range(steps):
            await asyncio.sleep(0)
        opening.cancel()
        with suppress(asyncio.CancelledError):
            await opening

    @precondition(lambda self: self.children)
    @rule(how=st.sampled_from(["terminate", "kill", "cancel", "aclose", "stdin"]), data=st.data())
    def end_process(self, how: str, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.children))
        process = one.process
        if how == "stdin":
            if process.stdin is not None:
                self.do(process.stdin.aclose())
            if one.kind == "echo" and not one.ending:
                code = self.do(process.wait())
                assert code == 7 or one.session.close_reason is not None
            return
        one.ending = one.ending or how != "terminate"
        if how == "aclose":
            self.do(process.aclose())
            assert not living(one.tree)
            return
        getattr(process, how)()
        if how == "kill" or one.kind != "stubborn":
            self.do(process.wait())
            assert process.returncode is not None

    @precondition(lambda self: self.sessions)
    @rule(wait=st.booleans(), data=st.data())
    def close_session(self, wait: bool, data: st.DataObject) -> None:
        session = data.draw(st.sampled_from(self.sessions))
        if wait:
            self.do(session.aclose())
            self.do(session.wait_closed())
            for each in self.of(session):
                assert not living(each.tree)
                assert each.process.returncode is not None
        else:
            session.close_soon()

    @invariant()
    def is_as_expected(self) -> None:
        """
        What nobody ended lives, what ended itself is known to have, and nobody complains.
        """
        assert not self.errors, self.errors
        for each in self.children:
            untouched = not each.ending and each.session.close_reason is None
            if untouched and each.kind == "stubborn":
                assert each.process.returncode is None
                assert living(each.tree)
        if hasattr(self, "supervisor"):
            assert self.supervisor.statistics().clean_up_errors == 0

    def teardown(self) -> None:
        try:
            if hasattr(self, "supervisor"):
                self.do(self.supervisor.__aexit__(None, None, None))
                for each in self.children:
                    assert not living(each.tree), f"{each.kind} lives"
                    assert each.process.returncode is not None
                assert not asyncio.all_tasks(self.loop)
        finally:
            self.loop.close()


FEW = settings(
    max_examples=8,
    stateful_step_count=8,
    report_multiple_bugs=False,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@pytest.mark.skipif(not POSIX, reason="real loops here need process groups, SIGTERM or SIGKILL")
class TestProcesses(ProcessesMachine.TestCase):  # type: ignore[misc,valid-type]
    settings = FEW


@pytest.mark.stress
@pytest.mark.skipif(not POSIX, reason="real loops here need process groups, SIGTERM or SIGKILL")
class TestProcessesForLong(ProcessesMachine.TestCase):  # type: ignore[misc,valid-type]
    settings = settings(FEW, max_examples=300, stateful_step_count=20, derandomize=False)
