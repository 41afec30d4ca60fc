"""
Who is meant by a name, across files.
"""

from __future__ import annotations

import linecache
from pathlib import Path

import pytest

from sessionstate.audit._facts import MODULE
from sessionstate.audit._project import Project, Type
from tests.audit.lowered import func, project
from tests.audit.small import project as written


def imported(sources: dict[str, str], name: str, module: str) -> str | None:
    """
    Return what a name in *module* is, as ``module:name``.
    """
    whole = project(sources)
    found = whole.imported(whole.by_name[module], name)
    return f"{found[0].name}:{found[1]}" if found is not None else None


def find(sources: dict[str, str], name: str, module: str = "server") -> Type | None:
    """
    Return the class that a name in *module* is.
    """
    whole = project(sources)
    return whole.find_type(whole.by_name[module], name)


class TestImported:
    @pytest.mark.parametrize(
        ("line", "name", "meant"),
        [
            ("import app.state", "app", "app:"),
            ("import app.state as kept", "kept", "app.state:"),
            ("from app import state", "state", "app.state:"),
            ("from app.state import agents", "agents", "app.state:agents"),
            ("from app.state import agents as a", "a", "app.state:agents"),
            ("from . import state", "state", "app.state:"),
            ("from .state import agents", "agents", "app.state:agents"),
            ("from ..app.state import agents", "agents", "app.state:agents"),
            ("import asyncio", "asyncio", None),
            ("import asyncio", "agents", None),
            ("from app.server import x", "x", None),
        ],
    )
    def test_forms(self, line: str, name: str, meant: str | None) -> None:
        """
        Each form of an import leads to the module, and to the name in it.
        """
        sources = {"app.__init__": "", "app.state": "agents = {}", "app.server": line}
        assert imported(sources, name, "app.server") == meant

    def test_within_a_package(self) -> None:
        """
        One dot in an ``__init__.py`` is the package itself, two are the one around it.
        """
        sources = {
            "app.sub.__init__": "from .state import agents\nfrom ..other import rooms",
            "app.sub.state": "agents = {}",
            "app.other": "rooms = {}",
        }
        assert imported(sources, "agents", "app.sub") == "app.sub.state:agents"
        assert imported(sources, "rooms", "app.sub") == "app.other:rooms"

    def test_passed_on(self) -> None:
        """
        A name that a module only passes on is that of the module that makes it.
        """
        sources = {
            "app.__init__": "from .state import agents as all_agents",
            "app.state": "agents = {}",
            "app.server": "from app import all_agents",
        }
        assert imported(sources, "all_agents", "app.server") == "app.state:agents"

    def test_passed_on_from_elsewhere(self) -> None:
        """
        A name passed on from another project is known as far as ours goes.
        """
        sources = {"state": "from elsewhere import agents", "server": "from state import agents"}
        assert imported(sources, "agents", "server") == "state:agents"

    def test_made_anew(self) -> None:
        """
        A name that a module imports and then sets is its own.
        """
        sources = {
            "a": "agents = {}",
            "b": "from a import agents\nagents = {}",
            "c": "from b import agents",
        }
        assert imported(sources, "agents", "c") == "b:agents"

    def test_cycle(self) -> None:
        """
        Modules that import a name from each other come to an end.
        """
        sources = {"a": "from b import x", "b": "from a import x"}
        assert imported(sources, "x", "a") in {"a:x", "b:x"}

    @pytest.mark.parametrize("line", ["from src.app.state import x", "from state import x"])
    def test_other_root(self, line: str) -> None:
        """
        A module is found though its name begins elsewhere, if there is only one such.
        """
        assert imported({"app.state": "x = {}", "server": line}, "x", "server") == "app.state:x"

    def test_two_fit(self) -> None:
        """
        Of two modules that fit, none is meant.
        """
        sources = {"a.state": "x = {}", "b.state": "x = {}", "server": "from state import x"}
        assert imported(sources, "x", "server") is None


class TestTypes:
    ROOM = "class Room:\n    def join(self): ..."

    @pytest.mark.parametrize(
        ("source", "name", "other"),
        [
            (ROOM, "Room", ""),
            (ROOM, "@Room", ""),
            ("from rooms import Room", "%Room", ROOM),
            ("from rooms import Room as R", "R", ROOM),
            ("import rooms", "rooms.Room", ROOM),
            ("", "Room", ROOM),
            ("from elsewhere import Room", "Room", ROOM),
            ("from rooms import Hall", "Room", ROOM),
        ],
    )
    def test_found(self, source: str, name: str, other: str) -> None:
        """
        A class is found here, through imports, or as the only one of its name.
        """
        found = find({"server": source, "rooms": other}, name)
        assert found is not None
        assert (found.name, list(found.methods)) == ("Room", ["join"])

    def test_not_found(self) -> None:
        """
        Of two classes of a name elsewhere, none is meant.
        """
        assert find({"server": "", "a": self.ROOM, "b": self.ROOM}, "Room") is None

    def test_asked_twice(self) -> None:
        """
        The second answer is the first one.
        """
        whole = project({"server": self.ROOM})
        module = whole.modules[0]
        assert whole.find_type(module, "Room") is whole.find_type(module, "@Room")

    def test_of_a_function(self) -> None:
        """
        The class of ``self`` is that of the method, or none.
        """
        whole = project({"server": self.ROOM})
        kind = whole.type_of(func(whole, "Room.join"))
        assert kind is whole.types["Room"][0]
        assert whole.type_of(func(whole, MODULE)) is None


class TestLineage:
    def test_bases(self) -> None:
        """
        A class comes before its bases, each of them once, those of others left out.
        """
        whole = project(
            {
                "base": "class Base: ...",
                "server": """
                    from base import Base
                    class A(Base): ...
                    class B(Base, dict): ...
                    class C(A, B): ...
                """,
            }
        )
        kind = whole.types["C"][0]
        assert [each.name for each in whole.lineage(kind)] == ["C", "A", "B", "Base"]
        assert whole.lineage(kind) is whole.lineage(kind)


class TestCallers:
    def test_by_name(self) -> None:
        """
        The callers of a name are all that call it or hand it on.
        """
        whole = project({"server": "def f(): g()\ndef h(): x(g)\ndef g(): ..."})
        assert [each.name for each in whole.callers["g"]] == ["f", "h"]

    def test_named(self) -> None:
        """
        Functions are known by their last name, but a module's own statements are not.
        """
        whole = project({"server": "class A:\n    def f(self): ..."})
        assert MODULE not in whole.named
        assert len(whole.named["f"]) == 1


class TestPlace:
    def test_line(self, tmp_path: Path) -> None:
        """
        A place shows its line.
        """
        linecache.clearcache()
        whole: Project = written(tmp_path, server="agents = {}\n")
        assert whole.place(whole.modules[0], 1).text == "agents = {}"
