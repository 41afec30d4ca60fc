"""
`sessionstate audit`: what it mends, explains and refuses, and how it ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("click")
pytest.importorskip("rich")

from click.testing import CliRunner

from sessionstate._cli import main
from sessionstate.audit._findings import Report
from sessionstate.audit._settings import SettingsError
from tests.audit.reports import CLEAN, FINDING, NEVER, full

if TYPE_CHECKING:
    from click.testing import Result

    from tests.audit.conftest import Engine

pytestmark = pytest.mark.usefixtures("engine")


def ask(*arguments: str) -> Result:
    """
    Call the command.
    """
    return CliRunner().invoke(main, ["audit", *arguments])


class TestFixes:
    @pytest.fixture(autouse=True)
    def libcst(self) -> None:
        """
        A fix needs its extra.
        """
        pytest.importorskip("libcst")

    @pytest.fixture
    def change(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        """
        Stand in for the fix, which mends one finding and leaves a file alone.
        """
        fixes = pytest.importorskip("sessionstate.audit._fix")
        calls: list[Any] = []
        mended = fixes.Change(FINDING.path, "a\n", "b\n", (FINDING,))
        alone = fixes.Change("app/x.py", "", "", (), "it is read-only")

        def fix(_: Report, *, write: bool) -> tuple[Any, ...]:
            calls.append(write)
            if write:
                engine.answer = replace(CLEAN, findings=(NEVER,))
            return (mended, alone)

        monkeypatch.setattr(fixes, "fix", fix)
        return calls

    def test_fix(self, change: list[Any]) -> None:
        """
        What is mended is counted, and what is left is found anew.
        """
        result = ask("--fix")
        assert (result.exit_code, change) == (1, [True])
        assert result.stderr.splitlines()[:2] == [
            "warning: app/x.py is left alone: it is read-only",
            "Fixed 1 finding in 1 file.",
        ]
        assert "agents" not in result.stdout
        assert result.stdout.endswith("Found 1 possible leak in 7 files.\n")

    def test_diff(self, change: list[Any]) -> None:
        """
        A diff goes to standard output alone, and nothing is written.
        """
        result = ask("--diff")
        assert (result.exit_code, change) == (1, [False])
        assert result.stdout == "--- a/app/agents.py\n+++ b/app/agents.py\n@@ -1 +1 @@\n-a\n+b\n"
        assert "Would fix 1 finding in 1 file.\n" in result.stderr

    def test_nothing_to_fix(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Where nothing can be mended, one sentence says so.
        """
        monkeypatch.setattr("sessionstate.audit._fix.fix", lambda *_, **__: ())
        engine.answer = replace(CLEAN, findings=(NEVER,))
        assert "Nothing could be fixed safely.\n" in ask("--fix").stderr
        assert "Nothing could be fixed safely.\n" in ask("--diff").stderr

    def test_a_fix_that_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A fix that fails is no finding.
        """
        monkeypatch.setattr("sessionstate.audit._fix.fix", full)
        result = ask("--fix")
        assert result.exit_code == 2
        assert "Error: the fix could not be made: OSError: " in result.stderr

    def test_it_asks_for_its_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Without libcst it is said what to install.
        """
        monkeypatch.setitem(sys.modules, "libcst", None)
        result = ask("--fix")
        assert result.exit_code == 2
        assert result.stderr.endswith("needs 'libcst': pip install 'sessionstate[audit-fix]'\n")


