"""
Settings of the audit: what they may be, where they are read, and what they leave out.
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from sessionstate.audit._findings import Confidence
from sessionstate.audit._settings import Settings, SettingsError


def project(folder: Path, text: str) -> Path:
    """
    Write a `pyproject.toml` with a table of the audit.
    """
    file = folder / "pyproject.toml"
    file.write_text(f"[tool.sessionstate.audit]\n{text}\n", encoding="utf-8")
    return file


class TestSettings:
    def test_defaults(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Nobody need set anything: all rules, medium confidence, from the current directory on.
        """
        monkeypatch.chdir(tmp_path)
        settings = Settings()
        assert settings.root.resolve() == tmp_path.resolve()
        assert settings.confidence is Confidence.MEDIUM
        assert settings.wants("SS001")

    def test_lists_and_words_will_do(self) -> None:
        """
        A list is a tuple then, and the word of a confidence the confidence.
        """
        given: dict[str, Any] = {"select": ["SS001"], "confidence": "high", "baseline": "b.json"}
        settings = Settings(**given)
        assert (settings.select, settings.confidence) == (("SS001",), Confidence.HIGH)
        assert settings.baseline == Path("b.json")

    def test_it_goes_to_another_process(self) -> None:
        """
        Settings can be pickled: the audit may run in several processes.
        """
        settings = Settings(per_path_ignores={"scripts/": ("SS001",)})
        assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301 - its own

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("select", "SS001", "select: 'SS001' is no list: write it as in ['this', 'that']"),
            ("select", ["SS999"], "'SS999' is no rule: write SS001 to SS010, or a sub-code such"),
            ("ignore", ["ss002B"], "ignore: 'ss002B' is no rule: write SS002b"),
            ("ignore", ["not-in-finally"], "'not-in-finally' is no rule: write SS002b"),
            ("ignore", [3], "ignore: 3 is no text"),
            ("confidence", "sure", "'sure' is no confidence: write 'high', 'medium' or 'low'"),
            ("exclude", ["[z-a]"], "'[z-a]' is no pattern of paths (bad character range z-a)"),
            ("exclude", [" "], "exclude: ' ' is no text"),
            ("per_path_ignores", ["SS001"], "is no table: write it as in {'scripts/*'"),
            ("per_path_ignores", {"a": ["x"]}, "per_path_ignores: 'x' is no rule"),
            ("bounded_keys", ["a b"], "bounded_keys: 'a b' is no name"),
            ("listener_pairs", {"listen": 1}, "listener_pairs: 1 is no name"),
            ("jobs", 0, "jobs: 0 is no number of processes: write 1 or more"),
            ("jobs", True, "jobs: True is no number of processes"),
            ("cache", "no", "cache: 'no' is neither yes nor no: write true or false"),
            ("baseline", 3, "baseline: 3 is no path: write it as in 'folder/file'"),
            ("root", "", "root: '' is no path"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, name: str, value: Any, message: str) -> None:
        """
        An error names the setting, its value, and what to write instead.
        """
        with pytest.raises(SettingsError) as caught:
            Settings(**{name: value})
        assert str(caught.value).startswith(f"{name}: ")
        assert message in str(caught.value)


class TestRead:
    def test_every_key(self, tmp_path: Path) -> None:
        """
        Each setting but the root is a key, with dashes; paths begin where the file is.
        """
        project(
            tmp_path,
            """
            select = ["SS001", "SS002b"]
            ignore = ["SS008"]
            confidence = "low"
            exclude = ["generated/"]
            per-path-ignores = { "scripts/*" = ["SS001"] }
            bounded-keys = ["region"]
            session-keys = ["chat_ref"]
            listener-pairs = { subscribe = "unsubscribe" }
            baseline = "audit.json"
            jobs = 2
            cache = false
            cache-dir = ".cache"
            include-tests = true
            force-exclude = true
            """,
        )
        assert Settings.read(tmp_path) == Settings(
            select=("SS001", "SS002b"),
            ignore=("SS008",),
            confidence=Confidence.LOW,
            exclude=("generated/",),
            per_path_ignores={"scripts/*": ("SS001",)},
            bounded_keys=("region",),
            session_keys=("chat_ref",),
            listener_pairs={"subscribe": "unsubscribe"},
            baseline=tmp_path.resolve() / "audit.json",
            jobs=2,
            cache=False,
            cache_dir=tmp_path.resolve() / ".cache",
            include_tests=True,
            force_exclude=True,
            root=tmp_path.resolve(),
        )

    def test_the_nearest_with_a_table_is_read(self, tmp_path: Path) -> None:
        """
        The search goes upwards from a file or folder, past projects without a table.
        """
        package = tmp_path / "packages" / "chat"
        package.mkdir(parents=True)
        (package / "pyproject.toml").write_text("[project]\nname = 'chat'\n")
        (package / "app.py").touch()
        project(tmp_path, "jobs = 3")
        settings = Settings.read(package / "app.py")
        assert (settings.jobs, settings.root) == (3, tmp_path.resolve())

    def test_without_a_table_the_nearest_project_is_the_root(self, tmp_path: Path) -> None:
        """
        A project that says nothing of the audit has the defaults, and its own root.
        """
        (tmp_path / "pyproject.toml").write_text("[tool.sessionstate]\n")
        (tmp_path / "app").mkdir()
        assert Settings.read(tmp_path / "app") == Settings(root=tmp_path.resolve())

    def test_without_a_project_the_root_is_here(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        Where there is no `pyproject.toml`, paths begin at the current directory.
        """
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(Path, "is_file", lambda _: False)
        assert Settings.read(tmp_path).root.resolve() == tmp_path.resolve()

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("slect = []", "tool.sessionstate.audit.slect is no setting: write select"),
            ("bounded_keys = []", "audit.bounded_keys is no setting: write bounded-keys"),
            ("colour = 1", "audit.colour is no setting: write select, ignore, confidence"),
            ("root = '.'", "audit.root is no setting"),
            ("select = 'SS001'", "audit.select: 'SS001' is no list"),
            ("jobs = '2'", "audit.jobs: '2' is no number of processes"),
            ("jobs =", "is not TOML: Invalid value"),
        ],
    )
    def test_an_error_names_file_and_key(self, tmp_path: Path, line: str, message: str) -> None:
        """
        What makes no sense in a file is said with the file, the key and the value.
        """
        file = project(tmp_path, line)
        with pytest.raises(SettingsError) as caught:
            Settings.read(tmp_path)
        assert str(caught.value).startswith(str(file.resolve()))
        assert message in str(caught.value)

    def test_a_value_in_place_of_a_table(self, tmp_path: Path) -> None:
        """
        A table that is none is told, and not passed by.
        """
        (tmp_path / "pyproject.toml").write_text("[tool.sessionstate]\naudit = true\n")
        with pytest.raises(SettingsError, match=r"'audit' is True: write a table, \[tool"):
            Settings.read(tmp_path)

    def test_a_file_in_another_encoding(self, tmp_path: Path) -> None:
        """
        A file that is not UTF-8 is told with its name.
        """
        (tmp_path / "pyproject.toml").write_bytes(b"# \xe9\n")
        with pytest.raises(SettingsError, match=r"pyproject.toml is not UTF-8: save it as UTF-8"):
            Settings.read(tmp_path)

    def test_a_file_that_cannot_be_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        A file that must not be read is told, and not passed by.
        """
        project(tmp_path, "")

        def refuse(*_: object, **__: object) -> str:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "read_text", refuse)
        with pytest.raises(SettingsError, match=r"cannot be read: Permission denied"):
            Settings.read(tmp_path)


