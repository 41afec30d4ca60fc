from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from time import monotonic
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from sessionstate._cli import main
from tests.top.data import HOSTILE
from tests.top.made_up import TOKEN, MadeUp

if TYPE_CHECKING:
    from click.testing import Result

LINUX = sys.platform == "linux"


def ask(*arguments: str, token: str | None = None) -> Result:
    """
    Call the command, with the token in the environment.
    """
    return CliRunner().invoke(main, ["top", *arguments], env={"SESSIONSTATE_TOKEN": token})


class TestOnce:
    def test_text(self, server: MadeUp) -> None:
        """
        `--once` prints the figures and lists as plain text: no escape, whatever an id has.
        """
        server.push(blocked={"seconds": 4.2, "stack": ["app/db.py:17 in query"]})
        for each, id_ in zip(server.now["deadlines"], HOSTILE, strict=False):
            each["id"] = id_
        result = ask(server.url, "--once", token=TOKEN)
        assert (result.exit_code, result.stderr) == (0, "")
        for words in (
            "chat-server, running, up 2 h 03 m",
            "BLOCKED: the event loop has not answered for 4.2 s",
            "118 MiB",
            "inconclusive   process",
            "[red]markup[/red]",
            "\\x1b[31mescape",
            "resource_failed",
            "agents",
        ):
            assert words in result.stdout
        assert all(line.isprintable() for line in result.stdout.split("\n"))

    def test_json(self, server: MadeUp) -> None:
        """
        `--once --json` prints what the server sent.
        """
        result = ask(f"{server.url}?token={TOKEN}", "--once", "--json")
        assert result.exit_code == 0
        found = json.loads(result.stdout)
        del found["history"]
        assert found == server.now
        assert not any(TOKEN in url for url in server.asked)

    def test_which_token(self, server: MadeUp) -> None:
        """
        An option goes before the URL, and the URL before the environment.
        """
        url = f"{server.url}?token=from-url"
        for arguments in ((url, "--token", "from-option"), (url,), (server.url,)):
            ask(*arguments, "--once", token="from-environment")  # noqa: S106
        sent = [each["authorization"] for each in server.headers]
        assert sent == ["Bearer from-option", "Bearer from-url", "Bearer from-environment"]

    def test_a_reader_that_has_seen_enough(self, server: MadeUp) -> None:
        """
        A pipe whose reader is gone is no error.
        """
        command = [sys.executable, "-m", "sessionstate", "top", server.url, "--once", "--json"]
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"SESSIONSTATE_TOKEN": TOKEN},
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == 0


class TestCannotRun:
    def test_a_wrong_token(self, server: MadeUp) -> None:
        """
        A token that is wrong or missing is told in a line, with what to write.
        """
        wrong = ask(server.url, "--once", token="another")  # noqa: S106
        missing = ask(server.url, "--once")
        assert (wrong.exit_code, missing.exit_code) == (3, 3)
        assert "does not accept the token: the token is wrong\n" in wrong.stderr
        assert "wants a token: put it in SESSIONSTATE_TOKEN" in missing.stderr
        assert wrong.stderr.count("\n") == missing.stderr.count("\n") == 1

    def test_nobody_there(self, server: MadeUp) -> None:
        """
        A server that is not there is told in a line, and its token is not.
        """
        server.stop()
        result = ask(f"{server.url}?token={TOKEN}", "--once")
        assert result.exit_code == 3
        assert result.stdout == ""
        assert f"{server.url} cannot be reached:" in result.stderr
        assert TOKEN not in result.stderr
        assert result.stderr.count("\n") == 1

    def test_no_terminal(self, server: MadeUp) -> None:
        """
        Without a terminal the command says how to get text, and asks the server nothing.
        """
        result = ask(server.url, token=TOKEN)
        assert result.exit_code == 3
        assert "is no terminal: write --once" in result.stderr
        assert server.asked == []

    @pytest.mark.parametrize("module", ["textual", "httpx"])
    def test_without_the_extra(self, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A missing package is told with the line that installs it.
        """
        monkeypatch.setitem(sys.modules, module, None)
        result = ask("http://127.0.0.1:9/", "--once")
        assert result.exit_code == 3
        assert result.stderr == (
            f"Error: sessionstate top needs '{module}': pip install 'sessionstate[top]'\n"
        )


class TestOptions:
    @pytest.mark.parametrize(
        ("arguments", "advice"),
        [
            ((), "Missing argument 'URL'"),
            (("127.0.0.1:8123", "--once"), "write http://127.0.0.1:8123"),
            (("ftp://host/", "--once"), "its scheme is 'ftp'"),
            (("http://host/", "--token", "a b", "--once"), "cannot be sent in a header"),
            (("http://host/", "--json"), "write --once --json"),
        ],
    )
    def test_wrong_use(self, arguments: tuple[str, ...], advice: str) -> None:
        """
        A wrong URL, token or option is exit code 2, with advice.
        """
        result = ask(*arguments)
        assert result.exit_code == 2
        assert advice in " ".join(result.stderr.split())

    def test_help(self) -> None:
        """
        The help names the exit codes, and why the token belongs into the environment.
        """
        text = " ".join(ask("--help").output.split())
        for words in ("SESSIONSTATE_TOKEN", "list of processes", "Exits with 0", "--once", "?"):
            assert words in text
        listed = CliRunner().invoke(main, ["--help"]).output
        assert "top" in listed

    def test_help_needs_no_extra(self) -> None:
        """
        What the command needs is imported when it runs, not when commands are listed.
        """
        code = (
            "import sys; sys.modules['textual'] = sys.modules['httpx'] = None\n"
            "from sessionstate._cli import main; main(['--help'])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
        )
        assert "top" in done.stdout


@pytest.mark.skipif(not LINUX, reason="it needs a pseudo-terminal")
class TestTerminal:
    def test_it_is_given_back(self, server: MadeUp) -> None:
        """
        On a real terminal it draws, quits with 0 at q, and leaves the terminal as it was.
        """
        import pty
        import termios

        ours, theirs = pty.openpty()
        try:
            termios.tcsetwinsize(ours, (24, 80))
            before = termios.tcgetattr(theirs)
            process = subprocess.Popen(
                [sys.executable, "-m", "sessionstate", "top", f"{server.url}"],
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                env=os.environ | {"SESSIONSTATE_TOKEN": TOKEN, "TERM": "xterm-256color"},
            )
            shown = read(ours, b"chat-0001", process)
            os.write(ours, b"q")
            shown += read(ours, None, process)
            assert process.wait(30) == 0
            assert shown.count(b"\x1b[?1049h") == shown.count(b"\x1b[?1049l") == 1
            assert termios.tcgetattr(theirs) == before
            assert TOKEN.encode() not in shown
        finally:
            os.close(ours)
            os.close(theirs)


def read(terminal: int, until: bytes | None, process: subprocess.Popen[bytes]) -> bytes:
    """
    Read what is drawn, until something is there, or until the process has ended.
    """
    seen = b""
    patience = monotonic() + 60
    while until is None or until not in seen:
        ended = process.poll() is not None
        if select.select([terminal], [], [], 0.05)[0]:
            seen += os.read(terminal, 65536)
        elif ended:
            break
        elif monotonic() > patience:
            process.kill()
            pytest.fail(f"it never came: {seen[-2000:]!r}")
    return seen