class TestExplain:
    def test_a_page(self) -> None:
        """
        A rule's page is printed as it is where there is no terminal; case does not matter.
        """
        result = ask("--explain", "ss002B")
        assert (result.exit_code, result.stdout[:9]) == (0, "# SS002: ")
        assert "## SS002b: " in result.stdout

    @pytest.mark.usefixtures("terminal")
    def test_a_terminal_has_it_set(self) -> None:
        """
        On a terminal the page is set.
        """
        result = ask("--explain", "SS001")
        assert result.exit_code == 0
        assert "\x1b[1" in result.stdout
        assert "```" not in result.stdout

    def test_an_unknown_rule(self) -> None:
        """
        Who asks for a rule that there is none hears which there are.
        """
        result = ask("--explain", "E501")
        assert result.exit_code == 2
        assert "'E501' is no rule: write one of SS001, SS002, SS002a" in result.stderr


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["nowhere"], "'nowhere' does not exist"),
            (["--select", "SS99"], "select: 'SS99' is no rule: write SS001 to SS010, or a sub-"),
            (["--confidence", "sure"], "'sure' is not one of"),
            (["--jobs", "0"], "0 is not in the range x>=1"),
            (["--format", "xml"], "'xml' is not one of"),
            (["--inventory", "--statistics"], "--inventory and --statistics exclude each other"),
            (["--inventory", "--format", "sarif"], "--inventory is text or json: write --format"),
            (["--statistics", "--format", "github"], "--statistics is text or json"),
            (["--fix", "--diff"], "--fix and --diff exclude each other: write one of them"),
            (["--fix", "--write-baseline", "b"], "--write-baseline and --fix exclude"),
            (["--baseline", "a", "--write-baseline", "b"], "--write-baseline and --baseline excl"),
            (["--output", "x", "--diff"], "--output and --diff exclude"),
            (["--output", "nowhere/x"], f"'nowhere{os.sep}x' cannot be written: there is no such"),
            (["--write-baseline", "nowhere/x"], "cannot be written: there is no such folder"),
        ],
    )
    def test_a_wrong_option_exits_with_2(self, arguments: list[str], message: str) -> None:
        """
        What is wrong is said with its value, and what to write instead.
        """
        result = ask(*arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert message in result.stderr.replace("\\\\", "\\")

    def test_a_wrong_setting_exits_with_2(self, tmp_path: Path) -> None:
        """
        A file of settings that makes no sense is told with its key.
        """
        (tmp_path / "pyproject.toml").write_text("[tool.sessionstate.audit]\njob = 3\n")
        result = ask()
        assert result.exit_code == 2
        assert result.stderr.startswith("Error: ")
        assert result.stderr.endswith("tool.sessionstate.audit.job is no setting: write jobs\n")

    @pytest.mark.parametrize(
        ("error", "message"),
        [
            (SettingsError("there is no baseline 'b'"), "Error: there is no baseline 'b'\n"),
            (KeyError("x"), "Error: the audit could not be made: KeyError: 'x'\n"),
        ],
    )
    def test_an_audit_that_fails_exits_with_2(
        self, engine: Engine, error: Exception, message: str
    ) -> None:
        """
        That it could not be made is told from that something was found.
        """
        engine.answer = error
        result = ask()
        assert (result.exit_code, result.stderr) == (2, message)

    def test_a_file_that_is_not_allowed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        It is seen before the audit that its report must not be written.
        """
        monkeypatch.setattr("os.access", lambda *_: False)
        result = ask("--output", "out.json")
        assert (result.exit_code, "it is not allowed" in result.stderr) == (2, True)

    def test_a_report_that_cannot_be_written(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A full disk exits with 2, too.
        """
        monkeypatch.setattr(Path, "write_text", full)
        result = ask("--output", "out.json")
        assert result.exit_code == 2
        assert result.stderr.endswith("'out.json' could not be written: No space left\n")

    def test_an_interruption_exits_with_130(self, engine: Engine) -> None:
        """
        Ctrl-C ends it as shells expect.
        """
        engine.answer = KeyboardInterrupt()
        result = ask()
        assert (result.exit_code, "interrupted" in result.stderr) == (130, True)

    def test_help_tells_the_exit_codes(self) -> None:
        """
        The help names the exit codes, and the command is in the help of the group.
        """
        output = " ".join(ask("--help").output.split())
        assert "Exits with 0 if nothing was found, 1 if something was, 2 for a wrong" in output
        assert "audit" in CliRunner().invoke(main, ["--help"]).output


class TestProgress:
    @pytest.mark.usefixtures("terminal")
    def test_it_shows_after_a_while(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A bar appears on a terminal, and only after two seconds.
        """
        assert "auditing" not in ask().stderr
        now = iter([0.0, 1.0, 2.0, 3.0])
        monkeypatch.setattr("sessionstate._cli._audit_output.monotonic", lambda: next(now))
        result = ask()
        assert "auditing" in result.stderr
        assert "2/2" in result.stderr
        assert "auditing" not in result.stdout

    def test_without_a_terminal_there_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A log has no bars.
        """
        now = iter([0.0, 10.0, 20.0])
        monkeypatch.setattr("sessionstate._cli._audit_output.monotonic", lambda: next(now))
        assert "auditing" not in ask().stderr


PROGRAM = """
import sys
from sessionstate._cli import _audit, main
from sessionstate.audit._findings import Report
from tests.audit.reports import FINDING
from dataclasses import replace
odd = replace(FINDING, container="d\\u00e9j\\u00e0 \\u3042")
_audit.engine = lambda: lambda *_, **__: Report((odd,) * {many}, files=1)
main(["audit"])
"""


def run(many: int, **options: Any) -> subprocess.Popen[bytes]:
    """
    Run the command in a process of its own.
    """
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(many=many)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])} | options,
    )


class TestStreams:
    @pytest.mark.real_loop
    def test_a_reader_that_has_seen_enough(self) -> None:
        """
        A closed pipe ends the command without a word, and with its verdict.
        """
        with run(5000) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == b""
            assert process.wait(60) == 1

    @pytest.mark.real_loop
    def test_an_encoding_that_lacks_a_letter(self) -> None:
        """
        What an encoding lacks is replaced, and nothing fails.
        """
        with run(1, PYTHONIOENCODING="cp1252") as process:
            stdout, stderr = process.communicate(timeout=60)
        assert (process.returncode, stderr) == (1, b"")
        assert "[medium] déjà ?: an entry stays".encode("cp1252") in stdout


def test_the_hook_for_pre_commit() -> None:
    """
    The hook calls the command once, for the whole project, when Python or settings have changed.
    """
    file = Path(__file__).parents[2] / ".pre-commit-hooks.yaml"
    if not file.exists():
        pytest.skip("a source distribution has no hook")
    text = file.read_text("utf-8")
    assert "\n  entry: sessionstate audit\n" in text
    assert "\n  pass_filenames: false\n" in text
    yaml = pytest.importorskip("yaml")
    (hook,) = yaml.safe_load(text)
    assert (hook["id"], hook["language"]) == ("sessionstate-audit", "python")
    assert hook["types_or"] == ["python", "toml"]
    assert hook["additional_dependencies"] == [".[cli]"]
