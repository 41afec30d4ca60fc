"""
What the `leakcheck` fixture gives, and the file that its findings go to.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from ._calibration import calibrate
from ._drive import Request
from ._leak_page import pages
from ._leak_report import LeakReport
from ._leakcheck import leakcheck
from ._verdicts import LeakRow, Verdict, deciding, more_rounds, overall
from ._virtual_loop import VirtualLoop

UNITS: Final = {"B": 1, "KB": 1024, "MB": 1024**2}
LIMIT: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(B|KB|MB)\s*/\s*(\d+)")
FORMATS: Final = (".html", ".json", ".txt")
COUNTS: Final = ("entries", "tasks", "timers", "listeners", "children")
OPTIONS: Final = {*inspect.signature(leakcheck).parameters, "leak_limit", *COUNTS} - {
    "request",
    "floor",  # which the limit stands for
}


class Reports:
    """
    The findings of this process, and the file that they go to.
    """

    def __init__(self, config: pytest.Config) -> None:
        given: str | None = config.getoption("--sessionstate-report")
        worker: dict[str, str] = getattr(config, "workerinput", {})  # of pytest-xdist
        if given is not None and Path(given).suffix not in FORMATS:
            raise pytest.UsageError(
                f"--sessionstate-report: {given!r} must end with {', '.join(FORMATS)}"
            )
        self._path = None if given is None else own_file(Path(given), worker.get("workerid"))
        self._calibrates = bool(config.getoption("--sessionstate-calibrate"))
        self._floor: int | None = None
        self._found: list[tuple[str, LeakReport]] = []
        self.written: list[str] = []

    async def floor(self) -> dict[str, float]:
        """
        Return the floor if it is to be measured, which is done once.
        """
        if not self._calibrates:
            return {}
        if self._floor is None:
            self._floor = await calibrate()
        return {"floor": self._floor}

    def add(self, test: str, report: LeakReport) -> None:
        """
        Note what was found in *test*.
        """
        self._found.append((test, report))

    def write(self) -> None:
        """
        Write the file, if there is anything to be written.
        """
        if self._path is None or not self._found:
            return
        form = {".html": self._html, ".json": self._json}.get(self._path.suffix, self._text)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(form(), encoding="utf-8")
        self.written.append(str(self._path))

    def _text(self) -> str:
        return "\n\n".join(f"{test}\n{report.text()}" for test, report in self._found) + "\n"

    def _json(self) -> str:
        found = [{"test": test, **json.loads(report.as_json())} for test, report in self._found]
        return json.dumps(found, indent=2) + "\n"

    def _html(self) -> str:
        return self._found[0][1].html() if len(self._found) == 1 else pages(self._found)


def own_file(path: Path, worker: str | None) -> Path:
    """
    Return where a worker writes, so that none writes over what another has written.
    """
    return path if worker is None else path.with_name(f"{path.stem}-{worker}{path.suffix}")


class LeakCheck:
    """
    Checks a request for leaks, with the defaults of the test's marker.

    .. versionadded:: 0.1
    """

    def __init__(self, request: pytest.FixtureRequest, reports: Reports) -> None:
        self._node: pytest.Item = request.node
        self._reports = reports
        self._options: dict[str, Any] = {}
        for mark in reversed(list(self._node.iter_markers("sessionstate"))):
            self._options |= {key: each for key, each in mark.kwargs.items() if key in OPTIONS}

    async def run(self, request: Request, **options: Any) -> LeakReport:
        """
        Drive *request* as `sessionstate.testing.leakcheck` does, and fail if it leaks.

        An answer that is inconclusive is a warning.

        Args:
            request: An async function that makes one request.
            options: As of `sessionstate.testing.leakcheck`, and: *leak_limit*, such as
                ``"8KB/1000"``, for *floor*; *entries*, *tasks*, *timers*, *listeners* and
                *children*, how many of them may be left of 1000 requests (0): a task that sleeps
                has a timer.

        Returns:
            What was found; what may be left is the floor of its row, and decides as that.

        Raises:
            LeakError: If the request leaks.
        """
        options = {**await self._reports.floor(), **self._options, **options}
        if "leak_limit" in options:
            options["floor"] = bytes_per_1000(options.pop("leak_limit"))
        allowed = {key: options.pop(key, 0) for key in COUNTS}
        report = allowing(await leakcheck(request, **options), allowed)
        self._reports.add(self._node.nodeid, report)
        report.raise_for_leak()
        if report.verdict is Verdict.INCONCLUSIVE:
            self._node.warn(pytest.PytestWarning(f"{self._node.nodeid}: {report.text()}"))
        return report

    async def advance(self, seconds: float) -> None:
        """
        Let *seconds* go by for sessions, containers and timers, in virtual time.

        Raises:
            RuntimeError: If the test's loop goes by real time.
        """
        loop = asyncio.get_running_loop()
        if not isinstance(loop, VirtualLoop):
            raise RuntimeError(  # noqa: TRY004 - as of the clock itself
                f"real time cannot be moved by {seconds!r} s: ask for the fixture `virtual_clock` "
                f"in the test, so that its loop goes by virtual time"
            )
        await loop.clock.advance(seconds)


def allowing(report: LeakReport, allowed: dict[str, float]) -> LeakReport:
    """
    Return *report* with what may be left as floors, and what follows from them.
    """
    rows: list[LeakRow] = []
    notes = list(report.notes)
    for row in report.rows:
        floor = allowed.get(counted(row), 0)
        within = floor > 0 and round(row.slope, 6) <= floor
        if within and row.verdict is not Verdict.BOUNDED:
            notes.append(f"{row.slope:+,.4g} {row.name} of 1000 requests, {floor:,} are allowed")
        verdict = Verdict.BOUNDED if within else row.verdict
        rows.append(replace(row, floor=floor or row.floor, verdict=verdict))
    verdict, needs = overall(rows), 0
    if verdict is Verdict.INCONCLUSIVE:
        undecided = [row for row in deciding(rows) if row.verdict is verdict]
        more = (more_rounds(row, report.rounds, report.dropped) for row in undecided)
        needs = report.requests_each * max(more)
    return replace(report, rows=tuple(rows), notes=tuple(notes), verdict=verdict, needs=needs)


def counted(row: LeakRow) -> str:
    """
    Return which of `COUNTS` a row belongs to, if any.
    """
    if row.kind == "container":
        return "entries"
    if row.name == "child processes":
        return "children"
    return "" if row.kind != "invariant" else row.unit


def bytes_per_1000(limit: str) -> float:
    """
    Return what a limit such as ``"8KB/1000"`` means.
    """
    found = LIMIT.fullmatch(limit.strip().upper())
    if found is None or not int(found[3]):
        raise ValueError(
            f"leak_limit must be bytes in a number of requests, such as '8KB/1000', not {limit!r}"
        )
    return float(found[1]) * UNITS[found[2]] * 1000 / int(found[3])
