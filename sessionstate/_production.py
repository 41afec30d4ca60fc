"""
The leak report of a program in production: what grows with each 1000 requests, and what should not.

What is bounded by a deadline cannot leak, however it grows with the traffic: so only two things are
judged. Orphans, of which there should be none; and what belongs to sessions without a deadline,
which nothing but their holder will end. Memory is shown, and never decides: it grows for a hundred
reasons, and falls for none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from math import inf, isfinite
from time import time
from typing import TYPE_CHECKING, Final

from ._history import NEVER
from ._production_page import amount, page, shown
from ._slopes import Slope, slope_over
from ._spans import span

if TYPE_CHECKING:
    from ._history import Late, Moment
    from ._survey import Surveyor

FEWEST: Final = 20
"""Samples below which nothing is said of growth."""
POINTS: Final = 40
"""Samples of a row that are looked at: the statistics take the square of them."""
WARM_UP: Final = 0.3
LEAST: Final = 3
"""Samples that a slope needs."""
UNKNOWN: Final = Slope(0.0, -inf, inf, (0.0, 0.0), 0.0)
STAYS: Final = 3
"""Surveys in a row with orphans that make a leak: one may just have been late."""
STAYS_FOR: Final = 20.0
"""Seconds from the first of them to the last: many that end together may wait for a moment."""
EVERY: Final = 10.0
"""Seconds between two surveys, where nobody asked for more."""


class Growth(StrEnum):
    """
    What the leak report says of one row.

    .. versionadded:: 0.1
    """

    LEAK = "leak"
    """There are orphans, or what nothing will end grows with every request."""
    BOUNDED = "bounded"
    """Deadlines end all of it, or it does not grow."""
    INCONCLUSIVE = "inconclusive"
    """It grows, and not evenly, or there is an orphan that may just be late: later surveys tell."""
    WARMING_UP = "warming up"
    """There are not enough samples yet."""


@dataclass(frozen=True, slots=True)
class ProductionRow:
    """
    One map, one kind of resource, one place that opens sessions, or the process.

    .. versionadded:: 0.1
    """

    name: str
    """What it is called."""
    kind: str
    """``map``, ``resource``, ``site`` or ``process``."""
    unit: str
    """What is counted: ``entries``, ``resources``, ``sessions`` or ``bytes``."""
    count: int
    """How many there are now."""
    unbounded: int
    """How many of them belong to sessions without a deadline."""
    orphans: int
    """How many of them belong to sessions that should be gone."""
    slope: float
    """Growth per 1000 requests: of the unbounded ones if there are any, else of all."""
    low: float | None
    """The lower end of its interval, with 99 % confidence; None if nothing is known."""
    high: float | None
    """The upper end."""
    verdict: Growth | None
    """None for what is only shown."""
    since: float | None
    """Since when there are orphans without a break, or growth, in seconds since the epoch."""
    values: tuple[float, ...] = field(repr=False)
    """The samples that the slope rests on, the oldest first."""


@dataclass(frozen=True, slots=True)
class ProductionReport:
    """
    What `Supervisor.leak_report` returns.

    .. versionadded:: 0.1
    """

    supervisor: str
    """Its name."""
    at: float
    """When it was made, in seconds since the epoch."""
    verdict: Growth
    """What all rows together say."""
    rows: tuple[ProductionRow, ...] = field(repr=False)
    """The worst first."""
    requests: int
    """Requests between the first sample and the last."""
    counted: str
    """``requests``, or ``sessions`` where nobody called `Supervisor.count_request`."""
    seconds: float
    """Seconds between the first sample and the last."""
    samples: int
    """Surveys that it rests on."""
    live: int
    """Live sessions at the last one."""
    orphans: int
    """Sessions that should be gone, at the last one."""
    unbounded: int
    """Sessions without a deadline, at the last one."""
    automatic: float | None
    """The share, 0 to 1, of ended sessions that a limit ended and nobody asked for; None if none
    has ended. Where a goodbye is expected, it tells that the goodbyes do not come."""
    reasons: dict[str, int]
    """Ended sessions by reason, since the supervisor's start."""

    @property
    def leaks(self) -> tuple[ProductionRow, ...]:
        """
        The rows that say leak.
        """
        return tuple(row for row in self.rows if row.verdict is Growth.LEAK)

    def headline(self) -> str:
        """
        Return what was found, in one sentence.
        """
        seen = f"{self.requests:,} {self.counted} in {span(self.seconds)}"
        match self.verdict:
            case Growth.LEAK:
                named = [f"{row.kind} {shown(row.name)}{self._since(row)}" for row in self.leaks]
                names = "; ".join(named[:3])
                more = f"; and {len(named) - 3} more" if len(named) > 3 else ""  # noqa: PLR2004
                return f"leak: {names}{more} (seen over {seen})"
            case Growth.BOUNDED:
                return f"bounded: nothing is left that a deadline or a holder will not end; {seen}"
            case Growth.INCONCLUSIVE:
                return f"inconclusive: something grows unevenly, or is late; seen over {seen}"
            case _:
                return f"warming up: {self.samples} of {FEWEST} samples, over {seen}"

    def text(self) -> str:
        """
        Return the report for a terminal or a log: the headline, and a line a row.
        """
        lines = [self.headline()]
        for row in self.rows:
            word = row.verdict or "shown"
            orphans = f", {row.orphans} orphans" if row.orphans else ""
            unit = "" if row.unit == "bytes" else f" {row.unit}"
            lines.append(
                f"  {word:12} {row.kind} {shown(row.name)}: {amount(row.count, row.unit)}{unit}"
                f"{orphans}, {amount(row.slope, row.unit, '+')} per 1000 {self.counted}"
                f"{self._since(row)}"
            )
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text()

    def _since(self, row: ProductionRow) -> str:
        return "" if row.since is None else f", for {span(max(0.0, self.at - row.since))}"

    def as_json(self) -> str:
        """
        Return everything as JSON.
        """
        return json.dumps({**asdict(self), "headline": self.headline()}, indent=2, allow_nan=False)

    def html(self) -> str:
        """
        Return a page with a curve for each row, in light and dark, that loads nothing.
        """
        return page(self)


