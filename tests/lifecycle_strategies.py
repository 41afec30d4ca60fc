"""
What the lifecycle machine draws.
"""

from __future__ import annotations

from hypothesis import strategies as st

from tests.model import Named, Options

IDS = st.sampled_from("abcd")
ANY = st.integers(0, 50)


def maybe(*values: float) -> st.SearchStrategy[float | None]:
    """
    Draw None, which stands for "not named" or "never", or one of *values*.
    """
    return st.sampled_from((None, *values))


OPTIONS = st.builds(
    Options,
    idle_timeout=maybe(40.0, 7.0, 1800.0),
    max_age=maybe(25.0, 3000.0),
    unused_timeout=maybe(5.0),
    stall_timeout=maybe(12.0),
    linger=st.sampled_from((0.0, 6.0)),
    max_sessions=st.integers(1, 3),
    when_full=st.sampled_from(("evict", "evict", "refuse", "wait")),
    open_timeout=maybe(9.0),
)
OWNER = st.builds(
    Named, linger=maybe(0.0, 3.0), max_age=maybe(25.0, 8.0), stall_timeout=maybe(2.0, 90.0)
)
VISITOR = st.builds(
    Named, idle_timeout=maybe(4.0, 300.0), max_age=maybe(25.0), stall_timeout=maybe(2.0, 90.0)
)
OPENED = st.builds(Named, idle_timeout=maybe(4.0, 300.0), max_age=maybe(25.0, 8.0))
