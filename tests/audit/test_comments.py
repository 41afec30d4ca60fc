"""
Comments that accept findings.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionstate.audit._comments import comments

BOUNDED = "# sessionstate: bounded-by"


class TestNoqa:
    @pytest.mark.parametrize(
        ("comment", "accepted"),
        [
            ("# noqa", ["SS001", "SS002b"]),
            ("#NOQA", ["SS001", "SS002b"]),
            ("# noqa because of it", ["SS001", "SS002b"]),
            ("# noqa: SS001", ["SS001"]),
            ("# noqa: ss001", ["SS001"]),
            ("# noqa:SS002", ["SS002b"]),
            ("# noqa: SS002b", ["SS002b"]),
            ("# noqa: SS002a", []),
            ("# noqa: SS001, SS002b", ["SS001", "SS002b"]),
            ("# noqa: E501,SS001", ["SS001"]),
            ("# noqa: E501 SS002b the rest", ["SS002b"]),
            ("# noqa: E501", []),
            ("# noqa: whatever", []),
            ("# noqa-free", []),
            ("# type: ignore # noqa: SS001", ["SS001"]),
            ("# a comment", []),
        ],
    )
    def test_codes(self, comment: str, accepted: list[str]) -> None:
        """
        A bare noqa accepts all, one with codes these; a rule covers its sub-codes.
        """
        found = comments(f"agents[key] = 1  {comment}\n")
        assert [code for code in ("SS001", "SS002b") if found.accepts(code, 1)] == accepted
        assert found.complaints == ()

    def test_only_its_line(self) -> None:
        """
        A noqa is for its own line, and on a line of its own for none.
        """
        found = comments("a = 1\n# noqa\nb = 2\nc = 3  # noqa\nd = 4\n")
        assert [line for line in range(1, 6) if found.accepts("SS001", line)] == [4]

    def test_a_statement_of_several_lines(self) -> None:
        """
        Wherever in a statement the comment stands, it is for all its lines.
        """
        found = comments("a = 1\nagents[key] = Agent(\n    1,  # noqa: SS001\n)\nb = 2\n")
        assert [line for line in range(1, 6) if found.accepts("SS001", line)] == [2, 3, 4]

    def test_a_text_is_no_comment(self) -> None:
        """
        What stands in a string accepts nothing.
        """
        found = comments(f"agents['# noqa'] = '''\n# noqa {BOUNDED}\n'''\n")
        assert not any(found.accepts("SS001", line) for line in range(1, 4))
        assert found.complaints == ()

    def test_an_unknown_rule_is_told(self) -> None:
        """
        A code that looks like ours and is none is a complaint, with advice.
        """
        found = comments("a = 1  # noqa: SS01, SS001\n")
        assert found.accepts("SS001", 1) == "noqa"
        ((line, message),) = found.complaints
        assert (line, message[:41]) == (1, "noqa names 'SS01', which is no rule: writ")


class TestBoundedBy:
    def test_its_reason_is_told(self) -> None:
        """
        It accepts every rule, on its line, for the reason that it gives.
        """
        found = comments(f"agents[key] = 1  {BOUNDED} the number of regions\nb = 1\n")
        assert found.accepts("SS001", 1) == "the number of regions"
        assert found.accepts("SS009", 1) == "the number of regions"
        assert found.accepts("SS001", 2) is None

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("bounded-by: users", "users"),
            ("Bounded-By \N{EN DASH} users", "users"),
            ("bounded-by users # noqa", "users"),
            ("bounded-by issue #12", "issue #12"),
        ],
    )
    def test_forgives(self, text: str, reason: str) -> None:
        """
        A colon, a dash or a comment behind it do no harm.
        """
        assert comments(f"a = 1  # sessionstate: {text}").accepts("SS001", 1) == reason

    def test_above_a_line(self) -> None:
        """
        On a line of its own it is for the next line of code, other comments and blanks between.
        """
        found = comments(f"a = 1\n{BOUNDED} users\n# more\n\nb[key] = (\n    1\n)\nc = 1\n")
        assert [line for line in range(1, 9) if found.accepts("SS001", line)] == [5, 6, 7]

    def test_above_what_is_indented(self) -> None:
        """
        An indentation between does not matter.
        """
        found = comments(f"def f():\n    {BOUNDED} users\n    b[key] = 1\n")
        assert found.accepts("SS001", 3) == "users"

    def test_with_a_noqa(self) -> None:
        """
        What gives a reason is told before what gives none.
        """
        assert comments(f"a = 1  # noqa {BOUNDED} users").accepts("SS001", 1) == "users"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("bounded-by", "bounded-by needs a reason: write what bounds it, as in '# sess"),
            ("bounded-by:  ", "bounded-by needs a reason"),
            ("bounded-by # noqa", "bounded-by needs a reason"),
            ("bounded", "'bounded' is unknown here: write '# sessionstate: bounded-by <reason>'"),
            ("", "'' is unknown here"),
        ],
    )
    def test_what_lacks_a_reason_accepts_nothing(self, text: str, message: str) -> None:
        """
        A missing reason, or an unknown word, is a complaint with its line, and accepts nothing.
        """
        found = comments(f"a = 1\nb = 2  # sessionstate: {text}\n")
        ((line, complaint),) = found.complaints
        assert (line, complaint[: len(message)]) == (2, message)
        assert found.accepts("SS001", 2) == ("noqa" if "noqa" in text else None)

    def test_nothing_below(self) -> None:
        """
        A comment with no code below it is for nothing.
        """
        assert comments(f"a = 1\n{BOUNDED} users").accepts("SS001", 1) is None


class TestBroken:
    @pytest.mark.parametrize(
        "rest",
        ["agents = (\n", "  x\n y\n", "'''\n", "a = 1 \x00\n", "a = $\n", "x = '\n", "\ud800"],
    )
    def test_what_is_read_counts(self, rest: str) -> None:
        """
        Source that breaks off still has the comments before that, and no error.
        """
        found = comments(f"a = 1  # noqa\nb = 2\nif b:\n{rest}")
        assert found.accepts("SS001", 1) in ("noqa", None)
        assert found.accepts("SS001", 2) is None

    def test_a_comment_before_the_break(self) -> None:
        """
        A comment for a line that cannot be read is for nothing.
        """
        found = comments(f"a = 1\n{BOUNDED} users\n'''")
        assert found.accepts("SS001", 1) is None

    @given(st.text(alphabet="a=1(['\"\\\n\t #:noqasessionstate\r\x0c{}", max_size=60))
    def test_nothing_fails(self, source: str) -> None:
        """
        Whatever the source is, its comments can be asked for.
        """
        comments(f"{source}# noqa").accepts("SS001", 1)

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_line_ends(self, end: str) -> None:
        """
        Lines end as the interpreter says.
        """
        assert comments(f"a = 1{end}b = 2  # noqa{end}").accepts("SS001", 2) == "noqa"
