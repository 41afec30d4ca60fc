"""
What the page's curves show: samples over time, and the ends of each minute.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sessionstate import CloseReason, Statistics

from ._source import Minute, Sample

MOST: Final = 600
"""Samples; of more, every second one goes, and half as many come from then on."""
MINUTES: Final = 60


class Curves:
    """The past of one supervisor, as far as the page shows it."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        """The oldest first. Replaced, not changed: another thread may be reading it."""
        self.minutes: list[Minute] = []
        self._counts_requests = False
        self._every = 1
        self._skipped = 0
        self._ended: Mapping[CloseReason, int] | None = None

    def add(
        self, at: float, statistics: Statistics, requests: int, orphans: int | None, rss: int
    ) -> Sample:
        """Take note of a moment, and return what is shown of it."""
        if self._counts_requests is not bool(requests):  # a curve over one is none over the other
            self._counts_requests = bool(requests)
            self.samples = []
        sample = Sample(
            at=at,
            requests=requests or statistics.opened,
            live=statistics.live,
            orphans=orphans,
            rss=rss,
        )
        self._skipped += 1
        if self._skipped >= self._every:
            self._skipped = 0
            samples = [*self.samples, sample]
            if len(samples) > MOST:
                samples = samples[::2]
                self._every *= 2
            self.samples = samples
        self._add_ends(at, statistics.closed_by_reason)
        return sample

    def _add_ends(self, at: float, ended: Mapping[CloseReason, int]) -> None:
        self.minutes = [each for each in self.minutes if each["at"] > at - MINUTES * 60]
        before, self._ended = self._ended, ended
        new = {
            str(reason): number - before[reason]
            for reason, number in ended.items()
            if before is not None and number > before[reason]
        }
        if not new:
            return
        begin = at // 60 * 60
        minutes = list(self.minutes)
        if minutes and minutes[-1]["at"] == begin:
            for reason, number in minutes.pop()["reasons"].items():
                new[reason] = new.get(reason, 0) + number
        self.minutes = [*minutes, Minute(at=begin, reasons=new)][-MINUTES:]

    def automatic_share(self) -> float | None:
        """Return the share of the ends in these minutes that nobody asked for."""
        ended = automatic = 0
        for minute in self.minutes:
            for reason, number in minute["reasons"].items():
                ended += number
                automatic += number * CloseReason(reason).automatic
        return automatic / ended if ended else None
