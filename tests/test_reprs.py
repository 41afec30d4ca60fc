"""
What reports show of somebody's objects.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from sessionstate.testing._reprs import LONGEST, short_repr


class Long:
    """
    Something that says a lot.
    """

    def __repr__(self) -> str:
        return "line\n\r" * 100_000


class Silent:
    """
    Something that cannot be shown.
    """

    def __repr__(self) -> str:
        raise RuntimeError


class TestShortRepr:
    @pytest.mark.parametrize(
        "thing", ["chat-3", ("user", 7), {"a": [1]}, None, b"x", ValueError(3)]
    )
    def test_what_is_short_is_whole(self, thing: object) -> None:
        """
        What fits is shown as it is.
        """
        assert short_repr(thing) == repr(thing)

    @pytest.mark.parametrize(
        "thing", ["x" * 10**6, b"x" * 10**6, Long(), [["x" * 150] * 9] * 9], ids=type
    )
    def test_what_is_long_is_cut(self, thing: Any) -> None:
        """
        What is long is cut in its middle, and has no line ends.
        """
        text = short_repr(thing)
        assert len(text) <= 2 * LONGEST
        assert "..." in text
        assert len(text.splitlines()) == 1

    @pytest.mark.parametrize(
        "thing", [Silent(), [Silent()], 10**5000, {Silent(): 1}], ids=["one", "list", "int", "dict"]
    )
    def test_what_cannot_be_shown_is_named(self, thing: object) -> None:
        """
        Where the repr raises, the type is named.
        """
        assert re.search("Silent|int", short_repr(thing))
