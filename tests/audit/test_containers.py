"""
Which containers there are, and what is done to each.
"""

from __future__ import annotations

from textwrap import dedent

import pytest

from sessionstate.audit._containers import ATTRIBUTE, CLOSURE, GLOBAL, STATE, Containers, Kept
from tests.audit.lowered import func, project


def containers(source: str, **others: str) -> Containers:
    """
    Return the containers of a project.
    """
    return Containers(project({"server": source, **others}))


def made(source: str, **others: str) -> list[str]:
    """
    Return each container of a project: its scope, name and kind.
    """
    return [f"{each.scope} {each.name} {each.kind}" for each in containers(source, **others).all]


def kept(source: str, name: str, **others: str) -> Kept:
    """
    Return one container of a project.
    """
    found = containers(source, **others)
    return next(each for each in (*found.all, *found.closures()) if each.name == name)


def ops(source: str, name: str, **others: str) -> list[str]:
    """
    Return what is done to one container, each with its function.
    """
    return [
        f"{op.func.fact.qualname} {op.name}{' inner' * op.inner}{op.via and f' via {op.via}'}"
        for op in kept(source, name, **others).ops
    ]


HUB = """
    class Hub:
        def __init__(self):
            self.agents = {{}}

        def f(self, id, given):
            {0}
"""


def hub(body: str) -> list[str]:
    """
    Return what a method does to a container of its class.
    """
    found = ops(HUB.format(body.replace("\n", "\n            ")), "Hub.agents")
    return [each.removeprefix("Hub.f ") for each in found]


class TestMade:
    @pytest.mark.parametrize(
        ("source", "found"),
        [
            ("agents = {}", [f"{GLOBAL} agents dict"]),
            ("agents: dict[str, int] = make()", [f"{GLOBAL} agents dict"]),
            ("agents = {}\nagents = []", [f"{GLOBAL} agents dict"]),
            ("def f():\n    global agents\n    agents = set()", [f"{GLOBAL} agents set"]),
            ("class A:\n    agents = {}", [f"{ATTRIBUTE} A.agents dict"]),
            ("class A:\n    x: list = field(default_factory=list)", [f"{ATTRIBUTE} A.x list"]),
            ("class A:\n    def f(self):\n        self.a = {}", [f"{ATTRIBUTE} A.a dict"]),
            ("class A:\n    def f(self):\n        self.x.a = {}", [f"{STATE} x.a dict"]),
            ("def f():\n    def g(self): ...\n    self.a = {}", [f"{STATE} a dict"]),
            ("app.state.agents = {}", [f"{STATE} app.state.agents dict"]),
            ("app['agents'] = {}", [f"{STATE} app[agents] dict"]),
            ("app[AGENTS] = {}", [f"{STATE} app[AGENTS] dict"]),
            ("def f(app):\n    app.agents = {}", []),
            ("def f(app: App):\n    app.agents = {}", [f"{STATE} App.agents dict"]),
            ("a.x = {}\nb.x = {}", [f"{STATE} a.x dict"]),
            (
                "x = {'a': {}, 'b': []}",
                [f"{STATE} x[a] dict", f"{STATE} x[b] list", f"{GLOBAL} x dict"],
            ),
            ("a = {}\na[1] = {}", [f"{GLOBAL} a dict"]),
            ("a = 1", []),
            ("def f():\n    a = {}", []),
            ("def f(a):\n    a[1].x = {}", []),
        ],
    )
    def test_scope(self, source: str, found: list[str]) -> None:
        """
        What outlives a call is a module's, a class's, or hangs on something else.
        """
        assert made(source) == found

    def test_once_for_a_family(self) -> None:
        """
        A container that a base makes is the same in the classes below it.
        """
        source = """
            class Base:
                def __init__(self):
                    self.agents = {}

            class Hub(Base):
                def __init__(self):
                    self.agents = {}

                def f(self):
                    self.agents.pop(1)
        """
        assert made(source) == [f"{ATTRIBUTE} Base.agents dict"]
        assert "Hub.f pop" in ops(source, "Base.agents")

    def test_attribute_of_an_instance(self) -> None:
        """
        What is set from outside to an attribute of a known class is no container of its own.
        """
        source = """
            class Room:
                def __init__(self):
                    self.members = {}

            room = Room()
            room.members = {}
            room.others = {}
        """
        assert made(source) == [f"{ATTRIBUTE} Room.members dict"]

    def test_where(self) -> None:
        """
        A container is where it is made.
        """
        found = kept("x = 1\nagents = {}", "agents")
        assert (found.line, found.column, found.attribute) == (2, 1, "agents")


