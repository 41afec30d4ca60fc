"""
The answer of a leak check.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any

from ._leak_page import page
from ._leak_text import headline, text, whole
from ._verdicts import LeakRow, Verdict, deciding


class LeakError(AssertionError):
    """
    A leak was found.

    Attributes:
        report: The whole answer.

    .. versionadded:: 0.1
    """

    def __init__(self, report: LeakReport) -> None:
        self.report = report
        super().__init__(report.text())


@dataclass(frozen=True, slots=True)
class LeakReport:
    """
    What a leak check found, with every sample that it took.

    .. versionadded:: 0.1
    """

    subject: str
    """What drove a request."""

    verdict: Verdict
    """What all rows together say."""

    rows: tuple[LeakRow, ...] = field(repr=False)
    """What was counted, then allocation sites, those of the program itself first, then the total,
    then RSS."""

    requests: int
    """Requests that the samples rest on. Unless all is bounded, one more round finds who called."""

    requests_each: int
    """Requests between one sample and the next."""

    rounds: int
    """Rounds that they were made in; after each there is a sample."""

    dropped: int
    """Rounds of warm-up, whose samples do not count."""

    floor: float
    """Bytes per 1000 requests that are not taken for growth."""

    needs: int
    """Requests that are missing, to be made in further rounds; 0 unless it is inconclusive."""

    seconds: float
    """Real seconds that it took."""

    notes: tuple[str, ...] = ()
    """What else is worth knowing: requests that raised."""

    @property
    def leaks(self) -> tuple[LeakRow, ...]:
        """
        The rows that say leak, those of sites only if the whole grows.
        """
        return tuple(row for row in deciding(self.rows) if row.verdict is Verdict.LEAK)

    def raise_for_leak(self) -> None:
        """
        Raise a `LeakError` if the verdict is *leak*; what is inconclusive raises nothing.
        """
        if self.verdict is Verdict.LEAK:
            raise LeakError(self)

    def text(self) -> str:
        """
        Return a table for a terminal.
        """
        return text(self)

    def as_json(self) -> str:
        """
        Return everything as JSON; what has no limit is null.
        """
        rows = [
            {
                key: None if isinstance(value, float) and not isfinite(value) else value
                for key, value in asdict(row).items()
            }
            for row in whole(self)
        ]
        found: dict[str, Any] = {
            name: getattr(self, name) for name in self.__slots__ if name != "rows"
        }
        return json.dumps({**found, "headline": headline(self), "rows": rows}, indent=2)

    def html(self) -> str:
        """
        Return a page with the plots, in light and dark, that loads nothing from anywhere.
        """
        return page(self)
