"""
Forked children: everything there is still the parent's.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from sessionstate import Session, SessionMap, Supervisor
from sessionstate._last import _forked, _inherited, abandon, abandon_all
from sessionstate._signals import SIGNALS, _before_fork, _everywhere, multiplexer
from sessionstate._signals import _forked as _handlers_forked
from sessionstate.testing import VirtualClock
from tests.bodies import LONG, fail
from tests.programs import LEFT_RUNNING, MAIN, SYNC, Program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

needs_fork = pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")


CHILD = """
def raises(call, *args):
    try:
        result = call(*args)
        if hasattr(result, "send"):
            result.send(None)
    except RuntimeError as error:
        log(str(error)[:60])
    else:
        log(f"{call} did not raise")
"""


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """
    Give a loop that can be left standing.
    """
    with asyncio.Runner(loop_factory=VirtualClock().new_event_loop) as runner:
        yield runner


@needs_fork
@pytest.mark.real_loop
def test_uses_raise(tmp_path: Path) -> None:
    """
    Uses of a supervisor and its sessions say whose they are; look-ups by id find nothing.
    """
    source = f"""
{CHILD}
{MAIN}
async def inside():
    supervisor = sessionstate.current_supervisor()
    s, agents = supervisor["held"], sessionstate.SessionMap("agents", supervisor=supervisor)
    child = os.fork()
    if child:
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    raises(supervisor.open, "a")
    raises(supervisor.session("a").__aenter__)
    supervisor.close_threadsafe("held")
    raises(s.callback, print)
    raises(s.close_soon)
    raises(s.aclose)
    raises(s.start_soon, wait)
    raises(agents.__setitem__, s, 1)
    log(f"{{len(supervisor)}} {{s.state}} {{supervisor.get('held')}}")
    await supervisor.__aexit__(None, None, None)
    os._exit(0)
asyncio.run(main(inside))
"""
    with Program(tmp_path, source) as program:
        assert program.status() == 0, program.output
    lines = program.log()
    assert len(lines) == 8
    assert lines[7] == "0 closed None"
    for line in lines[:7]:
        assert line == "supervisor 'sessionstate' and its sessions belong to the par", line


@needs_fork
@pytest.mark.real_loop
def test_supervisor_of_its_own(tmp_path: Path) -> None:
    """
    The child may open a supervisor of its own, whose sessions are cleaned up as anywhere.
    """
    source = f"""
{LEFT_RUNNING}
loop.run_until_complete(begin())
child = os.fork()
if child:
    os.waitpid(child, 0)
    log("parent ends")
else:
    asyncio.set_event_loop(None)
    async def main():
        async with Supervisor():
            own(await sessionstate.current_supervisor().open("child"))
    asyncio.run(main())
"""
    with Program(tmp_path, source) as program:
        assert program.status() == 0, program.output
    child = ["child: context, None", "child: async", "child: sync"]
    assert program.log() == [*child, "parent ends", *SYNC]


@needs_fork
def test_handlers() -> None:
    """
    The child gives signal handlers back, and what came too early for that comes then.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    supervisor = Supervisor()
    supervisor.install_signal_handlers()
    _before_fork()
    assert set(SIGNALS) <= signal.pthread_sigmask(signal.SIG_BLOCK, ())
    _handlers_forked()
    assert {signal.getsignal(number) for number in SIGNALS} == {signal.SIG_DFL}
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask


@needs_fork
def test_handlers_that_cannot_be_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Whatever goes wrong with the handlers, the child does not keep the signals blocked.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    monkeypatch.setattr(multiplexer, "restore", fail)
    _everywhere.add(multiplexer)
    _before_fork()
    with pytest.raises(ZeroDivisionError):
        _handlers_forked()
    monkeypatch.undo()
    left = signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    assert left == mask


def test_nothing_is_dropped(runner: asyncio.Runner, log: list[str]) -> None:
    """
    What a child does not clean up it keeps: to drop it would release what the parent uses.
    """

    async def begin() -> Supervisor:
        supervisor = await Supervisor().__aenter__()
        a, b = await supervisor.open("a"), await supervisor.open("b")
        for s in (a, b):
            s.callback(log.append, "never")
            s.push_async_callback(asyncio.sleep, LONG)
        b.close_soon()
        await asyncio.sleep(1)
        return supervisor

    supervisor = runner.run(begin())
    sessions = [*supervisor.values(), *supervisor._closing.values()]
    kept = len(_inherited)
    _forked()
    abandon(supervisor)
    abandon_all()
    assert [s.state for s in sessions] == ["closed", "closed"]
    assert _inherited[kept] == sessions
    assert [len(steps) for steps in _inherited[kept + 1 :] if isinstance(steps, dict)] == [2, 1]
    runner.run(supervisor.__aexit__(None, None, None))
    runner.run(asyncio.sleep(LONG))
    assert log == []
    del _inherited[kept:]


def test_handles(runner: asyncio.Runner) -> None:
    """
    Handles of every kind say whose they are: of live sessions, and of what had ended before.
    """

    async def begin() -> tuple[Supervisor, list[Session]]:
        supervisor = await Supervisor().__aenter__()
        live, closed = await supervisor.open("live"), await supervisor.open("closed")
        await closed.aclose()
        return supervisor, [live, closed]

    supervisor, sessions = runner.run(begin())
    values = SessionMap[int]("values", supervisor=supervisor)
    kept = len(_inherited)
    _forked()
    for session in sessions:
        with pytest.raises(RuntimeError, match="belong to the parent process"):
            session.callback(print)
        with pytest.raises(RuntimeError, match="belong to the parent process"):
            values[session] = 1
    with pytest.raises(RuntimeError, match="belong to the parent process"):
        runner.run(supervisor.open("another"))
    assert dict(supervisor) == {}
    del _inherited[kept:]


def test_in_the_middle_of_a_clean_up(runner: asyncio.Runner, log: list[str]) -> None:
    """
    A fork in a callback ends the clean-up in the child, hooks, callbacks and all.
    """

    async def begin() -> None:
        supervisor = await Supervisor().__aenter__()
        for id in ("a", "b"):
            s = await supervisor.open(id)
            s.callback(log.append, "never")
            s.callback(_forked)
        supervisor.close_soon("a")
        supervisor.on_close(lambda s, reason: _forked())
        supervisor.on_close(lambda s, reason: log.append("never"))

    runner.run(begin())
    assert log == []
    _inherited.clear()
