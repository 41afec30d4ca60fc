"""
`sessionstate audit`: what it asks the audit, and what it prints and writes.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("click")
pytest.importorskip("rich")

from click.testing import CliRunner

from sessionstate._cli import main
from sessionstate.audit._baseline import write
from sessionstate.audit._findings import Accepted, Confidence, Report
from sessionstate.audit._settings import Settings
from tests.audit.reports import CLEAN, FINDING, NEVER, REPORT, full

if TYPE_CHECKING:
    from click.testing import Result

    from tests.audit.conftest import Engine

pytestmark = pytest.mark.usefixtures("engine")


def ask(*arguments: str) -> Result:
    """
    Call the command.
    """
    return CliRunner().invoke(main, ["audit", *arguments])


class TestAnswers:
    def test_findings_exit_with_1(self) -> None:
        """
        Findings go to standard output with their lines, and the last line sums them up.
        """
        result = ask()
        assert result.exit_code == 1
        assert result.stdout.startswith("app/agents.py:5:5: SS002b [medium] agents: an entry")
        assert "  |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ written here\n" in result.stdout
        assert result.stdout.endswith("(2 hidden below --confidence medium; 1 accepted).\n")
        assert "\x1b" not in result.stdout

    def test_none_exit_with_0(self, engine: Engine) -> None:
        """
        Where nothing is found, one sentence says so.
        """
        engine.answer = CLEAN
        result = ask()
        assert (result.exit_code, result.stdout) == (0, "No leaks found in 7 files.\n")
        assert result.stderr == ""

    def test_problems_change_nothing(self, engine: Engine) -> None:
        """
        Files that could not be audited are told on standard error, a line each.
        """
        problems = (*REPORT.problems, replace(REPORT.problems[0], message="it is odd", line=4))
        engine.answer = replace(CLEAN, problems=problems)
        result = ask()
        assert result.exit_code == 0
        assert result.stderr == (
            "warning: app/old.py: line 3: invalid syntax\nwarning: app/old.py:4: it is odd\n"
        )

    def test_no_files_is_told(self, engine: Engine) -> None:
        """
        Who audits an empty folder hears of it.
        """
        engine.answer = Report(())
        assert ask().stderr.startswith("warning: no Python files found")

    @pytest.mark.parametrize(
        ("kind", "begins"),
        [
            ("json", "[\n"),
            ("sarif", '{\n  "$schema"'),
            ("github", "::warning title"),
            ("markdown", "### "),
        ],
    )
    def test_formats(self, kind: str, begins: str) -> None:
        """
        Each format goes to standard output alone, with the same exit code.
        """
        result = ask("--format", kind)
        assert (result.exit_code, result.stdout.startswith(begins)) == (1, True)

    def test_output(self, tmp_path: Path) -> None:
        """
        A file gets the report, standard output nothing, and standard error the sum.
        """
        result = ask("--format", "json", "--output", "out.json")
        assert (result.exit_code, result.stdout) == (1, "")
        assert len(json.loads((tmp_path / "out.json").read_text("utf-8"))) == 2
        assert result.stderr.endswith("1 accepted). It is written to out.json.\n")

    def test_inventory(self) -> None:
        """
        Every container is listed, as text or JSON.
        """
        assert ask("--inventory").stdout.startswith("verdict   container")
        assert len(json.loads(ask("--inventory", "--format", "json").stdout)) == 3

    def test_statistics(self) -> None:
        """
        Findings are counted by rule, as text or JSON.
        """
        assert ask("--statistics").stdout.startswith("1  SS001   never-removed")
        assert len(json.loads(ask("--statistics", "--format", "json").stdout)) == 2

    def test_accepted(self) -> None:
        """
        What is accepted is listed on demand.
        """
        assert "accepted: the number of clients\n" in ask("--show-accepted").stdout

    @pytest.mark.usefixtures("terminal")
    def test_a_terminal_has_colours(self) -> None:
        """
        On a terminal a code is coloured, and verdicts are.
        """
        assert "\x1b[1;33mSS002b\x1b[0m" in ask().stdout
        assert "\x1b[1;31mleak    \x1b[0m" in ask("--inventory").stdout
        assert "\x1b" not in ask("--format", "json").stdout

    @pytest.mark.usefixtures("terminal")
    def test_a_terminal_may_have_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        NO_COLOR takes the colours away.
        """
        monkeypatch.setenv("NO_COLOR", "1")
        assert not re.search("\x1b\\[[0-9;]*3[0-9]m", ask().stdout)


