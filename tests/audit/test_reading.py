"""
Reading for an audit: from the cache, here or in other processes, with the same outcome.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sessionstate.audit import _reading
from sessionstate.audit._cache import NAME
from sessionstate.audit._findings import Problem
from sessionstate.audit._reading import Read, read
from sessionstate.audit._reducing import Reduced, reduced_content
from sessionstate.audit._settings import Settings


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """
    Be in a project.
    """
    files = {
        "app/__init__.py": "",
        "app/chat.py": "import socket\n\ndef chat(one):\n    one.agents[one.id] = one\n",
        "app/broken.py": "x = 1\nx = (\n",
        "app/tests/hub.py": "x = 1\n",
        "app/looks.py": "import pytest\n\ndef test_x(): pass\n",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plain(found: Read) -> tuple[object, ...]:
    """
    Return all that was read, such that it can be compared.
    """
    modules = [(each.path, each.name, each.facts, each.is_test) for each in found.modules]
    return modules, found.problems, found.files, found.lines


def look(*paths: str, **settings: Any) -> Read:
    """
    Read what is at *paths*.
    """
    return read(paths or ("app",), Settings(**{"jobs": 1, "cache": False, **settings}))


class Counted:
    """
    Counts what is reduced in this process.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.paths: list[str] = []
        monkeypatch.setattr(_reading, "reduced_content", self.reduced_content)
        monkeypatch.setattr(_reading, "reduced", self.reduced)

    def reduced_content(self, content: bytes, path: str) -> Reduced:
        """
        Reduce it.
        """
        self.paths.append(path)
        return reduced_content(content, path)

    def reduced(self, path: str) -> Reduced:
        """
        Read and reduce it.
        """
        return self.reduced_content(Path(path).read_bytes(), path)


class TestRead:
    def test_all(self) -> None:
        """
        All files are read, in the order of their paths; what cannot be is a problem.
        """
        found = look()
        assert [(each.path, each.name) for each in found.modules] == [
            ("app/__init__.py", "app"),
            ("app/chat.py", "app.chat"),
            ("app/looks.py", "app.looks"),
            ("app/tests/hub.py", "app.tests.hub"),
        ]
        assert found.problems == [Problem("app/broken.py", "line 2: '(' was never closed", 2)]
        assert (found.files, found.lines) == (5, 8)

    def test_tests(self) -> None:
        """
        What is called like a test, or is one, is marked; not if it was asked for.
        """

        def tests(*paths: str, **settings: Any) -> list[str]:
            return [each.path for each in look(*paths, **settings).modules if each.is_test]

        assert tests() == ["app/looks.py", "app/tests/hub.py"]
        assert tests("app", "app/looks.py") == ["app/tests/hub.py"]
        assert not tests("app/tests/hub.py")
        assert not tests(include_tests=True)

    def test_nothing_there(self) -> None:
        """
        A path with nothing is an error.
        """
        with pytest.raises(FileNotFoundError, match="nothing at 'nope'"):
            look("app", "nope")

    def test_nothing_in_it(self, project: Path) -> None:
        """
        A folder without Python is none.
        """
        (project / "empty").mkdir()
        assert look("empty") == Read([], [], 0, 0)

    @pytest.mark.parametrize("jobs", [1, 2])
    def test_vanishes(self, project: Path, monkeypatch: pytest.MonkeyPatch, jobs: int) -> None:
        """
        A file that vanishes after it was found is passed by.
        """
        real = _reading.find

        def find(paths: Sequence[str | Path], settings: Settings) -> object:
            found = real(paths, settings)
            (project / "app/chat.py").unlink()
            return found

        monkeypatch.setattr(_reading, "find", find)
        found = look(jobs=jobs)
        assert "app/chat.py" not in [each.path for each in found.modules]
        assert (found.files, len(found.problems)) == (4, 1)

    @pytest.mark.parametrize("enabled", [True, False])
    def test_collector(self, *, enabled: bool) -> None:
        """
        The cyclic collector is as it was, also after an error.
        """
        try:
            if not enabled:
                gc.disable()
            look()
            assert gc.isenabled() is enabled
        finally:
            gc.enable()

    def test_collector_after_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Also if there was an error.
        """

        def interrupted(content: bytes, path: str) -> Reduced:
            assert not gc.isenabled()
            raise KeyboardInterrupt

        monkeypatch.setattr(_reading, "reduced_content", interrupted)
        with pytest.raises(KeyboardInterrupt):
            look()
        assert gc.isenabled()


class TestCached:
    def test_read_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A file that has not changed is not read again, wherever it lies now; a problem is.
        """
        counted = Counted(monkeypatch)
        before = look(cache=True)
        assert len(counted.paths) == 5
        Path("app").rename("other")
        Path("other/chat.py").write_text("x = 1\n")
        counted.paths.clear()
        after = look("other", cache=True)
        assert counted.paths == ["other/broken.py"]  # the new content is that of another file
        assert after.modules[0].facts == before.modules[0].facts
        assert after.modules[2].is_test
        assert Path(".sessionstate_cache", NAME).is_file()

    def test_elsewhere(self, project: Path, tmp_path: Path) -> None:
        """
        The cache is where the settings say.
        """
        look(cache=True, cache_dir=project / "kept")
        assert (project / "kept" / NAME).is_file()
        assert not Path(".sessionstate_cache").exists()

    def test_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Without a cache nothing is written, and nothing believed that was.
        """
        look(cache=True)
        counted = Counted(monkeypatch)
        written = Path(".sessionstate_cache", NAME).stat().st_mtime_ns
        look(cache=False)
        assert len(counted.paths) == 5
        assert Path(".sessionstate_cache", NAME).stat().st_mtime_ns == written

    def test_interrupted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        What an audit read before it was interrupted is kept.
        """
        counted = Counted(monkeypatch)
        real = counted.reduced_content

        def interrupted(content: bytes, path: str) -> Reduced:
            if path == "app/looks.py":
                raise KeyboardInterrupt
            return real(content, path)

        monkeypatch.setattr(_reading, "reduced_content", interrupted)
        with pytest.raises(KeyboardInterrupt):
            look(cache=True)
        monkeypatch.setattr(_reading, "reduced_content", real)
        counted.paths.clear()
        look(cache=True)
        assert counted.paths == ["app/broken.py", "app/looks.py", "app/tests/hub.py"]


