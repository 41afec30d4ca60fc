"""
Files, found and reduced to facts: from the cache, here, or in processes beside this one.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple

from sessionstate.audit._cache import Cache, key_of
from sessionstate.audit._files import find
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
    with closing(cache_of(settings)) as cache:
        return Reading(paths, settings, cache, progress).finished()


def cache_of(settings: Settings) -> Cache:
    """
    Return the cache that *settings* want.
    """
    return Cache((settings.cache_dir or settings.root / FOLDER) if settings.cache else None)


class Reading:
    """
    Reads the files at and below *paths*: at once what their contents are, later what they tell.

    Raises:
        FileNotFoundError: If there is nothing at one of *paths*.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        settings: Settings,
        cache: Cache,
        progress: Progress | None = None,
    ) -> None:
        found = find(paths, settings)
        self._sources = found.sources
        self._include_tests = settings.include_tests
        self._jobs = settings.jobs
        self._cache = cache
        self._progress = progress
        self._next = 0.0
        self._done = 0
        self._files = len(found.sources)
        self._keys: dict[int, bytes] = {}
        self._known: list[int] = []
        self._sizes: dict[int, int] = {}
        self._modules: dict[int, Module] = {}
        self._problems = found.problems
        with no_collector():
            self._look()

    @property
    def paths(self) -> frozenset[str]:
        """
        The files, as they are shown.
        """
        return frozenset(source.path for source in self._sources)

    @property
    def contents(self) -> bytes:
        """
        A hash of all contents, with the paths and names that they have.
        """
        told = blake2b(digest_size=20)
        for number, key in sorted(self._keys.items()):
            told.update(ascii((*self._sources[number], key)).encode())
        return told.digest()

    def finished(self, *, facts: bool = True) -> Read:
        """
        Read what is left, and return all; without the modules, if there is no need of *facts*.
        """
        with no_collector():
            self._reduce()
            if facts:
                self._load()
        if self._progress is not None:
            self._progress(len(self._sources), len(self._sources))
        modules = [self._modules[number] for number in sorted(self._modules)] if facts else []
        lines = sum(each.facts.lines for each in modules)
        problems = sorted(self._problems, key=lambda each: each.path)
        return Read(modules, problems, self._files, lines)

    def _look(self) -> None:
        """
        Read all files, and reduce those that the cache does not know; or leave that for later.
        """
        here = self._jobs == 1 or not available()
        for number, source in enumerate(self._sources):
            content = read_file(source.path)
            if isinstance(content, Reduced):
                self._take(number, content)
            else:
                key = self._keys[number] = key_of(content)
                if self._cache.has(key):
                    self._known.append(number)
                elif here:
                    self._take(number, reduced_content(content, source.path))
                else:
                    self._sizes[number] = len(content)
                    continue
            self._count()

    def _reduce(self) -> None:
        """
        Reduce what was left for later.
        """
        sizes = self._sizes
        for number, one in self._in_processes(sizes):
            del sizes[number]
            self._take(number, one)
            self._count()
        for number in sizes:
            self._take(number, reduced(self._sources[number].path))
            self._count()
        sizes.clear()

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

    def _load(self) -> None:
        """
        Take from the cache what it knows; it may turn out that it does not.
        """
        for number in self._known:
            stored = self._cache.get(self._keys[number])
            if stored is not None:
                self._make(number, stored)
            else:
                self._take(number, reduced(self._sources[number].path))

    def _take(self, number: int, one: Reduced) -> None:
        """
        Take what became of a file that the cache does not know.
        """
        if one.key:  # it may be another one if the file has just been written
            self._keys[number] = one.key
        else:
            self._keys.pop(number, None)
        if one.facts:
            self._cache.put(one.key, one.facts)
            self._make(number, one.facts)
        elif one.problem:
            self._problems.append(Problem(self._sources[number].path, one.problem, one.line))
        else:
            self._files -= 1

    def _make(self, number: int, stored: bytes) -> None:
        source = self._sources[number]
        facts, seems_test = unpacked(stored)
        is_test = (source.is_test or seems_test) and not source.given
        self._modules[number] = Module(
            source.path, source.name, facts, is_test=is_test and not self._include_tests
        )

    def _count(self) -> None:
        """
        Report progress, now and then.
        """
        self._done += 1
        now = time.monotonic()
        if self._progress is not None and now >= self._next and self._done < len(self._sources):
            self._next = now + BEAT
            self._progress(self._done, len(self._sources))


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
def no_collector() -> Iterator[None]:
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
