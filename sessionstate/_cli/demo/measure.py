"""
What was measured, as it is shown and written.
"""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, astuple, dataclass, field

from sessionstate._cli.demo import settings
from sessionstate._cli.demo.channel import Message
from sessionstate._cli.demo.traffic import DELETED_SHARE, count_by_ending
from sessionstate._cli.demo.webhooks import Deliveries

PLAIN = "plain dicts"
SCOPED = "sessionstate"

MODULES = {PLAIN: "plain", SCOPED: "scoped"}


@dataclass(frozen=True, slots=True)
class Sample:
    """
    One look at a server, *seconds* after its traffic began.
    """

    seconds: float
    rss: int
    sessions: int
    requests: int
    processes: int

    @classmethod
    def take(cls, message: Message) -> Sample:
        """
        Read a sample as the server sends it.
        """
        return cls(*(message[name] for name in cls.__slots__))


@dataclass(frozen=True, slots=True)
class Left:
    """
    What is still there when everything should be gone.
    """

    sessions: int
    map_entries: int
    tasks: int
    contexts: int
    agents: int
    sub_agents: int
    listeners: int
    tools: int
    grandchildren: int
    signatures: int

    @property
    def nothing(self) -> bool:
        """
        Whether all of it is gone.
        """
        return not any(asdict(self).values())

    def __str__(self) -> str:
        words = {name: count for name, count in asdict(self).items() if count}
        said = ", ".join(f"{count:,} {name}" for name, count in words.items())
        return said.replace("sub_", "sub-").replace("_", " ") or "nothing"


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    One server's run: what it served, and what it has left.
    """

    name: str
    conversations: int
    requests: int
    left: Left
    endings: dict[str, int]
    outcomes: dict[str, int]
    ended_by_deadline: int
    reconnects: int
    reconnects_found: int
    cut_short: int
    webhooks: Deliveries
    traffic_seconds: float
    samples: list[Sample] = field(repr=False)

    @property
    def rss_start(self) -> int:
        """
        Bytes before the traffic.
        """
        return self.samples[0].rss

    @property
    def rss_peak(self) -> int:
        """
        Bytes at the worst moment seen.
        """
        return max(sample.rss for sample in self.samples)

    @property
    def rss_end(self) -> int:
        """
        Bytes when all deadlines had passed.
        """
        return self.samples[-1].rss

    @property
    def rss_per_1000_requests(self) -> float:
        """
        Bytes that the whole run added, for each thousand requests.
        """
        return (self.rss_end - self.rss_start) / self.requests * 1000

    @property
    def rss_per_1000_late_requests(self) -> float:
        """
        Bytes that the second half of the requests added, for each thousand of them.

        A warm server has grown to its load; what it still grows by is what it leaks.
        """
        half = next(one for one in self.samples if one.requests * 2 >= self.requests)
        last = next(one for one in self.samples if one.requests >= self.requests)
        return (last.rss - half.rss) / max(1, last.requests - half.requests) * 1000

    @property
    def never_ended(self) -> int:
        """
        Conversations that are still held.
        """
        return self.left.sessions

    @property
    def ended_by_goodbye(self) -> int:
        """
        Conversations that ended because somebody said so: a close frame, or the event.
        """
        return self.conversations - self.ended_by_deadline - self.never_ended

    def as_json(self) -> dict[str, object]:
        """
        Give everything that was measured, with what follows from it.
        """
        return {
            **asdict(self),
            "rss_start": self.rss_start,
            "rss_peak": self.rss_peak,
            "rss_end": self.rss_end,
            "rss_per_1000_requests": round(self.rss_per_1000_requests),
            "rss_per_1000_late_requests": round(self.rss_per_1000_late_requests),
            "ended_by_goodbye": self.ended_by_goodbye,
            "never_ended": self.never_ended,
            "share_ended_by_deadline": round(self.ended_by_deadline / self.conversations, 4),
            "samples": [list(astuple(sample)) for sample in self.samples],
        }


@dataclass(frozen=True, slots=True)
class Report:
    """
    Both runs side by side.
    """

    sessions: int
    seed: int
    seconds: float
    plain: Outcome
    scoped: Outcome

    @property
    def clean(self) -> bool:
        """
        Whether sessionstate has nothing left, and took nothing twice.
        """
        return self.scoped.left.nothing and not self.scoped.webhooks.replays_taken

    def as_json(self) -> dict[str, object]:
        """
        Give the report as it goes into a file.
        """
        return {
            "sessions": self.sessions,
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "clean": self.clean,
            "machine": {
                "python": platform.python_version(),
                "system": platform.platform(terse=True),
                "cores": os.cpu_count(),
            },
            "settings": {
                "linger": settings.LINGER,
                "stall_timeout": settings.STALL_TIMEOUT,
                "request_limit": settings.REQUEST_LIMIT,
                "webhook_window": settings.WEBHOOK_WINDOW,
                "settle": settings.SETTLE,
                "deleted_share": DELETED_SHARE,
            },
            "mix": {str(ending): count for ending, count in count_by_ending(self.sessions).items()},
            "units": {"rss": "bytes", "samples": list(Sample.__slots__)},
            "servers": {"plain": self.plain.as_json(), "sessionstate": self.scoped.as_json()},
        }
