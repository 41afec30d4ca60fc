"""
The cache of an audit: what it keeps, what it drops, and what it survives.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sessionstate.audit import _cache
from sessionstate.audit._cache import DAY, KEPT, NAME, NOTED, Cache, key_of, reader

KEY = key_of(b"x = 1\n")
FACTS = b"facts" * 1000

WRITER = """\
import sys
from pathlib import Path
from sessionstate.audit import _cache
_cache.BATCH = 0
cache = _cache.Cache(Path(sys.argv[1]))
print("ready", flush=True)
for number in range(int(sys.argv[2])):
    key = _cache.key_of(b"%d" % number)
    cache.put(key, key * 100)
cache.close()
"""


def keep(folder: Path, key: bytes = KEY, facts: bytes = FACTS) -> None:
    """
    Put facts into the cache in *folder*.
    """
    cache = Cache(folder)
    cache.put(key, facts)
    cache.close()


def kept(folder: Path, key: bytes = KEY) -> bytes | None:
    """
    Look for facts in the cache in *folder*.
    """
    cache = Cache(folder)
    try:
        return cache.get(key)
    finally:
        cache.close()


def rows(folder: Path) -> list[tuple[bytes, int]]:
    """
    Return keys and days from the file itself.
    """
    base = sqlite3.connect(folder / NAME)
    try:
        return base.execute("SELECT key, day FROM facts").fetchall()
    finally:
        base.close()


def change(folder: Path, statement: str, *values: object) -> None:
    """
    Change the file itself.
    """
    base = sqlite3.connect(folder / NAME)
    with base:
        base.execute(statement, values)
    base.close()


def writer(folder: Path, number: int) -> subprocess.Popen[str]:
    """
    Start a process that writes entry after entry.
    """
    program = [sys.executable, "-c", WRITER, str(folder), str(number)]
    return subprocess.Popen(program, stdout=subprocess.PIPE, text=True)


class TestKeys:
    def test_content(self) -> None:
        """
        Another content is another key.
        """
        assert key_of(b"a") == key_of(b"a") != key_of(b"b")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("_cache.FORMAT", 0),
            ("_cache.sys.version", "3.99"),
            ("_cache.sessionstate.__version__", "9.9"),
            ("_cache.MAKERS", ("_facts",)),
        ],
    )
    def test_reader(self, monkeypatch: pytest.MonkeyPatch, name: str, value: object) -> None:
        """
        So is another format, interpreter or release, or a change in what makes facts.
        """
        before = key_of(b"a")
        with monkeypatch.context() as patch:
            patch.setattr(f"sessionstate.audit.{name}", value)
            reader.cache_clear()
            assert key_of(b"a") != before
        reader.cache_clear()
        assert key_of(b"a") == before

    def test_in_an_archive(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Where the source of the audit cannot be read, its version must do.
        """
        with monkeypatch.context() as patch:
            patch.setattr(_cache, "MAKERS", ("_not_there",))
            reader.cache_clear()
            assert reader()
        reader.cache_clear()


