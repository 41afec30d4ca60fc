"""
What expressions do, to what, and under which key.
"""

from __future__ import annotations

import pytest

from sessionstate.audit._events import AWAIT, LATER, OP, YIELD, called
from tests.audit.lowered import done, events, function, key, method


class TestPaths:
    @pytest.mark.parametrize(
        ("body", "path"),
        [
            ("self.agents.clear()", "self.agents"),
            ("agents.clear()", "@agents"),
            ("self.app['agents'].clear()", "self.app.[agents]"),
            ("self.app[AGENTS].clear()", "self.app.[AGENTS]"),
            ("self.agents[1].clear()", "self.agents.*"),
            ("self.agents.get(1).clear()", "self.agents.*"),
            ("self.agents[:].clear()", "self.agents"),
            ("given.clear()", "$given"),
            ("room.clear()", "%Room"),
            ("make()['agents'].clear()", "?.[agents]"),
            ("make()[AGENTS].clear()", "?.[AGENTS]"),
            ("make().clear()", "?"),
            ("make()[1].clear()", "?"),
            ("(lambda: 1).clear()", "?"),
            ("type(self).agents.clear()", "self.agents"),
            ("super().agents.clear()", "self.agents"),
            ("self.__class__.agents.clear()", "self.agents"),
            ("other.__class__.agents.clear()", "@other.__class__.agents"),
            ("Room().agents.clear()", "%Room.agents"),
            ("rooms.Room().agents.clear()", "%rooms.Room.agents"),
            ("(given or self.agents).clear()", "$given"),
            ("(None or self.agents).clear()", "self.agents"),
            ("(1 or 2).clear()", "?"),
            ("(self.agents if given else self.rooms).clear()", "self.agents"),
            ("(1 if given else self.rooms).clear()", "self.rooms"),
            ("(await self.agents).clear()", "self.agents"),
            ("(a := self.agents).clear()", "self.agents"),
            ("getattr(self, 'agents').clear()", "self.agents"),
            ("getattr(make(), 'agents').clear()", "?.agents"),
        ],
    )
    def test_path(self, body: str, path: str) -> None:
        """
        A path tells what is meant, as far as one file can tell.
        """
        assert done(body, "given", "room: Room")[-1] == f"{path} clear"

    def test_getattr_of_anything(self) -> None:
        """
        An attribute whose name is not known is a call like any other.
        """
        assert done("getattr(self, given)", "given") == ["@getattr ()"]
        assert done("getattr(self)") == ["@getattr ()"]
        assert done("getattr(self, 1)") == ["@getattr ()"]

    def test_type_outside_of_a_class(self) -> None:
        """
        `type` is only the class of ``self`` where there is a self.
        """
        block = function("def f(x):\n    type(x).agents.clear()", "f").block()
        assert block[0][2][0][1] == "@type"

    def test_local_variable(self) -> None:
        """
        A local name stands for what it is set to.
        """
        assert done("agents = self.agents\nagents.clear()") == ["self.agents clear"]

    def test_global(self) -> None:
        """
        A name declared global stays the module's, whatever is assigned.
        """
        body = "global agents\nfor agents in self.x:\n    agents.clear()"
        assert done(body)[-1] == "@agents clear"

    def test_starred_target(self) -> None:
        """
        Of a starred target nothing is known.
        """
        assert done("first, *rest = self.agents\nrest.clear()")[-1].endswith("rest clear")

    def test_closure(self) -> None:
        """
        A local container of an enclosing function is named by that function.
        """
        source = (
            "def f(given):\n    seen = {}\n    def g():\n        seen.pop(1)\n        given.pop()"
        )
        block = function(source, "f.g").block()
        assert [each[2][0][1] for each in block] == ["^f>seen", "^f>given"]

    @pytest.mark.parametrize(
        ("body", "paths"),
        [
            ("for each in (self.a, self.b):\n    each.pop(1)", ["self.a", "self.b"]),
            ("for n in ('a', 'b'):\n    getattr(self, n).pop(1)", ["self.a", "self.b"]),
            ("for each in (self.a, self.b):\n    each.x.pop(1)", ["self.a.x", "self.b.x"]),
            ("for each in (self.a, self.b):\n    each[1].pop(1)", ["self.a.*", "self.b.*"]),
        ],
    )
    def test_several(self, body: str, paths: list[str]) -> None:
        """
        What may be one of several is each of them.
        """
        assert [path for path in done(body) if path.endswith(" pop")] == [f"{p} pop" for p in paths]


