"""
The types of observers, surveys and the leak report; checked by mypy and pyright, never run.
"""

from datetime import timedelta
from typing import assert_type

from sessionstate import (
    CleanUpStep,
    Counted,
    Growth,
    Observation,
    ProductionReport,
    ProductionRow,
    SessionClosing,
    SessionEnded,
    SessionEvent,
    SessionOpened,
    Supervisor,
    Survey,
    Surveying,
)


def observing(supervisor: Supervisor) -> None:
    """Each kind of event has its times, and an observer may return anything."""

    def tell(event: SessionEvent) -> int:
        match event:
            case SessionOpened():
                assert_type(event.took, float)
            case SessionClosing():
                assert_type(event.late, float | None)
            case SessionEnded():
                assert_type(event.took, float)
            case CleanUpStep():
                assert_type(event.where, str)
                assert_type(event.took, float)
                assert_type(event.error, BaseException | None)
            case _:
                pass
        return 1

    observation = supervisor.observe(tell)
    assert_type(observation, Observation)
    assert_type(observation.cancel(), bool)
    kept: list[SessionEvent] = []
    supervisor.observe(kept.append)


def surveying(supervisor: Supervisor) -> None:
    """A survey is there once it was made."""
    handle = supervisor.keep_surveying()
    assert_type(handle, Surveying)
    assert_type(handle.every, float)
    assert_type(handle.cancel(), bool)
    supervisor.keep_surveying(1)
    supervisor.keep_surveying(every=timedelta(minutes=1))
    assert_type(supervisor.survey, Survey | None)
    if supervisor.survey is not None:
        assert_type(supervisor.survey.counted, tuple[Counted, ...])
        assert_type(supervisor.survey.orphans, int)


def reporting(supervisor: Supervisor) -> None:
    """The report and its rows tell what they know."""
    assert_type(supervisor.count_request(), None)
    supervisor.count_request(5)
    assert_type(supervisor.requests, int)
    report = supervisor.leak_report()
    assert_type(report, ProductionReport)
    assert_type(report.verdict, Growth)
    assert_type(report.leaks, tuple[ProductionRow, ...])
    assert_type(report.automatic, float | None)
    for row in report.rows:
        assert_type(row.verdict, Growth | None)
        assert_type(row.low, float | None)
        assert_type(row.since, float | None)
    assert_type([report.headline(), report.text(), report.as_json(), report.html()], list[str])


def refused(supervisor: Supervisor, report: ProductionReport) -> None:
    """What makes no sense is refused by the types too."""

    def two(event: SessionEvent, reason: str) -> None: ...

    supervisor.observe(two)  # type: ignore[arg-type]
    supervisor.observe(observer=print)  # type: ignore[call-arg]
    supervisor.keep_surveying("10")  # type: ignore[arg-type]
    supervisor.survey = None  # type: ignore[misc]
    supervisor.requests += 1  # type: ignore[misc]
    report.verdict = Growth.BOUNDED  # type: ignore[misc]
