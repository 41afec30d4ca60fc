"""
The command that looks for leaks in one async function.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from traceback import extract_tb, format_exception
from typing import Any, Final, cast

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from sessionstate._cli._ends import INTERRUPTED, CannotRunError
from sessionstate._cli._names import Function, Named, function, functions, named, things
from sessionstate.testing import (
    DeadlockError,
    LeakReport,
    LivelockError,
    RequestError,
    Verdict,
    VirtualClock,
    calibrate,
    leakcheck,
)
from sessionstate.testing._drive import request_waits_at
from sessionstate.testing._leak_text import short
from sessionstate.testing._reprs import short_repr
from sessionstate.testing._sampling import is_library

EXITS: Final = {Verdict.BOUNDED: 0, Verdict.LEAK: 1, Verdict.INCONCLUSIVE: 4}
UNITS: Final = {"": 1, "b": 1, "kb": 2**10, "kib": 2**10, "mb": 2**20, "mib": 2**20}
FORMATS: Final[dict[str, Callable[[LeakReport], str]]] = {
    ".html": LeakReport.html,
    ".json": LeakReport.as_json,
    ".txt": LeakReport.text,
}


def number_of_bytes(_: click.Context, __: click.Parameter, value: str) -> float:
    """
    Read a number of bytes with its unit.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", value.lower())
    unit = UNITS.get(match[2]) if match else None
    number = float(match[1]) * unit if match and unit else 0.0
    if not number > 0:
        raise click.BadParameter(f"{value!r} is not a number of bytes: write 8KB, 1MB or 8192")
    return number


def report_file(_: click.Context, __: click.Parameter, value: Path | None) -> Path | None:
    """
    Refuse a file whose name does not tell what it is to be, or that could not be written.
    """
    if value is None:
        return None
    if value.suffix not in FORMATS:
        raise click.BadParameter(f"{str(value)!r} must end with {', '.join(FORMATS)}")
    if not value.parent.is_dir():
        raise CannotRunError(f"{str(value)!r} cannot be written: there is no folder {value.parent}")
    if not os.access(value if value.exists() else value.parent, os.W_OK):
        raise CannotRunError(f"{str(value)!r} cannot be written: it is not allowed")
    return value


@click.command(name="leakcheck")
@click.argument("request_", metavar="[MODULE:FUNCTION]", callback=named, required=False)
@click.option(
    "--requests",
    type=click.IntRange(min=1),
    default=150,
    show_default=True,
    help="Requests in each round.",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=5),
    default=30,
    show_default=True,
    help="Rounds; after each there is a sample. Fewer than 29 are too few for bytes.",
)
@click.option(
    "--floor",
    callback=number_of_bytes,
    default="8KB",
    show_default=True,
    help="Bytes per 1000 requests that are not taken for growth.",
)
@click.option(
    "--calibrate",
    "calibrated",
    is_flag=True,
    help="Measure the floor first, by sessions that do nothing; without a function, only that.",
)
@click.option(
    "--setup",
    callback=function,
    metavar="MODULE:FUNCTION",
    help="An async context manager, as module:function, to be entered around all requests.",
)
@click.option(
    "--reset",
    callback=functions,
    metavar="MODULE:FUNCTION",
    multiple=True,
    help="A function, as module:function, that empties a cache after each round.",
)
@click.option(
    "--keep",
    callback=things,
    metavar="MODULE:CACHE",
    multiple=True,
    help="A cache or container, as module:cache, that is never to be emptied.",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="How long a request may take.  [default: 60; a day of virtual time]",
)
@click.option(
    "--virtual/--real",
    default=True,
    show_default=True,
    help="Whether waiting takes no time, and times to live pass between rounds.",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=report_file,
    help="Write the whole to this file: .html with plots, .json, or .txt.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, not a table.")
