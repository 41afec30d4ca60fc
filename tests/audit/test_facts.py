"""
What is known of a file.
"""

from __future__ import annotations

import pytest

from sessionstate.audit._facts import ASYNC, MODULE, RAISES, STATIC, YIELDS, Facts, facts_of
from tests.audit.lowered import facts, function, method

SOURCE = """
    import asyncio
    from typing import Generic

    agents: dict[str, Agent] = {}

    @dataclass
    class Server(Base, Generic[T]):
        rooms = {}

        @staticmethod
        def one(name): ...

        @app.get("/x", methods=["GET"], other=1)
        @lru_cache(maxsize=None)
        @app.on
        @(lambda f: f)
        async def two(this, id: str, *, room: Room | None, **rest):
            yield this
            raise ValueError
"""


class TestFunctions:
    def test_names(self) -> None:
        """
        The module's own statements come first, and a class before its methods.
        """
        named = [each.qualname for each in facts(SOURCE).functions]
        assert named == [MODULE, "Server", "Server.one", "Server.two"]

    def test_name(self) -> None:
        """
        The name of a function is its last one.
        """
        assert function(SOURCE, "Server.two").name == "two"

    def test_flags(self) -> None:
        """
        It is known whether a function is asynchronous, a generator, static, and raises.
        """
        assert function(SOURCE, "Server.one").flags == STATIC
        assert function(SOURCE, "Server.two").flags == ASYNC | YIELDS | RAISES
        assert (
            function("def f():\n    try:\n        x()\n    except E:\n        raise", "f").flags
            == 0
        )

    def test_parameters(self) -> None:
        """
        Each parameter is told with its class, but for what gathers the rest.
        """
        assert function(SOURCE, "Server.two").parameters == (
            ("this", ""),
            ("id", "str"),
            ("room", "Room"),
        )

    def test_decorators(self) -> None:
        """
        A decorator is told with its first constant and what says for which methods or sizes it is.
        """
        assert function(SOURCE, "Server.two").decorators == (
            "app.get() /x methods=['GET']",
            "lru_cache() maxsize=None",
            "app.on",
            "?",
        )

    def test_decorator_of_a_name(self) -> None:
        """
        What a decorator is given that is no constant is not told.
        """
        assert function("@on(x)\n@off()\ndef f(): ...", "f").decorators == ("on()", "off()")

    def test_self(self) -> None:
        """
        The first parameter of a method is the instance, whatever its name, unless it is static.
        """
        source = """
            class A:
                def f(this):
                    this.a.pop(1)

                @staticmethod
                def g(x):
                    x.pop(1)

                def h(): ...
        """
        assert function(source, "A.f").touches == (("self.a", "pop"),)
        assert function(source, "A.g").touches == (("$x", "pop"),)
        assert function(source, "A.f").cls == "A"

    def test_class_scope(self) -> None:
        """
        A method does not see the names of its class, but those of the function around it.
        """
        source = """
            def make(seen):
                kept = {}
                class A:
                    kept = []
                    def f(self):
                        kept.pop(1)
        """
        assert function(source, "make.A.f").touches == (("^make>kept", "pop"),)

    def test_typed_parameter(self) -> None:
        """
        A parameter with a class is an instance of it; Any and Callable say nothing.
        """
        touched = method(
            "a.x.pop(1)\nb.x.pop(1)\nc.x.pop(1)", "a: Room", "b: Any", "c: str"
        ).touches
        assert [path for path, _ in touched] == ["%Room.x", "$b.x", "$c.x"]


class TestTouches:
    def test_touches(self) -> None:
        """
        Each path that is changed is told with how; that it is read is not.
        """
        function = method("self.a[k] = 1\nself.a[k] = 2\nself.b.pop(k)\nself.c.get(k)", "k")
        assert function.touches == (("self.a", "[]="), ("self.b", "pop"))

    def test_handed_on(self) -> None:
        """
        A removal that is handed on is told, and so is the name of whatever is.
        """
        function = method("x.add_done_callback(self.tasks.discard)\nwork(cb=self.leave)")
        assert ("self.tasks", "discard") in function.touches
        assert {"discard", "leave"} <= set(function.calls)

    def test_text_handed_on(self) -> None:
        """
        A text that is handed on has no name, whatever is in it.
        """
        assert method('work(k=f"{event.get(id)}")', "event", "id").calls == ("get", "id", "work")

    def test_in_a_lambda(self) -> None:
        """
        What a lambda will do is told.
        """
        assert method("x(lambda: self.a.pop(1))").touches == (("self.a", "pop"),)

    def test_makes(self) -> None:
        """
        Each path set to a container or an instance is told, with where.
        """
        assert method("self.a = {}\nself.b = Room()\nself.c = 1").makes == (
            ("self.a", "dict", 3, 9, ""),
            ("self.b", "", 4, 9, "%Room"),
        )


class TestClasses:
    def test_bases(self) -> None:
        """
        A class is told with its bases, without their parameters, and its decorators.
        """
        (kind,) = facts(SOURCE).classes
        assert (kind.qualname, kind.bases) == ("Server", ("Base", "Generic"))
        assert kind.decorators == ("dataclass",)


class TestStored:
    def test_round_trip(self) -> None:
        """
        Facts are the same after they were stored.
        """
        whole = facts(SOURCE)
        assert Facts.read(whole.stored()) == whole

    @pytest.mark.parametrize("source", ["a = 1\nb = 2\n", b"a = 1\nb = 2\n"])
    def test_lines(self, source: str | bytes) -> None:
        """
        Lines are counted in text and in bytes.
        """
        assert facts_of(source, "file.py").lines == 3

    def test_unreadable(self) -> None:
        """
        What cannot be parsed is an error of the caller's.
        """
        with pytest.raises(SyntaxError):
            facts("def")

    def test_long_number(self) -> None:
        """
        A number too long to be written does not lose the file.
        """
        assert facts(f"x[{hex(16**5000)}] = f({hex(16**5000)})").functions[0].touches
