"""
What a finding says.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sessionstate.audit._flow import Way
from sessionstate.audit._messages import ADVICE, BOUND, exits_of, finding_of
from tests.audit.outcomes import judge_of, told

SERVE = """
    import asyncio, time

    sessions = {}

    async def serve(session_id, websocket):
        sessions[session_id] = websocket
        """


def after(text: str) -> str:
    """
    Return a server with these lines after the write, which is in line 7.
    """
    return SERVE + text.replace("\n", "\n        ")


class TestSentences:
    @pytest.mark.parametrize(
        ("lines", "sentence", "exits"),
        [
            ("", "sessions grows with each key, and nothing is ever removed", []),
            ("await run()\ndel sessions[session_id]",
             "an entry of sessions is removed only if nothing before it fails, in serve()",
             ["leaks if cancelled at line 8", "leaks if line 8 raises"]),
            ("if websocket.bad:\n    return\ndel sessions[session_id]",
             "an entry of sessions is removed only if nothing before it fails, in serve()",
             ["leaks if it returns at line 9"]),
            ("if websocket.bad:\n    raise Bad\ndel sessions[session_id]",
             "an entry of sessions is removed only if nothing before it fails, in serve()",
             ["leaks if it raises at line 9"]),
            ("try:\n    await run()\nexcept Disconnected:\n    del sessions[session_id]",
             "an entry of sessions is removed only on Disconnected, in serve()",
             ["leaks if cancelled at line 9", "leaks if it ends at line 9",
              "leaks if line 9 raises"]),
            (("try:\n    await run()\nfinally:\n    if websocket.failed:\n"
             "        del sessions[session_id]"),
             "an entry of sessions is removed in a finally, behind another condition",
             ["leaks if cancelled at line 9"]),
        ],
    )  # fmt: skip
    def test_ways_out(self, tmp_path: Path, lines: str, sentence: str, exits: list[str]) -> None:
        """
        A sentence says where an entry is removed, and the exits on which ways out it is not.
        """
        said, ways = told(tmp_path, after(lines))
        assert said == sentence
        assert set(exits) <= set(ways)
        assert bool(exits) == bool(ways)

    @pytest.mark.parametrize(
        ("function", "sentence"),
        [
            ("def session_closed(x):",
             "an entry of sessions is removed only when session_closed() is called"),
            ("def logout(x):",
             "an entry of sessions is removed only when somebody asks for logout()"),
            ("def _forget(x):",
             "sessions grows, and nobody calls _forget(), which would remove from it"),
            ("def get(x):\n    if sessions[x].expired:\n    ",
             "an entry of sessions is removed only when get() meets it expired"),
        ],
    )  # fmt: skip
    def test_who_would_call(self, tmp_path: Path, function: str, sentence: str) -> None:
        """
        Where nobody may call the removal, the exit names its line.
        """
        source = f"{SERVE}\n    {function.replace(chr(10), chr(10) + '    ')}\n"
        line = len(source.splitlines())
        source = f"{source.rstrip(' ')}            del sessions[x]\n"
        said, ways = told(tmp_path, source)
        assert said == sentence
        why = sentence.partition("removed ")[2] or "nobody calls _forget()"
        assert ways == [f"leaks if line {line + 1} never runs: {why}"]

    @pytest.mark.parametrize(
        ("source", "sentence"),
        [
            (("sessions = {}\nasync def serve(session_id):\n"
             "    sessions[session_id] = asyncio.create_task(run())"),
             "sessions keeps each task, also when it has ended"),
            (("sessions = {}\nasync def serve(session_id):\n"
             "    sessions[session_id] = asyncio.Lock()"),
             "sessions keeps a lock for each key that was ever seen"),
            (("sessions = {}\ndef put(session_id, x):\n    sessions[session_id] = x\n"
             "def get(session_id):\n    found = sessions[session_id]\n"
             "    if found.expires_at < now():\n        return None"),
             "sessions has entries with a time to live, and nothing removes those past it"),
            (("sessions = defaultdict(set)\ndef join(session_id, x):\n"
             "    sessions[session_id].add(x)\n"
             "def leave(session_id, x):\n    sessions[session_id].discard(x)"),
             "sessions keeps a key for each collection, though what is in it goes"),
            (("sessions = {}\nothers = {}\nasync def serve(session_id):\n"
             "    sessions[session_id] = 1\n    others[session_id] = 1\n"
             "def session_closed(session_id):\n    del others[session_id]"),
             ("sessions grows with each key, and nothing is ever removed;"
             " its twin others is emptied")),
            (("sessions = {}\nasync def serve(session_id):\n    sessions[session_id] = 1\n"
             "def close():\n    sessions.clear()"),
             "sessions grows with each key, and only close() empties it"),
        ],
    )  # fmt: skip
    def test_what_grows(self, tmp_path: Path, source: str, sentence: str) -> None:
        """
        Where there is no removal, the sentence says what is kept.
        """
        assert told(tmp_path, source) == (sentence, [])

    @pytest.mark.parametrize(
        ("lines", "sentence"),
        [
            ("", "seen remembers what was seen without a time limit"),
            ("    while len(seen) > 9:\n        seen.popitem()",
             "seen forgets what was seen when it is full, not when it is old"),
        ],
    )  # fmt: skip
    def test_what_was_seen(self, tmp_path: Path, lines: str, sentence: str) -> None:
        """
        What was seen is kept without a limit, or with the wrong one.
        """
        source = f"seen = {{}}\n\nasync def serve(nonce):\n    seen[nonce] = 1\n{lines}"
        assert told(tmp_path, source, "seen")[0] == sentence


class TestExits:
    def test_in_order_and_once(self) -> None:
        """
        The ways out are told in the order of their lines, each line and kind once.
        """
        ways = [
            Way("return", 9, held=True),
            Way("cancelled", 4, held=True),
            Way("cancelled", 4, held=True, weak=True),
            Way("end", 12, held=True),
        ]
        assert [(each.line, each.message) for each in exits_of(ways, "hangs")] == [
            (4, "hangs if cancelled at line 4"),
            (9, "hangs if it returns at line 9"),
            (12, "hangs if it ends at line 12"),
        ]


class TestFindings:
    def test_places(self, tmp_path: Path) -> None:
        """
        A finding stands where the first entry is put in, and names each other place once.
        """
        source = """
            sessions = {}

            async def serve(session_id):
                sessions[session_id] = sessions[session_id + "x"] = 1
                sessions[session_id] = 2

            def logout(session_id):
                del sessions[session_id]
        """
        judge = judge_of(tmp_path, source)
        (outcome,) = judge.outcomes()
        finding = finding_of(judge, outcome)
        assert (finding.line, finding.container) == (5, "sessions")
        assert [each.line for each in finding.writes] == [5, 6]
        assert [each.line for each in finding.removals] == [9]
        assert finding.defined is not None
        assert (finding.defined.line, finding.defined.text) == (2, "sessions = {}")
        assert finding.advice == ADVICE["SS002e"]

    def test_advice(self, tmp_path: Path) -> None:
        """
        What nothing else fits is told to get a bound.
        """
        judge = judge_of(tmp_path, after(""))
        (outcome,) = judge.outcomes()
        assert finding_of(judge, outcome).advice == BOUND
        assert outcome.place.line == 4
