"""
The command line: what it answers to a person who asks, mistypes, or lacks an extra.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("click")
pytest.importorskip("rich")

from click.testing import CliRunner

from sessionstate._cli import main

if TYPE_CHECKING:
    from click.testing import Result


def ask(*arguments: str) -> Result:
    """
    Call the command with *arguments*.
    """
    return CliRunner().invoke(main, arguments)


def without(module: str, then: str) -> subprocess.CompletedProcess[str]:
    """
    Run Python code *then* in an interpreter that cannot import *module*.
    """
    code = f"import sys\nsys.modules[{module!r}] = None\n{then}"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )


class TestMain:
    def test_version_names_the_distribution(self) -> None:
        """
        `--version` gives one line with the name and the version.
        """
        result = ask("--version")
        assert result.exit_code == 0
        assert result.output.startswith("sessionstate, version ")
        assert result.output.count("\n") == 1

    def test_help_lists_the_commands(self) -> None:
        """
        `--help` and `-h` name the subcommands.
        """
        assert ask("--help").output == ask("-h").output
        assert "demo" in ask("--help").output

    def test_it_runs_as_a_module(self) -> None:
        """
        `python -m sessionstate` is the same command.
        """
        command = [sys.executable, "-m", "sessionstate", "--version"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        assert "version" in done.stdout

    def test_other_names_are_attribute_errors(self) -> None:
        """
        The package of the command has `main` and no other name to offer.
        """
        import sessionstate._cli

        with pytest.raises(AttributeError, match="has no attribute 'other'"):
            _ = sessionstate._cli.other  # type: ignore[attr-defined]


class TestOptions:
    def test_help_tells_options_and_exit_codes(self) -> None:
        """
        The help of the demo names options and exit codes, and hides the planting of leaks.
        """
        output = ask("demo", "--help").output
        for option in ("--sessions", "--seed", "--output", "--json"):
            assert option in output
        assert "Exits with 0" in output
        assert "--plant" not in output

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--sessions", "19"], "19 is not in the range 20<=x<=100000"),
            (["--sessions", "-5"], "-5 is not in the range"),
            (["--sessions", "many"], "'many' is not a valid integer"),
            (["--seed", "-1"], "-1 is not in the range x>=0"),
            (["--plant", "tree"], "'tree' is not one of"),
            (["--output", __file__], "is a file"),
            (["--colour"], "No such option"),
            (["more"], "unexpected extra argument"),
        ],
    )
    def test_a_wrong_option_is_a_usage_error(self, arguments: list[str], message: str) -> None:
        """
        A value that makes no sense ends with exit code 2 and a sentence that names it.
        """
        result = ask("demo", *arguments)
        assert result.exit_code == 2
        assert message in result.output

    def test_an_output_that_cannot_be_made_is_told(self, tmp_path: object) -> None:
        """
        A directory that cannot be made ends with exit code 3 before any traffic.
        """
        pytest.importorskip("websockets")
        result = ask("demo", "--output", f"{__file__}/below")
        assert result.exit_code == 3
        assert "the demo could not run" in result.output


class TestExtras:
    @pytest.mark.parametrize("module", ["click", "rich"])
    def test_the_command_asks_for_its_extra(self, module: str) -> None:
        """
        Without click or rich the import of `main` says what to install.
        """
        done = without(module, "from sessionstate._cli import main")
        assert done.returncode == 1
        assert done.stderr.strip().endswith(
            f"ImportError: the sessionstate command needs {module!r}:"
            " pip install 'sessionstate[cli]'"
        )

    def test_the_demo_asks_for_its_extra(self) -> None:
        """
        Without websockets the demo says what to install, with exit code 3 and without a traceback.
        """
        done = without("websockets", "from sessionstate._cli import main\nmain(['demo'])")
        assert done.returncode == 3
        assert done.stderr.strip() == (
            "Error: sessionstate demo needs 'websockets': pip install 'sessionstate[demo]'"
        )

    def test_the_package_needs_no_extra(self) -> None:
        """
        Importing the library or the package of the command needs neither click nor rich.
        """
        done = without("click", "import sessionstate, sessionstate._cli")
        assert (done.returncode, done.stderr) == (0, "")
