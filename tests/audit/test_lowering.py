"""
What statements do, and how they are joined to blocks.
"""

from __future__ import annotations

import pytest

from sessionstate.audit._lowering import CALLED, DO, IF, LOOP, RAISE, RETURN, TRY, WITH
from tests.audit.lowered import done, events, facts, function, method


class TestBlocks:
    @pytest.mark.parametrize(
        ("body", "tags"),
        [
            ("pass", []),
            ("x = 1", []),
            ("work()", [DO]),
            ("assert work()", [DO]),
            ("if self.x:\n    pass", []),
            ("if work():\n    pass", [IF]),
            ("if self.x:\n    work()", [IF]),
            ("if self.x:\n    pass\nelse:\n    work()", [IF]),
            ("for x in y:\n    pass", [LOOP]),
            ("while True:\n    break", [LOOP]),
            ("try:\n    pass\nfinally:\n    pass", [TRY]),
            ("with x:\n    pass", [WITH]),
            ("match x:\n    case 1:\n        pass", [IF]),
            ("return", [RETURN]),
            ("raise", [RAISE]),
        ],
    )
    def test_kinds(self, body: str, tags: list[str]) -> None:
        """
        Statements in which nothing happens are left out.
        """
        assert [each[0] for each in method(body).block()] == tags

    def test_return(self) -> None:
        """
        A container that is returned escapes.
        """
        assert done("return self.a") == ["self.a return"]
        assert done("return self.a.get(1)") == ["self.a get"]

    def test_raise(self) -> None:
        """
        A raise tells the last name of its type.
        """
        assert method("raise errors.Full(1)").block()[0][3] == "Full"
        assert method("raise").block()[0][3] == ""

    def test_while(self) -> None:
        """
        A loop is for ever if its test is a true constant.
        """
        forever = [
            method(f"while {test}:\n    pass").block()[0][3] for test in ("True", "0", "self.x")
        ]
        assert forever == [True, False, False]

    def test_handlers(self) -> None:
        """
        A handler tells the last names of what it catches, and binds its name.
        """
        body = """
            try:
                pass
            except a.Full:
                pass
            except (a.Gone, OSError) as error:
                error.clear()
            except:
                pass
        """
        handlers = method(body).block()[0][3]
        assert [each[0] for each in handlers] == [("Full",), ("Gone", "OSError"), ()]
        assert handlers[1][2][0][2][0][1] == "$error"

    def test_entered(self) -> None:
        """
        What is entered is told as text, with its arguments, and bound to its name.
        """
        block = method(
            "with suppress(KeyError), self.a as (b, c), Room() as d:\n    d.clear()"
        ).block()
        assert [each[0] for each in block[0][2]] == ["suppress() KeyError", "self.a", "Room()"]
        assert block[0][3][0][2][0][1] == "%Room"

    def test_match(self) -> None:
        """
        The cases of a match are read in the order of the source, as a chain of choices.
        """
        body = """
            match self.x:
                case Room(name=n) if n.one():
                    n.two()
                case [_, *_] | None:
                    three()
        """
        assert done(body) == ["$n one", "$n two", "@three ()"]


class TestGuards:
    @pytest.mark.parametrize(
        ("test", "guards"),
        [
            ("k in self.a", ((True, "self.a"),)),
            ("k not in self.a", ((False, "self.a"),)),
            ("not k in self.a", ((False, "self.a"),)),
            ("k in 'x'", ()),
            ("k in self.a and k in self.b", ((True, "self.a"),)),
            ("k in self.a and self.x > 1", ()),
            ("k in self.a or k in self.b", ()),
            ("self.a.get(k) is me", ((True, "self.a.*"),)),
            ("self.a.get(k) is None", ((False, "self.a.*"),)),
            ("self.a.get(k) == None", ((False, "self.a.*"),)),
            ("self.a.get(k) is not None", ((True, "self.a.*"),)),
            ("self.a.get(k) != me", ((False, "self.a.*"),)),
            ("self.a.get(k) > 1", ((True, "self.a.*"),)),
            ("1 < k < 2", ()),
            ("me == 1", ()),
            ("self.a", ((True, "self.a"),)),
            ("not self.a", ((False, "self.a"),)),
            ("(x := self.a.get(k))", ((True, "self.a.*"),)),
            ("self.a[k]", ((True, "self.a.*"),)),
            ("me", ()),
            ("-me", ()),
            ("self.claim(k)", ((True, CALLED),)),
            ("await self.claim(k)", ((True, CALLED),)),
        ],
    )
    def test_guards(self, test: str, guards: tuple[tuple[bool, str], ...]) -> None:
        """
        A test tells which containers it asks for an entry, and how.
        """
        assert method(f"if {test}:\n    work()", "k", "me").block()[0][3] == guards

    def test_about(self) -> None:
        """
        A test tells the names in it.
        """
        assert method("if len(self.a) > MAX:\n    work()").block()[0][4] == "MAX len a self"


