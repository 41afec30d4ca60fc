"""
The command that shows a live page in the terminal.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import click
from click.core import ParameterSource

from sessionstate._cli._ends import INTERRUPTED, CannotRunError
from sessionstate._cli.top._address import Address, address, checked_token
from sessionstate._extras import require

if TYPE_CHECKING:
    from sessionstate.dashboard._source import Overview

VARIABLE: Final = "SESSIONSTATE_TOKEN"


def page(_: click.Context, __: click.Parameter, value: str) -> Address:
    """
    Read the URL, and take the token out of it.
    """
    try:
        return address(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def sendable(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """
    Refuse a token that could not be in a header.
    """
    try:
        return None if value is None else checked_token(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command(name="top")
@click.argument("where", metavar="URL", callback=page)
@click.option(
    "--token",
    callback=sendable,
    envvar=VARIABLE,
    show_envvar=True,
    help="What the server wants to be shown. Better in the variable, or at least in no argument: "
    "other users see a command's arguments, and so a URL with its token, in the list of processes.",
)
@click.option("--once", is_flag=True, help="Print one update as plain text, and end.")
@click.option("--json", "as_json", is_flag=True, help="With --once: print JSON.")
@click.pass_context
def command(
    context: click.Context, where: Address, *, token: str | None, once: bool, as_json: bool
) -> None:
    """
    Show the sessions of a running server, live, in the terminal.

    URL is where the server has its page, such as http://127.0.0.1:8123/. The URL that it printed
    for a browser will do as well: the token is taken out of it, and is sent as a header only.

    All is done with the keyboard; ? lists the keys, q quits.

    Exits with 0 when it is quit, 2 for a wrong option or URL, 3 if it could not run: no answer, a
    wrong token, no terminal.
    """
    if as_json and not once:
        raise click.UsageError("--json prints one update: write --once --json")
    if where.token is None or (
        context.get_parameter_source("token") is ParameterSource.COMMANDLINE and token is not None
    ):
        where = replace(where, token=token)
    try:
        require("httpx", "textual", "rich", extra="top", who="sessionstate top")
    except ImportError as error:
        raise CannotRunError(str(error)) from error
    if not once:
        _terminal()
    try:
        if once:
            _print(asyncio.run(_update(where)), as_json=as_json)
        else:
            asyncio.run(_live(where))
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None


def _terminal() -> None:
    """
    Refuse to draw where nobody would see it.
    """
    # What is drawn goes to standard error, which is a terminal even where the output is piped on.
    for stream, name in (
        (sys.__stdin__, "input"),
        (sys.__stdout__, "output"),
        (sys.__stderr__, "error"),
    ):
        if stream is None or not stream.isatty():
            raise CannotRunError(
                f"standard {name} is no terminal: write --once for one update as plain text"
            )
    if os.environ.get("TERM") == "dumb":
        raise CannotRunError(
            "TERM is 'dumb', a terminal without a cursor: write --once for one update as plain text"
        )


async def _update(where: Address) -> Overview:
    from sessionstate._cli.top._client import Client, ServerError, WrongTokenError  # noqa: PLC0415

    try:
        async with Client(where) as client:
            return await client.overview()
    except WrongTokenError as error:
        if where.token is None:
            raise CannotRunError(
                f"{where.url} wants a token: put it in {VARIABLE}, or write the URL that the server"
                " printed"
            ) from error
        raise CannotRunError(str(error)) from error
    except ServerError as error:
        raise CannotRunError(str(error)) from error


async def _live(where: Address) -> None:
    """
    Draw until it is quit.

    The first update is asked for before the terminal is taken: what is wrong with the address or
    the token can be told in a line.
    """
    from sessionstate._cli.top._app import Top  # noqa: PLC0415
    from sessionstate._cli.top._client import Client  # noqa: PLC0415

    first = await _update(where)
    async with Client(where) as client:
        top = Top(client, first)
        await top.run_async()
    if top.return_code:
        raise CannotRunError("the view broke; what happened stands above")


def _print(overview: Overview, *, as_json: bool) -> None:
    from sessionstate._cli.top import _once  # noqa: PLC0415

    try:
        if as_json:
            click.echo(_once.as_json(overview))
        else:
            _once.show(overview)
    except BrokenPipeError:
        # Whoever read has seen enough; flushing at exit must not complain a second time.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
