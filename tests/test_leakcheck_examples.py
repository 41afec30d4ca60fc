"""
The examples that leak on purpose: the leak is found, and its mended twin is not blamed.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sessionstate.testing import LeakReport, Verdict, VirtualClock, leakcheck
from tests.example_runs import EXAMPLES, ROOT, load, output

if TYPE_CHECKING:
    from types import ModuleType

pytestmark = pytest.mark.virtual_time

LINES = {
    "leaking_listener": 'news = [f"hello, client-{number}"]',
    "leaking_error_path": '"request": {"session": name, "path": f"/sessions/{name}/messages"},',
    "leaking_signatures": 'return hashlib.sha256(f"webhook {number}".encode()).hexdigest()',
}


def check(example: ModuleType, name: str) -> LeakReport:
    """
    Check one of the two twins of *example*.
    """

    async def main() -> LeakReport:
        async with example.serving() if hasattr(example, "serving") else nullcontext():
            return await leakcheck(getattr(example, name), requests=100)

    return VirtualClock().run(main())


@pytest.mark.parametrize("name", LINES)
def test_leak_is_found_where_it_is(name: str) -> None:
    """
    The leaky twin is found out, and the line in it that allocates what stays.
    """
    report = check(load(name), "leaky")
    assert report.verdict is Verdict.LEAK
    worst = next(row for row in report.rows if row.kind == "site")
    assert worst.name.startswith(str(EXAMPLES / f"{name}.py:"))
    assert LINES[name] in {row.example for row in report.leaks}


@pytest.mark.parametrize("name", LINES)
def test_mended_twin_is_bounded(name: str) -> None:
    """
    What is owned by a session, or forgets by time, is no leak.
    """
    assert check(load(name), "mended").verdict is Verdict.BOUNDED


@pytest.mark.parametrize("name", LINES)
def test_tells_how_to_run_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What the header of an example says to run is found from the root of the project, as it is.
    """
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    script, check_ = [line.split() for line in (load(name).__doc__ or "").splitlines()[-2:]]
    assert script == ["python", f"examples/{name}.py"]
    assert Path(script[1]).is_file()
    assert check_ == ["sessionstate", "leakcheck", f"examples.{name}:leaky"]
    assert hasattr(importlib.import_module(f"examples.{name}"), "leaky")


def test_prints_what_it_shows() -> None:
    """
    A reader who runs one sees both verdicts.
    """
    assert output("leaking_signatures") == ["leaky: leak", "mended: bounded"]
