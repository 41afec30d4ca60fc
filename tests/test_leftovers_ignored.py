"""
What may be left is named by patterns, for the kind, the name or the place.
"""

from __future__ import annotations

import pytest

from sessionstate.testing._leftovers import Census, Leftover


class TestIgnore:
    @pytest.mark.parametrize(
        ("pattern", "fits"),
        [
            ("session chat-*", True),
            ("chat-42", True),
            ("*/chat.py:*", True),
            ("session *", True),
            ("session other", False),
            ("task *", False),
        ],
    )
    def test_by_name_and_place(self, pattern: str, fits: bool) -> None:
        """
        A pattern fits the kind with the name, the name alone, or the place.
        """
        left = Leftover("session", "chat-42", 1.0, "idle", "/srv/chat.py:12")
        now = Census({("session", 1): left})
        assert left.matches(pattern) is fits
        assert now.since(Census({}), ignore=[pattern]) == ([] if fits else [left])

    @pytest.mark.parametrize(
        ("name", "fits", "other"),
        [
            ("chat[1]", ["chat[1]", "session chat[1]", "chat[[]1]", "chat[12]", "chat[*"], "chat2"),
            ("test_it[a*]", ["test_it[a*]", "test_it[[]a[*]]", "test_it*", "*[a?]"], "test_ita"),
            ("[x", ["[x", "[[]x", "[*"], "x"),
        ],
    )
    def test_with_brackets(self, name: str, fits: list[str], other: str) -> None:
        """
        A bracket in a pattern fits itself, and begins a choice of characters as well.
        """
        left = Leftover("session", name)
        given = [each for each in [*fits, left.pattern] if each != "chat[12]"]
        assert [each for each in given if not left.matches(each)] == []
        assert not left.matches(other)
        assert Leftover("session", "chat2").matches("chat[12]")

    @pytest.mark.parametrize("pattern", ["*/pool.py:*", r"*\pool.py:*"])
    def test_of_windows(self, pattern: str) -> None:
        """
        A place on Windows is named with slashes as well.
        """
        left = Leftover("session", "a", None, None, "C:\\srv\\pool.py:12")
        assert left.matches(pattern)

    def test_without_a_place(self) -> None:
        """
        What has no place is told in one line, and fits no place.
        """
        left = Leftover("child process", "12, sleep")
        assert left.text == "child process 12, sleep"
        assert not left.matches("*.py:*")

    @pytest.mark.parametrize("name", ["x" * 1_000_000, "a\nb", "\x1b[2J"])
    def test_names_that_cannot_be_shown(self, name: str) -> None:
        """
        A name that would not fit on a line is told in short, and what is suggested fits it.
        """
        left = Leftover("session", name, reason="idle")
        assert left.text.endswith(": idle")
        assert left.text.isprintable()
        assert len(left.text) < 300
        assert len(left.pattern) < 300
        assert left.matches(left.pattern)
        assert not Leftover("session", "other").matches(left.pattern)