def command(
    request_: Named | None,
    *,
    requests: int,
    rounds: int,
    floor: float,
    calibrated: bool,
    setup: Function | None,
    reset: list[Function],
    keep: list[object],
    time_limit: float | None,
    virtual: bool,
    report: Path | None,
    as_json: bool,
) -> None:
    """
    Call an async function some thousand times, and tell whether anything grows with it.

    MODULE:FUNCTION makes one request; modules in the current directory are found. It is called
    with the number of the request, if it takes an argument. Between rounds sessions are closed,
    times to live pass, caches that keep growing up to a bound are emptied; what is left then is
    counted and weighed.

    Exits with 0 if nothing leaks, 1 if something does, 2 for a wrong option, 3 if the check could
    not be made, or its report not be written, 4 if it cannot be told.
    """
    if request_ is None and not calibrated:
        raise click.UsageError("name a function, as app:request, or write --calibrate")
    try:
        answer = _run(
            None if request_ is None else request_.function,
            virtual=virtual,
            setup=setup,
            floor=None if calibrated else floor,
            rounds=rounds,
            requests=requests,
            options={"reset": reset, "keep": keep, "time_limit": time_limit},
        )
    except RequestError as error:
        raise CannotRunError(_with_traceback(error)) from error
    except TypeError as error:
        raise click.UsageError(str(error)) from error
    except click.ClickException:
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise CannotRunError(f"the check could not be made: {what}") from error
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None
    if isinstance(answer, int):
        click.echo(f"floor: {answer} bytes per 1000 requests")
        return
    assert request_ is not None
    answer = replace(answer, subject=request_.name)
    click.echo(answer.as_json() if as_json else answer.text())
    if report is not None:
        try:
            report.write_text(FORMATS[report.suffix](answer), encoding="utf-8")
        except OSError as error:
            raise CannotRunError(f"{str(report)!r} could not be written: {error}") from error
    raise click.exceptions.Exit(EXITS[answer.verdict])


def _run(
    request: Function | None,
    *,
    virtual: bool,
    setup: Function | None,
    floor: float | None,
    rounds: int,
    requests: int,
    options: dict[str, Any],
) -> LeakReport | int:
    """
    Measure in a loop of its own, with progress bars on standard error.
    """
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rounds"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )

    def bar(name: str) -> Callable[[int, int], None]:
        bars.add_task(name, total=rounds)
        task = bars.tasks[-1]

        def told(done: int, _: int) -> None:
            task.completed = done  # update() would keep a sample each time, which would be found

        return told

    async def main() -> LeakReport | int:
        known = floor
        if known is None:
            measured = await calibrate(
                rounds=rounds,
                requests=requests,
                progress=bar("calibrating"),
            )
            if request is None:
                return measured
            known = measured
        assert request is not None
        async with _entered(setup):
            return await leakcheck(
                request,
                rounds=rounds,
                requests=requests,
                floor=known,
                progress=bar("requests"),
                **options,
            )

    factory = VirtualClock().new_event_loop if virtual else None
    where = ""
    try:
        with bars, asyncio.Runner(loop_factory=factory) as runner:
            try:
                return runner.run(main())
            except (DeadlockError, LivelockError):
                where = request_waits_at(runner.get_loop())
                raise
    except (DeadlockError, LivelockError) as error:
        what = f"the request does not end: it waits at {where}"
        if not where:
            what = f"the check does not end: {str(error).splitlines()[0]}"
        raise CannotRunError(what) from error


@asynccontextmanager
async def _entered(setup: Function | None) -> AsyncIterator[None]:
    """
    Enter what *setup* makes; tell what it raises from what is raised within it.
    """
    inside: Exception | None = None
    entered = False
    try:
        async with _made(setup):
            entered = True
            try:
                yield
            except Exception as error:
                inside = error
                raise
    except click.ClickException:
        raise
    except Exception as error:
        if inside is None:
            when = "exit" if entered else "entry"
            places = (f"{each.filename}:{each.lineno}" for each in extract_tb(error.__traceback__))
            where = next((place for place in reversed([*places]) if not is_library(place)), "")
            what = f"the --setup raised on {when}: {type(error).__name__}: {error}"
            raise CannotRunError(f"{what}, at {short(where)}" if where else what) from error
    if inside is not None:
        raise inside


def _made(setup: Function | None) -> AbstractAsyncContextManager[object]:
    made: Any = nullcontext() if setup is None else setup()
    if not isinstance(made, AbstractAsyncContextManager):
        raise click.BadParameter(
            f"it returned {short_repr(made)}, which is no async context manager: decorate an async "
            f"generator with contextlib.asynccontextmanager",
            param_hint="'--setup'",
        )
    return cast("AbstractAsyncContextManager[object]", made)


def _with_traceback(error: RequestError) -> str:
    """
    Return what was raised, and where.
    """
    first = error.__cause__
    traceback = first.__traceback__ if first is not None else None
    frames = traceback.tb_next if traceback is not None else None  # without our own
    lines = "".join(format_exception(type(first), first, frames)) if first is not None else ""
    return f"{error}\n\n{lines}".rstrip()
