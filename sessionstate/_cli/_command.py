"""
The group of commands that `sessionstate` consists of.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import click

from sessionstate._cli._ends import INTERRUPTED, CannotRunError
from sessionstate._extras import require

FEWEST = 20
MOST = 100_000
SHOWN: Final = 300
"""Conversations of a round that are shown live: a laptop has to have time for the browser, too."""
LATER: Final = {
    "audit": "sessionstate._cli._audit",
    "leakcheck": "sessionstate._cli._leakcheck",
    "top": "sessionstate._cli._top",
}
"""Commands by their modules, which take long to import."""


class Commands(click.Group):
    """
    Imports a command when it is named: `--version` waits for none.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """
        Return the names of all commands.
        """
        return sorted([*super().list_commands(ctx), *LATER])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """
        Return the command of that name.
        """
        if cmd_name not in LATER:
            return super().get_command(ctx, cmd_name)
        command: click.Command = import_module(LATER[cmd_name]).command
        return command


def installed_version() -> str:
    """
    Tell the version of the distribution, or that there is none.
    """
    try:
        return version("sessionstate")
    except PackageNotFoundError:
        return "(running from a source tree that is not installed)"


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(installed_version(), prog_name="sessionstate")
def main() -> None:
    """
    Every session gets an owner and an end.
    """


@main.command()
@click.option(
    "--sessions",
    type=click.IntRange(FEWEST, MOST),
    default=2000,
    show_default=True,
    help="Conversations to hold with each server; below 20 some way to end would not occur.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1486,
    show_default=True,
    help="The same seed gives the same conversations.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("sessionstate-demo"),
    show_default=True,
    help="Where index.html, its charts as SVG and report.json go.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, not as a table.")
@click.option(
    "--plant",
    type=click.Choice(
        ["entry", "context", "task", "session", "sub-agent", "listener", "tool", "replay"]
    ),
    hidden=True,
    help="Plant a leak in the server that uses sessionstate, to see the check find it.",
)
@click.option(
    "--dashboard",
    is_flag=True,
    help="Only the server with sessionstate, with clients that keep coming, and its live page in "
    "the browser; Ctrl-C ends it.",
)
def demo(
    sessions: int,
    seed: int,
    output: Path,
    *,
    as_json: bool,
    plant: str | None,
    dashboard: bool,
) -> None:
    """
    Hold the same conversations with two chat servers, and show what each has left.

    One keeps its conversations in plain dicts and cleans up when `session.deleted` arrives; the
    other uses sessionstate. Clients are real processes on real sockets that finish, crash, reset,
    fail, time out, fall silent or come back; the event comes for 8 % of them. Some have a tool run,
    a real process that starts another, or a sub-agent; every one listens to a bus. Signed webhooks
    arrive meanwhile, and some of them twice, because somebody listened in.

    Exits with 0 if sessionstate has nothing left and acted upon no webhook twice, 1 if not, 2 for a
    wrong option, 3 if the demo could not run.
    """
    try:
        require("websockets", "rich", "pyee", extra="demo", who="sessionstate demo")
    except ImportError as error:
        raise CannotRunError(str(error)) from error
    if dashboard:
        if as_json:
            raise click.UsageError("--json is for a report, and --dashboard makes none")
        _show(min(sessions, SHOWN), seed, plant)
        return
    from sessionstate._cli.demo.stage import run  # noqa: PLC0415

    try:
        clean = run(sessions=sessions, seed=seed, output=output, as_json=as_json, plant=plant)
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None
    except (RuntimeError, OSError) as error:
        raise CannotRunError(f"the demo could not run: {error}") from error
    if not clean:
        raise click.exceptions.Exit(1)


def _show(sessions: int, seed: int, plant: str | None) -> None:
    """
    Show the live page until interrupted.
    """
    try:
        require(
            "starlette", "uvicorn", "sse_starlette", extra="dashboard", who="the demo's live page"
        )
    except ImportError as error:
        raise CannotRunError(str(error)) from error
    from sessionstate._cli.demo.show import show  # noqa: PLC0415

    try:
        show(sessions=sessions, seed=seed, plant=plant, announce=_open)
    except KeyboardInterrupt:
        click.echo("ended", err=True)
    except (RuntimeError, OSError) as error:
        raise CannotRunError(f"the demo could not run: {error}") from error


def _open(address: str) -> None:
    """
    Tell where the page is, and open it where there is a screen.
    """
    click.echo(f"the live page: {address}\nCtrl-C ends it", err=True)
    if sys.platform in ("win32", "darwin") or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
        click.launch(address)
