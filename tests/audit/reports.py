"""
Reports as an audit could have made them.
"""

from __future__ import annotations

from typing import Final

from sessionstate.audit._findings import (
    Accepted,
    Confidence,
    Container,
    Exit,
    Finding,
    Place,
    Problem,
    Report,
    Severity,
    Verdict,
)

SOURCE: Final = """\
agents: dict[str, Agent] = {}


async def converse(session_id: str, prompt: str) -> None:
    agents[session_id] = Agent(prompt)  # one for each chat
    await agents[session_id].run(prompt)
    if prompt == "quit":
        return
    agents.pop(session_id, None)
"""

FINDING: Final = Finding(
    rule="SS002",
    code="SS002b",
    path="app/agents.py",
    line=5,
    column=5,
    container="agents",
    severity=Severity.WARNING,
    confidence=Confidence.MEDIUM,
    message="an entry stays if converse is left before line 9",
    exits=(
        Exit(6, "cancelled", "leaks if cancelled at line 6"),
        Exit(8, "return", "leaks if it returns at line 8"),
    ),
    writes=(
        Place("app/agents.py", 5, 5, "agents[session_id] = Agent(prompt)  # one for each chat"),
    ),
    removals=(Place("app/agents.py", 9, 5, "agents.pop(session_id, None)"),),
    defined=Place("app/agents.py", 1, 1, "agents: dict[str, Agent] = {}"),
    advice="remove it in a finally, as the first step",
)

NEVER: Final = Finding(
    rule="SS001",
    code="SS001",
    path="app/sockets.py",
    line=104,
    column=9,
    container="Manager._sockets",
    severity=Severity.ERROR,
    confidence=Confidence.HIGH,
    message="grows by client_id, and nothing is ever removed",
    writes=(
        Place("app/sockets.py", 104, 9, "self._sockets[client_id] = socket"),
        Place("app/sockets.py", 140, 9, "self._sockets[client_id] = other"),
    ),
    advice="remove it where the connection ends",
)

CONTAINERS: Final = (
    Container(
        "agents",
        "dict",
        Place("app/agents.py", 1, 1, "agents: dict[str, Agent] = {}"),
        Verdict.LEAK,
        "not on every way out",
        1,
        1,
        "SS002b",
    ),
    Container(
        "regions",
        "dict",
        Place("app/regions.py", 12, 1, "regions = {}"),
        Verdict.ACCEPTED,
        "the number of regions",
        2,
        0,
        "SS001",
    ),
    Container(
        "Manager._turns",
        "defaultdict",
        Place("app/sockets.py", 20, 9, "self._turns = defaultdict(list)"),
        Verdict.CLEAN,
        "removed in a finally at line 44",
        3,
        1,
    ),
)

REPORT: Final = Report(
    findings=(FINDING, NEVER),
    containers=CONTAINERS,
    accepted=(Accepted(NEVER, "the number of clients"),),
    problems=(Problem("app/old.py", "line 3: invalid syntax", 3),),
    files=120,
    lines=9000,
    hidden=2,
)

CLEAN: Final = Report((), files=7)

NASTY: Final = "a\x1b[31m\r\n\t\u202e|`<b>@all\ud800"
"""What a name may hold, and must not do."""


def line_at(path: str, line: int) -> str:
    """
    Return the lines of `SOURCE`, as if it were the first file.
    """
    lines = SOURCE.splitlines()
    return lines[line - 1] if path == FINDING.path and line <= len(lines) else ""


def full(*_: object, **__: object) -> None:
    """
    Write, or mend, on a disk that is full.
    """
    raise OSError(28, "No space left")
