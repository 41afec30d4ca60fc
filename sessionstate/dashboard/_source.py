"""
What the page and the terminal view show, as they get it: JSON objects, and who gives them.

No value of a session is ever among them, only types and sizes; and no id but in the form that the
`redact` function gave it. What names a session in a request is its incarnation, a number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NotRequired, Protocol, TypedDict

Sort = Literal["age", "idle", "deadline", "entries", "resources", "weight"]
Order = Literal["asc", "desc"]
State = Literal["open", "idle", "closing"]

SORTS: Final[tuple[Sort, ...]] = ("age", "idle", "deadline", "entries", "resources", "weight")
ORDERS: Final[tuple[Order, ...]] = ("asc", "desc")
STATES: Final[tuple[State, ...]] = ("open", "idle", "closing")
ROWS: Final = 100
"""Sessions on one page of the table."""
LONGEST_SEARCH: Final = 200
"""Characters of a search."""


class Blocked(TypedDict):
    """The loop does not answer."""

    seconds: float
    stack: list[str]
    """Where its thread is, as ``file:line in function``, the innermost first."""


class Tiles(TypedDict):
    """The figures on top."""

    live: int
    held: int
    idle: int
    closing: int
    unbounded: int
    """Without a deadline: only a holder, or whoever asks for it, can end them."""
    opened_per_minute: float | None
    """None as long as less than a few seconds were seen; so for all that is per minute."""
    closed_per_minute: float | None
    requests: int
    """Requests counted; sessions opened where nobody counts requests."""
    requests_per_minute: float | None
    """None too where nobody counts them."""
    automatic_share: float | None
    """Of the sessions that ended, 0 to 1: ended by a limit rather than by a goodbye."""
    orphans: int | None
    """Sessions that should be gone; None until all were looked at once."""
    rss: int
    """Bytes."""
    loop_delay: float
    """Seconds by which the loop was late, the worst of the last update."""
    clean_up_errors: int
    stuck: int
    abandoned: int
    refused: int


class Sample(TypedDict):
    """One point of the curves."""

    at: float
    """Seconds since the epoch."""
    requests: int
    live: int
    orphans: int | None
    rss: int


class Deadline(TypedDict):
    """A session that ends if nothing happens."""

    incarnation: int
    id: str
    seconds: float
    """Until then; negative if it is overdue."""
    reason: str
    """As which it will end."""


class Minute(TypedDict):
    """The ends of one minute."""

    at: float
    """When it began, in seconds since the epoch."""
    reasons: dict[str, int]
    """Those that occurred."""


class Counted(TypedDict):
    """One map, or one kind of resource."""

    name: str
    kind: str
    """``slot`` for a map or variable; else what kind of resource, which is its name too."""
    entries: int
    orphans: int
    """Entries whose session should be gone."""


class Suspect(TypedDict):
    """A row of the leak report."""

    name: str
    kind: str
    """``map``, ``resource``, ``site`` or ``process``."""
    unit: str
    per: str
    """Of what there were 1000: ``requests``, or ``sessions`` where nobody counts requests."""
    slope: float
    """Growth per 1000 of them."""
    low: float | None
    """Its 99 % interval; None for no limit."""
    high: float | None
    count: int
    """How many there are now."""
    verdict: str
    """``leak``, ``bounded``, ``inconclusive`` or ``warming up``."""
    since: float | None
    """Since when it has grown, in seconds since the epoch, if it has."""
    values: list[float]
    """Its samples, for a small curve; at most 60."""


class Overview(TypedDict):
    """One update of the page."""

    number: int
    """Which update: growing."""
    at: float
    """When, in seconds since the epoch."""
    supervisor: str
    running: bool
    """False once the supervisor was left."""
    uptime: float
    """Seconds since the supervisor was entered."""
    allow_close: bool
    blocked: Blocked | None
    tiles: Tiles
    sample: Sample
    history: NotRequired[list[Sample]]
    """All samples so far, the oldest first; not in a stream's updates but the first."""
    minutes: list[Minute]
    """The last 60 minutes that saw an end, the oldest first."""
    reasons: dict[str, int]
    """Ends since the start, by reason; every reason is a key."""
    deadlines: list[Deadline]
    """The next 50, the earliest first."""
    suspects: list[Suspect]
    """What may leak, the worst first; at most 10."""
    counted: list[Counted]
    """Maps and kinds of resources, the largest first."""
    counted_ago: float | None
    """Seconds since all sessions were counted through; None until they were."""