KINDS: Final = {"slot": "map", "resource": "resource", "site": "site"}
UNITS: Final = {"slot": "entries", "resource": "resources", "site": "sessions"}
RANK: Final = {
    Growth.LEAK: 0,
    Growth.INCONCLUSIVE: 1,
    Growth.WARMING_UP: 2,
    Growth.BOUNDED: 3,
    None: 4,
}


def report(surveyor: Surveyor) -> ProductionReport:
    """Return the report on what *surveyor* found so far, and let it go on."""
    *_, made = report_in_steps(surveyor)
    assert made is not None
    return made


def report_in_steps(surveyor: Surveyor) -> Iterator[ProductionReport | None]:
    """Make the same as `report`, a row for each None, for who cannot stop for all of it."""
    surveyor.go_on(EVERY)
    history = surveyor.history
    moments = history.all()
    counted = "requests" if history.counts_requests else "sessions"
    rows: list[ProductionRow] = []
    for name in dict.fromkeys(name for moment in moments for name in moment.figures):
        rows.append(_row(moments, *name, history.late.get(name, NEVER)))
        yield None
    rows.sort(key=lambda row: (RANK[row.verdict], -row.orphans, -row.slope, -row.count))
    verdicts = [row.verdict for row in rows if row.verdict is not None]
    if moments:
        rows.append(_memory(moments))
    first, last = (moments[0], moments[-1]) if moments else (None, None)
    supervisor = surveyor.supervisor
    reasons = supervisor.statistics().closed_by_reason
    ended = sum(reasons.values())
    automatic = sum(number for reason, number in reasons.items() if reason.automatic)
    yield ProductionReport(
        supervisor=supervisor.name,
        at=time(),
        verdict=_overall(verdicts, moments),
        rows=tuple(rows),
        requests=last.requests - first.requests if first and last else 0,
        counted=counted,
        seconds=last.at - first.at if first and last else 0.0,
        samples=len(moments),
        live=last.live if last else len(supervisor),
        orphans=last.orphans if last else 0,
        unbounded=last.unbounded if last else 0,
        automatic=automatic / ended if ended else None,
        reasons={str(reason): number for reason, number in reasons.items()},
    )


