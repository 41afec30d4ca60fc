"""
The figures on top, and the sentences on what is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sessionstate import CloseReason
from sessionstate._cli.top._words import duration, number, percent, size, tail

if TYPE_CHECKING:
    from sessionstate.dashboard._source import Blocked, Overview, Suspect

LATE: Final = 0.1
"""Seconds of the loop's delay that are worth a word."""
STACK_SHOWN: Final = 3
WARNING: Final = "warning"
ERROR: Final = "error"


def figures(overview: Overview) -> list[tuple[str, str, str]]:
    """
    Return the figures as label, value, and what they are: nothing, a warning or an error.
    """
    tiles = overview["tiles"]
    late = tiles["loop_delay"]
    orphans = tiles["orphans"]
    found = [
        ("live", number(tiles["live"]), ""),
        ("held", number(tiles["held"]), ""),
        ("idle", number(tiles["idle"]), ""),
        ("closing", number(tiles["closing"]), ""),
        ("opened/min", number(tiles["opened_per_minute"]), ""),
        ("closed/min", number(tiles["closed_per_minute"]), ""),
        ("automatic", percent(tiles["automatic_share"]), ""),
        ("orphans", number(orphans) + ("!" if orphans else ""), WARNING if orphans else ""),
        ("RSS", size(tiles["rss"]), ""),
        ("loop late", delay(late), WARNING if late >= LATE else ""),
        ("errors", number(tiles["clean_up_errors"]), ERROR if tiles["clean_up_errors"] else ""),
        ("requests", number(tiles["requests"]), ""),
    ]
    for label, count in (
        ("stuck", tiles["stuck"]),
        ("abandoned", tiles["abandoned"]),
        ("refused", tiles["refused"]),
        ("unbounded", tiles["unbounded"]),
    ):
        if count:
            found.append((label, number(count) + "!", WARNING))
    return found


def delay(seconds: float) -> str:
    """
    Return by how much the loop was late.
    """
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else duration(seconds) + "!"


def blocked_sentence(blocked: Blocked, width: int) -> str:
    """
    Tell that the loop does not answer, and where its thread is.
    """
    told = f"BLOCKED: the event loop has not answered for {duration(blocked['seconds'])}"
    stack = [tail(frame, max(width - 7, 20)) for frame in blocked["stack"][:STACK_SHOWN]]
    return "\n".join([told, *(f"  at {frame}" for frame in stack)])


def suspect_interval(suspect: Suspect) -> str:
    """
    Return the interval of a slope.
    """
    low, high = suspect["low"], suspect["high"]
    return f"{amount(low, suspect['unit'])} to {amount(high, suspect['unit'])}"


def amount(value: float | None, unit: str) -> str:
    """
    Return a figure of a suspect with its unit.
    """
    if value is None:
        return "any"
    return size(value) if unit in {"byte", "bytes", "B"} else number(value)


def bars(reasons: dict[str, int]) -> list[tuple[str, int, float, str]]:
    """
    Return reasons, the most frequent first, with their counts, shares, and who asked for them.
    """
    total = sum(reasons.values())
    ordered = sorted(reasons.items(), key=lambda item: -item[1])
    return [
        (reason, count, count / total if total else 0.0, _who(reason)) for reason, count in ordered
    ]


def _who(reason: str) -> str:
    try:
        return "automatic" if CloseReason(reason).automatic else "asked for"
    except ValueError:
        return ""


def matters(suspect: Suspect) -> str:
    """
    Tell whether a suspect is an error, a warning, or nothing.
    """
    return {"leak": ERROR, "inconclusive": WARNING}.get(suspect["verdict"], "")
