"""
The verdict on one container: its code, how grave it is, and how sure.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sessionstate.audit._findings import Confidence, Severity
from tests.audit.outcomes import decided, outcomes

HIGH, MEDIUM, LOW = Confidence.HIGH, Confidence.MEDIUM, Confidence.LOW
ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO

SERVE = """
    import asyncio, time

    sessions = {}

    async def serve(session_id, websocket):
        sessions[session_id] = websocket
"""
TWO = """
    sessions = {{}}
    others = {{}}

    def serve(thing_id, peer):
        sessions[thing_id] = 1
        others[{0}] = 1

    {1}
"""


def sure(folder: Path, source: str, name: str = "sessions") -> Confidence:
    """
    Return how sure a finding is.
    """
    outcome = outcomes(folder, source)[name]
    assert outcome.code
    return outcome.confidence


class TestCodes:
    @pytest.mark.parametrize(
        ("more", "code"),
        [
            ("", "SS001"),
            ("\n    await run()\n    del sessions[session_id]", "SS002b"),
            (("\n    try:\n        await run()\n    finally:\n        if websocket.failed:\n"
             "            del sessions[session_id]"), "SS002c"),
            (("\n    try:\n        await run()\n"
             "    except Disconnected:\n        del sessions[session_id]"),
             "SS002a"),
            (("\n    try:\n        while True:\n            await run()\n"
             "    except Exception:\n        del sessions[session_id]"), "SS002b"),
            ("\ndef session_closed(x):\n    del sessions[x]", "SS002a"),
            ("\ndef logout(x):\n    del sessions[x]", "SS002e"),
            ("\ndef remove(x):\n    del sessions[x]", "SS002e"),
            ("\ndef _forget(x):\n    del sessions[x]", "SS002d"),
            (("\ndef get(x):\n    found = sessions[x]\n    if found.expired:\n"
             "        del sessions[x]\n    return found"), "SS002g"),
            ("\ndef close():\n    sessions.clear()", "SS001"),
            ("\n    try:\n        await run()\n    finally:\n        del sessions[session_id]",
             "removed on every way out"),
        ],
    )  # fmt: skip
    def test_by_what_the_removal_rests_on(self, tmp_path: Path, more: str, code: str) -> None:
        """
        Each way in which a removal may be missed has a code; what rests on nothing else is clean.
        """
        source = SERVE + more.replace("\n", "\n    ")
        assert decided(tmp_path, source) == code

    def test_collections(self, tmp_path: Path) -> None:
        """
        Where what is in a collection goes, but never its key, that is said.
        """
        source = """
            sessions = {0}

            def join(session_id, x):
                sessions{1}.add(x)

            def leave(session_id, x):
                sessions[session_id].discard(x)
        """
        listed = source.format("defaultdict(set)", "[session_id]")
        assert decided(tmp_path, listed) == "SS002f"
        made = source.format("{}", ".setdefault(session_id, set())")
        assert decided(tmp_path, made) == "SS002f"
        unknown = source.format("{}", ".setdefault(session_id, make())")
        assert decided(tmp_path, unknown) == "SS001"

    @pytest.mark.parametrize(
        ("source", "code"),
        [
            (("sessions = {}\nasync def serve(session_id):\n"
             "    sessions[session_id] = asyncio.create_task(run())"), "SS006"),
            (("sessions = set()\nasync def serve(session_id):\n"
             "    sessions.add(asyncio.create_task(run()))"), "SS006"),
            (("sessions = {}\nasync def serve(session_id):\n"
             "    sessions[session_id] = asyncio.Lock()"), "SS009"),
            (("sessions = defaultdict(asyncio.Lock)\nasync def serve(session_id):\n"
             "    async with sessions[session_id]:\n        pass"), "SS009"),
            (("seen_sessions = set()\nasync def serve(session_id):\n"
             "    seen_sessions.add(session_id)"), "SS007"),
            (("iterations = set()\nasync def serve(session_id):\n"
             "    iterations.add(session_id)"), "SS001"),
            (("sessions = {}\ndef put(session_id, x):\n    sessions[session_id] = x\n"
             "def get(session_id):\n    found = sessions[session_id]\n"
             "    if found.expires_at < now():\n        return None\n    return found"), "SS010"),
            (("sessions = defaultdict(list)\ndef put(session_id, x):\n"
             "    sessions[session_id].append(x)\n"
             "def get(session_id):\n    found = sessions[session_id]\n"
             "    if found.expires_at < now():\n        return None\n    return found"), "SS001"),
        ],
    )  # fmt: skip
    def test_by_what_is_kept(self, tmp_path: Path, source: str, code: str) -> None:
        """
        Tasks, what was seen, locks and entries with a time to live have rules of their own.
        """
        (outcome,) = outcomes(tmp_path, source).values()
        assert outcome.code == code

    def test_the_size_alone(self, tmp_path: Path) -> None:
        """
        What guards against a replay must not forget because it is full: that is a suggestion.
        """
        source = """
            seen = OrderedDict()

            async def serve({0}):
                seen[{0}] = 1
                while len(seen) > 1000:
                    seen.popitem(last=False)
        """
        outcome = outcomes(tmp_path, source.format("nonce"))["seen"]
        assert (outcome.code, outcome.severity, outcome.confidence) == ("SS007", INFO, MEDIUM)
        assert decided(tmp_path, source.format("thing"), "seen") == "its size is limited"

    def test_short_owners(self, tmp_path: Path) -> None:
        """
        What goes with a session needs no removal.
        """
        source = """
            class Session:
                def __init__(self):
                    self.messages = {}

                def add(self, message_id):
                    self.messages[message_id] = 1
        """
        assert decided(tmp_path, source, "messages") == "its owner does not live long"


class TestSeverity:
    @pytest.mark.parametrize(
        ("more", "severity"),
        [
            ("", ERROR),
            ("def _forget(x):\n    del sessions[x]", ERROR),
            ("def logout(x):\n    del sessions[x]", WARNING),
        ],
    )
    def test_what_always_leaks_is_an_error(
        self, tmp_path: Path, more: str, severity: Severity
    ) -> None:
        """
        A leak of each entry is an error, one of some is a warning, one of none is nothing.
        """
        source = f"{SERVE}\n    {more.replace(chr(10), chr(10) + '    ')}\n"
        assert outcomes(tmp_path, source)["sessions"].severity is severity
        clean = source.replace("sessions[session_id] =", "sessions['all'] =")
        assert outcomes(tmp_path, clean)["sessions"].severity is INFO


class TestConfidence:
    @pytest.mark.parametrize(
        ("key", "confidence"), [("session_id", HIGH), ("thing_id", MEDIUM), ("thing", LOW)]
    )
    def test_keys(self, tmp_path: Path, key: str, confidence: Confidence) -> None:
        """
        The surer it is that each session brings a key, the surer is the finding.
        """
        source = f"things = {{}}\n\nasync def serve({key}):\n    things[{key}] = 1"
        assert sure(tmp_path, source, "things") is confidence

    @pytest.mark.parametrize(("head", "confidence"), [("Server", MEDIUM), ("Thing", LOW)])
    def test_owners(self, tmp_path: Path, head: str, confidence: Confidence) -> None:
        """
        The longer the owner lives, the surer is the finding.
        """
        source = (
            f"class {head}:\n    def __init__(self):\n        self.things = {{}}\n\n"
            "    def serve(self, session_id):\n        self.things[session_id] = 1"
        )
        assert sure(tmp_path, source, "things") is confidence

    @pytest.mark.parametrize(
        ("key", "more", "twin"),
        [
            ("thing_id", "def gone(x, thing_id):\n        others.pop(thing_id)", "others"),
            ("peer", "def gone(peer):\n        others.pop(peer)", "others"),
            ("peer", "def gone(peer):\n        print(peer)", ""),
            (
                "peer",
                "def close():\n        sessions.pop(1)\n        others.pop(2)",
                "",
            ),
        ],
    )
    def test_twins(self, tmp_path: Path, key: str, more: str, twin: str) -> None:
        """
        A container beside it that is emptied says that this one was forgotten.
        """
        assert outcomes(tmp_path, TWO.format(key, more))["sessions"].twin == twin

    def test_twins_count(self, tmp_path: Path) -> None:
        """
        A twin makes a finding surer.
        """
        more = "def gone(thing_id):\n        others.pop(thing_id)"
        assert sure(tmp_path, TWO.format("thing_id", "pass")) is MEDIUM
        assert sure(tmp_path, TWO.format("thing_id", more)) is HIGH

    @pytest.mark.parametrize(
        ("source", "confidence"),
        [
            ("def serve(thing_id):\n    sessions[thing_id] = 1", MEDIUM),
            (("def register(thing_id):\n    sessions[thing_id] = 1\n\n"
             "async def serve(thing_id):\n    register(thing_id)"), LOW),
            (("def other(thing_id):\n    sessions[thing_id] = 1\n\n"
             "async def serve(thing_id):\n    other(thing_id)"), MEDIUM),
        ],
    )  # fmt: skip
    def test_where_it_is_written(self, tmp_path: Path, source: str, confidence: Confidence) -> None:
        """
        What runs for a request counts more, what registers counts less.
        """
        assert sure(tmp_path, f"sessions = {{}}\n\n{source}") is confidence

    @pytest.mark.parametrize(
        ("name", "confidence"),
        [("things", MEDIUM), ("thing_cache", MEDIUM), ("warned_things", LOW)],
    )
    def test_names(self, tmp_path: Path, name: str, confidence: Confidence) -> None:
        """
        The name of a container tells of what is filled once, or of what was warned of.
        """
        source = f"{name} = {{}}\n\nasync def serve(thing_id):\n    {name}[thing_id] = 1"
        assert sure(tmp_path, source, name) is confidence

    def test_lists(self, tmp_path: Path) -> None:
        """
        A list of what is no session counts less than a list of those that are.
        """
        source = "things = []\n\ndef serve(thing_id):\n    things.append(thing_id)"
        assert sure(tmp_path, source, "things") is LOW

    def test_memory_in_place_of_a_store(self, tmp_path: Path) -> None:
        """
        A removal that somebody may ask for counts, but not in what stands in for a store.
        """
        source = (
            "class {}:\n    def __init__(self):\n        self.sessions = {{}}\n\n"
            "    async def save(self, session_id):\n        self.sessions[session_id] = 1\n\n"
            "    async def delete(self, session_id):\n        del self.sessions[session_id]"
        )
        assert sure(tmp_path, source.format("Store")) is LOW
        assert sure(tmp_path, source.format("MemoryStore")) is HIGH