class TestIterate:
    @pytest.mark.parametrize(
        ("loop", "over"),
        [
            ("for k in self.agents", ["self.agents iter"]),
            ("for k in list(self.agents)", ["@list ()", "self.agents iter"]),
            ("for k in self.agents.keys()", ["self.agents keys", "self.agents iter"]),
            ("for k in room", []),
            ("for k in range(3)", ["@range ()"]),
            ("for k in (1, 2)", []),
        ],
    )
    def test_over(self, loop: str, over: list[str]) -> None:
        """
        What is gone over is said, through what merely copies or sorts it.
        """
        assert done(f"{loop}:\n    pass", "room: Room") == over

    @pytest.mark.parametrize(
        ("loop", "path"),
        [
            ("for x in self.agents.values()", "self.agents.*"),
            ("for k, x in self.agents.items()", "self.agents.*"),
            ("for x in self.agents", "self.agents.*"),
            ("for x in self.agents[1]", "self.agents.*.*"),
            ("for x in range(3)", "$x"),
            ("for x in self.agents.copy()", "self.agents.*"),
            ("for x in self.work()", "$x"),
            ("for x in [1]", "$x"),
            ("for i, x in enumerate(self.agents)", "$x"),
            ("for i, *x in self.agents", "$x"),
            ("for self.y in self.agents", "@x"),
        ],
    )
    def test_target(self, loop: str, path: str) -> None:
        """
        A value gone over is a value in the container.
        """
        assert done(f"{loop}:\n    x.clear()")[-1] == f"{path} clear"

    def test_comprehension(self) -> None:
        """
        The names of a comprehension are its own, and its tests and values are walked.
        """
        body = "[x.a() for x in self.agents if x.b()]\n{x.c(): x.d() for x in self.e}\nx.f()"
        assert done(body) == [
            "self.agents iter",
            "self.agents.* b",
            "self.agents.* a",
            "self.e iter",
            "self.e.* c",
            "self.e.* d",
            "@x f",
        ]

    def test_asynchronous_comprehension(self) -> None:
        """
        An asynchronous comprehension awaits.
        """
        assert method("[x async for x in self.a]").block()[0][2][-1] == (AWAIT, 3)


class TestKeys:
    @pytest.mark.parametrize(
        ("text", "origin"),
        [
            ("1", "c:1"),
            ("id", "p:id"),
            ("room", "p:room|Room"),
            ("local", "v:local"),
            ("made", "v:made<r:make()"),
            ("event.user.id", "a:event.user.id"),
            ("(await event.user)", "a:event.user"),
            ("(k := id)", "p:id"),
            ("type(id)", "b:type"),
            ("next(iter(self.agents))", "u:next(iter)"),
            ("next(self.ids)", "u:next()"),
            ("next()", "u:next()"),
            ("uuid4()", "u:uuid4()"),
            ("id(event)", "u:id()"),
            ("str(id)", "p:id"),
            ("id.lower()", "p:id"),
            ("str()", "r:str()"),
            ("event.get('user')", "a:event.user"),
            ("event.get(id)", "a:event."),
            ("make(id)", "r:make()"),
            ("functions[0](id)", "r:functions[]()"),
            ("(id, 'x')", "t:p:id+c:x"),
            ("f'{id}-x'", "t:p:id+c:-x"),
            ("{'a': id, **id}", "t:c:a"),
            ("id + 'x'", "t:p:id+c:x"),
            ("id or 'x'", "t:p:id+c:x"),
            ("id if event else 1", "p:id"),
            ("event['user']", "a:event.user"),
            ("event[id]", "a:event"),
            ("-id", "r:"),
            ("str(str(str(str(str(str(id))))))", ""),
        ],
    )
    def test_origin(self, text: str, origin: str) -> None:
        """
        A key tells where it comes from, through what merely wraps it.
        """
        parameters = ("id", "event", "room: Room")
        assert key(text, *parameters, before="made = make()") == origin

    def test_of_a_loop(self) -> None:
        """
        What is gone over gives its names the keys of that container, or bounded ones.
        """
        body = "for k in {0}:\n    self.agents[k] = 1"
        for over, origin in [
            ("self.rooms", "k:self.rooms"),
            ("('a', 'b')", "b:literal"),
            ("NAMES", "b:constant"),
            ("range(3)", "b:constant"),
            ("self.work()", "v:k<v:"),
        ]:
            assert events(body.format(over))[-1][5] == origin

    def test_of_an_enclosing_function(self) -> None:
        """
        A key may be the parameter of an enclosing function.
        """
        source = "def f(id):\n    def g():\n        agents[id] = 1"
        assert function(source, "f.g").block()[0][2][0][5] == "p:id"

    def test_of_a_lambda(self) -> None:
        """
        A key may be the parameter of a lambda, whose events come later.
        """
        event = method("self.on(lambda id: self.agents.pop(id))").block()[0][2][0]
        assert (event[0], event[2][0][5]) == (LATER, "p:id")


class TestCalled:
    @pytest.mark.parametrize(
        ("body", "name"),
        [("work()", "work"), ("self.work()", "work"), ("given()", "given"), ("a.b.c()", "c")],
    )
    def test_name(self, body: str, name: str) -> None:
        """
        What an event calls is known by its last name.
        """
        assert called(events(body, "given")[0]) == name


class TestSuspended:
    def test_order(self) -> None:
        """
        Events come in the order in which they happen, awaits and yields among them.
        """
        happened = method("x = await self.work((yield))\nyield self.x").block()
        tags = [each[0] for statement in happened for each in statement[2]]
        assert tags == [YIELD, OP, AWAIT, YIELD]