class Row(TypedDict):
    """A session in the table."""

    incarnation: int
    id: str
    state: State
    group: str | None
    age: float
    idle: float
    """Seconds since it was last used."""
    expires_in: float | None
    """Seconds until its deadline, negative if that has passed; None for never."""
    entries: int
    """Values in maps and variables."""
    resources: int
    """What it owns."""
    weight: float
    holders: int
    children: int
    opened_where: str


class Page(TypedDict):
    """A hundred rows of the table."""

    total: int
    """Live sessions."""
    matching: int
    page: int
    pages: int
    rows: list[Row]


class Relative(TypedDict):
    """A parent or a child."""

    incarnation: int
    id: str
    state: str


class HolderOf(TypedDict):
    """A block that somebody is inside of."""

    where: str
    stack: list[str]
    """Where its task waits, the innermost first; empty if it has none."""


class ResourceOf(TypedDict):
    """Something that a session owns or keeps."""

    kind: str
    name: str
    type: str | None
    """Of a value; None for what is no value."""
    size: int | None
    """Of a value, in bytes, without what it refers to."""
    pid: int | None
    stack: list[str]
    """Where a task waits, the innermost first."""


class Happened(TypedDict):
    """Something that happened to a session."""

    at: float
    """In seconds since the epoch."""
    what: str


class Detail(TypedDict):
    """All that is shown of one session."""

    incarnation: int
    id: str
    state: str
    """Also ``closed``, for one that ended a moment ago."""
    reason: str | None
    """Why it ended, or as what it will end."""
    opened_at: float
    """In seconds since the epoch."""
    age: float
    idle: float
    expires_in: float | None
    group: str | None
    weight: float
    opened_where: str
    opened_by: list[str]
    """What opened it, the innermost first, if it was recorded."""
    used_at: list[str]
    orphan: str | None
    """Why it should be gone, if it should."""
    parent: Relative | None
    children: list[Relative]
    """At most 100."""
    holders: list[HolderOf]
    resources: list[ResourceOf]
    """In the order of their coming, by kind; at most 200."""
    more_resources: int
    """How many there are besides."""
    events: list[Happened]
    """The last 32, the oldest first, of those that were seen while somebody watched."""


@dataclass(frozen=True)
class Query:
    """
    Which rows of the table, in which order.
    """

    sort: Sort = "age"
    order: Order = "desc"
    search: str = ""
    """Part of an id as it is shown, of a group, or of the place that opened it."""
    state: State | None = None
    page: int = 1


class NotAnsweringError(Exception):
    """
    The loop did not answer in time.

    Attributes:
        blocked: For how long, and where it is.
    """

    def __init__(self, blocked: Blocked) -> None:
        self.blocked = blocked
        super().__init__(f"the event loop has not answered for {blocked['seconds']:.1f} s")


class Source(Protocol):
    """
    Who gives what is shown. All of it may wait, and all of it may be cancelled.
    """

    async def overview(self, after: int | None = None) -> Overview:
        """
        Return the newest update, or, of one *after* that number, wait for it.

        Never raises `NotAnsweringError`: an update that is old says by itself that the loop is
        blocked. With *after* it has no history.
        """
        ...

    async def sessions(self, query: Query) -> Page:
        """
        Return a page of the table; beyond the last one, the last.

        Raises:
            NotAnsweringError: If the loop is blocked.
        """
        ...

    async def session(self, incarnation: int) -> Detail | None:
        """
        Return all of one session; None if there is none.

        Raises:
            NotAnsweringError: If the loop is blocked.
        """
        ...

    async def close(self, incarnation: int, by: str) -> bool:
        """
        Decide the end of a session, as `deleted`, and log that it was *by* somebody.

        Returns:
            True if this call decided it; False if there is no such live session.

        Raises:
            NotAnsweringError: If the loop is blocked.
        """
        ...

    async def report(self) -> object:
        """
        Return the leak report of `Supervisor.leak_report`.

        Raises:
            NotAnsweringError: If the loop is blocked.
        """
        ...
