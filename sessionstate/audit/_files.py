"""
Files of Python source, found at and below the paths that an audit is called with.

A folder is told by its device and number, not by its name: links may lead in circles, and paths may
overlap. The path that names a file most exactly decides about it, so what is given as ``app/tests``
is no test, though ``app`` is given too.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from sessionstate.audit._findings import Problem
from sessionstate.audit._patterns import _decided
from sessionstate.audit._settings import EXCLUDED, Settings
from sessionstate.audit._vocabulary import TEST_PATH

SUFFIXES: Final = (".py", ".pyw")
GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE})
"""What says that there is nothing any more, or a link to nothing."""


class Source(NamedTuple):
    """
    One file to read.
    """

    path: str
    """Relative to the current directory where it lies below it, else absolute; with ``/``."""
    name: str
    """Its module's, dotted, as others import it."""
    given: bool
    """Whether it was named itself, and so is looked at whatever it is."""
    is_test: bool
    """Whether its path says so."""


class Found(NamedTuple):
    """
    The files, and what could not be looked into; both by path.
    """

    sources: list[Source]
    problems: list[Problem]


class Folder(NamedTuple):
    """
    A folder on the way. Each text ends so that the name of what is in the folder may follow.
    """

    path: str
    relative: str
    """The path from the root of the settings on, which patterns are about."""
    below: str
    """The path from the given one on, by which tests are recognised."""
    package: str

    def inner(self, name: str) -> Folder:
        """
        Return the folder *name* in this one.
        """
        path, relative, below = (f"{each}{name}/" for each in self[:3])
        return Folder(path, relative, below, f"{self.package}{name}.")

    def source(self, name: str) -> Source:
        """
        Return the file *name* in this folder.
        """
        is_test = TEST_PATH.search(self.below + name) is not None
        return Source(self.path + name, _module(self.package, name), given=False, is_test=is_test)


def find(paths: Sequence[str | Path], settings: Settings) -> Found:
    """
    Find the files at and below *paths*, each once.

    What vanishes meanwhile is passed by in silence, and so are links to nothing.

    Raises:
        FileNotFoundError: If there is nothing at one of *paths*.
    """
    given = [Path(path) for path in paths]
    for path in given:
        if not os.path.exists(path):  # noqa: PTH110 - `Path.exists` raises if it may not look
            raise FileNotFoundError(f"there is nothing at {str(path)!r}: name a file or a folder")
    search = Search(settings)
    folders = [path for path in given if path.is_dir()]
    for path in given:
        if path not in folders:
            search.file(path)
    for path in sorted(folders, key=lambda each: len(each.resolve().parts), reverse=True):
        search.folder(path)
    return Found(sorted(search.sources), sorted(search.problems, key=lambda each: each.path))


def unreadable(error: OSError) -> str:
    """
    Return why something cannot be read; an empty string if it is merely gone.
    """
    return "" if error.errno in GONE else f"it cannot be read: {error.strerror or error}"


