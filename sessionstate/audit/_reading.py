"""
Files, found and reduced to facts: from the cache, here, or in processes beside this one.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from sessionstate.audit._cache import Cache, key_of
from sessionstate.audit._files import Source, find
from sessionstate.audit._findings import Problem
from sessionstate.audit._project import Module
from sessionstate.audit._reducing import (
    Reduced,
    read_file,
    reduced,
    reduced_content,
    unpacked,
)
from sessionstate.audit._settings import Settings
from sessionstate.audit._workers import available, elsewhere, processors

FOLDER: Final = ".sessionstate_cache"
WORTH: Final = 1_000_000
"""How many bytes of source a process must have to do, so that it is worth to start it."""
MOST: Final = 16
"""How many processes this one can keep up with."""
CHUNK: Final = 200_000
"""How many bytes it is handed at a time."""
BEAT: Final = 0.05
"""How many seconds lie between two reports of progress."""

Progress = Callable[[int, int], None]


class Read(NamedTuple):
    """
    What was read.
    """

    modules: list[Module]
    """By path."""
    problems: list[Problem]
    """Likewise."""
    files: int
    """How many there are, those with problems among them."""
    lines: int


def read(
    paths: Sequence[str | Path],
    settings: Settings,
    progress: Progress | None = None,
) -> Read:
    """
    Read the files at and below *paths*.

    Raises:
        FileNotFoundError: If there is nothing at one of *paths*.
    """
    found = find(paths, settings)
    folder = settings.cache_dir or settings.root / FOLDER
    with closing(Cache(folder if settings.cache else None)) as cache, _no_collector():
        reading = _Reading(found.sources, settings, cache, progress)
        reading.run()
    return reading.result(found.problems)


class _Reading:
    """
    What was read up to now.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        settings: Settings,
        cache: Cache,
        progress: Progress | None,
    ) -> None:
        self._sources = sources
        self._include_tests = settings.include_tests
        self._jobs = settings.jobs
        self._cache = cache
        self._progress = progress
        self._next = 0.0
        self._done = 0
        self._modules: dict[int, Module] = {}
        self._problems: list[Problem] = []

    def run(self) -> None:
        """
        Read all files.
        """
        sizes: dict[int, int] = {}
        here = self._jobs == 1 or not available()
        for number, source in enumerate(self._sources):
            content = read_file(source.path)
            if isinstance(content, Reduced):
                self._take(number, content)
                continue
            stored = self._cache.get(key_of(content))
            if stored is not None:
                self._take(number, Reduced(b"", stored))
            elif here:
                self._reduced(number, reduced_content(content, source.path))
            else:
                sizes[number] = len(content)
        for number, one in self._in_processes(sizes):
            del sizes[number]
            self._reduced(number, one)
        for number in sizes:
            self._reduced(number, reduced(self._sources[number].path))

    def _in_processes(self, sizes: dict[int, int]) -> Iterator[tuple[int, Reduced]]:
        """
        Reduce files in other processes, if there are enough for that.
        """
        chunks = _chunks(sizes)
        jobs = self._jobs or min(processors(), MOST, sum(sizes.values()) // WORTH)
        if min(jobs, len(chunks)) > 1:
            paths = [source.path for source in self._sources]
            with closing(elsewhere(paths, chunks, min(jobs, len(chunks)))) as found:
                yield from found

    def _reduced(self, number: int, one: Reduced) -> None:
        """
        Take what became of a file that the cache did not have.
        """
        if one.facts:
            self._cache.put(one.key, one.facts)
        self._take(number, one)

    def _take(self, number: int, one: Reduced) -> None:
        source = self._sources[number]
        if one.facts:
            facts, seems_test = unpacked(one.facts)
            is_test = (source.is_test or seems_test) and not source.given
            module = Module(
                source.path, source.name, facts, is_test=is_test and not self._include_tests
            )
            self._modules[number] = module
        elif one.problem:
            self._problems.append(Problem(source.path, one.problem, one.line))
        self._done += 1
        now = time.monotonic()
        if self._progress is not None and now >= self._next and self._done < len(self._sources):
            self._next = now + BEAT
            self._progress(self._done, len(self._sources))

    def result(self, problems: Sequence[Problem]) -> Read:
        """
        Return all that was read, and *problems* that there were before.
        """
        if self._progress is not None:
            self._progress(len(self._sources), len(self._sources))
        modules = [self._modules[number] for number in sorted(self._modules)]
        lines = sum(each.facts.lines for each in modules)
        files = len(modules) + len(self._problems)
        both = sorted([*problems, *self._problems], key=lambda each: each.path)
        return Read(modules, both, files, lines)


def _chunks(sizes: dict[int, int]) -> list[list[int]]:
    """
    Deal files out, the largest first, so that the processes end at about the same time.
    """
    chunks: list[list[int]] = []
    room = 0
    for number in sorted(sizes, key=lambda each: (-sizes[each], each)):
        if room <= 0:
            chunks.append([])
            room = CHUNK
        chunks[-1].append(number)
        room -= sizes[number] + 1000
    return chunks


@contextmanager
def _no_collector() -> Iterator[None]:
    """
    Keep the cyclic collector from looking at millions of tuples that are to stay.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
