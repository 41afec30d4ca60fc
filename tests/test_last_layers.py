"""
How a process can end, and what of the clean-up runs then.
"""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.programs import LEFT_RUNNING, MAIN, SYNC, Program

ROOT = Path(__file__).resolve().parent.parent
WINDOWS = sys.platform == "win32"
NO_SIGNALS = "Windows ends a process that is sent SIGTERM at once, and has no SIGHUP"


class Row(NamedTuple):
    """
    One way to end.
    """

    source: str
    sync: bool
    awaited: bool
    status: int
    signals: tuple[str, ...] = ()
    install: bool = False
    reason: str = ""
    collected: bool = False
    """Whether the collector ends it, which may begin with the body inside a session."""


SIGHUP, SIGTERM, SIGINT, SIGKILL = 1, 15, 2, 9

ROWS = {
    "`main` returns or raises": Row(
        MAIN + "async def fail(): raise ValueError\nasyncio.run(main(fail))", True, True, 1
    ),
    "`sys.exit()` in a task": Row(
        MAIN
        + """
async def inside():
    asyncio.create_task(leave())
    await asyncio.Event().wait()
async def leave():
    sys.exit(3)
asyncio.run(main(inside))""",
        True,
        True,
        3,
    ),
    "Ctrl+C": Row(MAIN + "asyncio.run(main())", True, True, -SIGINT, ("SIGINT",)),
    "Ctrl+C twice": Row(
        MAIN
        + """
async def inside():
    try:
        await wait()
    finally:
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(0)
asyncio.run(main(inside))""",
        True,
        True,
        -SIGINT,
        ("SIGINT",),
    ),
    "SIGTERM, with `asyncio.run`": Row(
        MAIN + "asyncio.run(main())", False, False, -SIGTERM, ("SIGTERM",)
    ),
    "SIGTERM, with `sessionstate.run`": Row(
        MAIN + "sessionstate.run(main())", True, True, 128 + SIGTERM, ("SIGTERM",)
    ),
    "SIGTERM, with `install_signal_handlers`": Row(
        MAIN + "asyncio.run(main())", True, True, -SIGTERM, ("SIGTERM",), install=True
    ),
    "SIGHUP, with `asyncio.run`": Row(
        MAIN + "asyncio.run(main())", False, False, -SIGHUP, ("SIGHUP",)
    ),
    "SIGHUP, with `sessionstate.run`": Row(
        MAIN + "sessionstate.run(main())", True, True, 128 + SIGHUP, ("SIGHUP",)
    ),
    "SIGHUP, with `install_signal_handlers`": Row(
        MAIN + "asyncio.run(main())", True, True, -SIGHUP, ("SIGHUP",), install=True
    ),
    "the loop is stopped, and the program ends": Row(
        LEFT_RUNNING + "loop.run_until_complete(begin())", True, False, 0
    ),
    "`sys.exit()` out of `run_until_complete`": Row(
        LEFT_RUNNING
        + """
async def main():
    await begin()
    asyncio.get_running_loop().call_soon(sys.exit, 3)
    await asyncio.Event().wait()
loop.run_until_complete(main())""",
        True,
        False,
        3,
    ),
    "the loop runs in a daemon thread": Row(
        LEFT_RUNNING
        + """
import threading
threading.Thread(target=loop.run_forever, daemon=True).start()
asyncio.run_coroutine_threadsafe(begin(), loop).result()""",
        True,
        False,
        0,
    ),
    "the supervisor is dropped": Row(
        LEFT_RUNNING
        + """
import gc
loop.run_until_complete(begin())
del supervisor, task, held, loop
asyncio.set_event_loop(None)
gc.collect()
log("collected")
os._exit(0)""",
        True,
        False,
        0,
        collected=True,
    ),
    "SIGTERM while the loop is stopped, with `install_signal_handlers`": Row(
        LEFT_RUNNING
        + """
loop.run_until_complete(begin())
supervisor.install_signal_handlers()
signal.raise_signal(signal.SIGTERM)""",
        True,
        False,
        -SIGTERM,
        reason=NO_SIGNALS,
    ),
    "a forked child ends": Row(
        MAIN
        + """
async def inside():
    child = os.fork()
    if not child:
        sys.exit(5)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
    log("child ended")
    os._exit(0)
asyncio.run(main(inside))""",
        False,
        False,
        0,
        reason="Windows does not fork",
    ),
    "`os._exit()`": Row(
        MAIN + "async def leave(): os._exit(4)\nasyncio.run(main(leave))", False, False, 4
    ),
    "SIGKILL": Row(MAIN + "sessionstate.run(main())", False, False, -SIGKILL, ("SIGKILL",)),
    "a crash of the interpreter": Row(
        MAIN + "async def crash(): os.abort()\nsessionstate.run(main(crash))", False, False, -6
    ),
}