class TestClosures:
    SOURCE = """
        def serve():
            seen = {}
            quiet = {}

            def receive(id):
                seen[id] = 1

            quiet[1] = 1
            return receive
    """

    def test_written_inside(self) -> None:
        """
        A local container is kept if an inner function writes to it.
        """
        (found,) = containers(self.SOURCE).closures()
        assert (found.name, found.scope) == ("seen", CLOSURE)
        assert found.maker is not None
        assert found.maker.name == "serve"
        assert [op.name for op in found.writes()] == ["[]="]


class TestResolve:
    @pytest.mark.parametrize(
        ("line", "other"),
        [
            ("from state import agents\ndef f(): agents.pop(1)", "agents = {}"),
            ("from state import agents as a\ndef f(): a.pop(1)", "agents = {}"),
            ("import state\ndef f(): state.agents.pop(1)", "agents = {}"),
        ],
    )
    def test_imported(self, line: str, other: str) -> None:
        """
        A container of another module is found through each form of import.
        """
        assert ops(line, "agents", state=other) == ["f pop"]

    def test_module_without_it(self) -> None:
        """
        An attribute of a module is not that of a class.
        """
        source = "import state\ndef f(): state.agents.pop(1)"
        assert ops(source, "A.agents", state="x = 1", other="class A:\n    agents = {}") == []

    @pytest.mark.parametrize(
        ("source", "found"),
        [
            ("def f(hub: Hub): hub.agents.pop(1)", ["f pop"]),
            ("hub = Hub()\ndef f(): hub.agents.pop(1)", ["f pop"]),
            ("def f(given): given.agents.pop(1)", ["f pop"]),
            ("def f(other: Other): other.agents.pop(1)", []),
            ("class B:\n    def f(self): self.agents.pop(1)", []),
            ("class B(Hub):\n    def f(self): self.agents.pop(1)", ["B.f pop"]),
            ("def f(given):\n    a = given.agents\n    a.pop(1)", ["f pop"]),
            ("def f(given): given.agents[1].pop(2)", ["f []", "f pop inner"]),
            ("def f(given): given.agents.x.pop(1)", []),
        ],
    )
    def test_attribute(self, source: str, found: list[str]) -> None:
        """
        An attribute is found by the class of its owner, or by its name if that is the only one.
        """
        head = "class Other: ...\nclass Hub:\n    def __init__(self):\n        self.agents = {}\n"
        assert ops(head + source, "Hub.agents") == found

    def test_mixin(self) -> None:
        """
        A base may use what the class below it makes.
        """
        source = """
            class Mixin:
                def leave(self):
                    self.agents.pop(1)

            class Hub(Mixin):
                def __init__(self):
                    self.agents = {}
        """
        assert ops(source, "Hub.agents") == ["Mixin.leave pop"]

    def test_vague(self) -> None:
        """
        Of an attribute that many classes have, the name alone tells nothing.
        """
        source = "class A:\n    items = {}\ndef f(given): given.items.pop(1)"
        assert ops(source, "A.items") == []

    def test_global_is_no_attribute(self) -> None:
        """
        A module's container is not meant by an attribute of the same name.
        """
        assert ops("agents = {}\ndef f(given): given.agents.pop(1)", "agents") == []

    def test_state(self) -> None:
        """
        What hangs on an application is found from wherever the application is at hand.
        """
        source = """
            app.state.agents = {}

            def f(request):
                request.app.state.agents[request.id] = 1

            def g(app: Starlette):
                app.state.agents.pop(1)
        """
        assert ops(source, "app.state.agents") == ["f []=", "g pop"]

    def test_state_of_a_class_of_ours(self) -> None:
        """
        It may also be reached through a class of ours that is not known to have it.
        """
        source = """
            class App: ...

            def setup(given: Starlette):
                given.agents = {}

            def f(app: App):
                app.agents.pop(1)
        """
        assert ops(source, "Starlette.agents") == ["f pop"]

    def test_several(self) -> None:
        """
        Of several containers that may be meant each may be emptied, but none is said to grow.
        """
        source = """
            class A:
                agents = {}
            class B:
                agents = {}
            def f(given):
                given.agents[1] = 1
                given.agents[2]
                given.agents.pop(1)
        """
        assert ops(source, "A.agents") == ["f pop"]

    def test_by_name(self) -> None:
        """
        A container got by a constant name, or gone over among several, is meant.
        """
        assert hub("getattr(self, 'agents').pop(id)") == ["pop"]
        assert hub("for each in (self.agents, self.rooms):\n    each.pop(id)") == ["pop"]

    def test_asked_twice(self) -> None:
        """
        The second answer is the first one.
        """
        found = containers(dedent(HUB).format("self.agents.pop(id)"))
        method = func(found.project, "Hub.f")
        assert found.resolve(method, "self.agents") is found.resolve(method, "self.agents")
        assert found.resolve(method, "self.agents.*")[1] is True


