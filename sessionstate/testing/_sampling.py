"""
Samples after each round: what was counted, and bytes by allocation site.

What keeps the samples is made before the first round, or in files of this kit that are left out of
the sum: a sampler that grows would find itself.
"""

from __future__ import annotations

import asyncio.events
import asyncio.runners
import os
import sys
import sysconfig
import tracemalloc
import weakref
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Any, Final

import psutil

import sessionstate
from sessionstate._slopes import slope

from ._counts import Counts, name_of
from ._leak_text import SMALL, source
from ._quiescence import Quiescence
from ._reprs import short_repr, short_text
from ._verdicts import Kind, LeakRow, Verdict, judge_bytes, judge_count

HERE: Final = str(Path(__file__).parent)
GIVEN: Final = "the requests' numbers and tasks, kept by you"
LOOPS: Final = "the loop's tasks and timers, kept by you"
MADE: Final = {
    str(Path(HERE, "_drive.py")): GIVEN,
    str(Path(HERE, "_virtual_loop.py")): LOOPS,
    str(Path(HERE, "_clock.py")): LOOPS,
}
"""What allocates for a request: nobody can mend it there, so it is told by what it makes."""
KIT: Final = {tracemalloc.__file__, *map(str, Path(HERE).glob("*.py"))} - MADE.keys()
OWN: Final = str(Path(sessionstate.__file__).parent)
PATHS: Final = {OWN, *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))}
LIBRARIES: Final = ("<", *(os.path.join(path, "") for path in PATHS))  # noqa: PTH118 - as SCRIPTS
PACKAGES: Final = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))
"""Where libraries lie, also those of another environment."""
CALL_BACK: Final = (HERE, asyncio.events.__file__, asyncio.runners.__file__)
"""Who runs whatever the loop has to run, and called nobody."""
DEPTH: Final = 24
"""Frames of the round that asks for callers."""

SHOWN: Final = 8
"""Containers that have a row, and whose names are looked for: those that grow most."""

Site = tuple[str, int]


class Series:
    """
    One number a round, in memory that is there from the beginning.
    """

    __slots__ = ("example", "kind", "name", "unit", "values", "where")

    def __init__(self, name: str, kind: Kind, unit: str, rounds: int) -> None:
        self.name = name
        self.kind: Kind = kind
        self.unit = unit
        self.values = array("d", bytes(8 * rounds))
        self.example = ""
        self.where = ""


class Group:
    """
    Containers that were made at one place; or one, if that was before allocations were traced.
    """

    def __init__(self, first: Any, where: str, rounds: int) -> None:
        self.kind = type(first).__name__
        name = f"{self.kind} at {id(first):#x}"
        self.series = Series(name, "container", "entries", rounds)
        self.series.where = where
        self.first = weakref.ref(first)
        self.number = 0
        """How many of them there were in the last round."""


class Sampler:
    """
    Takes the samples and judges them.
    """

    def __init__(self, counts: Counts, quiescence: Quiescence, rounds: int) -> None:
        self._counts = counts
        self._quiescence = quiescence
        self._rounds = rounds
        self._counted: dict[str, Series] = {}
        self._groups: dict[object, Group] = {}
        self._sites: dict[Site, Series] = {}
        self._total = Series("memory allocated", "total", "bytes", rounds)
        self._rss = Series("memory of the process", "rss", "bytes", rounds)
        self._process = psutil.Process()

    def take(self, round_: int) -> None:
        """
        Take the samples of one round.
        """
        last = round_ == self._rounds - 1
        for count in self._counts.counts():
            counted = self._counted.get(count.name)
            if counted is None:
                counted = Series(count.name, "invariant", count.unit, self._rounds)
                self._counted[count.name] = counted
            counted.values[round_] = count.number
            if last and count.number > counted.values[0]:
                counted.example, counted.where = count.example()
        self._take_containers(round_)
        self._rss.values[round_] = self._process.memory_info().rss
        for site, size in sizes():
            series = self._sites.get(site)
            if series is None:
                file, line = site
                name = f"{file}:{line}" if line else file
                series = self._sites[site] = Series(name, "site", "bytes", self._rounds)
            series.values[round_] += size
            self._total.values[round_] += size

    def _take_containers(self, round_: int) -> None:
        for group in self._groups.values():
            group.number = 0
        for container, entries, oldest in self._quiescence.endless:
            where = _made_at(container)
            key = (type(container).__name__, where) if where else id(container)
            if key not in self._groups:
                self._groups[key] = Group(container, where, self._rounds)
            group = self._groups[key]
            if not group.number:
                group.series.example = f"oldest key {short_repr(oldest)}"
            group.number += 1
            group.series.values[round_] += entries

    def rows(self, requests: int, dropped: int, floor: float) -> list[LeakRow]:
        """
        Judge everything that was counted, each site, and the sums.
        """
        counted = (*self._counted.values(), *self._containers(dropped))
        grown = [each for each in self._sites.values() if max(each.values) > floor * SMALL]
        weighed = (*grown, self._total, self._rss)
        return [
            *(_row(each, requests, dropped, 0.0) for each in counted),
            *(_row(each, requests, dropped, floor) for each in weighed),
        ]

    def _containers(self, dropped: int) -> Iterator[Series]:
        """
        Yield the containers that grow most, and the sum of the others.
        """
        groups = sorted(self._groups.values(), key=lambda each: _growth(each.series, dropped))
        shown, others = groups[-SHOWN:][::-1], groups[:-SHOWN]
        for each in shown:
            if each.number > 1:
                each.series.name = f"{each.number:,} {each.kind}s"
                each.series.example = each.series.example.replace("oldest", "such as", 1)
            yield each.series
        if others:
            rest = Series(f"{len(others):,} more containers", "container", "entries", self._rounds)
            sums = zip(*(each.series.values for each in others), strict=True)
            rest.values = array("d", map(sum, sums))
            yield rest

    def named(self, rows: list[LeakRow]) -> list[LeakRow]:
        """
        Call containers by their names: what is frozen does not tell who holds them.
        """
        alone = {each.series.name: each.first for each in self._groups.values() if each.number == 1}
        return [self._named(row, alone.get(row.name)) for row in rows]

    def _named(self, row: LeakRow, ref: weakref.ref[Any] | None) -> LeakRow:
        # Nothing here may hold the container but a variable, or that would be who names it.
        container = None if ref is None else ref()
        return row if container is None else replace(row, name=short_text(name_of(container)))


