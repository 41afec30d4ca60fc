"""
What an audit is told: by its caller, or by `pyproject.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, cast

from sessionstate.audit._findings import Confidence
from sessionstate.audit._patterns import excluded, matches
from sessionstate.audit._rules import rule_of
from sessionstate.audit._setting_values import CHECKS, WrongValueError

EXCLUDED: Final = (
    *(".*_cache", ".eggs", ".git", ".hg", ".nox", ".svn", ".tox", ".venv", "venv", "__pycache__"),
    *("__pypackages__", "build", "dist", "node_modules", "site-packages"),
)
"""What is excluded unless `Settings.exclude` takes it back in, as with ``!build``."""
TABLE: Final = "tool.sessionstate.audit"


class SettingsError(ValueError):
    """
    A setting that makes no sense, or a file of settings that cannot be read.

    .. versionadded:: 0.1
    """


@dataclass(frozen=True, kw_only=True)
class Settings:
    """
    What to look at, what to look for, and how sure to be.

    In `pyproject.toml` each is a key of ``[tool.sessionstate.audit]``, with dashes, as in
    ``per-path-ignores``; `root` follows from where that file is.

    Raises:
        SettingsError: If a value is of a wrong type, or names a rule that there is none.

    .. versionadded:: 0.1
    """

    select: tuple[str, ...] = ()
    """Rules, such as ``SS002``, or sub-codes, such as ``SS002b``, to look for; all if empty."""
    ignore: tuple[str, ...] = ()
    """Those not to look for. The more exact one decides: ``SS002b`` before ``SS002``."""
    confidence: Confidence = Confidence.MEDIUM
    """How sure a finding must be to be shown."""
    exclude: tuple[str, ...] = ()
    """
    Patterns of files and folders to leave out, as in a `.gitignore`, in addition to ``.venv``,
    ``build`` and the like: a name matches at any depth, a path with ``/`` from `root` on, and
    ``!`` takes back in.
    """
    per_path_ignores: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict[str, tuple[str, ...]]
    )
    """Rules not to look for in the files and folders that a pattern matches."""
    bounded_keys: tuple[str, ...] = ()
    """Names of keys of which there are only so many, such as ``region``."""
    session_keys: tuple[str, ...] = ()
    """Names of keys of which there are ever more, such as ``chat_ref``."""
    listener_pairs: Mapping[str, str] = field(default_factory=dict[str, str])
    """Methods that register a listener, each with the one that takes it back."""
    baseline: Path | None = None
    """A file of findings that are accepted."""
    jobs: int | None = None
    """How many processes to use; the audit decides if None."""
    cache: bool = True
    """Whether to remember what was read in files that have not changed since."""
    cache_dir: Path | None = None
    """Where to remember it; the audit decides if None."""
    include_tests: bool = False
    """Whether to look at tests too."""
    force_exclude: bool = False
    """Whether `exclude` holds for paths that the audit is called with, too."""
    root: Path = field(default_factory=Path.cwd)
    """Where `pyproject.toml` is, or the current directory; patterns of paths begin here."""

    def __post_init__(self) -> None:
        for each in fields(self):
            try:
                value = CHECKS[each.name](getattr(self, each.name))
            except WrongValueError as wrong:
                raise SettingsError(f"{each.name}: {wrong}") from None
            object.__setattr__(self, each.name, value)

    @classmethod
    def read(cls, start: str | Path) -> Settings:
        """
        Read the nearest `pyproject.toml` with a table for the audit, at *start* or above it.

        One without that table is passed by, as in a folder of packages; if none above has the table
        either, the nearest is the `root`, with every setting as by default.

        Args:
            start: A file or a folder.

        Returns:
            The settings.

        Raises:
            SettingsError: If a file cannot be read, or says what makes no sense.
        """
        start = Path(start).resolve()
        root: Path | None = None
        for folder in (start, *start.parents):
            file = folder / "pyproject.toml"
            if not file.is_file():
                continue
            table = _table(file)
            if table is not None:
                return cls(root=folder, **_values(file, table))
            root = root or folder
        return cls(root=root or Path.cwd())

    def excludes(self, relative_path: str) -> bool:
        """
        Tell whether *relative_path*, from `root` on, is left out.

        One that ends with ``/`` is a folder.
        """
        return excluded((*EXCLUDED, *self.exclude), relative_path)

    def wants(self, code: str, relative_path: str = "") -> bool:
        """
        Tell whether findings of *code* are wanted in the file *relative_path*, from `root` on.
        """
        ignored = list(self.ignore)
        for pattern, those in self.per_path_ignores.items():
            if matches(pattern, relative_path):
                ignored += those
        for each in (code, rule_of(code)):
            if each in ignored:
                return False
            if each in self.select:
                return True
        return not self.select


def _table(file: Path) -> Mapping[str, object] | None:
    """
    Return the table of the audit, if there is one.
    """
    try:
        found: object = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file} is not UTF-8: save it as UTF-8, as TOML must be") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not TOML: {error}; mend it there") from error
    for name in TABLE.split("."):
        found = cast("dict[str, object]", found).get(name)
        if found is None:
            return None
        if not isinstance(found, dict):
            raise SettingsError(f"{file}: {name!r} is {found!r}: write a table, [{TABLE}]")
    return cast("dict[str, object]", found)


def _values(file: Path, table: Mapping[str, object]) -> dict[str, Any]:
    """
    Return the settings that *table* consists of, by the names of the fields.
    """
    known = {each.name.replace("_", "-"): each.name for each in fields(Settings)}
    del known["root"]
    values: dict[str, Any] = {}
    for key, value in table.items():
        where = f"{file}: {TABLE}.{key}"
        if key not in known:
            near = get_close_matches(key.replace("_", "-"), known, 1) or [", ".join(known)]
            raise SettingsError(f"{where} is no setting: write {near[0]}")
        try:
            checked = CHECKS[known[key]](value)
        except WrongValueError as wrong:
            raise SettingsError(f"{where}: {wrong}") from None
        values[known[key]] = file.parent / checked if isinstance(checked, Path) else checked
    return values