class Search:
    """
    Goes through folders, and remembers where it was.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._patterns = (*EXCLUDED, *settings.exclude)
        self._root = settings.root.resolve()
        self._here = Path.cwd()
        self._folders: set[tuple[int, int]] = set()
        self._files: set[tuple[int, int, str]] = set()
        self.sources: list[Source] = []
        self.problems: list[Problem] = []

    def file(self, path: Path) -> None:
        """
        Take a file that was given.
        """
        if self._refuses(self._relative(path) or path.name):
            return
        shown = self._shown(path)
        if not path.is_file():
            self.problems.append(Problem(shown, "it cannot be read: it is no regular file"))
            return
        name = _module(_package(_absolute(path).parent), path.name)
        self._take(Source(shown, name, given=True, is_test=False), _key(shown))

    def folder(self, path: Path) -> None:
        """
        Take what lies below a folder that was given.
        """
        relative = self._relative(path)
        if relative and self._refuses(f"{relative}/"):
            return
        shown, package = self._shown(path), _package(_absolute(path))
        start = Folder(_before(shown), _before(relative), "", package)
        # Links come last: what can be reached without one is known by its own name.
        waiting, links = [start], list[tuple[Folder, str]]()
        while waiting:
            one = waiting.pop()
            try:
                waiting += reversed(list(self._within(one, links)))
            except OSError as error:
                self._report(one.path or ".", error)
            while links and not waiting:
                waiting += self._linked(*links.pop(0))

    def _within(self, folder: Folder, links: list[tuple[Folder, str]]) -> Iterator[Folder]:
        """
        Take the files in *folder*, yield the folders, and append the links to *links*.
        """
        at = Path(folder.path).stat()
        key = at.st_dev, at.st_ino
        if key in self._folders:
            return
        self._folders.add(key)
        with os.scandir(folder.path or ".") as listing:
            entries = sorted(listing, key=lambda each: each.name)
        is_src = f"/{folder.path}".endswith("/src/")
        if is_src and all(each.name != "__init__.py" for each in entries):
            folder = folder._replace(package="")
        for entry in entries:
            name = entry.name
            if entry.is_symlink():
                links.append((folder, name))
            elif entry.is_dir():
                if not self._excludes(f"{folder.relative}{name}/"):
                    yield folder.inner(name)
            elif self._wants(name, folder) and entry.is_file():
                self._take(folder.source(name), (*key, name))

    def _linked(self, folder: Folder, name: str) -> list[Folder]:
        """
        Take the file to which a link leads, or return the folder.
        """
        path = f"{folder.path}{name}"
        try:
            mode = Path(path).stat().st_mode
            if stat.S_ISDIR(mode):
                excluded = self._excludes(f"{folder.relative}{name}/")
                return [] if excluded else [folder.inner(name)]
            if self._wants(name, folder) and stat.S_ISREG(mode):
                self._take(folder.source(name), _key(path))
        except OSError as error:
            if self._wants(name, folder):
                self._report(path, error)
        return []

    def _report(self, path: str, error: OSError) -> None:
        message = unreadable(error)
        if message:
            self.problems.append(Problem(path, message))

    def _take(self, source: Source, key: tuple[int, int, str]) -> None:
        if key not in self._files:
            self._files.add(key)
            self.sources.append(source)

    def _wants(self, name: str, folder: Folder) -> bool:
        return name.endswith(SUFFIXES) and not self._excludes(folder.relative + name)

    def _excludes(self, relative: str) -> bool:
        """
        Tell whether what was met below a given path is left out. The folders on the way are not.
        """
        return _decided(self._patterns, relative)

    def _refuses(self, relative: str) -> bool:
        """
        Tell whether a given path is left out.
        """
        return self._settings.force_exclude and self._settings.excludes(relative)

    def _relative(self, path: Path) -> str:
        """
        Return *path* from the root of the settings on; an empty string if it lies elsewhere.
        """
        try:
            relative = path.resolve().relative_to(self._root).as_posix()
        except ValueError:
            return ""
        return "" if relative == "." else relative

    def _shown(self, path: Path) -> str:
        """
        Return *path* as it is shown.
        """
        absolute = _absolute(path)
        for each in (absolute, path.resolve()):
            if each.is_relative_to(self._here):
                return each.relative_to(self._here).as_posix()
        return absolute.as_posix()


def _absolute(path: Path) -> Path:
    """
    Return *path* from the root of the file system on, by its own names.
    """
    return Path(os.path.abspath(path))  # noqa: PTH100 - `resolve` follows links


def _before(path: str) -> str:
    """
    Return what comes before the names in the folder *path*.
    """
    return "" if path in {"", "."} else f"{path.rstrip('/')}/"


def _package(folder: Path) -> str:
    """
    Return what comes before the names of the modules in *folder*.
    """
    names: list[str] = []
    while (folder / "__init__.py").is_file() and folder.name:
        names.insert(0, f"{folder.name}.")
        folder = folder.parent
    return "".join(names)


def _module(package: str, name: str) -> str:
    """
    Return the name of the module that the file *name* is, after *package*.
    """
    stem = name.removesuffix(".pyw").removesuffix(".py")
    return package[:-1] if stem == "__init__" and package else f"{package}{stem}"


def _key(path: str) -> tuple[int, int, str]:
    """
    Return what tells a file from another one, whatever leads to it.
    """
    real = Path(path).resolve()
    at = real.parent.stat()
    return at.st_dev, at.st_ino, real.name