def _growth(series: Series, dropped: int) -> float:
    return series.values[-1] - series.values[dropped]


def _made_at(container: object) -> str:
    """
    Return where *container* was made, if allocations were traced by then.
    """
    traceback = tracemalloc.get_object_traceback(container)
    return f"{traceback[-1].filename}:{traceback[-1].lineno}" if traceback else ""


def _row(series: Series, requests: int, dropped: int, floor: float) -> LeakRow:
    values = series.values[dropped:]
    growth = slope(values, requests)
    verdict: Verdict | None
    match series.kind:
        case "invariant" | "container":
            verdict = judge_count(values, growth)
        case "site" | "total":
            verdict = judge_bytes(growth, len(values), floor)
        case _:
            verdict = None
    if series.kind == "site":
        series.example = source(series.name)
    return LeakRow(
        name=series.name,
        kind=series.kind,
        unit=series.unit,
        slope=growth.value,
        low=growth.low,
        high=growth.high,
        floor=floor,
        verdict=verdict,
        values=tuple(series.values),
        example=short_text(series.example),
        where=series.where,
    )


@contextmanager
def tracing() -> Iterator[bool]:
    """
    Trace allocations; tell whether they were not traced before.
    """
    ours = not tracemalloc.is_tracing()
    if ours:
        tracemalloc.start(1)
    try:
        yield ours
    finally:
        if ours:
            tracemalloc.stop()


def sizes() -> Iterator[tuple[Site, int]]:
    """
    Yield allocation sites with their bytes, without those of this kit; what it made has no line.
    """
    for each in tracemalloc.take_snapshot().statistics("lineno"):
        frame = each.traceback[0]
        made = MADE.get(frame.filename)
        if made is not None:
            yield (made, 0), each.size
        elif frame.filename not in KIT:
            yield (frame.filename, frame.lineno), each.size


def deepen() -> None:
    """
    Trace whole stacks from now on.
    """
    tracemalloc.stop()
    tracemalloc.start(DEPTH)


def callers(sites: frozenset[str]) -> dict[str, str]:
    """
    Tell for *sites* who called, as ``file:line``: the nearest caller that is no library.
    """
    found: dict[str, str] = {}
    for each in tracemalloc.take_snapshot().statistics("traceback"):  # the largest first
        *outer, innermost = each.traceback
        site = MADE.get(innermost.filename, f"{innermost.filename}:{innermost.lineno}")
        if site not in sites or site in found:
            continue
        within = dropwhile(lambda frame: MADE.get(frame.filename) == LOOPS, reversed(outer))
        calls = takewhile(lambda frame: not frame.filename.startswith(CALL_BACK), within)
        caller = next((frame for frame in calls if not is_library(frame.filename)), None)
        if caller is not None:
            found[site] = f"{caller.filename}:{caller.lineno}"
    return found


def is_library(file: str) -> bool:
    """
    Tell whether *file*, or a place in it, is nothing that the reader has written.
    """
    installed = any(each in file for each in PACKAGES)
    return installed or file.startswith(LIBRARIES) or file in sys.builtin_module_names


def order(row: LeakRow) -> tuple[int, int, float]:
    """
    Return by what rows are sorted: lines of the program, then those that it calls, then others.

    What surely leaks comes before what is below the floor.
    """
    if row.kind != "site":
        return (0 if row.kind in ("invariant", "container") else 2), 0, 0.0
    own, leaks = not is_library(row.name), row.verdict is Verdict.LEAK
    ranks = (leaks and own, leaks and row.where, own, True)
    return 1, next(rank for rank, holds in enumerate(ranks) if holds), -row.slope
