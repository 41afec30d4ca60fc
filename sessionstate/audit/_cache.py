"""
What was read in files that have not changed since.

The facts of a file stand under a hash of its content and of all that makes facts of it: another
content, interpreter or release is another key, so nothing is ever invalidated. What is not used for
weeks is dropped. SQLite sees to it that two audits at once, or one that is killed, do not spoil the
file. As `marshal` may crash on what is not its own, each entry has a checksum all the same.

What was judged of all files together, see `_remembered`, stands beside it.

A cache that cannot be used is no error: then there is none.
"""

from __future__ import annotations

import marshal
import sys
import time
import zlib
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sessionstate
from sessionstate.audit._facts import FORMAT

if TYPE_CHECKING:
    import sqlite3

NAME: Final = "facts-1.sqlite"
SIGNED: Final = "# Made by `sessionstate audit`.\n"
FILES: Final = {
    ".gitignore": f"{SIGNED}*\n",
    "CACHEDIR.TAG": f"Signature: 8a477f597d28d172789f06886806bc55\n{SIGNED}",
}
MAKERS: Final = (
    *("_facts", "_lowering", "_assigning", "_calls", "_events", "_nodes"),
    *("_vocabulary", "_reducing"),
)
"""The modules that make facts: one may change while somebody forgets to count up `FORMAT`."""
TABLES: Final = """
CREATE TABLE IF NOT EXISTS facts(key BLOB UNIQUE, day INTEGER, sum BLOB, data BLOB);
CREATE TABLE IF NOT EXISTS judged(key BLOB UNIQUE, data BLOB);
"""
FORGET: Final = """
DELETE FROM judged WHERE rowid NOT IN (SELECT rowid FROM judged ORDER BY rowid DESC LIMIT ?)
"""
DAY: Final = 86_400
KEPT: Final = 14
"""How many days an entry stays that is not used."""
NOTED: Final = 3
"""After how many days it is written down that an entry is used."""
BATCH: Final = 4_000_000
"""How many bytes wait before they are written."""
JUDGED: Final = 8
"""How many audits it is kept of what they judged: of a few folders, before and after an edit."""
LARGEST: Final = 512_000_000
"""Above how many bytes only what was used in the last days stays."""
PATIENCE: Final = 5.0
"""How many seconds to wait for another audit that writes."""


@cache
def reader() -> bytes:
    """
    Return what stands for everything but the content that facts depend on.
    """
    told = blake2b(repr((FORMAT, sys.version, marshal.version, sessionstate.__version__)).encode())
    for name in MAKERS:
        try:
            told.update(Path(__file__).with_name(f"{name}.py").read_bytes())
        except OSError:  # in an archive
            pass
    return told.digest()


def key_of(content: bytes) -> bytes:
    """
    Return the key of a file's *content*.
    """
    return blake2b(content, digest_size=20, key=reader()).digest()