class TestProcesses:
    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Let a little be worth a process.
        """
        monkeypatch.setattr(_reading, "WORTH", 1)
        monkeypatch.setattr(_reading, "CHUNK", 1)
        monkeypatch.setattr(_reading, "processors", lambda: 2)

    @pytest.mark.real_loop
    @pytest.mark.parametrize("jobs", [None, 2, 100])
    def test_same(self, monkeypatch: pytest.MonkeyPatch, jobs: int | None) -> None:
        """
        Other processes find what is found here; nothing is left to do here, nor the next time.
        """
        here = plain(look())
        counted = Counted(monkeypatch)
        assert plain(look(jobs=jobs, cache=True)) == here
        assert not counted.paths
        assert plain(look(cache=True)) == here
        assert counted.paths == ["app/broken.py"]

    @pytest.mark.real_loop
    def test_they_die(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        What other processes do not get done is done here.
        """
        here = plain(look())
        counted = Counted(monkeypatch)
        monkeypatch.setattr("sessionstate.audit._workers.PROGRAM", "raise SystemExit(1)")
        assert plain(look(jobs=2)) == here
        assert len(counted.paths) == 5

    def test_not_available(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Where no interpreter can be started all is done here.
        """
        counted = Counted(monkeypatch)
        monkeypatch.setattr(_reading, "available", lambda: False)
        look(jobs=2)
        assert len(counted.paths) == 5

    def test_not_worth_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A little is done here, unless a number of processes is asked for.
        """
        monkeypatch.setattr(_reading, "WORTH", 1_000_000)
        counted = Counted(monkeypatch)
        look(jobs=None)
        assert len(counted.paths) == 5

    @pytest.mark.real_loop
    def test_a_script_without_a_guard(self, project: Path) -> None:
        """
        Neither a script without a guard nor one from standard input is run by the processes.
        """
        script = (
            "print('once')\n"
            "from sessionstate.audit import _reading\n"
            "from sessionstate.audit._settings import Settings\n"
            "def here(path): raise AssertionError(path)\n"
            "_reading.reduced = here\n"
            "_reading.CHUNK = 1\n"
            "print(len(_reading.read(['app'], Settings(jobs=2, cache=False)).modules))\n"
        )
        (project / "script.py").write_text(script)
        for arguments, text in ((["script.py"], ""), (["-"], script)):
            command = [sys.executable, "-W", "error", *arguments]
            done = subprocess.run(
                command,
                input=text,
                capture_output=True,
                text=True,
                check=False,
                env={"PYTHONPATH": str(Path(__file__).parents[2])},
            )
            assert (done.stdout, done.stderr) == ("once\n4\n", "")


class TestProgress:
    def test_end(self) -> None:
        """
        Progress is told, not too often, and in any case at the end.
        """
        told: list[tuple[int, int]] = []
        settings = Settings(jobs=1, cache=False)
        read(["app"], settings, lambda done, total: told.append((done, total)))
        assert told[-1] == (5, 5)
        assert told.count((5, 5)) == 1
        assert told == sorted(told)

    def test_not_too_often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        At most twenty times a second.
        """
        now = 0.0

        def monotonic() -> float:
            nonlocal now
            now += 0.03
            return now

        monkeypatch.setattr("sessionstate.audit._reading.time.monotonic", monotonic)
        told: list[int] = []
        read(["app"], Settings(jobs=1, cache=False), lambda done, _: told.append(done))
        assert told == [1, 3, 5]
