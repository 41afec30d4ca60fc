"""
Child processes in more shapes: how they are started, and what is done with them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sessionstate.audit._spawning import findings
from tests.audit.small import found, project
from tests.audit.test_rule_ss005 import run


def test_once_for_each_start(tmp_path: Path) -> None:
    """
    A function that starts processes in several ways is judged once.
    """
    source = """
        import asyncio
        import subprocess

        async def run(command):
            first = await asyncio.create_subprocess_exec(*command)
            await first.wait()
            second = await asyncio.create_subprocess_shell("server")
            await second.wait()
    """
    assert found(findings, tmp_path, source) == ["SS005 first", "SS005 second"]


def test_one_handle_for_two_starts(tmp_path: Path) -> None:
    """
    A handle that comes from either of two starts has one finding.
    """
    source = """
        import asyncio

        async def run(command, shell):
            if shell:
                child = await asyncio.create_subprocess_shell(command)
            else:
                child = await asyncio.create_subprocess_exec(command)
            await child.wait()
    """
    (one,) = findings(project(tmp_path, server=source))
    assert (one.container, one.line) == ("child", 6)


@pytest.mark.parametrize(
    "source",
    [
        """
        import subprocess

        server = subprocess.Popen(["server"])
        server.wait(timeout=5)
        """,
        """
        import subprocess

        def start():
            subprocess.Popen(["server"])
        """,
        """
        import asyncio

        async def start():
            server = await asyncio.create_subprocess_exec("server")
            await ready()
        """,
    ],
)
def test_meant_to_stay(tmp_path: Path, source: str) -> None:
    """
    What a module or a plain function starts, and what nobody waits for, may be meant to stay.
    """
    assert not list(findings(project(tmp_path, server=source)))


def test_time_limit_of_something_else(tmp_path: Path) -> None:
    """
    A time limit on something else is none of the wait for the process.
    """
    source = run("async with asyncio.timeout(5):", "    await ready()", "await process.wait()")
    assert found(findings, tmp_path, source) == ["SS005 process"]
    source = run("async with asyncio.timeout(5):", "    x = 1", "await process.wait()")
    assert found(findings, tmp_path, source) == ["SS005 process"]
