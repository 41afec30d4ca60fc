"""
How long the owner of a container lives.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sessionstate.audit._owners import Lifetime
from tests.audit.outcomes import lifetime

SHORT, UNKNOWN, LIKELY, LONG = Lifetime.SHORT, Lifetime.UNKNOWN, Lifetime.LIKELY, Lifetime.LONG

BODY = """
    def __init__(self):
        self.sessions = {}

    def add(self, session_id):
        self.sessions[session_id] = self
"""
THING = f"class Thing:{BODY}\n"
INSIDE = """
    sessions = {}

    def add(session_id):
        sessions[session_id] = 1

    return add
"""


class TestClasses:
    @pytest.mark.parametrize(
        ("head", "expected"),
        [
            ("class Manager:", LIKELY),
            ("class Session:", SHORT),
            ("class Thing:", UNKNOWN),
            ("class Thing(ValueError):", SHORT),
            ("class Thing(ast.NodeVisitor):", SHORT),
            ("class Thing(asyncio.DatagramProtocol):", LIKELY),
        ],
    )
    def test_names_and_bases(self, tmp_path: Path, head: str, expected: Lifetime) -> None:
        """
        Where nobody makes one, the names of a class and of its bases tell.
        """
        assert lifetime(tmp_path, head + BODY) is expected

    def test_a_base_of_ours_is_known(self, tmp_path: Path) -> None:
        """
        A base that is called like one of a framework, but is ours, tells nothing.
        """
        assert lifetime(tmp_path, f"class Model: ...\n\nclass Thing(Model):{BODY}") is UNKNOWN

    @pytest.mark.parametrize(
        ("user", "expected"),
        [
            ("thing = Thing()", LONG),
            ("thing = None\ndef setup():\n    global thing\n    thing = Thing()", LONG),
            ("def main():\n    thing = Thing()\n    thing.go()", LONG),
            ('@app.get("/")\ndef show():\n    thing = Thing()', SHORT),
            ("def show(request):\n    thing = Thing()", SHORT),
            ("def show(x):\n    thing = Thing()", UNKNOWN),
            ("things = {}\ndef show(x):\n    things[x] = Thing()", SHORT),
            ("def show(x):\n    x.y[x] = Thing()", UNKNOWN),
            ("def show(x):\n    x.append(Thing())", UNKNOWN),
            ("class Server:\n    thing = Thing()", LONG),
            ("def setup(app):\n    app.state.thing = Thing()", LONG),
            ("def setup(x):\n    x.thing = Thing()", UNKNOWN),
            ("def setup(self):\n    self.thing = Thing()", UNKNOWN),
        ],
    )
    def test_where_one_is_made(self, tmp_path: Path, user: str, expected: Lifetime) -> None:
        """
        An instance lives as long as what it is put into, or as the function that makes it.
        """
        assert lifetime(tmp_path, THING + user) is expected

    @pytest.mark.parametrize(
        ("owner", "expected"),
        [
            ("class Session:\n    def __init__(self):\n        self.thing = Thing()", SHORT),
            ("class Server:\n    def __init__(self):\n        self.thing = Thing()", LIKELY),
            ("class Other:\n    def __init__(self):\n        self.thing = Thing()", UNKNOWN),
        ],
    )
    def test_attributes(self, tmp_path: Path, owner: str, expected: Lifetime) -> None:
        """
        An attribute lives as long as its owner does.
        """
        assert lifetime(tmp_path, THING + owner) is expected

    def test_one_that_holds_another(self, tmp_path: Path) -> None:
        """
        A class that makes its own kind does not go round in circles.
        """
        source = THING.replace("= {}", "= {}\n        self.other = Thing()")
        assert lifetime(tmp_path, source) is UNKNOWN

    def test_a_manager_made_for_a_request(self, tmp_path: Path) -> None:
        """
        What a name and a place say against each other is not known.
        """
        source = f"class Manager:{BODY}\ndef show(request):\n    one = Manager()"
        assert lifetime(tmp_path, source) is UNKNOWN

    def test_tests_make_no_owner(self, tmp_path: Path) -> None:
        """
        What a test makes does not count.
        """
        user = "from server import Thing\n\nthing = Thing()"
        assert lifetime(tmp_path, THING, **{"tests.test_thing": user}) is UNKNOWN
        assert lifetime(tmp_path, THING, other=user) is LONG


class TestShared:
    def test_globals(self, tmp_path: Path) -> None:
        """
        A global lives as long as the program.
        """
        assert lifetime(tmp_path, "sessions = {}") is LONG

    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            ("class Session:\n    sessions = {}", LONG),
            ("class Session(BaseModel):\n    sessions = {}", SHORT),
            ("@dataclass\nclass Session:\n    sessions: dict = field(default_factory=dict)", SHORT),
        ],
    )
    def test_class_attributes(self, tmp_path: Path, source: str, expected: Lifetime) -> None:
        """
        What a class has is there once, unless its body describes what each instance gets.
        """
        assert lifetime(tmp_path, source) is expected


class TestClosures:
    @pytest.mark.parametrize(
        ("head", "expected"),
        [
            ("def make_app():", LIKELY),
            ("def limiter():", UNKNOWN),
            ("def limiter(client):", UNKNOWN),
            ("def limiter(session_id):", SHORT),
            ('@app.get("/")\ndef limiter():', SHORT),
        ],
    )
    def test_the_function_that_has_it(self, tmp_path: Path, head: str, expected: Lifetime) -> None:
        """
        A local variable that functions inside use lives as long as what its function makes.
        """
        assert lifetime(tmp_path, head + INSIDE) is expected

    @pytest.mark.parametrize(
        ("decorator", "expected"), [('@x.get("/")', LONG), ("@functools.wraps(x)", LIKELY)]
    )
    def test_what_is_inside(self, tmp_path: Path, decorator: str, expected: Lifetime) -> None:
        """
        It lives on with a route, or with a decorated function, that uses it.
        """
        source = "def limiter(x):" + INSIDE.replace("    def add", f"    {decorator}\n    def add")
        assert lifetime(tmp_path, source) is expected
