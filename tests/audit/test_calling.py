"""
Where a function is called, or handed on.
"""

from __future__ import annotations

import pytest

from sessionstate.audit._calling import Calls
from sessionstate.audit._containers import Containers
from tests.audit.lowered import func, project


def sites(target: str, source: str, **others: str) -> list[str]:
    """
    Return where a function of a project is called: by whom, and what it is handed to.
    """
    whole = project({"server": source, **others})
    found = Calls(whole, Containers(whole)).sites(func(whole, target))
    return [f"{site.func.fact.qualname}{site.handed and f' to {site.handed}'}" for site in found]


CLASSES = """
    from elsewhere import Thing

    class Room:
        def leave(self): ...
        def close(self): ...

    class Lobby(Room):
        def wait_for_room(self):
            self.leave()

    class Door:
        def close(self): ...
        def lock(self): ...

    {0}
"""


def methods(target: str, line: str) -> list[str]:
    """
    Return where a method of a project with several classes is called.
    """
    return sites(target, CLASSES.format(line))


class TestFunctions:
    @pytest.mark.parametrize(
        ("source", "found"),
        [
            ("def f(): leave()", ["f"]),
            ("def f(): work(leave)", ["f to work"]),
            ("def f(x): x.on(leave)", ["f to on"]),
            ("def f(x): x.on(cb=leave)", ["f to on"]),
            ("def f(x): x.on(lambda: leave())", ["f"]),
            ("def f(x): x.leave()", []),
            ("def f(): work('leave')", []),
            ("leave()", ["<module>"]),
        ],
    )
    def test_here(self, source: str, found: list[str]) -> None:
        """
        A function of the module is called, or handed on, by its name.
        """
        assert sites("leave", f"def leave(): ...\n{source}") == found

    def test_itself(self) -> None:
        """
        That a function calls itself is no place where it is called, but it may hand itself on.
        """
        assert sites("leave", "def leave(loop):\n    leave(loop)") == []
        assert sites("leave", "def leave(loop):\n    loop.call_later(1, leave)") == [
            "leave to call_later"
        ]

    @pytest.mark.parametrize(
        ("source", "found"),
        [
            ("from server import leave\ndef f(): leave()", ["f"]),
            ("import server\ndef f(): server.leave()", ["f"]),
            ("from other import leave\ndef f(): leave()", []),
            ("def leave(): ...\ndef f(): leave()", []),
            ("import asyncio\ndef f(): asyncio.leave()", []),
        ],
    )
    def test_elsewhere(self, source: str, found: list[str]) -> None:
        """
        From another module it is called through an import, not by chance.
        """
        assert sites("leave", "def leave(): ...", client=source, other="def leave(): ...") == found

    def test_renamed(self) -> None:
        """
        A function handed on by a name that was imported from its module is that one.
        """
        source = "from server import leave as go\ndef f(leave): go(leave)"
        assert sites("leave", "def leave(): ...", client=source) == ["f to go"]


class TestMethods:
    @pytest.mark.parametrize(
        ("line", "found"),
        [
            ("def f(room: Room): room.leave()", ["f"]),
            ("def f(room: Lobby): room.leave()", ["f"]),
            ("def f(room: Door): room.leave()", []),
            ("def f(thing: Thing): thing.leave()", []),
            ("def f(given): given.leave()", ["f"]),
            ("def f(given): given.on(given.leave)", ["f to on"]),
            ("def f(leave): leave()", []),
            ("def f(): self.leave()", ["f"]),
        ],
    )
    def test_leave(self, line: str, found: list[str]) -> None:
        """
        A method is called through what may be an instance of its class.
        """
        assert methods("Room.leave", line) == ["Lobby.wait_for_room", *found]

    @pytest.mark.parametrize(
        ("line", "found"),
        [
            ("def f(given): given.close()", []),
            ("def f(room): room.close()", ["f"]),
            ("def f(rooms): rooms.close()", ["f"]),
            ("class Other:\n        def f(self): self.close()", []),
        ],
    )
    def test_generic(self, line: str, found: list[str]) -> None:
        """
        A method whose name tells nothing is called through what is named like its class.
        """
        assert methods("Room.close", line) == found

    def test_shared_by_many(self) -> None:
        """
        A name that many classes share tells nothing.
        """
        classes = "".join(f"class C{i}:\n    def lock(self): ...\n" for i in range(4))
        assert sites("C0.lock", f"{classes}def f(given): given.lock()") == []

    def test_asked_for_both(self) -> None:
        """
        Two methods of one name are told apart by what they are called on, or not at all.
        """
        source = CLASSES.format("class Gate:\n        def lock(self): ...\n    def f(x): x.lock()")
        assert sites("Door.lock", source) == sites("Gate.lock", source) == ["f"]
        whole = project({"server": source})
        calls = Calls(whole, Containers(whole))
        assert calls.sites(func(whole, "Door.lock")) == calls.sites(func(whole, "Gate.lock"))

    def test_constructor(self) -> None:
        """
        A method is not called by a bare name, but a constructor may be.
        """
        source = """
            class A:
                def __init__(self): ...
                def g(self): ...

            def f(g, x):
                g()
                x(__init__)
        """
        assert sites("A.g", source) == []
        assert sites("A.__init__", source) == ["f to x"]

    def test_inner_function(self) -> None:
        """
        A function inside of a method is called by its bare name.
        """
        source = """
            class A:
                def f(self):
                    def leave(): ...
                    work(leave)
        """
        assert sites("A.f.leave", source) == ["A.f to work"]


class TestSite:
    def test_place(self) -> None:
        """
        A site has the line of its event, and is found once.
        """
        whole = project({"server": "def leave(): ...\ndef f():\n    leave()"})
        calls = Calls(whole, Containers(whole))
        target = func(whole, "leave")
        assert [site.line for site in calls.sites(target)] == [3]
        assert calls.sites(target) is calls.sites(target)
        assert calls.events(target) is calls.events(target)