class Cache:
    """
    Facts by key, in one file in *folder*; nowhere if that is None.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._base: sqlite3.Connection | None = None
        self._failure: type[Exception] = OSError
        self._today = int(time.time() // DAY)
        self._new: dict[bytes, bytes] = {}
        self._size = 0
        self._used: set[bytes] = set()
        self._judged: dict[bytes, bytes] = {}
        if folder is not None and (folder / NAME).is_file():
            self._open(folder)

    @property
    def is_empty(self) -> bool:
        """
        Whether nothing can be found in it.
        """
        return self._base is None

    def has(self, key: bytes) -> bool:
        """
        Tell whether something was put under *key*, be it whole or not, and note that it is used.
        """
        row = self._row("SELECT day FROM facts WHERE key = ?", key)
        if row is None:
            return False
        self._use(key, row[0])
        return True

    def get(self, key: bytes) -> bytes | None:
        """
        Return what was put under *key*, if it is there and whole.
        """
        row = self._row("SELECT day, sum, data FROM facts WHERE key = ?", key)
        if row is None:
            return None
        day, checksum, data = row
        if not isinstance(data, bytes) or _sum(key, data) != checksum:
            return None
        self._use(key, day)
        return zlib.decompress(data)

    def put(self, key: bytes, facts: bytes) -> None:
        """
        Keep *facts* under *key*.
        """
        if self._folder is not None:
            self._new[key] = zlib.compress(facts, 1)
            self._size += len(self._new[key])
            if self._size > BATCH:
                self._write()

    def judged(self, key: bytes) -> object:
        """
        Return what was kept as judged under *key*, whatever somebody made of it; None if nothing.
        """
        row = self._row("SELECT data FROM judged WHERE key = ?", key)
        return row and row[0]

    def keep_judged(self, key: bytes, data: bytes) -> None:
        """
        Keep what was judged under *key*.
        """
        self._judged[key] = data

    def close(self) -> None:
        """
        Write what is new, drop what is old, and let go of the file.
        """
        if self._new or self._used or self._judged:
            self._write()
            self._prune()
        if self._base is not None:
            self._base.close()
            self._base = None

    def _row(self, select: str, key: bytes) -> tuple[Any, ...] | None:
        if self._base is None:
            return None
        try:
            row: tuple[Any, ...] | None = self._base.execute(select, (key,)).fetchone()
        except self._failure as error:
            self._fail(error)
            return None
        return row

    def _use(self, key: bytes, day: int) -> None:
        if day != self._today and not self._today - NOTED < day < self._today:
            self._used.add(key)

    def _open(self, folder: Path) -> None:
        try:
            import sqlite3  # noqa: PLC0415 - not every interpreter has it
        except ImportError:
            self._folder = None
            return
        self._failure = sqlite3.Error
        try:
            self._base = sqlite3.connect(folder / NAME, timeout=PATIENCE)
            # A checksum notices what a crash of the whole system may leave behind.
            self._base.execute("PRAGMA synchronous = OFF")
            self._base.execute("PRAGMA auto_vacuum = INCREMENTAL")
            self._base.executescript(TABLES)
        except self._failure as error:
            self._fail(error)

    def _write(self) -> None:
        """
        Write what waits.
        """
        rows = [(key, self._today, _sum(key, data), data) for key, data in self._new.items()]
        judged = list(self._judged.items())
        self._new, self._size, self._judged = {}, 0, {}
        if self._base is None and self._folder is not None:
            try:
                _make(self._folder)
            except OSError:
                self._folder = None
                return
            self._open(self._folder)
        if self._base is None:
            return
        try:
            with self._base:
                self._base.executemany("INSERT OR REPLACE INTO facts VALUES(?, ?, ?, ?)", rows)
                self._base.executemany("INSERT OR REPLACE INTO judged VALUES(?, ?)", judged)
        except self._failure as error:
            self._fail(error)

    def _prune(self) -> None:
        """
        Note what was used, and drop what was not for long.
        """
        if self._base is None:
            return
        used = [(self._today, key) for key in self._used]
        drop = "DELETE FROM facts WHERE day NOT BETWEEN ? AND ?"
        try:
            with self._base:
                self._base.executemany("UPDATE facts SET day = ? WHERE key = ?", used)
                self._base.execute(drop, (self._today - KEPT, self._today + KEPT))
                self._base.execute(FORGET, (JUDGED,))
                if self._bytes() > LARGEST:
                    self._base.execute(drop, (self._today - NOTED, self._today))
            self._base.executescript("PRAGMA incremental_vacuum")  # `execute` frees one page
        except self._failure as error:
            self._fail(error)

    def _bytes(self) -> int:
        """
        Return how many bytes are in use.
        """
        assert self._base is not None
        pages, unused, size = (
            int(self._base.execute(f"PRAGMA {each}").fetchone()[0])
            for each in ("page_count", "freelist_count", "page_size")
        )
        return (pages - unused) * size

    def _fail(self, error: Exception) -> None:
        """
        Do without; and if it is no cache at all, let the next audit begin anew.
        """
        if self._base is not None:
            self._base.close()
            self._base = None
        folder, self._folder = self._folder, None
        if folder is not None and type(error).__name__ == "DatabaseError":
            for name in (NAME, f"{NAME}-journal"):
                try:
                    (folder / name).unlink(missing_ok=True)
                except OSError:
                    return
            self._folder = folder  # there is nothing in it any more


def _make(folder: Path) -> None:
    """
    Make a folder that no version control and no back-up takes in.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in FILES.items():
        if not (folder / name).exists():
            (folder / name).write_text(content, encoding="utf-8")


def _sum(key: bytes, data: bytes) -> bytes:
    return blake2b(data, digest_size=16, key=key).digest()