def _memory(moments: list[Moment]) -> ProductionRow:
    """Return the row of the process, which is only shown."""
    values = [float(moment.rss) for moment in moments]
    found = _slope(moments, values)
    return ProductionRow(
        name="resident memory",
        kind="process",
        unit="bytes",
        count=moments[-1].rss,
        unbounded=0,
        orphans=0,
        slope=found.value,
        low=_finite(found.low),
        high=_finite(found.high),
        verdict=None,
        since=None,
        values=tuple(_thinned(values)),
    )


def _row(moments: list[Moment], kind: str, name: str, late: Late) -> ProductionRow:
    figures = [moment.figures.get((kind, name)) for moment in moments]
    last = figures[-1]
    count, unbounded, orphans = (
        (last.entries, last.unbounded, last.orphans) if last is not None else (0, 0, 0)
    )
    endless = [float(each.unbounded if each else 0) for each in figures]
    values = endless if any(endless) else [float(each.entries if each else 0) for each in figures]
    found = _slope(moments, values)
    verdict = _judge(found, values) if any(endless) else Growth.BOUNDED
    if late.times >= STAYS and late.lasts >= STAYS_FOR:
        verdict = Growth.LEAK
    elif late.times and verdict is Growth.BOUNDED:
        verdict = Growth.INCONCLUSIVE
    since = late.since
    if since is None and verdict in (Growth.LEAK, Growth.INCONCLUSIVE):
        since = _grown_since(moments, values)
    return ProductionRow(
        name=name,
        kind=KINDS[kind],
        unit=UNITS[kind],
        count=count,
        unbounded=unbounded,
        orphans=orphans,
        slope=found.value,
        low=_finite(found.low),
        high=_finite(found.high),
        verdict=verdict,
        since=since,
        values=tuple(_thinned(values)),
    )


def _overall(verdicts: list[Growth], moments: list[Moment]) -> Growth:
    """Judge all together; where there is nothing, that it was seen often enough."""
    nothing = Growth.WARMING_UP if len(moments) < FEWEST else Growth.BOUNDED
    worst = min(verdicts, key=RANK.__getitem__, default=nothing)
    late = worst is Growth.BOUNDED and moments and moments[-1].orphans  # of what has no row
    return Growth.INCONCLUSIVE if late else worst


def _judge(found: Slope, values: list[float]) -> Growth:
    """Judge what nothing but a holder ends."""
    if len(values) < FEWEST:
        return Growth.WARMING_UP
    if found is UNKNOWN:  # it may grow without any request
        return Growth.INCONCLUSIVE if values[-1] > values[0] else Growth.BOUNDED
    if found.low > 0 and min(found.halves) > 0:
        return Growth.LEAK
    return Growth.INCONCLUSIVE if found.low > 0 or found.late > 0 else Growth.BOUNDED


def _grown_since(moments: list[Moment], values: list[float]) -> float:
    """Return when the last stretch began in which it was never again as low as at its begin."""
    begin, least = len(values) - 1, values[-1]
    for index in range(len(values) - 2, -1, -1):
        if values[index] < least:
            begin, least = index, values[index]
    return moments[begin].at


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def _thinned(values: list[float]) -> list[float]:
    """Return at most `POINTS` of *values*, the last one among them."""
    step = -(-len(values) // POINTS)
    return values[::-1][::step][::-1]


def _slope(moments: list[Moment], values: list[float]) -> Slope:
    """Return the slope over requests, of what came after the warm-up."""
    start = min(int(len(values) * WARM_UP), max(0, len(values) - LEAST))
    found = zip([moment.requests for moment in moments], values, strict=True)
    points = list(dict(list(found)[start:]).items())  # the last sample at each place
    points = points[::-1][:: -(-len(points) // POINTS)][::-1]
    if len(points) < LEAST:
        return UNKNOWN
    return slope_over([place for place, _ in points], [value for _, value in points])
