"""
The seeded mix of conversations, and how each of them ends.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from random import Random

RATE = 130
"""Conversations begun in a second."""

SHORTEST_WINDOW = 2.0
"""Seconds over which even the smallest run spreads its conversations."""

DELETED_SHARE = 0.08
"""The share for which `session.deleted` arrives: 115 of 1398, in one production system."""

BATCH = 60
"""Conversations that die with one client process, at most."""


class Ending(StrEnum):
    """
    How a conversation comes to its end.
    """

    POLITE = "polite"
    KILLED = "killed"
    RESET = "reset"
    RAISES = "raises"
    TIMEOUT = "timeout"
    SILENT = "silent"
    RECONNECTS = "reconnects"

    @property
    def text(self) -> str:
        """
        What happens, for people.
        """
        return TEXTS[self]


TEXTS = {
    Ending.POLITE: "finishes politely, with a close frame",
    Ending.KILLED: "client process killed with SIGKILL",
    Ending.RESET: "client resets the TCP connection",
    Ending.RAISES: "handler raises",
    Ending.TIMEOUT: "handler cancelled by a server time-out",
    Ending.SILENT: "client falls silent on an open socket",
    Ending.RECONNECTS: "client vanishes, comes back, then finishes politely",
}

SHARES = {
    Ending.POLITE: 0.40,
    Ending.KILLED: 0.14,
    Ending.RESET: 0.12,
    Ending.RAISES: 0.08,
    Ending.TIMEOUT: 0.08,
    Ending.SILENT: 0.08,
    Ending.RECONNECTS: 0.10,
}


@dataclass(frozen=True, slots=True)
class Conversation:
    """
    One conversation as planned: seconds count from the start of the traffic.
    """

    id: str
    ending: Ending
    start: float
    turns: int
    gap: float
    away: float
    deleted: bool

    def as_json(self) -> dict[str, object]:
        """
        Give the fields as they travel to a client process.
        """
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, object]) -> Conversation:
        """
        Take the fields as they arrive in a client process.
        """
        return cls(
            id=str(fields["id"]),
            ending=Ending(str(fields["ending"])),
            start=float(str(fields["start"])),
            turns=int(str(fields["turns"])),
            gap=float(str(fields["gap"])),
            away=float(str(fields["away"])),
            deleted=fields["deleted"] is True,
        )


def count_by_ending(sessions: int) -> dict[Ending, int]:
    """
    Share out *sessions*; whatever rounding leaves finishes politely.
    """
    counts = {ending: max(1, int(sessions * share)) for ending, share in SHARES.items()}
    counts[Ending.POLITE] += sessions - sum(counts.values())
    return counts


def window(sessions: int) -> float:
    """
    Seconds over which the conversations begin.
    """
    return max(SHORTEST_WINDOW, sessions / RATE)


def plan(sessions: int, seed: int) -> list[Conversation]:
    """
    Make the conversations of a run, the same for the same arguments, in order of their start.
    """
    random = Random(seed)
    endings = [ending for ending, count in count_by_ending(sessions).items() for _ in range(count)]
    random.shuffle(endings)
    deleted = set(random.sample(range(sessions), max(1, round(sessions * DELETED_SHARE))))
    conversations = [
        Conversation(
            id=f"chat-{random.getrandbits(64):016x}",
            ending=ending,
            start=round(random.uniform(0, window(sessions)), 3),
            turns=random.randint(2, 5),
            gap=round(random.uniform(0.02, 0.25), 3),
            away=round(random.uniform(0.05, 0.6), 3),
            deleted=number in deleted,
        )
        for number, ending in enumerate(endings)
    ]
    return sorted(conversations, key=lambda conversation: conversation.start)


def victims(conversations: list[Conversation]) -> list[list[Conversation]]:
    """
    Cut the conversations that are to be killed into batches, one for each process that dies.
    """
    killed = [one for one in conversations if one.ending is Ending.KILLED]
    return [killed[first : first + BATCH] for first in range(0, len(killed), BATCH)]