@pytest.mark.real_loop
@pytest.mark.parametrize("name", ROWS)
def test_row(name: str, tmp_path: Path) -> None:
    """
    Each row of the table in docs/explanation/last-layers.md is what happens.
    """
    row = ROWS[name]
    if WINDOWS and (row.signals or row.reason or row.status < 0):
        pytest.skip(row.reason or NO_SIGNALS)
    env = {"install": "yes"} if row.install else {}
    with Program(tmp_path, row.source, **env) as program:
        for number in row.signals:
            program.wait_for("ready")
            program.send(signal.Signals[number])
        assert program.status() == row.status, program.output
    log = program.log()
    sync = [line for line in log if line.endswith(": sync")]
    awaited = [line for line in log if line.endswith(": async")]
    contexts = [line for line in log if ": context" in line]
    both = ["held", "idle"]
    assert sorted(sync) == [f"{id}: sync" for id in both if row.sync], program.output
    assert sorted(line.partition(":")[0] for line in contexts) == (both if row.sync else [])
    assert sorted(awaited) == [f"{id}: async" for id in both if row.awaited]
    if row.sync and not row.awaited:
        lines = [line for line in log if ":" in line]
        if row.collected:
            lines.sort(key=lambda line: line.startswith("held"))  # each in the order of its own
        assert lines == SYNC


def test_table() -> None:
    """
    The documentation's table has these rows, and says the same of each.
    """
    page = (ROOT / "docs" / "explanation" / "last-layers.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| ([^|]+?) \| (yes|no) \| (yes|no) \|", page, re.MULTILINE)
    words = {True: "yes", False: "no"}
    assert shown == [(name, words[row.sync], words[row.awaited]) for name, row in ROWS.items()]


@pytest.mark.real_loop
def test_before_what_was_registered_earlier(tmp_path: Path) -> None:
    """
    At exit, callbacks run before what was registered before the supervisor, and they may log.
    """
    source = f"""
import atexit, logging
logging.basicConfig(format="%(message)s", stream=sys.stdout)
atexit.register(log, "database closed")
{LEFT_RUNNING}
loop.run_until_complete(begin())
supervisor["idle"].callback(logging.warning, "can log")
"""
    with Program(tmp_path, source) as program:
        assert program.status() == 0
    assert "can log" in program.output
    assert program.log() == [*SYNC, "database closed"]


@pytest.mark.real_loop
def test_processes(tmp_path: Path) -> None:
    """
    Process groups that a session owns are killed, before its callbacks run.
    """
    source = f"""
import psutil
{LEFT_RUNNING}
async def spawn():
    await begin()
    s = supervisor["idle"]
    def look():
        gone, alive = psutil.wait_procs([child], timeout=20)
        log(f"idle: {{len(alive)}} alive")
    s.callback(look)
    process = await s.open_process([sys.executable, "-c", "import time; time.sleep(60)"])
    globals()["child"] = psutil.Process(process.pid)
loop.run_until_complete(spawn())
"""
    with Program(tmp_path, source) as program:
        assert program.status() == 0
    assert program.log() == ["idle: 0 alive", *SYNC], program.output


@pytest.mark.real_loop
def test_complaints_are_for_who_asks(tmp_path: Path) -> None:
    """
    Who does not ask for ResourceWarnings sees nothing of ours at exit, and who does sees each.
    """
    source = LEFT_RUNNING + "loop.run_until_complete(begin())"
    with Program(tmp_path, source) as program:
        assert program.status() == 0
    assert "essionstate" not in re.sub(r"(?m)^task: .*", "", program.output)
    with Program(tmp_path, source, PYTHONWARNINGS="default::ResourceWarning") as program:
        assert program.status() == 0
    assert program.output.count("was dropped unclosed") == 2
