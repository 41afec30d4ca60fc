"""
What one expression says of itself.
"""

from __future__ import annotations

import ast

import pytest

from sessionstate.audit._nodes import annotated, constructed, dotted, written


def expression(text: str) -> ast.expr:
    """
    Return *text*, parsed.
    """
    return ast.parse(text, mode="eval").body


class TestConstructed:
    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ("{}", "dict"),
            ("{k: v for k, v in x}", "dict"),
            ("{1}", "set"),
            ("{k for k in x}", "set"),
            ("[]", "list"),
            ("[k for k in x]", "list"),
            ("dict()", "dict"),
            ("collections.OrderedDict()", "OrderedDict"),
            ("dict[str, int]()", "dict"),
            ("deque()", "deque"),
            ("deque(x, 5)", "deque(maxlen)"),
            ("deque(maxlen=5)", "deque(maxlen)"),
            ("deque(maxlen=None)", "deque"),
            ("defaultdict(list)", "defaultdict(list)"),
            ("defaultdict(asyncio.Lock)", "defaultdict(Lock)"),
            ("defaultdict()", "defaultdict"),
            ("given or {}", "dict"),
            ("given or other", ""),
            ("[] if x else y", "list"),
            ("x if y else set()", "set"),
            ("field(default_factory=dict)", "dict"),
            ("field(default_factory=lambda: defaultdict(set))", "defaultdict(set)"),
            ("attr.ib(factory=list)", "list"),
            ("Factory(set)", "set"),
            ("field(default=None)", ""),
            ("open(path)", ""),
            ("functions[0]()", ""),
            ("name", ""),
        ],
    )
    def test_kind(self, text: str, kind: str) -> None:
        """
        What grows is known by the literal, the name or the factory that makes it.
        """
        assert constructed(expression(text)) == kind

    def test_nothing(self) -> None:
        """
        A declaration without a value makes nothing.
        """
        assert constructed(None) == ""


class TestAnnotated:
    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("Agent", "Agent"),
            ("models.Agent", "Agent"),
            ("'Agent'", "Agent"),
            ("'not an annotation'", ""),
            ("'\\0'", ""),
            ("Agent | None", "Agent"),
            ("None | Agent", "Agent"),
            ("Optional[Agent]", "Agent"),
            ("Union[Agent, int]", "Agent"),
            ("ClassVar[dict[str, int]]", "dict"),
            ("dict[str, Agent]", "dict"),
            ("None", ""),
            ("1", ""),
            ("[int]", ""),
        ],
    )
    def test_name(self, text: str, name: str) -> None:
        """
        Of an annotation the first class counts that is not None.
        """
        assert annotated(expression(text)) == name


class TestDotted:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("request.client.host", "request.client.host"),
            ("uuid4().hex", "uuid4().hex"),
            ("event['user']", "event.user"),
            ("events[0]", "events[]"),
            ("(await request.json())", "request.json()"),
            ("1", ""),
        ],
    )
    def test_text(self, text: str, shown: str) -> None:
        """
        Names, calls and keys are joined by dots.
        """
        assert dotted(expression(text)) == shown


class TestWritten:
    def test_constant(self) -> None:
        """
        A constant is written as in the source.
        """
        assert written(ast.Constant(b"x")) == "b'x'"

    def test_long_number(self) -> None:
        """
        A number that the interpreter refuses to write does not stop the audit.
        """
        assert written(ast.Constant(16**5000)) == "a long number"
