"""
The past of a supervisor: samples that are thinned, and the ends of each minute.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionstate import CloseReason, Supervisor
from sessionstate.dashboard._curves import MINUTES, MOST, Curves
from tests.dashboard.shapes import check

if TYPE_CHECKING:
    from sessionstate import Statistics

NOTHING = Supervisor(default=False).statistics()


def ended(**reasons: int) -> Statistics:
    """
    Return figures with so many ends by reason.
    """
    counts: dict[CloseReason, Any] = dict.fromkeys(CloseReason, 0)
    counts |= {CloseReason(reason): number for reason, number in reasons.items()}
    return replace(NOTHING, closed_by_reason=counts)


class TestSamples:
    def test_what_is_shown(self) -> None:
        """
        A sample has what the page shows of a moment; without requests, those are the openings.
        """
        curves = Curves()
        statistics = replace(NOTHING, opened=7, live=3)
        sample = curves.add(100.0, statistics, 0, None, 4096)
        check(sample, "Sample")
        assert sample == {"at": 100.0, "requests": 7, "live": 3, "orphans": None, "rss": 4096}
        curves.add(100.5, statistics, 0, None, 4096)
        assert len(curves.samples) == 2
        assert curves.add(101.0, statistics, 12, 2, 4096) == {
            "at": 101.0, "requests": 12, "live": 3, "orphans": 2, "rss": 4096,
        }  # fmt: skip
        assert len(curves.samples) == 1  # a curve over requests, and none over openings

    @given(st.integers(1, 4 * MOST))
    @settings(max_examples=20)
    def test_thinned(self, number: int) -> None:
        """
        However many there are, few are kept: the first, and others at even distances.
        """
        curves = Curves()
        for at in range(number):
            curves.add(float(at), NOTHING, 0, None, 1)
        times = [sample["at"] for sample in curves.samples]
        assert times == [at for at in range(number) if at % curves._every == 0]
        assert len(times) <= MOST
        assert number <= MOST or len(times) > MOST / 2

    def test_another_thread_may_read(self) -> None:
        """
        What was handed out does not change.
        """
        curves = Curves()
        curves.add(0.0, ended(), 0, None, 1)
        curves.add(1.0, ended(idle=1), 0, None, 1)
        samples, minutes = curves.samples, curves.minutes
        before = [dict(each) for each in samples], [dict(each["reasons"]) for each in minutes]
        for at in range(2, MOST + 10):
            curves.add(float(at), ended(idle=at), 0, None, 1)
        after = [dict(each) for each in samples], [dict(each["reasons"]) for each in minutes]
        assert after == before


class TestMinutes:
    def test_by_the_minute(self) -> None:
        """
        Ends are told in the minute in which they were seen; what was before the first look is not.
        """
        curves = Curves()
        for at, statistics in (
            (30.0, ended(idle=5)),
            (59.0, ended(idle=6, deleted=1)),
            (59.5, ended(idle=6, deleted=3)),
            (61.0, ended(idle=6, deleted=3)),
            (119.9, ended(idle=6, deleted=3, shed=1)),
            (3599.0, ended(idle=7, deleted=3, shed=1)),
        ):
            curves.add(at, statistics, 0, None, 1)
        for minute in curves.minutes:
            check(minute, "Minute")
        assert curves.minutes == [
            {"at": 0.0, "reasons": {"idle": 1, "deleted": 3}},
            {"at": 60.0, "reasons": {"shed": 1}},
            {"at": 3540.0, "reasons": {"idle": 1}},
        ]
        assert curves.automatic_share() == pytest.approx(3 / 6)
        curves.add(3661.0, ended(idle=7, deleted=3, shed=1), 0, None, 1)
        assert [each["at"] for each in curves.minutes] == [3540.0]  # no more than an hour
        assert curves.automatic_share() == 1

    def test_at_most(self) -> None:
        """
        Only the last minutes with an end are kept, and the share is of those.
        """
        curves = Curves()
        curves.add(0.0, ended(), 0, None, 1)
        for minute in range(MINUTES):
            curves.add(minute * 60.0, ended(completed=minute + 1), 0, None, 1)
        assert curves.automatic_share() == 0
        for minute in range(MINUTES, 2 * MINUTES - 15):
            curves.add(
                minute * 60.0, ended(completed=MINUTES, idle=minute - MINUTES + 1), 0, None, 1
            )
        assert len(curves.minutes) == MINUTES
        assert curves.minutes[0]["at"] == (MINUTES - 15) * 60
        assert curves.automatic_share() == pytest.approx(0.75)

    def test_no_end(self) -> None:
        """
        As long as nothing has ended there is no share.
        """
        curves = Curves()
        for at in range(100):
            curves.add(float(at), NOTHING, 0, None, 1)
        assert curves.minutes == []
        assert curves.automatic_share() is None

    @pytest.mark.parametrize("reason", CloseReason)
    def test_which_are_automatic(self, reason: CloseReason) -> None:
        """
        Each reason counts as its own word says.
        """
        curves = Curves()
        curves.add(0.0, NOTHING, 0, None, 1)
        curves.add(1.0, ended(**{reason: 2}), 0, None, 1)
        assert curves.automatic_share() == (1 if reason.automatic else 0)
