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

TOOL_SHARE = 0.03
"""The share that has a tool run for it: a process, which starts another."""

FEWEST_TOOLS, MOST_TOOLS = 2, 60
"""Real processes cost real memory, and the server with plain dicts keeps them."""

DELEGATED_SHARE = 0.2
"""The share that has a sub-agent do something."""


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


class Errand(StrEnum):
    """
    What a client asks for with its first prompt, beside an answer.
    """

    TOOL = "run the tool"
    DELEGATE = "have somebody look into it"


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
    errand: Errand | None

    def prompt(self, turn: int) -> str:
        """
        Give what the client says in its turn, from 0.
        """
        return f"question {turn}" if turn or self.errand is None else self.errand

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
            errand=None if fields["errand"] is None else Errand(str(fields["errand"])),
        )


def count_by_ending(sessions: int) -> dict[Ending, int]:
    """
    Share out *sessions*; whatever rounding leaves finishes politely.
    """
    counts = {ending: max(1, int(sessions * share)) for ending, share in SHARES.items()}
    counts[Ending.POLITE] += sessions - sum(counts.values())
    return counts


def tools(sessions: int) -> int:
    """
    Tell how many of *sessions* have a tool run for them.
    """
    return min(MOST_TOOLS, max(FEWEST_TOOLS, round(sessions * TOOL_SHARE)))


def helpers(sessions: int) -> int:
    """
    Tell how many of *sessions* have a sub-agent do something.
    """
    return round(sessions * DELEGATED_SHARE)


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
    errands: list[Errand | None] = [Errand.TOOL] * tools(sessions)
    errands += [Errand.DELEGATE] * helpers(sessions)
    errands += [None] * (sessions - len(errands))
    random.shuffle(errands)
    conversations = [
        Conversation(
            id=f"chat-{random.getrandbits(64):016x}",
            ending=ending,
            start=round(random.uniform(0, window(sessions)), 3),
            turns=random.randint(2, 5),
            gap=round(random.uniform(0.02, 0.25), 3),
            away=round(random.uniform(0.05, 0.6), 3),
            deleted=number in deleted,
            errand=errand,
        )
        for number, (ending, errand) in enumerate(zip(endings, errands, strict=True))
    ]
    return sorted(conversations, key=lambda conversation: conversation.start)


def victims(conversations: list[Conversation]) -> list[list[Conversation]]:
    """
    Cut the conversations that are to be killed into batches, one for each process that dies.
    """
    killed = [one for one in conversations if one.ending is Ending.KILLED]
    return [killed[first : first + BATCH] for first in range(0, len(killed), BATCH)]
