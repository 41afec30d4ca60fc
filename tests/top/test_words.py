from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from sessionstate._cli.top._words import bar, curve, cut, duration, number, plain, size, tail, until
from tests.top.data import HOSTILE


class TestForeignText:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("chat-42", "chat-42"),
            ("[red]x[/red]", "[red]x[/red]"),
            ("\x1b[31m\r\n\t\x00", "\\x1b[31m\\r\\n\\t\\x00"),
            ("\u202eabc\u200b", "\\u202eabc\\u200b"),
            ("\ud800", "\\ud800"),
            ("a\u2028b\u3000c", "a\\u2028b\\u3000c"),
            ("e\u0301\u0323\u0301", "e\u0301\u0323\\u0301"),
            ("\u2764\ufe0f", "\u2764\\ufe0f"),
            ("\u6f22\u05e9\u0434", "\u6f22\u05e9\u0434"),
        ],
    )
    def test_what_is_not_visible_is_escaped(self, text: str, shown: str) -> None:
        """
        Control, formatting and lone characters are written out; scripts of people stay.
        """
        assert plain(text) == shown

    @given(
        st.one_of(st.text(st.characters(), max_size=80), st.sampled_from(HOSTILE)),
        st.integers(8, 60),
    )
    def test_it_is_as_wide_as_was_said(self, text: str, width: int) -> None:
        """
        Cut text fits its columns, has no control character, and tells that it was cut.
        """
        shown = cut(text, width)
        assert cell_len(shown) <= width
        assert shown.isprintable()
        assert shown == plain(text) or shown.endswith("\u2026")
        end = tail(text, width)
        assert cell_len(end) <= width
        assert end == shown or (end.isprintable() and end.startswith("\u2026"))


class TestFigures:
    def test_durations_have_two_units(self) -> None:
        """
        A length of time is told in the two units that matter.
        """
        lengths = (None, 0.04, 9.9, 59.2, 61.0, 3599.9, 7384.0, 180_000.0, -65.0)
        assert [duration(each) for each in lengths] == [
            "-",
            "0.0 s",
            "9.9 s",
            "59 s",
            "1 m 01 s",
            "59 m 59 s",
            "2 h 03 m",
            "2 d 02 h",
            "-1 m 05 s",
        ]
        assert [until(each) for each in (None, 12.0, -12.0)] == ["never", "12 s", "late 12 s"]

    def test_sizes_have_a_unit(self) -> None:
        """
        Bytes are told in the largest unit that they fill.
        """
        assert [size(each) for each in (0, 1023, 1536, 123_456_789, 2**40, 2**60)] == [
            "0 B",
            "1023 B",
            "1.5 KiB",
            "118 MiB",
            "1.0 TiB",
            "1048576 TiB",
        ]
        assert [number(each) for each in (None, 1_234_567, 0.123, 118.44)] == [
            "-",
            "1,234,567",
            "0.12",
            "118.4",
        ]

    def test_curves_show_peaks(self) -> None:
        """
        A curve that is narrower than its values shows the most of each part.
        """
        assert curve([], 5) == ""
        assert curve([None, None], 5) == ""
        assert curve([3.0, 3.0], 5) == "\u2581\u2581"
        assert curve([0.0] * 50 + [9.0] + [0.0] * 49, 4) == "\u2581\u2581\u2588\u2581"

    def test_a_little_is_not_nothing(self) -> None:
        """
        A bar of anything is seen.
        """
        assert (bar(0.0, 10), bar(0.001, 10), bar(1.0, 10)) == ("", "\u2588", "\u2588" * 10)
