"""
Of which class something is an instance.
"""

from __future__ import annotations

import pytest

from sessionstate.audit._instances import Instances
from tests.audit.lowered import func, project

SOURCES = {
    "rooms": """
        class Door: ...

        class Room:
            def __init__(self):
                self.door = Door()

        lobby = Room()
    """,
    "server": """
        import rooms
        import elsewhere
        from rooms import Room, lobby
        from elsewhere import Thing

        class Base:
            def __init__(self):
                self.room = Room()
                self.other = Thing()

        class Server(Base):
            hall: Room

            def f(self, given):
                near = make()
                self.hidden.twin = Room()
                self.a.unclear = Room()
                self.b.unclear = Base()
                self.a.data = Room()

        def g():
            def h(): ...

        class Local: ...

        server = Server()
        thing = Thing()
        server.x = {}
    """,
}


def learned() -> Instances:
    """
    Return the instances in a project.
    """
    whole = project(SOURCES)
    instances = Instances(whole)
    for each in whole.functions:
        for path, _, _, _, value in each.fact.makes:
            if value:
                instances.learn(each, path, value)
    return instances


class TestOf:
    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("self", "Server"),
            ("self.room", "Room"),
            ("self.hall", "Room"),
            ("self.room.door", "Door"),
            ("self.room.door.lock", None),
            ("self.other", None),
            ("self.nothing", None),
            ("%Room", "Room"),
            ("%Room.door", "Door"),
            ("%rooms.Room", "Room"),
            ("%elsewhere.Room", "Room"),
            ("%elsewhere.thing", None),
            ("%Thing", None),
            ("@Server", "Server"),
            ("@server", "Server"),
            ("@server.room", "Room"),
            ("@lobby", "Room"),
            ("@lobby.door", "Door"),
            ("@rooms.lobby", "Room"),
            ("@rooms.Room", "Room"),
            ("@Room", "Room"),
            ("@unknown", None),
            ("@thing", None),
            ("$given.twin", "Room"),
            ("$given.unclear", None),
            ("$given.data", None),
            ("$given", None),
            ("^server>x", None),
        ],
    )
    def test_path(self, path: str, name: str | None) -> None:
        """
        A path is followed through classes, modules and attributes, as far as they are known.
        """
        instances = learned()
        kind = instances.of(func(instances.project, "Server.f"), path)
        assert (kind.name if kind is not None else None) == name

    def test_closure(self) -> None:
        """
        A local variable of an enclosing function is known where it is set to an instance.
        """
        instances = learned()
        inner = func(instances.project, "g.h")
        instances.learn(inner, "^g>room", "%Room")
        kind = instances.of(inner, "^g>room.door")
        assert kind is not None
        assert kind.name == "Door"

    def test_learned_later(self) -> None:
        """
        What is learned later is known from then on.
        """
        instances = learned()
        method = func(instances.project, "Server.f")
        assert instances.of(method, "self.late") is None
        instances.learn(method, "self.late", "%Room")
        assert instances.of(method, "self.late") is not None

    def test_first_counts(self) -> None:
        """
        Of several values of an attribute the first counts.
        """
        instances = learned()
        method = func(instances.project, "Base.__init__")
        instances.learn(method, "self.room", "%Local")
        kind = instances.of(method, "self.room")
        assert kind is not None
        assert kind.name == "Room"

    def test_nobodys_self(self) -> None:
        """
        A ``self`` outside of a class is nobody.
        """
        instances = learned()
        outside = func(instances.project, "g")
        instances.learn(outside, "self.a", "%Room")
        assert instances.of(outside, "self") is None


class TestForeign:
    @pytest.mark.parametrize(
        ("path", "foreign"),
        [
            ("@elsewhere.x", True),
            ("@Thing", True),
            ("@Room", False),
            ("@thing", True),
            ("@server", False),
            ("@unknown", False),
            ("%Thing", True),
            ("%Room", False),
            ("$given", False),
            ("self", False),
        ],
    )
    def test_path(self, path: str, foreign: bool) -> None:
        """
        What another project made is told from what is not known.
        """
        instances = learned()
        assert instances.is_foreign(func(instances.project, "Server.f"), path) is foreign