class TestOps:
    @pytest.mark.parametrize(
        ("body", "found"),
        [
            ("self.agents[id] = 1", ["[]="]),
            ("self.agents.setdefault(id, []).append(1)", ["setdefault", "append inner"]),
            ("self.agents.update(given)", ["update"]),
            ("self.agents |= given", ["|="]),
            ("self.agents = {**self.agents, id: 1}", ["[]="]),
            ("heappush(self.agents, given)", ["append"]),
            ("del self.agents[id]", ["del[]"]),
            ("self.agents = {}", ["="]),
            (
                "self.agents = {k: v for k, v in self.agents.items() if v}",
                ["items", "iter", "=filter"],
            ),
            ("given.add_done_callback(self.agents.pop)", ["pop via add_done_callback"]),
            ("given.link(cb=self.agents.pop)", ["pop via link"]),
            ("given(lambda: self.agents.pop(id))", ["pop"]),
            ("given(self.agents.get)", []),
            ("self.x = 1", []),
        ],
    )
    def test_op(self, body: str, found: list[str]) -> None:
        """
        Whatever puts in, takes out or begins anew is noted, by whichever way.
        """
        assert hub(body) == found

    def test_handed_on_without_a_touch(self) -> None:
        """
        What only hands a method on is looked at because of the name.
        """
        assert hub("given(self.agents)\ngiven(self.agents.get)") == ["get via ()"]

    def test_of_others(self) -> None:
        """
        What belongs to another class, or merely has the same name, is not this container.
        """
        source = """
            class Other: ...
            class Hub:
                def __init__(self):
                    self.agents = {}

            def f(other: Other):
                given(other.agents.get)
                given(other.x.get)
                agents()
        """
        assert ops(source, "Hub.agents") == []

    @pytest.mark.parametrize(
        ("body", "found"),
        [
            ("if self.agents is None:\n    self.agents = {}", []),
            ("if not hasattr(self, 'x'):\n    self.agents = {}", []),
            ("if given:\n    self.agents = {}", ["="]),
        ],
    )
    def test_made_where_there_is_none(self, body: str, found: list[str]) -> None:
        """
        A container made because there is none yet is not emptied by that.
        """
        assert hub(body) == found

    def test_made_by_the_constructor(self) -> None:
        """
        A constructor begins the containers of its class, but empties those of others.
        """
        source = """
            seen = {}
            class Hub:
                def __init__(self):
                    global seen
                    self.agents = {}
                    self.agents = {1: 2}
                    seen = {}
        """
        assert ops(source, "Hub.agents") == []
        assert ops(source, "seen") == ["Hub.__init__ ="]

    def test_made_by_the_module(self) -> None:
        """
        What a module sets as it is imported is how its container comes to be.
        """
        assert ops("a = {}\na = {1: 2}", "a") == []

    def test_writes(self) -> None:
        """
        Reading a defaultdict writes, reading a dict does not.
        """
        source = """
            a = defaultdict(list)
            b = {}

            def f(k):
                a[k].append(1)
                b[k].append(1)
                b[k] = 1
                a.pop(k)
        """
        assert [op.name for op in kept(source, "a").writes()] == ["[]"]
        assert [op.name for op in kept(source, "b").writes()] == ["[]="]
        assert [op.name for op in kept(source, "a").removals()] == ["pop"]

    def test_counting(self) -> None:
        """
        To count is to write where an entry is made by that.
        """
        source = "a = Counter()\nb = {}\ndef f(k):\n    a[k] += 1\n    b[k] += 1"
        assert [op.name for op in kept(source, "a").writes()] == ["[]+="]
        assert list(kept(source, "b").writes()) == []

    def test_place(self) -> None:
        """
        An operation has the line and key of its event; what is handed on has no key.
        """
        source = "a = {}\ndef f(k):\n    a[k] = 1\n    k.add_done_callback(a.pop)"
        written, handed = kept(source, "a").ops
        assert (written.line, written.key) == (3, "p:k")
        assert (handed.line, handed.key) == (4, "")