class TestStatements:
    @pytest.mark.parametrize(
        ("body", "happened"),
        [
            ("self.a[k] += 1", ["self.a []+="]),
            ("self.a['x'] += 1", []),
            ("make()[k] += 1", ["@make ()", "? []+="]),
            ("self.a |= k", ["self.a |="]),
            ("self.a -= k", ["self.a -="]),
            ("self.a &= k", ["self.a &="]),
            ("self.a += k", ["self.a +=[]"]),
            ("self.a *= k", []),
            ("x += 1", ["@x +=[]"]),
            ("k += 1", []),
            ("del self.a[k]", ["self.a del[]"]),
            ("del make()[k]", ["@make ()", "? del[]"]),
            ("del self.a", ["self.a del"]),
            ("del k", []),
        ],
    )
    def test_in_place(self, body: str, happened: list[str]) -> None:
        """
        What is changed in place, or deleted, is told from a name that is bound anew.
        """
        assert done(body, "k") == happened

    def test_slice_deleted(self) -> None:
        """
        To delete a slice is to delete by no key of a session.
        """
        assert events("del self.a[1:]")[0][5] == "s:"

    @pytest.mark.parametrize(
        ("line", "made"),
        [
            ("self.a: dict[str, int] = {}", [("self.a", "dict", "")]),
            ("self.a: dict = make()", [("self.a", "dict", "")]),
            ("self.a: dict | None = None", []),
            ("self.a: Room = make()", [("self.a", "", "%Room")]),
            ("self.a: Base = Room()", [("self.a", "", "%Room")]),
            ("self.a: Room", [("self.a", "", "%Room")]),
            ("a: Room", []),
        ],
    )
    def test_annotated(self, line: str, made: list[tuple[str, str, str]]) -> None:
        """
        An annotation tells the class, or that something is a container which a call makes.
        """
        found = [(each[0], each[1], each[4]) for each in method(line).makes]
        assert found == made

    def test_decorators(self) -> None:
        """
        What decorates is called; what a default or a base calls is, too.
        """
        source = """
            def f():
                @app.on
                @plain
                @app.get("/")
                def g(x=one(), *, y=two()): ...
                @plain
                class C(three()): ...
                g()
        """
        block = function(source, "f").block()
        told = [f"{event[1]} {event[2]}" for each in block for event in each[2]]
        assert told == [
            "@app on",
            "@plain ()",
            "@app get",
            "@one ()",
            "@two ()",
            "@plain ()",
            "@three ()",
            "^f>g ()",
        ]

    def test_imports(self) -> None:
        """
        An import tells what a name stands for.
        """
        source = (
            "import a.b\nimport c.d as e\nfrom f import g as h\nfrom . import i\nfrom ..j import k"
        )
        assert facts(source).imports == {
            "a": "a",
            "e": "c.d",
            "h": "f:g",
            "i": ".:i",
            "k": "..j:k",
        }

    def test_nonlocal(self) -> None:
        """
        A name declared nonlocal is that of the enclosing function.
        """
        source = """
            def f():
                seen = {}
                def g():
                    nonlocal seen
                    seen.pop(1)
        """
        assert function(source, "f.g").block()[0][2][0][1] == "^f>seen"

    def test_nonlocal_of_nothing(self) -> None:
        """
        A nonlocal in a class body that encloses no function does not stop the audit.
        """
        assert facts("class A:\n    def f(self):\n        nonlocal x").functions[2].touches == ()
