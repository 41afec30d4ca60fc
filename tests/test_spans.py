"""
How long something has lasted, for people.
"""

from __future__ import annotations

import pytest

from sessionstate._spans import span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.25, "0.25 s"),
        (59.4, "59.4 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (7500.4, "2 h 5 min"),
        (7200, "2 h"),
        (8 * 86_400 + 7200 + 60, "8 d 2 h"),
    ],
)
def test_two_units(seconds: float, text: str) -> None:
    """
    A span of time is told in its two largest units, and exactly where it is short.
    """
    assert span(seconds) == text
