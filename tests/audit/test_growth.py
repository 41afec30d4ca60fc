"""
What puts ever more into a container, and what does not.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from tests.audit.outcomes import decided

BOUNDED = "what is put in is bounded"
TABLE = "its keys are those of a table"

ADD = """
    sessions = {}

    def add(session_id):
        sessions[session_id] = 1
"""
NAME = """
    sessions = {}

    def add(name):
        sessions[name] = 1
"""
GIVEN = """
    sessions = {}

    def keep(thing, value):
        sessions[thing] = value
"""
SERVE = """
    sessions = {}

    async def serve(session_id):
        sessions[session_id] = 1
"""


def then(source: str, more: str) -> str:
    """
    Return *source* with *more* after it.
    """
    return f"{dedent(source)}\n{more}"


class TestBounded:
    def test_maxlen(self, tmp_path: Path) -> None:
        """
        A deque with a maxlen does not grow; one without does.
        """
        source = "sessions = deque({})\n\ndef add(session_id):\n    sessions.append(session_id)"
        assert decided(tmp_path, source.format("maxlen=3")) == "it has a maxlen"
        assert decided(tmp_path, source.format("")) == "SS001"

    def test_weak_inside(self, tmp_path: Path) -> None:
        """
        A map of weak sets keeps its keys though the sets empty themselves.
        """
        source = "rooms = defaultdict(WeakSet)\n\ndef add(room_id, x):\n    rooms[room_id].add(x)"
        assert decided(tmp_path, source, "rooms") == "SS001"

    def test_tests(self, tmp_path: Path) -> None:
        """
        What a test keeps is nobody's.
        """
        others = {"tests.test_server": ADD.replace("sessions", "kept")}
        assert decided(tmp_path, ADD, "kept", **others) == "it is part of a test"

    @pytest.mark.parametrize(
        ("head", "expected"),
        [
            ("import argparse", "it is part of a script that runs once"),
            ("import argparse, flask", "SS001"),
            ("import json", "SS001"),
            ("import argparse\nasync def beat(): ...", "SS001"),
        ],
    )
    def test_scripts(self, tmp_path: Path, head: str, expected: str) -> None:
        """
        A program for the command line ends by itself; one that serves does not.
        """
        source = then(head, then(ADD, 'if __name__ == "__main__":\n    serve()'))
        assert decided(tmp_path, source) == expected

    def test_nothing_is_put_in(self, tmp_path: Path) -> None:
        """
        What is only emptied does not grow.
        """
        source = "sessions = {}\n\ndef drop(session_id):\n    del sessions[session_id]"
        assert decided(tmp_path, source) == "nothing is put in"

    @pytest.mark.parametrize(
        "body",
        [
            "if len(sessions) >= MAX_SESSIONS:\n        raise Full\n    sessions[session_id] = 1",
            (
                "with lock:\n        if len(sessions) >= MAX_SESSIONS:\n            return\n"
                "    sessions[session_id] = 1"
            ),
            "if len(sessions) < MAX_SESSIONS:\n        sessions[session_id] = 1",
        ],
    )
    def test_refused_when_full(self, tmp_path: Path, body: str) -> None:
        """
        A write that is refused when there are too many does not grow.
        """
        source = f"sessions = {{}}\n\ndef add(session_id):\n    {body}"
        assert decided(tmp_path, source) == "its size is limited"

    def test_a_test_of_another_size(self, tmp_path: Path) -> None:
        """
        How many others there are is no limit.
        """
        source = (
            "sessions = {}\n\ndef add(session_id, others):\n"
            "    if len(others) >= MAX_OTHERS:\n        return\n    sessions[session_id] = 1"
        )
        assert decided(tmp_path, source) == "SS001"


class TestTables:
    @pytest.mark.parametrize(
        ("table", "expected"),
        [
            ("from elsewhere import KNOWN as known", "SS001"),
            ("known = {}\nknown['a'] = 1", TABLE),
            ("known = {}\ndef register(name, x):\n    known[name] = x", TABLE),
            ("known = {}\ndef learn(session_id):\n    known[session_id] = 1", "SS001"),
        ],
    )
    def test_looked_up_before(self, tmp_path: Path, table: str, expected: str) -> None:
        """
        Keys that were found in a table before are as many as the table has, if it does not grow.
        """
        source = (
            f"sessions = {{}}\n{table}\ndef add(session_id):\n    if session_id in known:\n"
            "        sessions[session_id] = 1"
        )
        assert decided(tmp_path, source) == expected

    @pytest.mark.parametrize("look", ["if session_id in KNOWN:", "if KNOWN[session_id]:"])
    def test_constants(self, tmp_path: Path, look: str) -> None:
        """
        A table that is written in capitals is one, wherever it is.
        """
        source = (
            f"sessions = {{}}\n\ndef add(session_id):\n    {look}\n        sessions[session_id] = 1"
        )
        assert decided(tmp_path, source) == TABLE

    def test_looked_up_afterwards(self, tmp_path: Path) -> None:
        """
        What is asked after the write says nothing of it.
        """
        source = then(ADD, "    if session_id in KNOWN:\n        go()")
        assert decided(tmp_path, source) == "SS001"

    def test_itself(self, tmp_path: Path) -> None:
        """
        A container is no table for itself, nor are its values.
        """
        source = (
            "sessions = {}\n\ndef add(session_id):\n"
            "    if session_id in sessions or session_id in sessions['all']:\n        return\n"
            "    sessions[session_id] = 1"
        )
        assert decided(tmp_path, source) == "SS001"


class TestAtImport:
    @pytest.mark.parametrize(
        ("more", "expected"),
        [
            ('add("a")', BOUNDED),
            ("for i in range(3):\n    add(i)", "SS001"),
            ('def setup():\n    add("a")', BOUNDED),
            ("def setup(session_id):\n    add(session_id)", "SS001"),
            ("def setup(bus):\n    bus.on(add)", "SS001"),
            ('def first():\n    add("a")\n\nfirst()', BOUNDED),
            ("class Thing:\n    add(thing)", BOUNDED),
            ("class Server:\n    def __init__(self, x):\n        add(x)\n\nServer(1)", BOUNDED),
            ("class Session:\n    def enter(self, x):\n        add(x)", "SS001"),
        ],
    )
    def test_callers(self, tmp_path: Path, more: str, expected: str) -> None:
        """
        A function all of whose callers run as the program starts puts in as much as they say.
        """
        source = then(NAME.replace("name", "thing"), more)
        assert decided(tmp_path, source) == expected

    def test_far_away(self, tmp_path: Path) -> None:
        """
        It is not asked for ever who calls.
        """
        more = "".join(
            f"def f{i}(thing):\n    {f'f{i - 1}' if i else 'add'}(thing)\n" for i in range(6)
        )
        source = then(NAME.replace("name", "thing"), f"{more}\nf5(1)")
        assert decided(tmp_path, source) == "SS001"

    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            ("def register(name, x):\n    sessions[name] = x", BOUNDED),
            ("async def register(name, x):\n    sessions[name] = x", "SS001"),
            ("def register(session_id, x):\n    sessions[session_id] = x", "SS001"),
            ("def register(x):\n    sessions[x.session_id] = x", "SS001"),
            (
                (
                    "def register(name):\n    def decorate(thing):\n"
                    "        sessions[thing] = name\n"
                    "    return decorate"
                ),
                BOUNDED,
            ),
            (
                (
                    "def keep(name):\n    def decorate(thing):\n        sessions[thing] = name\n"
                    "    return decorate"
                ),
                "SS001",
            ),
        ],
    )
    def test_registries(self, tmp_path: Path, source: str, expected: str) -> None:
        """
        A function that registers runs at the start, unless what it gets is a session's.
        """
        assert decided(tmp_path, f"sessions = {{}}\n\n{source}") == expected

    def test_subclasses(self, tmp_path: Path) -> None:
        """
        What runs as a class is made runs as often as there are classes.
        """
        source = (
            "class Base:\n    sessions = {}\n\n    def __init_subclass__(cls):\n"
            "        Base.sessions[cls.session_id] = cls"
        )
        assert decided(tmp_path, source) == BOUNDED

    def test_called_by_tests(self, tmp_path: Path) -> None:
        """
        What a test calls, or writes, says nothing.
        """
        user = "from server import add, sessions\n\nadd('a')\n\ndef test_x(y):\n    sessions[y] = 1"
        assert decided(tmp_path, ADD, **{"tests.test_server": user}) == "SS001"
        source = "sessions = {}"
        assert decided(tmp_path, source, **{"tests.test_server": user}) == BOUNDED


class TestWrites:
    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            (("class Hub:\n    def __init__(self, session_id):\n        self.sessions = {}\n"
             "        self.sessions[session_id] = 1"), BOUNDED),
            (("class Hub:\n    sessions = {}\n    def __init__(self, session_id):\n"
             "        self.sessions[session_id] = 1"), "SS001"),
            ("sessions = {}\n\nclass Hub:\n    for name in names:\n        sessions[name] = 1",
             BOUNDED),
        ],
    )  # fmt: skip
    def test_constructors(self, tmp_path: Path, source: str, expected: str) -> None:
        """
        What a constructor puts into its own container comes once for each of them.
        """
        assert decided(tmp_path, source) == expected

    @pytest.mark.parametrize(("name", "expected"), [("start", BOUNDED), ("serve", "SS006")])
    def test_tasks_of_the_owner(self, tmp_path: Path, name: str, expected: str) -> None:
        """
        A task that is started with its owner is one, not one for each session.
        """
        source = (
            "class Server:\n    def __init__(self):\n        self.sessions = set()\n\n"
            f"    def {name}(self):\n        self.sessions.add(asyncio.create_task(run()))"
        )
        assert decided(tmp_path, source) == expected

    @pytest.mark.parametrize(
        ("more", "expected"),
        [
            ("async def serve(session_id):\n    keep(session_id, 1)", "SS001"),
            ('async def serve(session_id):\n    keep("a", session_id)', BOUNDED),
            ("async def serve(stuff):\n    keep(stuff, 1)", "SS001"),
            ("", "SS001"),
        ],
    )
    def test_given_by_callers(self, tmp_path: Path, more: str, expected: str) -> None:
        """
        A key that is an argument is of as many values as callers give.
        """
        assert decided(tmp_path, then(GIVEN, more)) == expected

    def test_lists_repeat(self, tmp_path: Path) -> None:
        """
        A list keeps what is equal each time; a set does not.
        """
        source = "sessions = {}\n\nasync def serve(x):\n    sessions.{}('it came')"
        assert decided(tmp_path, source.format("[]", "append")) == "SS001"
        assert decided(tmp_path, source.format("set()", "add")) == BOUNDED

    def test_routes(self, tmp_path: Path) -> None:
        """
        Whoever makes a request chooses what is in it.
        """
        source = "sessions = {}\n\n@app.get('/{thing}')\ndef serve(thing):\n    sessions[thing] = 1"
        assert decided(tmp_path, source) == "SS001"

    @pytest.mark.parametrize(
        ("more", "expected"),
        [
            ("", "SS001"),
            ("def drop(provider, session_id):\n    sessions[provider].pop(session_id)", BOUNDED),
        ],
    )
    def test_inner_keys(self, tmp_path: Path, more: str, expected: str) -> None:
        """
        Where the outer keys are few the inner ones may still grow.
        """
        source = (
            "sessions = {}\n\ndef add(provider, session_id):\n"
            "    sessions.setdefault(provider, {})[session_id] = 1\n"
        )
        assert decided(tmp_path, source + more) == expected


class TestUnknownUsers:
    @pytest.mark.parametrize(
        ("more", "expected"),
        [
            ("def other():\n    external(sessions)", "it is handed to external()"),
            ("def other():\n    print(len(sessions), sorted(sessions))\n    return sessions",
             "SS001"),
            ("def other(x):\n    x.all = sessions\n    x.more.append(sessions)", "SS001"),
            ("def show(them): ...\ndef other():\n    show(sessions)", "SS001"),
            (("class Box: ...\nclass Box2:\n"
              "    def __init__(self, them):\n        self.them = them\n"
             "Box2(sessions)"), "SS001"),
            (("class Sweeper:\n    def __init__(self, them):\n        self.them = them\n"
             "    def sweep(self):\n        self.them.clear()\nSweeper(sessions)"),
             "a Sweeper empties it"),
            (("class A:\n    def sweep(self, them):\n        them.clear()\n"
             "class B:\n    def sweep(self, them): ...\ndef other(x):\n    x.sweep(sessions)"),
             "sweep() empties it"),
            (("class A:\n    def empty(self, them):\n        them.clear()\n"
             "def empty(them): ...\ndef other(x):\n    empty(sessions)"),
             "empty() empties it"),
            ("def other(x):\n    x.whatever(sessions)", "SS001"),
        ],
    )  # fmt: skip
    def test_who_gets_it(self, tmp_path: Path, more: str, expected: str) -> None:
        """
        A container that is handed to what is not known, or what empties it, is not reported.
        """
        assert decided(tmp_path, then(SERVE, more)) == expected

    def test_a_removal_counts_more(self, tmp_path: Path) -> None:
        """
        Where it is known how entries go, it does not matter who else has the container.
        """
        more = "def other():\n    external(sessions)\n\ndef session_closed(x):\n    del sessions[x]"
        assert decided(tmp_path, then(SERVE, more)) == "SS002a"
