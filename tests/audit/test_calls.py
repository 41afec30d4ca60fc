"""
What each kind of expression does.
"""

from __future__ import annotations

import pytest

from tests.audit.lowered import done, events, method


class TestCall:
    def test_arguments(self) -> None:
        """
        Each argument is a path, a new container or the key of anything else.
        """
        event = events("work(self.a, {}, 1, given.id, -given, name=self.b, **given)", "given")[-1]
        assert event[6] == (
            "self.a",
            "=dict",
            "~c:1",
            "$given.id",
            "~r:",
            "name=self.b",
            "**=$given",
        )

    def test_value(self) -> None:
        """
        What is put in is told by what makes it: the second argument, or the only one.
        """
        assert events("self.a.setdefault(1, [])")[-1][7] == "=list"
        assert events("self.a.append(make())")[-1][7] == "make()"
        assert events("self.a.clear()")[-1][7] == ""

    @pytest.mark.parametrize(
        ("body", "happened"),
        [
            ("self.a.__setitem__(1, 2)", ["self.a []="]),
            ("self.a.__delitem__(1)", ["self.a del[]"]),
            ("self.a.__getitem__(1)", ["self.a []"]),
            ("heappush(self.a, 1)", ["self.a append", "@heappush ()"]),
            ("heapq.heappop(self.a)", ["self.a heappop", "@heapq heappop"]),
            ("heapq.heappush(heap=self.a)", ["@heapq heappush"]),
            ("heapq.heappop(make())", ["@make ()", "@heapq heappop"]),
        ],
    )
    def test_other_words(self, body: str, happened: list[str]) -> None:
        """
        What does the same by another name is said in the same words.
        """
        assert done(body) == happened

    @pytest.mark.parametrize("view", ["values", "items", "keys", "copy", "popleft", "popitem"])
    def test_views(self, view: str) -> None:
        """
        A view of a container is none that is kept.
        """
        assert done(f"self.a.{view}().clear()")[-1] == "? clear"

    def test_names(self) -> None:
        """
        The names of what is called are gathered, those within lambdas too.
        """
        calls = method("self.on(lambda: self.leave())\nwork()").calls
        assert {"on", "leave", "work"} <= set(calls)


class TestCompare:
    def test_in(self) -> None:
        """
        A membership test asks the container, any other comparison does not.
        """
        assert done("given in self.a\ngiven == self.b\ngiven not in 'x'", "given") == ["self.a in"]


class TestSubscript:
    def test_slice(self) -> None:
        """
        The bounds of a slice are walked.
        """
        assert done("self.a[one():two()]") == ["@one ()", "@two ()"]

    def test_of_nothing(self) -> None:
        """
        The key of what is not known is walked all the same.
        """
        assert done("'x'[one()]") == ["@one ()"]


class TestOthers:
    @pytest.mark.parametrize("text", ["-{0}", "f'{{{0}}}'", "[{0}]", "work(*{0})", "{0} < 1"])
    def test_inside(self, text: str) -> None:
        """
        What is called inside any expression happens.
        """
        assert done(text.format("one()"))[0] == "@one ()"
