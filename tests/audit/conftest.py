"""
What stands in for the audit where its command is tested.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sessionstate.audit._findings import Report
from sessionstate.audit._settings import Settings
from tests.audit.reports import FINDING, REPORT, SOURCE


class Engine:
    """
    What stands in for the audit, and remembers what it was asked.
    """

    def __init__(self) -> None:
        self.answer: Report | BaseException = REPORT
        self.paths: list[str] = []
        self.settings = Settings()

    def __call__(
        self,
        paths: tuple[Path, ...],
        *,
        settings: Settings,
        progress: Callable[[int, int], None],
    ) -> Report:
        """
        Answer, after two files.
        """
        self.paths = [path.as_posix() for path in paths]
        self.settings = settings
        progress(1, 2)
        progress(2, 2)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """
    Stand in for the audit, in a folder with a project.
    """
    (tmp_path / "app").mkdir()
    (tmp_path / FINDING.path).write_text(SOURCE)
    (tmp_path / "pyproject.toml").write_text("[tool.sessionstate.audit]\njobs = 3\n")
    monkeypatch.chdir(tmp_path)
    made = Engine()
    monkeypatch.setattr("sessionstate._cli._audit.engine", lambda: made)
    return made


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Have a terminal of 100 columns.
    """
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
