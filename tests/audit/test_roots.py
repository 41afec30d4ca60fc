"""
Who begins a removal, where nobody in the project calls it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sessionstate.audit import Confidence
from tests.audit.outcomes import best, decided, outcomes

HEAD = """\
sessions = {}


def add(session_id):
    sessions[session_id] = 1


async def handle(session_id):
    add(session_id)


"""

REMOVES = "(session_id):\n    sessions.pop(session_id, None)\n"


@pytest.mark.parametrize(
    ("decorator", "name", "says"),
    [
        ("app.delete('/x')", "gone", "COMMAND: only when somebody asks for gone()"),
        ("app.post('/leave')", "out", "COMMAND: only when somebody asks for /leave"),
        ("app.get('/leave')", "out", "EVENT: only when /leave comes"),
        ("app.post('/x')", "logout", "COMMAND: only when somebody asks for logout()"),
        ("app.post('/x')", "finish", "EVENT: only when finish() is asked for it"),
        ("bus.on('deleted')", "finish", "EVENT: only when finish() is called"),
        ("sio.on('disconnect')", "finish", "SURE: finish() is owed by the transport"),
        ("app.middleware('http')", "finish", "CALLED: called by a framework"),
        ("app.websocket('/left')", "finish", "EVENT: only when /left comes"),
        ("app.get('/x')", "finish", "EVENT: only when finish() is asked for it"),
        ("app.task", "finish", "CALLED: called by a framework"),
        ("traced", "finish", "CALLED: called by a framework"),
        ("sio.event", "disconnect", "SURE: disconnect() is owed by the transport"),
        ("", "on_disconnect", "DEAD: nobody calls on_disconnect()"),
        ("", "do_quit", "COMMAND: only when somebody asks for do_quit()"),
        ("", "sweep_one", "DEAD: nobody calls sweep_one()"),
        ("", "on_deleted", "EVENT: only when on_deleted() is called"),
        ("", "handle_bye", "COMMAND: only when somebody asks for handle_bye()"),
        ("", "cmd_finish", "EVENT: only when cmd_finish() is asked for"),
        ("", "data_received", "EVENT: only when a message says so"),
        ("", "finish", "DEAD: nobody calls finish()"),
        ("", "start", "CALLED: called as the program starts"),
    ],
)
def test_a_function(tmp_path: Path, decorator: str, name: str, says: str) -> None:
    """
    A function that nobody calls is begun by what decorates it, or by whoever its name says.
    """
    decorated = f"@{decorator}\n" if decorator else ""
    assert best(tmp_path, f"{HEAD}{decorated}def {name}{REMOVES}") == says


@pytest.mark.parametrize(
    ("bases", "name", "body", "says"),
    [
        ("", "connection_lost", "", "SURE: connection_lost() is owed by the transport"),
        ("(View)", "post", "", "EVENT: only when post() is asked for it"),
        ("(Base)", "finish", "", "CALLED: called by its base class"),
        ("(Base)", "_finish", "", "DEAD: nobody calls _finish()"),
        ("(Base)", "_end", "super()._end(session_id)", "CALLED: called by its base class"),
        ("", "__setstate__", "", "CALLED: called by its base class"),
        ("", "delete", "", "DEAD: nobody calls delete()"),
    ],
)
def test_a_method(tmp_path: Path, bases: str, name: str, body: str, says: str) -> None:
    """
    A method may be called by a base class that is somebody else's.
    """
    source = f"{HEAD}class Server{bases}:\n    def {name}(self, session_id):\n"
    source += f"        {body or 'pass'}\n        sessions.pop(session_id, None)\n"
    assert best(tmp_path, source) == says


def test_what_users_ask_for(tmp_path: Path) -> None:
    """
    A deletion of a class that nobody uses here is up to whoever uses it.
    """
    source = (
        "class MemoryStore:\n    def __init__(self):\n        self.sessions = {}\n\n"
        "    def put(self, session_id):\n        self.sessions[session_id] = 1\n\n"
        "    def delete(self, session_id):\n        self.sessions.pop(session_id, None)\n"
    )
    assert best(tmp_path, source) == "ASKED: only when somebody asks for delete()"
    assert decided(tmp_path, source) == "SS002e"


@pytest.mark.parametrize(
    ("caller", "says"),
    [
        ("atexit.register(end)\n", "SHUTDOWN: only when the program ends"),
        (
            "app.add_handler(CommandHandler('x', end))\n",
            "EVENT: only when CommandHandler() is asked for it",
        ),
        ("bus.subscribe(end)\n", "EVENT: only when subscribe() tells"),
        ("manager.add_task(end)\n", "SURE: handed to add_task"),
        ("thing(end)\n", "CALLED: handed to thing"),
        ("end('x')\n", "CALLED: called at import"),
        ("def full():\n    if len(sessions) > 9:\n        end('x')\n", "SURE: its size is limited"),
    ],
)
def test_a_caller(tmp_path: Path, caller: str, says: str) -> None:
    """
    A function that is called, or handed on, runs when its caller does.
    """
    assert best(tmp_path, f"{HEAD}def end{REMOVES}\n\n{caller}") == says


def test_called_in_many_places(tmp_path: Path) -> None:
    """
    Of a function that is called everywhere nothing is said.
    """
    callers = "".join(f"\n\ndef caller{i}(session_id):\n    end(session_id)\n" for i in range(30))
    says = best(tmp_path, f"{HEAD}def end{REMOVES}{callers}")
    assert says == "CALLED: called in many places"


def test_called_from_afar(tmp_path: Path) -> None:
    """
    Callers are followed for some steps, and no further.
    """
    chain = "".join(f"\n\ndef step{i}(x):\n    step{i - 1}(x)\n" for i in range(1, 12))
    source = f"{HEAD}def step0{REMOVES}{chain}"
    assert best(tmp_path, source) == "CALLED: called from afar"


def test_called_elsewhere(tmp_path: Path) -> None:
    """
    Functions that call each other are called by somebody.
    """
    source = (
        f"{HEAD}def one(x):\n    two(x)\n    sessions.pop(x, None)\n\n\ndef two(x):\n    one(x)\n"
    )
    assert best(tmp_path, source) == "CALLED: called elsewhere"


def test_only_what_fails(tmp_path: Path) -> None:
    """
    A function that is called where something fails alone is no removal.
    """
    source = f"{HEAD}def end{REMOVES}\n\ndef make(x):\n    add(x)\n    try:\n        use(x)\n"
    source += "    except ValueError:\n        end(x)\n        raise\n"
    assert best(tmp_path, source) == "nothing"


ENDS = """\
async def serve(session_id, socket):
    add(session_id)
    try:
        await socket.run()
    finally:
        {between}
        await end(session_id)


