from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionstate._cli.top import _server_events
from sessionstate._cli.top._server_events import ServerEvent, ServerEvents, TooLongError

STREAM = (
    "\ufeff: a comment\n\n"
    'event: update\r\ndata: {"a":\u2028\u00e9\x85 1}\r\nid: 7\r\n\r\n'
    "data:one\rdata:  two\rretry: 10\r\r"
    "event: empty\n\n"
    "data\n\n"
    "unknown: x\ndata: last\n\n"
    "data: cut off"
).encode()
EVENTS = [
    ServerEvent("update", '{"a":\u2028\u00e9\x85 1}'),
    ServerEvent("message", "one\n two"),
    ServerEvent("message", ""),
    ServerEvent("message", "last"),
]


class TestServerEvents:
    def test_whole(self) -> None:
        """
        Fields, comments, line ends and the byte order mark are read as the standard has them.
        """
        assert [*ServerEvents().feed(STREAM)] == EVENTS

    @given(st.lists(st.integers(0, len(STREAM)), max_size=12))
    def test_cut_anywhere(self, cuts: list[int]) -> None:
        """
        Where the network cut the bytes, even inside a character or a line end, changes nothing.
        """
        edges = [0, *sorted(cuts), len(STREAM)]
        events = ServerEvents()
        found: list[ServerEvent] = []
        for begin, end in pairwise(edges):
            found += events.feed(STREAM[begin:end])
        assert found == EVENTS

    def test_byte_by_byte(self) -> None:
        """
        A stream of single bytes gives the same events.
        """
        events = ServerEvents()
        assert [each for byte in STREAM for each in events.feed(bytes([byte]))] == EVENTS

    def test_no_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        What never ends is refused before it fills the memory, and what ends in time is not.
        """
        monkeypatch.setattr(_server_events, "LONGEST", 100)
        events = ServerEvents()
        for _ in range(50):
            assert [*events.feed(b"data: " + b"x" * 80 + b"\n\n")]
        with pytest.raises(TooLongError, match="more than 100 characters"):
            for _ in range(50):
                assert not [*events.feed(b"data: xxxxx\n")]
