"""
Samples after each round: what was counted, and bytes by allocation site.

What keeps the samples is made before the first round, or in the files of this kit, which are left
out of the sum: a sampler that grows would find itself.
"""

from __future__ import annotations

import linecache
import sys
import sysconfig
import tracemalloc
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Final

import psutil

import sessionstate

from ._counts import Counts, name_of
from ._leak_text import SMALL
from ._quiescence import Quiescence
from ._slopes import slope
from ._verdicts import Kind, LeakRow, Verdict, judge_bytes, judge_count

HERE: Final = str(Path(__file__).parent)
KIT: Final = (HERE, tracemalloc.__file__)
OWN: Final = str(Path(sessionstate.__file__).parent)
LIBRARIES: Final = (OWN, *{sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})
DEPTH: Final = 24
"""Frames of the round that asks for callers."""

NAMED: Final = 8
"""Containers whose names are looked for, which takes a look at everything there is."""

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


class Sampler:
    """
    Takes the samples and judges them.
    """

    def __init__(self, counts: Counts, quiescence: Quiescence, rounds: int) -> None:
        self._counts = counts
        self._quiescence = quiescence
        self._rounds = rounds
        self._counted: dict[str, Series] = {}
        self._containers: dict[int, Series] = {}
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
        for container, entries, oldest in self._quiescence.endless:
            kept = self._containers.get(id(container))
            if kept is None:
                kept = Series(_address(container), "container", "entries", self._rounds)
                self._containers[id(container)] = kept
            kept.values[round_] = entries
            kept.example = f"oldest key {oldest}"
        self._rss.values[round_] = self._process.memory_info().rss
        for site, size in sizes():
            series = self._sites.get(site)
            if series is None:
                series = Series(f"{site[0]}:{site[1]}", "site", "bytes", self._rounds)
                self._sites[site] = series
            series.values[round_] = size
            self._total.values[round_] += size

    def rows(self, requests: int, dropped: int, floor: float) -> list[LeakRow]:
        """
        Judge everything; what decides first, and what grows most, comes first.
        """
        counted = (*self._counted.values(), *self._containers.values())
        grown = [each for each in self._sites.values() if max(each.values) > floor * SMALL]
        sites = [_row(each, requests, dropped, floor) for each in grown]
        sites.sort(key=lambda row: -row.slope)
        sums = (self._total, self._rss)
        return [
            *(_row(each, requests, dropped, 0.0) for each in counted),
            *sites,
            *(_row(each, requests, dropped, floor) for each in sums),
        ]

    def named(self, rows: list[LeakRow]) -> list[LeakRow]:
        """
        Call the first containers by their names: what is frozen does not tell who holds them.
        """
        containers = [container for container, _, _ in self._quiescence.endless[:NAMED]]
        names = {_address(each): name_of(each) for each in containers}
        return [replace(row, name=names.get(row.name, row.name)) for row in rows]


def _address(container: object) -> str:
    return f"{type(container).__name__} at {id(container):#x}"


def _row(series: Series, requests: int, dropped: int, floor: float) -> LeakRow:
    values = series.values[dropped:]
    growth = slope(values, requests)
    verdict: Verdict | None
    match series.kind:
        case "invariant" | "container":
            verdict = judge_count(values)
        case "site" | "total":
            verdict = judge_bytes(growth, len(values), floor)
        case _:
            verdict = None
    if series.kind == "site":
        file, _, line = series.name.rpartition(":")
        series.example = linecache.getline(file, int(line)).strip()
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
        example=series.example,
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
    Yield allocation sites with their bytes, without those of this kit.
    """
    for each in tracemalloc.take_snapshot().statistics("lineno"):
        frame = each.traceback[0]
        if not frame.filename.startswith(KIT):
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
        site = f"{innermost.filename}:{innermost.lineno}"
        if site not in sites or site in found:
            continue
        ours = takewhile(lambda frame: not frame.filename.startswith(KIT), reversed(outer))
        caller = next((frame for frame in ours if not _is_library(frame.filename)), None)
        if caller is not None:
            found[site] = f"{caller.filename}:{caller.lineno}"
    return found


def _is_library(file: str) -> bool:
    return file.startswith(("<", *LIBRARIES)) or file in sys.builtin_module_names
