"""
Runs of the examples: as a reader runs them, or in a loop of a test's own.
"""

import asyncio
import gc
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from sessionstate import CloseReason, Session, Supervisor

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
}
PATIENCE = 30.0  # seconds until a test gives up: no result depends on it

Ended = asyncio.Queue[tuple[str, CloseReason]]


def output(name: str) -> list[str]:
    """
    Run an example as a reader would and return the lines it printed.
    """
    done = subprocess.run(
        [sys.executable, "-W", "default::ResourceWarning", str(EXAMPLES / f"{name}.py")],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def load(name: str) -> ModuleType:
    """
    Import an example afresh, so that no test sees another's maps.
    """
    spec = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """
    Run a test's body in a real loop, since its sockets and processes are real.
    """
    complaints: list[dict[str, Any]] = []

    async def bounded() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        async with asyncio.timeout(PATIENCE):
            await main()

    asyncio.run(bounded())
    gc.collect()  # a handler's error that nobody awaited is told when its task goes
    assert complaints == []


def ends(supervisor: Supervisor) -> Ended:
    """
    Return a queue that gets (id, reason) of each session that ends.
    """
    ended: Ended = asyncio.Queue()

    def put(session: Session, reason: CloseReason) -> None:
        ended.put_nowait((session.id, reason))

    supervisor.on_close(put)
    return ended


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """
    Start a Python process, and leave none behind.
    """
    with subprocess.Popen(
        [sys.executable, *arguments],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as child:
        try:
            yield child
        finally:
            child.kill()