class TestSettings:
    def test_the_project_is_read(self, engine: Engine, tmp_path: Path) -> None:
        """
        Without options the settings are the project's, and the path is here.
        """
        ask()
        assert engine.paths == ["."]
        assert engine.settings == Settings(jobs=3, root=tmp_path.resolve())

    def test_options_go_before(self, engine: Engine, tmp_path: Path) -> None:
        """
        An option replaces a setting, or adds to it.
        """
        (tmp_path / "pyproject.toml").write_text(
            "[tool.sessionstate.audit]\n"
            "select = ['SS001']\nignore = ['SS003']\nexclude = ['gen']\nconfidence = 'high'\n"
        )
        ask(
            *("app", "app/agents.py", "--select", "SS002,SS004b", "--select", "SS005"),
            *("--ignore", "SS008", "--exclude", "a, b", "--confidence", "low", "--jobs", "2"),
            *("--baseline", "b.json", "--no-cache", "--include-tests", "--force-exclude"),
        )
        assert engine.paths == ["app", "app/agents.py"]
        assert engine.settings == Settings(
            select=("SS002", "SS004b", "SS005"),
            ignore=("SS003", "SS008"),
            exclude=("gen", "a", "b"),
            confidence=Confidence.LOW,
            jobs=2,
            baseline=Path("b.json"),
            cache=False,
            include_tests=True,
            force_exclude=True,
            root=tmp_path.resolve(),
        )

    def test_confidence_is_told(self) -> None:
        """
        The last line names the confidence that was asked for.
        """
        assert "hidden below --confidence high" in ask("--confidence", "high").stdout

    def test_paths_on_several_drives(self, monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
        """
        Where paths have nothing in common, the first one's project is read.
        """

        def refuse(_: object) -> str:
            raise ValueError("Paths don't have the same drive")

        monkeypatch.setattr("os.path.commonpath", refuse)
        ask("app")
        assert engine.settings.jobs == 3


class TestBaseline:
    def test_it_is_written(self, engine: Engine, tmp_path: Path) -> None:
        """
        Writing a baseline finds everything anew, accepts it, and exits with 0.
        """
        (tmp_path / "pyproject.toml").write_text("[tool.sessionstate.audit]\nbaseline = 'b.json'\n")
        result = ask("--write-baseline", "b.json")
        assert (result.exit_code, result.stdout) == (0, "")
        assert engine.settings.baseline is None
        assert result.stderr.endswith(
            "Wrote 2 findings to b.json; they are accepted with --baseline b.json\n"
        )
        assert json.loads((tmp_path / "b.json").read_text())["accepted"][0]["rule"] == "SS002"

    def test_it_cannot_be_written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A file that cannot be written is told in one sentence.
        """
        monkeypatch.setattr("os.access", lambda *_: True)
        (tmp_path / "b.json").mkdir()
        monkeypatch.setattr("sessionstate._cli._audit.baselines.write", full)
        result = ask("--write-baseline", "c.json")
        assert result.exit_code == 2
        assert result.stderr.endswith("'c.json' could not be written: No space left\n")

    def test_what_is_stale_is_told(self, engine: Engine, tmp_path: Path) -> None:
        """
        With the accepted ones, entries are told that were looked for and not found.
        """
        gone = replace(FINDING, container="gone")
        elsewhere = replace(FINDING, path="lib/x.py", container="elsewhere")
        ignored = replace(NEVER, path="app/x.py", container="ignored")
        write("b.json", [FINDING, gone, elsewhere, ignored], root=tmp_path)
        engine.answer = replace(CLEAN, accepted=(Accepted(FINDING, "baseline"),))
        options = ("--show-accepted", "--baseline", "b.json", "--ignore", "SS001")
        result = ask("app", *options)
        assert result.stderr == "b.json: no longer found: SS002 gone in app/agents.py\n"
