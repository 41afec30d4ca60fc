"""
The command that looks for leaks in source code.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from sessionstate._cli._audit_output import (
    Asked,
    AuditError,
    can_tell,
    explain,
    note,
    progress,
    quiet_ends,
    show,
    tell_problems,
    write,
)
from sessionstate._cli._ends import INTERRUPTED
from sessionstate._extras import require
from sessionstate.audit import _baseline as baselines
from sessionstate.audit._findings import Confidence, Report
from sessionstate.audit._rules import RULES
from sessionstate.audit._settings import Settings, SettingsError
from sessionstate.audit.formats import counted, summary

FORMATS: Final = ("text", "json", "sarif", "github", "markdown")


def commas(_: click.Context, __: click.Parameter, value: Sequence[str]) -> tuple[str, ...]:
    """
    Read a list, with commas or as an option that is repeated.
    """
    return tuple(each.strip() for text in value for each in text.split(",") if each.strip())


def writable(_: click.Context, __: click.Parameter, value: Path | None) -> Path | None:
    """
    Refuse a file that could not be written, before there is anything to write.
    """
    if value is not None:
        if not value.parent.is_dir():
            raise AuditError(f"{str(value)!r} cannot be written: there is no such folder")
        if not os.access(value if value.exists() else value.parent, os.W_OK):
            raise AuditError(f"{str(value)!r} cannot be written: it is not allowed")
    return value


def explained(context: click.Context, _: click.Parameter, value: str | None) -> None:
    """
    Print the page of a rule, and end.
    """
    if value is None:
        return
    codes = {code.casefold(): code for code in RULES}
    code = codes.get(value.casefold())
    if code is None:
        raise click.BadParameter(f"{value!r} is no rule: write one of {', '.join(RULES)}")
    with quiet_ends():
        explain(code)
    context.exit()


@click.command(name="audit")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--format",
    "kind",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="For people, programs, code scanning, a workflow, or a comment on a pull request.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=writable,
    help="Write to this file, not to standard output.",
)
@click.option("--inventory", is_flag=True, help="List every container, with a verdict.")
@click.option("--statistics", is_flag=True, help="Count findings by rule, and list none.")
@click.option(
    "--select",
    multiple=True,
    callback=commas,
    metavar="CODES",
    help="Look for these rules or sub-codes only, such as SS001,SS002b.",
)
@click.option(
    "--ignore",
    multiple=True,
    callback=commas,
    metavar="CODES",
    help="Do not look for these, in addition to those in pyproject.toml.",
)
@click.option(
    "--exclude",
    multiple=True,
    callback=commas,
    metavar="PATTERNS",
    help="Leave these out, in addition to those in pyproject.toml, as .gitignore has them.",
)
@click.option(
    "--confidence",
    type=click.Choice([each.value for each in Confidence]),
    help="How sure a finding must be to be shown.  [default: medium]",
)
@click.option(
    "--baseline",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Accept the findings in this file.",
)
@click.option(
    "--write-baseline",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=writable,
    help="Write the findings to this file, to be accepted from now on.",
)
@click.option("--fix", is_flag=True, help="Mend what can be mended safely.")
@click.option("--diff", is_flag=True, help="Show what --fix would change, and change nothing.")
@click.option("--jobs", type=click.IntRange(min=1), help="How many processes to use.")
@click.option("--no-cache", is_flag=True, help="Read every file anew.")
@click.option("--include-tests", is_flag=True, help="Look at tests too.")
@click.option("--force-exclude", is_flag=True, help="Leave out PATHS that are excluded, too.")
@click.option("--show-accepted", is_flag=True, help="List what comments and the baseline accept.")
@click.option(
    "--explain",
    is_eager=True,
    expose_value=False,
    callback=explained,
    metavar="CODE",
    help="Tell about a rule, and end.",
)
def command(
    paths: tuple[Path, ...],
    *,
    kind: str,
    output: Path | None,
    inventory: bool,
    statistics: bool,
    show_accepted: bool,
    write_baseline: Path | None,
    fix: bool,
    diff: bool,
    **options: object,
) -> None:
    """
    Find what is kept for a session and may outlive it, by reading the code.

    PATHS are files and folders, the current one if none is named. Nothing is imported or run.
    Settings are those of [tool.sessionstate.audit] in pyproject.toml, and options go before them.
    A finding is accepted by a comment: # sessionstate: bounded-by <reason>, or # noqa: SS002b.

    Exits with 0 if nothing was found, 1 if something was, 2 for a wrong option or setting, or if
    the audit could not be made.
    """
    what = "inventory" if inventory else "statistics" if statistics else "findings"
    _refuse(inventory=inventory, statistics=statistics)
    _refuse(write_baseline=write_baseline, baseline=options["baseline"])
    _refuse(write_baseline=write_baseline, fix=fix, diff=diff)
    _refuse(output=output, diff=diff)
    if not can_tell(what, kind):
        raise click.UsageError(f"--{what} is text or json: write --format json, not {kind}")
    found = False
    try:
        with quiet_ends():
            settings = _settings(paths, options)
            if write_baseline is not None:
                settings = replace(settings, baseline=None)
            report = _audited(paths, settings)
            if fix or diff:
                report = _fixed(report, paths, settings, write=fix)
            tell_problems(report.problems)
            found = bool(report.findings) and write_baseline is None
            asked = Asked(kind, what, settings.confidence, accepted=show_accepted)
            if write_baseline is not None:
                _write_baseline(write_baseline, report, settings)
            elif output is not None:
                write(output, report, asked)
            elif diff:
                note(summary(report, confidence=settings.confidence))
            else:
                show(report, asked)
            if show_accepted:
                _tell_stale(report, paths, settings)
    except SettingsError as error:
        raise AuditError(str(error)) from error
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None
    raise click.exceptions.Exit(1 if found else 0)


def engine() -> Callable[..., Report]:
    """
    Import the audit, once it is wanted.
    """
    from sessionstate.audit import audit  # noqa: PLC0415 - no other command needs it

    return audit


def _refuse(**options: object) -> None:
    """
    Refuse options that exclude each other.
    """
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} exclude each other: write one of them")


def _settings(paths: Sequence[Path], options: Mapping[str, Any]) -> Settings:
    """
    Return the settings of the project that *paths* lie in, with *options* before them.
    """
    try:
        start = Path(os.path.commonpath([path.resolve() for path in paths or (Path(),)]))
    except ValueError:  # on several drives
        start = paths[0]
    settings = Settings.read(start)
    return replace(
        settings,
        select=options["select"] or settings.select,
        ignore=(*settings.ignore, *options["ignore"]),
        exclude=(*settings.exclude, *options["exclude"]),
        confidence=options["confidence"] or settings.confidence,
        baseline=options["baseline"] or settings.baseline,
        jobs=options["jobs"] or settings.jobs,
        cache=settings.cache and not options["no_cache"],
        include_tests=settings.include_tests or options["include_tests"],
        force_exclude=settings.force_exclude or options["force_exclude"],
    )


def _audited(paths: Sequence[Path], settings: Settings) -> Report:
    """
    Audit, with a progress bar if it takes long.
    """
    try:
        with progress() as so_many:
            report = engine()(paths or (Path(),), settings=settings, progress=so_many)
    except SettingsError:
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise AuditError(f"the audit could not be made: {what}") from error
    if not report.files and not report.problems:
        note("warning: no Python files found: name a folder that has some, or see --exclude")
    return report


def _fixed(report: Report, paths: Sequence[Path], settings: Settings, *, write: bool) -> Report:
    """
    Mend what can be mended, or print how; return what is left then.
    """
    try:
        require("libcst", extra="audit-fix", who="sessionstate audit --fix")
    except ImportError as error:
        raise AuditError(str(error)) from error
    from sessionstate.audit._fix import fix  # noqa: PLC0415 - it needs the extra

    try:
        changes = fix(report, write=write)
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise AuditError(f"the fix could not be made: {what}") from error
    for change in changes:
        if change.problem:
            note(f"warning: {change.path} is left alone: {change.problem}")
    mended = [change for change in changes if change.findings]
    number = sum(len(change.findings) for change in mended)
    where = f"{counted(number, 'finding')} in {counted(len(mended), 'file')}"
    if write:
        note(f"Fixed {where}." if mended else "Nothing could be fixed safely.")
        return _audited(paths, settings) if mended else report
    for change in mended:
        click.echo(change.diff(), nl=False)
    note(f"Would fix {where}." if mended else "Nothing could be fixed safely.")
    return report


def _write_baseline(file: Path, report: Report, settings: Settings) -> None:
    try:
        baselines.write(file, report.findings, root=settings.root)
    except OSError as error:
        raise AuditError(f"{str(file)!r} could not be written: {error.strerror}") from error
    note(
        f"Wrote {counted(len(report.findings), 'finding')} to {file}; they are accepted with "
        f"--baseline {file}"
    )


def _tell_stale(report: Report, paths: Sequence[Path], settings: Settings) -> None:
    """
    Tell which entries of the baseline were looked for, and are no longer found.
    """
    if settings.baseline is None:
        return
    found = [*report.findings, *(each.finding for each in report.accepted)]
    asked = [path.resolve() for path in paths or (Path(),)]
    for entry in baselines.load(settings.baseline, root=settings.root).stale(found):
        file = settings.root.resolve() / entry.path
        below = any(file.is_relative_to(each) for each in asked)
        if below and settings.wants(entry.rule, entry.path):
            what = f"{entry.rule} {entry.container} in {entry.path}"
            note(f"{settings.baseline}: no longer found: {what}")
