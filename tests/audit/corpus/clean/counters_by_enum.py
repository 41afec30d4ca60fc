"""
The keys are members of an enumeration, of which there are four.
"""

from collections import defaultdict
from enum import Enum

from fastapi import APIRouter

router = APIRouter()


class CloseReason(Enum):
    DONE = "done"
    IDLE = "idle"
    CRASH = "crash"
    KICKED = "kicked"


session_ends: dict[CloseReason, int] = defaultdict(int)  # clean: enum keys


def session_closed(session_id: str, reason: CloseReason) -> None:
    session_ends[reason] += 1


@router.delete("/sessions/{session_id}")
def close(session_id: str, reason: CloseReason = CloseReason.DONE) -> None:
    session_closed(session_id, reason)


@router.get("/session-ends")
def ends() -> dict[str, int]:
    return {reason.value: n for reason, n in session_ends.items()}