class TestPassed:
    PARTS = """
        agents = {{}}

        def drop({0}):
            {1}

        def f(id):
            drop({2})
    """

    @pytest.mark.parametrize(
        ("parameters", "body", "given", "found"),
        [
            ("where, id", "where.pop(id)", "agents, id", ["drop pop"]),
            ("id, where", "where[id].clear()", "id, agents", ["drop []", "drop clear inner"]),
            ("where: Agents", "where.clear()", "agents", ["drop clear"]),
            ("where", "where.x.clear()", "agents", []),
            ("where", "print(where)", "agents", []),
            ("where", "where.clear()", "agents[1]", []),
            ("where", "where.clear()", "other", []),
        ],
    )
    def test_to_ours(self, parameters: str, body: str, given: str, found: list[str]) -> None:
        """
        What a function does to a container that it is given is done to that container.
        """
        source = self.PARTS.format(parameters, body, given)
        assert [each for each in ops(source, "agents") if each.startswith("drop")] == found

    def test_to_a_method(self) -> None:
        """
        A method's ``self`` is not what it is given.
        """
        source = """
            agents = {}

            class Reaper:
                def drop(self, where):
                    where.clear()

            def f(reaper):
                reaper.drop(agents)
        """
        assert ops(source, "agents") == ["Reaper.drop clear"]

    @pytest.mark.parametrize("line", ["work(agents)", "given.work(x=agents)", "return agents"])
    def test_escapes(self, line: str) -> None:
        """
        A container that is handed to something unknown, or returned, escapes.
        """
        found = kept(f"agents = {{}}\ndef f(given):\n    agents.pop(1)\n    {line}", "agents")
        assert len(found.escapes) + sum(op.name == "return" for op in found.ops) == 1

    def test_value_does_not_escape(self) -> None:
        """
        A value of a container may go anywhere.
        """
        source = "agents = {}\ndef f():\n    work(agents[1])"
        assert kept(source, "agents").escapes == []