class TestExcludes:
    @pytest.mark.parametrize(
        ("pattern", "path", "out"),
        [
            ("gen", "gen", True),
            ("gen", "app/gen/x.py", True),
            ("gen", "app/gen.py", False),
            ("*_pb2.py", "app/deep/x_pb2.py", True),
            ("app/gen", "app/gen/x.py", True),
            ("app/gen", "other/app/gen/x.py", False),
            ("/app", "app/x.py", True),
            ("/app", "lib/app/x.py", False),
            ("./app/*.py", "app/x.py", True),
            ("app/*.py", "app/deep/x.py", False),
            ("app/**/x.py", "app/x.py", True),
            ("app/**/x.py", "app/a/b/x.py", True),
            ("app/**", "app/a/b/x.py", True),
            ("app/**", "application/x.py", False),
            ("**/gen", "a/b/gen/x.py", True),
            ("gen/", "app/gen/x.py", True),
            ("gen/", "app/gen/", True),
            ("gen/", "app/gen", False),
            ("v?.py", "v1.py", True),
            ("v?.py", "v/.py", False),
            ("v[0-9].py", "v1.py", True),
            ("v[!0-9].py", "v1.py", False),
            ("v[!0-9].py", "vx.py", True),
            ("a.b", "axb", False),
            ("app\\gen", "app/gen/x.py", True),
            ("gen", "./app\\gen\\x.py", True),
        ],
    )
    def test_patterns_are_those_of_git(self, pattern: str, path: str, out: bool) -> None:
        """
        A name matches at any depth, a path from the root on, and a folder is out with all in it.
        """
        assert Settings(exclude=(pattern,)).excludes(path) is out

    @pytest.mark.parametrize("path", [".venv/lib/x.py", "a/node_modules/b.py", "build/x.py"])
    def test_what_is_not_ones_own_is_out(self, path: str) -> None:
        """
        Environments, caches and builds are excluded without a word.
        """
        assert Settings().excludes(path)

    def test_a_pattern_takes_back_in(self) -> None:
        """
        An exclamation mark takes back in what a pattern before it left out.
        """
        settings = Settings(exclude=("!build", "gen_*.py", "!gen_a.py"))
        assert not settings.excludes("build/x.py")
        assert not settings.excludes("gen_a.py")
        assert settings.excludes("gen_b.py")


class TestWants:
    @pytest.mark.parametrize(
        ("select", "ignore", "code", "wanted"),
        [
            ((), (), "SS002b", True),
            (("SS002",), (), "SS002b", True),
            (("SS002b",), (), "SS002b", True),
            (("SS002b",), (), "SS002", False),
            (("SS001",), (), "SS002b", False),
            ((), ("SS002",), "SS002b", False),
            ((), ("SS002a",), "SS002b", True),
            (("SS002b",), ("SS002",), "SS002b", True),
            (("SS002",), ("SS002b",), "SS002b", False),
            (("SS001",), ("SS001",), "SS001", False),
        ],
    )
    def test_the_more_exact_decides(
        self, select: tuple[str, ...], ignore: tuple[str, ...], code: str, wanted: bool
    ) -> None:
        """
        A rule covers its sub-codes, and what is said of a sub-code goes before.
        """
        assert Settings(select=select, ignore=ignore).wants(code) is wanted

    def test_by_path(self) -> None:
        """
        Rules can be ignored in some files only.
        """
        settings = Settings(per_path_ignores={"scripts/": ("SS001",)})
        assert not settings.wants("SS001", os.path.join("scripts", "deep", "x.py"))  # noqa: PTH118
        assert settings.wants("SS001", "app/x.py")
        assert settings.wants("SS002", "scripts/x.py")