class TestCache:
    def test_keeps(self, tmp_path: Path) -> None:
        """
        What was put in is there for the next audit, and takes less room than it is long.
        """
        keep(tmp_path / "deep" / "folder")
        assert kept(tmp_path / "deep" / "folder") == FACTS
        assert kept(tmp_path / "deep" / "folder", key_of(b"another")) is None

    def test_folder_is_marked(self, tmp_path: Path) -> None:
        """
        Neither version control nor a back-up takes the folder in; what is there already stays.
        """
        keep(tmp_path / "new")
        assert (tmp_path / "new" / ".gitignore").read_text().endswith("\n*\n")
        assert (tmp_path / "new" / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28")
        (tmp_path / ".gitignore").write_text("mine")
        keep(tmp_path)
        assert (tmp_path / ".gitignore").read_text() == "mine"

    def test_nothing_is_made_for_nothing(self, tmp_path: Path) -> None:
        """
        Who only looks makes no file.
        """
        assert kept(tmp_path / "new") is None
        assert Cache(tmp_path / "new").is_empty
        assert not (tmp_path / "new").exists()

    def test_none(self) -> None:
        """
        Without a folder there is no cache.
        """
        cache = Cache(None)
        cache.put(KEY, FACTS)
        assert cache.get(KEY) is None
        cache.close()

    def test_batches(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Much is written before the end, so that an audit that is broken off was not for nothing.
        """
        monkeypatch.setattr(_cache, "BATCH", 10)
        cache = Cache(tmp_path)
        cache.put(KEY, FACTS)
        assert kept(tmp_path) == FACTS
        assert cache.get(KEY) == FACTS
        cache.close()


class TestAge:
    def test_unused_entries_go(self, tmp_path: Path) -> None:
        """
        What was not used for weeks is dropped, and what is from a future that a clock made up.
        """
        today = int(time.time() // DAY)
        others = {key_of(b"%d" % day): today + day for day in (-KEPT - 1, -KEPT, KEPT + 1)}
        for key, day in others.items():
            keep(tmp_path, key)
            change(tmp_path, "UPDATE facts SET day = ? WHERE key = ?", day, key)
        keep(tmp_path)
        assert dict(rows(tmp_path)) == {KEY: today, key_of(b"%d" % -KEPT): today - KEPT}

    @pytest.mark.parametrize(("age", "noted"), [(0, False), (1, False), (NOTED, True), (-1, True)])
    def test_used_entries_stay(self, tmp_path: Path, age: int, *, noted: bool) -> None:
        """
        A use is written down, though not each day.
        """
        today = int(time.time() // DAY)
        keep(tmp_path)
        change(tmp_path, "UPDATE facts SET day = ?", today - age)
        assert kept(tmp_path) == FACTS
        assert rows(tmp_path) == [(KEY, today if noted else today - age)]

    def test_too_large(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A file that grows too large keeps what was used in the last days, and gives back the room.
        """
        today = int(time.time() // DAY)
        for number in range(20):
            keep(tmp_path, key_of(b"%d" % number), os.urandom(20_000))
        change(tmp_path, "UPDATE facts SET day = ?", today - NOTED - 1)
        before = (tmp_path / NAME).stat().st_size
        keep(tmp_path)
        assert len(rows(tmp_path)) == 21
        monkeypatch.setattr(_cache, "LARGEST", 100_000)
        keep(tmp_path)
        assert rows(tmp_path) == [(KEY, today)]
        assert (tmp_path / NAME).stat().st_size < before / 5


class TestHarm:
    def test_garbage(self, tmp_path: Path) -> None:
        """
        A file that is no cache is replaced.
        """
        (tmp_path / NAME).write_bytes(b"garbage" * 1000)
        assert kept(tmp_path) is None
        (tmp_path / NAME).write_bytes(b"garbage" * 1000)
        keep(tmp_path)
        assert kept(tmp_path) == FACTS

    @pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
    def test_truncated(self, tmp_path: Path, share: float) -> None:
        """
        Of a file that was cut off only what is whole is believed, and the cache goes on.
        """
        facts = {key_of(b"%d" % number): os.urandom(3000) for number in range(50)}
        for key, data in facts.items():
            keep(tmp_path, key, data)
        content = (tmp_path / NAME).read_bytes()
        (tmp_path / NAME).write_bytes(content[: int(len(content) * share)])
        for key, data in facts.items():
            assert kept(tmp_path, key) in {data, None}
        keep(tmp_path)
        keep(tmp_path)
        assert kept(tmp_path) == FACTS

    def test_flipped(self, tmp_path: Path) -> None:
        """
        An entry whose checksum is wrong is none, and can be written anew.
        """
        keep(tmp_path)
        for wrong in (b"facts", "facts", None, 7):
            change(tmp_path, "UPDATE facts SET data = ?", wrong)
            assert kept(tmp_path) is None
        keep(tmp_path)
        assert kept(tmp_path) == FACTS

    def test_another_table(self, tmp_path: Path) -> None:
        """
        A table that is built otherwise means no cache.
        """
        change(tmp_path, "CREATE TABLE facts(key)")
        keep(tmp_path)
        assert kept(tmp_path) is None

    def test_malformed_and_not_to_be_removed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        Where garbage cannot be removed there is no cache.
        """
        (tmp_path / NAME).write_bytes(b"garbage" * 1000)

        def unlink(path: Path, **_: bool) -> None:
            raise PermissionError(path)

        monkeypatch.setattr(Path, "unlink", unlink)
        keep(tmp_path)
        assert (tmp_path / NAME).read_bytes() == b"garbage" * 1000

    def test_no_folder(self, tmp_path: Path) -> None:
        """
        Where no folder can be made there is no cache.
        """
        (tmp_path / "file").touch()
        keep(tmp_path / "file")
        keep(tmp_path / "file" / "folder")

    def test_no_file(self, tmp_path: Path) -> None:
        """
        Where no file can be made there is none, either.
        """
        (tmp_path / NAME).mkdir()
        keep(tmp_path)
        assert kept(tmp_path) is None

    def test_read_only(self, tmp_path: Path) -> None:
        """
        A cache that must not be written is read.
        """
        keep(tmp_path)
        cache = Cache(tmp_path)
        assert cache._base is not None
        cache._base.execute("PRAGMA query_only = ON")
        cache.put(key_of(b"new"), FACTS)
        assert cache.get(KEY) == FACTS
        cache.close()
        assert [key for key, _ in rows(tmp_path)] == [KEY]

    def test_no_sqlite(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        An interpreter without SQLite has no cache.
        """
        monkeypatch.setitem(sys.modules, "sqlite3", None)
        keep(tmp_path)
        assert kept(tmp_path) is None

    def test_busy(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Another audit that does not come to an end is not waited for again and again.
        """
        monkeypatch.setattr(_cache, "PATIENCE", 0.0)
        keep(tmp_path)
        other = sqlite3.connect(tmp_path / NAME)
        cache = Cache(tmp_path)
        other.execute("BEGIN EXCLUSIVE")
        assert cache.get(KEY) is None
        assert cache.is_empty
        cache.put(KEY, b"")
        cache.close()
        keep(tmp_path, key_of(b"new"))
        other.close()
        assert kept(tmp_path) == FACTS
        assert len(rows(tmp_path)) == 1

    def test_busy_at_the_end(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Nor is what was used noted at any price.
        """
        monkeypatch.setattr(_cache, "PATIENCE", 0.0)
        keep(tmp_path)
        change(tmp_path, "UPDATE facts SET day = 1")
        cache = Cache(tmp_path)
        assert cache.get(KEY) == FACTS
        monkeypatch.setattr(cache, "_write", lambda: None)
        other = sqlite3.connect(tmp_path / NAME)
        other.execute("BEGIN IMMEDIATE")
        cache.close()
        other.close()
        assert rows(tmp_path) == [(KEY, 1)]


@pytest.mark.real_loop
class TestProcesses:
    def test_two_at_once(self, tmp_path: Path) -> None:
        """
        Two audits that write at once both get theirs in.
        """
        writers = [writer(tmp_path, 60) for _ in range(2)]
        for each in writers:
            each.communicate(timeout=60)
            assert each.returncode == 0
        for number in range(60):
            key = key_of(b"%d" % number)
            assert kept(tmp_path, key) == key * 100

    @pytest.mark.parametrize("pause", [0.0, 0.02, 0.05])
    @pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="ends otherwise on Windows")
    def test_killed(self, tmp_path: Path, pause: float) -> None:
        """
        An audit that is killed while it writes leaves a cache that can be used.
        """
        with writer(tmp_path, 100_000) as one:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
            while not (tmp_path / NAME).exists():
                time.sleep(0.001)
            time.sleep(pause)
            one.kill()
        keep(tmp_path)
        assert kept(tmp_path) == FACTS
        for key, _ in rows(tmp_path):
            assert kept(tmp_path, key) == (FACTS if key == KEY else key * 100)