async def end(session_id):
    {first}
    sessions.pop(session_id, None)
"""


@pytest.mark.parametrize(
    ("between", "first", "says"),
    [
        ("pass", "pass", "SURE: removed on every way out"),
        ("if socket.closed:\n            return", "pass", "GUARDED"),
    ],
)
def test_a_finally(tmp_path: Path, between: str, first: str, says: str) -> None:
    """
    A finally that calls the removal is sure, unless it leaves before.
    """
    source = HEAD + ENDS.format(between=between, first=first)
    assert best(tmp_path, source).startswith(says)


def test_after_what_may_fail(tmp_path: Path) -> None:
    """
    A method that the transport owes may fail before it removes.
    """
    source = f"{HEAD}class Server:\n    async def on_disconnect(self, session_id):\n"
    source += "        await self.say_goodbye()\n        sessions.pop(session_id, None)\n"
    assert best(tmp_path, source) == "LATE: after what may fail"


def test_after_what_may_fail_in_the_caller(tmp_path: Path) -> None:
    """
    The caller of a removal may fail before it calls.
    """
    source = f"{HEAD}def end{REMOVES}\n\nclass Server:\n"
    source += "    async def on_disconnect(self, session_id):\n"
    source += "        await self.say_goodbye()\n        end(session_id)\n"
    assert best(tmp_path, source) == "LATE: after what may fail"


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("key = input()\nsessions.pop(key, None)\n", "nothing"),
        (
            "def process_old():\n    for key in list(sessions):\n        del sessions[key]\n",
            "CALLED: whoever uses process_old()",
        ),
        (
            (
                "async def serve(session_id, socket):\n    try:\n        await socket.run()\n"
                "    finally:\n        if not socket.closed:\n"
                "            sessions.pop(session_id, None)\n"
            ),
            "GUARDED: in a finally, behind another condition",
        ),
        (
            (
                "async def serve(session_id, socket):\n    sessions[session_id] = socket\n"
                "    try:\n        await socket.run()\n    finally:\n        if session_id:\n"
                "            sessions.pop(session_id, None)\n"
            ),
            "SURE: removed on every way out",
        ),
        (
            (
                "class Server:\n    async def on_disconnect(self, session_id):\n"
                "        if session_id:\n            sessions.pop(session_id, None)\n"
            ),
            "SURE: on_disconnect() is owed by the transport",
        ),
    ],
)
def test_conditions(tmp_path: Path, lines: str, says: str) -> None:
    """
    A condition about the key itself is none; a module's own statements remove nothing later.
    """
    assert best(tmp_path, HEAD + lines) == says


def test_keys_of_the_environment(tmp_path: Path) -> None:
    """
    A key that is read from the environment is one of few.
    """
    source = "import os\n\nsessions = {}\n\n\ndef add(x):\n"
    source += '    sessions[os.environ["REGION"]] = x\n'
    assert decided(tmp_path, source) == "what is put in is bounded"


def test_warnings_shown(tmp_path: Path) -> None:
    """
    What was shown once is one of few texts, by its name.
    """
    source = "shown = set()\n\n\ndef warn(text):\n    if text not in shown:\n"
    source += "        shown.add(text)\n"
    assert outcomes(tmp_path, source)["shown"].confidence is Confidence.LOW
