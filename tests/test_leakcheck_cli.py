"""
`sessionstate leakcheck`: what it answers, writes and refuses.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("click")
pytest.importorskip("rich")

from click.testing import CliRunner

from sessionstate._cli import main
from tests.leakcheck_program import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

QUICK = ("--requests", "20")


@pytest.fixture(autouse=True)
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """
    Put a program into the current directory.
    """
    (tmp_path / "app.py").write_text(PROGRAM)
    (tmp_path / "broken.py").write_text("1 / 0\n")
    (tmp_path / "needy.py").write_text("import not_installed\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each != str(tmp_path)])
    yield tmp_path
    sys.modules.pop("app", None)


def ask(*arguments: str) -> Result:
    """
    Call the command.
    """
    return CliRunner().invoke(main, ["leakcheck", *arguments])


class TestAnswers:
    def test_a_leak_exits_with_1(self) -> None:
        """
        The table says what was asked for, what leaks and where; the exit code that something does.
        """
        result = ask("app:leaky", *QUICK)
        assert result.exit_code == 1
        assert result.stdout.startswith("LEAK app:leaky: memory +")
        assert "app.py:" in result.stdout
        assert "requests" in result.stderr, "the progress bar is on standard error"

    @pytest.mark.parametrize("loop", ["--virtual", "--real"])
    def test_nothing_exits_with_0(self, loop: str) -> None:
        """
        What is bounded is fine, in virtual time and in real time.
        """
        result = ask("app:tidy", loop, *QUICK)
        assert (result.exit_code, result.stdout[:17]) == (0, "BOUNDED app:tidy:")

    def test_too_few_exit_with_4(self) -> None:
        """
        What cannot be told is neither.
        """
        result = ask("app:tidy", "--rounds", "6", *QUICK)
        assert (result.exit_code, result.stdout[:22]) == (4, "INCONCLUSIVE app:tidy:")

    def test_a_setup_is_entered_around_it(self) -> None:
        """
        What the requests need is made by an async context manager; a method is found too.
        """
        result = ask("app:server.answer", "--setup", "app:serving", *QUICK)
        assert (result.exit_code, result.stdout[:26]) == (0, "BOUNDED app:server.answer:")

    def test_a_cache_is_reset(self) -> None:
        """
        What is named is called after each round.
        """
        assert ask("app:cached", *QUICK).exit_code == 1
        assert ask("app:cached", "--reset", "app:cache.clear", *QUICK).exit_code == 0

    def test_a_cache_is_kept(self) -> None:
        """
        What requests rely on is not emptied, though it grows.
        """
        assert ask("app:reads", "--setup", "app:filled", *QUICK).exit_code == 3
        kept = ask("app:reads", "--setup", "app:filled", "--keep", "app:users", *QUICK)
        assert kept.exit_code == 1, "it fills, and is not emptied"

    def test_floor(self) -> None:
        """
        A leak below the floor is none.
        """
        assert ask("app:leaky", "--floor", "1 MB", *QUICK).exit_code == 0

    def test_calibrate(self) -> None:
        """
        The floor is measured alone, or before the requests.
        """
        alone = ask("--calibrate", *QUICK)
        assert alone.exit_code == 0
        floor = int(alone.stdout.removeprefix("floor: ").partition(" ")[0])
        assert floor >= 4096
        result = ask("--calibrate", "app:leaky", "--json", *QUICK)
        assert json.loads(result.stdout)["floor"] >= 4096


class TestReports:
    def test_json(self) -> None:
        """
        JSON goes to standard output, alone.
        """
        assert json.loads(ask("app:leaky", "--json", *QUICK).stdout)["verdict"] == "leak"

    @pytest.mark.parametrize(
        ("suffix", "begins"),
        [("html", "<!doctype html>"), ("json", "{"), ("txt", "LEAK app:leaky")],
    )
    def test_file(self, suffix: str, begins: str, program: Path) -> None:
        """
        The name of the file decides what is written, beside the table.
        """
        result = ask("app:leaky", "--report", f"out.{suffix}", *QUICK)
        assert result.stdout.startswith("LEAK app:leaky")
        assert (program / f"out.{suffix}").read_text(encoding="utf-8").startswith(begins)


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ([], "name a function, as app:request, or write --calibrate"),
            (["app"], "'app' must name a module and a function, as app:request"),
            (["nowhere:request"], "there is no module 'nowhere', neither here nor installed"),
            (["app:other"], "'app' has no 'other'"),
            (["app:value"], "'app:value' is 3, which cannot be called"),
            (["app:sync"], "sync returned 3, which cannot be awaited"),
            (["app:tidy", "--setup", "app:sync"], "3, which is no async context manager"),
            (["app:tidy", "--rounds", "4"], "4 is not in the range x>=5"),
            (["app:tidy", "--floor", "much"], "'much' is not a number of bytes: write 8KB"),
            (["app:tidy", "--floor", "8 parsecs"], "'8 parsecs' is not a number of bytes"),
            (["app:tidy", "--floor", "0"], "'0' is not a number of bytes"),
            (["app:tidy", "--report", "out.pdf"], "'out.pdf' must end with .html, .json, .txt"),
        ],
    )
    def test_a_wrong_option_exits_with_2(self, arguments: list[str], message: str) -> None:
        """
        What is wrong is said with its value, and what to write instead.
        """
        result = ask(*arguments)
        assert result.exit_code == 2
        assert message in result.stderr

    @pytest.mark.parametrize(
        ("file", "instead"),
        [
            ("app.py", "write app:leaky"),
            ("shop/app.py", "write shop.app:leaky"),
            ("shop/app", "write shop.app:leaky"),
            ("../other/app.py", "go to {folder} and write app:leaky"),
        ],
    )
    def test_a_file_is_no_module(self, file: str, instead: str) -> None:
        """
        Who names a file is told what to write instead.
        """
        result = ask(f"{file}:leaky")
        assert result.exit_code == 2
        instead = instead.format(folder=repr(str(Path("..", "other"))))
        assert f"{file!r} is a file, not a module: {instead}\n" in result.stderr

    @pytest.mark.parametrize(
        ("module", "message"),
        [
            ("broken", "'broken' could not be imported: ZeroDivisionError: division by zero"),
            ("needy", "'needy' could not be imported: No module named 'not_installed'"),
        ],
    )
    def test_a_module_that_fails_exits_with_3(self, module: str, message: str) -> None:
        """
        A program that cannot be imported is told from one that is not there.
        """
        result = ask(f"{module}:request")
        assert (result.exit_code, message in result.stderr) == (3, True)

    def test_requests_that_raise_exit_with_3(self) -> None:
        """
        The first error is shown with its traceback, from the request on.
        """
        result = ask("app:raises")
        assert result.exit_code == 3
        assert "3 of the first 3 requests of raises raised" in result.stderr
        assert result.stderr.rstrip().endswith("ValueError: no such tool")
        assert result.stderr.count('  File "') == 1

    @pytest.mark.parametrize(
        ("name", "options", "says", "line"),
        [
            (
                "waits",
                (),
                "request 25 of waits did not end within 86400 s",
                "await asyncio.gather(asyncio.Event().wait())",
            ),
            (
                "waits",
                ("--real", "--time-limit", "0.01"),
                "request 25 of waits did not end within 0.01 s",
                "await asyncio.gather(asyncio.Event().wait())",
            ),
            ("spins", (), "the request does not end", "await asyncio.sleep(0)"),
        ],
    )
    def test_a_request_that_does_not_end_exits_with_3(
        self, name: str, options: tuple[str, ...], says: str, line: str
    ) -> None:
        """
        One sentence names the line of the program that waits for ever.
        """
        result = ask(f"app:{name}", *QUICK, *options)
        said = result.stderr.splitlines()[-1]
        assert result.exit_code == 3
        assert said.startswith(f"Error: {says}: it waits at app.py:")
        number = int(said.partition("app.py:")[2].partition(".")[0])
        assert PROGRAM.splitlines()[number - 1].strip() == line

    @pytest.mark.parametrize(
        ("setup", "message"),
        [
            ("never_up", "the --setup raised on entry: OSError: the port is taken, at app.py:"),
            ("never_down", "the --setup raised on exit: KeyError: 'server', at app.py:"),
            ("never_there", "the check does not end: deadlock: nothing is ready"),
            ("waits", "the --setup raised on entry: TypeError: "),
        ],
    )
    def test_a_setup_that_fails_exits_with_3(self, setup: str, message: str) -> None:
        """
        A setup that raises, on entry or exit, or never comes to be, is told in one sentence.
        """
        result = ask("app:tidy", "--setup", f"app:{setup}", "--rounds", "5", *QUICK)
        assert result.exit_code == 3
        assert result.stderr.splitlines()[-1].startswith(f"Error: {message}")

    def test_a_reset_that_raises_exits_with_3(self) -> None:
        """
        What is called between rounds may fail as well, which is no leak.
        """
        result = ask("app:tidy", "--reset", "app:breaks", *QUICK)
        assert result.exit_code == 3
        assert result.stderr.splitlines()[-1] == (
            "Error: the check could not be made: KeyError: 'cache'"
        )

    @pytest.mark.parametrize("setup", ["silent", "group"])
    def test_a_setup_hides_no_error_of_a_request(self, setup: str) -> None:
        """
        What the requests raise is told, though the setup swallows or wraps what passes through it.
        """
        result = ask("app:raises", "--setup", f"app:{setup}")
        assert result.exit_code == 3
        assert "3 of the first 3 requests of raises raised" in result.stderr

    @pytest.mark.parametrize("folder", ["nowhere", "app.py"])
    def test_a_report_without_a_folder_exits_with_3(self, folder: str) -> None:
        """
        It is seen before the first request that there is no folder for the report.
        """
        result = ask("app:interrupted", "--report", f"{folder}/out.html")
        assert (result.exit_code, result.stdout) == (3, "")
        assert result.stderr.rstrip().endswith(f"cannot be written: there is no folder {folder}")

    def test_a_report_that_is_not_allowed_exits_with_3(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        It is seen before the first request that the report must not be written.
        """
        monkeypatch.setattr("os.access", lambda *_: False)
        result = ask("app:interrupted", "--report", "out.html")
        assert (result.exit_code, result.stdout) == (3, "")
        assert result.stderr == "Error: 'out.html' cannot be written: it is not allowed\n"

    def test_a_report_that_fails_costs_no_verdict(self, program: Path) -> None:
        """
        The table is printed before the file is written, and the failure told after it.
        """
        (program / "out").mkdir()
        result = ask("app:removes", "--report", "out/leaks.html", *QUICK)
        assert result.exit_code == 3
        assert result.stdout.startswith("BOUNDED app:removes:")
        assert "leaks.html' could not be written: " in result.stderr.splitlines()[-1]

    def test_an_interruption_exits_with_130(self) -> None:
        """
        Ctrl-C ends it as shells expect.
        """
        result = ask("app:interrupted")
        assert (result.exit_code, "interrupted" in result.stderr) == (130, True)

    def test_help_tells_the_exit_codes(self) -> None:
        """
        The help names the exit codes and the options.
        """
        output = " ".join(ask("--help").output.split())
        assert "Exits with 0 if nothing leaks, 1 if something does" in output
        for option in ("--requests", "--rounds", "--floor", "--setup", "--report", "--real"):
            assert option in output
