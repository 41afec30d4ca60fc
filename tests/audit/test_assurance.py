"""
What the best removal from a container rests on.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from tests.audit.outcomes import best

HUB = """
    import asyncio, contextlib, heapq, time
    from fastapi import FastAPI, WebSocket, WebSocketDisconnect

    sessions = {{}}

    async def serve(websocket: WebSocket, session_id: str):
        sessions[session_id] = websocket
        {0}
"""
CLASS = """
    import asyncio, time

    class Hub:
        def __init__(self):
            self.sessions = {{}}

        async def connect(self, session_id: str, websocket):
            self.sessions[session_id] = websocket

        {0}
"""


def body(text: str, around: str = HUB) -> str:
    """
    Return a server with these lines after the write.
    """
    indent = " " * (len(around.rstrip()) - len(around.rstrip().removesuffix("{0}").rstrip(" ")) - 3)
    return around.format(text.strip().replace("\n", f"\n{indent}"))


class TestOneFunction:
    @pytest.mark.parametrize(
        ("lines", "expected"),
        [
            (
                "try:\n    await run(websocket)\nfinally:\n    sessions.pop(session_id, None)",
                "SURE: removed on every way out",
            ),
            (
                (
                    "task = asyncio.create_task(run(websocket))\n"
                    "task.add_done_callback(lambda _: sessions.pop(session_id, None))"
                ),
                "SURE: a callback removes it",
            ),
            (
                (
                    "async with contextlib.AsyncExitStack() as stack:\n"
                    "    stack.callback(sessions.pop, session_id)\n    await run(websocket)"
                ),
                "SURE: handed to callback",
            ),
            (
                "if len(sessions) > 100:\n    sessions.pop(next(iter(sessions)))",
                "SURE: its size is limited",
            ),
            (
                (
                    "try:\n    await run(websocket)\nexcept BaseException:\n"
                    "    del sessions[session_id]\n    raise\nsessions.pop(session_id)"
                ),
                "SURE: removed on every way out",
            ),
            (
                "await run(websocket)\ndel sessions[session_id]",
                "STRAIGHT: only if nothing before it fails",
            ),
            (
                "if await run(websocket):\n    return\ndel sessions[session_id]",
                "STRAIGHT: only if nothing before it fails",
            ),
            (
                (
                    "try:\n    await run(websocket)\nfinally:\n    if websocket.failed:\n"
                    "        del sessions[session_id]"
                ),
                "GUARDED: in a finally, behind another condition",
            ),
            (
                (
                    "try:\n    await run(websocket)\nfinally:\n    if session_id in sessions:\n"
                    "        del sessions[session_id]"
                ),
                "SURE: removed on every way out",
            ),
            (
                (
                    "try:\n    await run(websocket)\nexcept WebSocketDisconnect:\n"
                    "    del sessions[session_id]"
                ),
                "ONE_EXCEPT: only on WebSocketDisconnect",
            ),
            (
                (
                    "try:\n    while True:\n        await run(websocket)\nexcept Exception:\n"
                    "    del sessions[session_id]"
                ),
                "CANCELLED: not if it is cancelled",
            ),
            (
                (
                    "try:\n    await run(websocket)\nexcept ValueError:\n"
                    "    del sessions[session_id]\n    raise"
                ),
                "nothing",
            ),
            (
                "if websocket.ok:\n    sessions.pop(session_id)",
                "STRAIGHT: only on some ways out",
            ),
        ],
    )
    def test_taken_and_given(self, tmp_path: Path, lines: str, expected: str) -> None:
        """
        A function that puts in and takes out is judged by its ways out between the two.
        """
        assert best(tmp_path, body(lines)) == expected

    def test_another_entry(self, tmp_path: Path) -> None:
        """
        What takes out another entry than it puts in may be right about that one.
        """
        lines = "for other in websocket.gone:\n    sessions.pop(other)"
        assert best(tmp_path, body(lines)) == "CALLED: another entry goes"


class TestEntries:
    @pytest.mark.parametrize(
        ("lines", "expected"),
        [
            (
                (
                    "async def stream(self, session_id):\n"
                    "    async for part in source(session_id):\n"
                    "        yield part\n    self.sessions.pop(session_id, None)"
                ),
                "STRAIGHT: only at the end of stream()",
            ),
            (
                (
                    "async def handler(self, websocket, session_id):\n    await websocket.wait()\n"
                    "    self.sessions.pop(session_id, None)"
                ),
                "STRAIGHT: only at the end of handler()",
            ),
            (
                (
                    "async def handler(self, websocket, session_id):\n    try:\n"
                    "        await websocket.wait()\n    finally:\n"
                    "        self.sessions.pop(session_id, None)"
                ),
                "CALLED: whoever uses handler()",
            ),
            (
                (
                    "def get(self, session_id):\n    found = self.sessions.get(session_id)\n"
                    "    if found.expires_at < time.time():\n"
                    "        del self.sessions[session_id]\n"
                    "    return found"
                ),
                "ON_READ: only when get() meets it expired",
            ),
            (
                "def check(self, each):\n    if each.expired:\n        self.sessions.pop(each.key)",
                "CALLED: whoever uses check()",
            ),
            (
                (
                    "def sweep(self, keys):\n    for key in keys:\n"
                    "        if self.sessions[key].expired:\n            del self.sessions[key]"
                ),
                "DEAD: nobody calls sweep()",
            ),
        ],
    )
    def test_one_entry(self, tmp_path: Path, lines: str, expected: str) -> None:
        """
        One entry goes at the end of a stream, when it is met expired, or as its caller sees fit.
        """
        assert best(tmp_path, body(lines, CLASS)) == expected

    def test_with_the_answer(self, tmp_path: Path) -> None:
        """
        A future that is awaited where it is put in stays if the answer never comes.
        """
        source = """
            import asyncio

            sessions = {}

            async def ask(session_id):
                future = asyncio.get_running_loop().create_future()
                sessions[session_id] = future
                return await asyncio.wait_for(future, 5)

            def answer(session_id, text):
                sessions.pop(session_id).set_result(text)
        """
        assert best(tmp_path, source) == "EVENT: only when the answer comes"


class TestCaps:
    @pytest.mark.parametrize(
        ("lines", "expected"),
        [
            ("async def drop_one(self):\n    return self.sessions.popitem()", "SURE"),
            (("async def go(self):\n    oldest = min(self.sessions)\n"
             "    del self.sessions[oldest]"), "SURE"),
            (("def _trim(self):\n    self.sessions.pop(self.first)\n\n"
             "async def go(self):\n    self._trim()"), "SURE"),
            ("def _trim(self):\n    self.sessions.pop(self.first)", "DEAD"),
            (("def put(self, other):\n    while len(self.sessions) > 9:\n"
             "        self.sessions.pop(self.first)"), "SURE"),
        ],
    )  # fmt: skip
    def test_too_many(self, tmp_path: Path, lines: str, expected: str) -> None:
        """
        An entry that goes because there are too many goes surely, if anybody asks how many.
        """
        assert best(tmp_path, body(lines, CLASS)).partition(":")[0] == expected


class TestWhole:
    @pytest.mark.parametrize(
        ("lines", "expected"),
        [
            ("async def close(self):\n    self.sessions.clear()",
             "SHUTDOWN: only close() empties it"),
            (("async def close(self):\n    for session_id in list(self.sessions):\n"
             "        del self.sessions[session_id]"), "SHUTDOWN: only close() empties it"),
            (("def housekeeping(self):\n    if time.monotonic() > self.next:\n"
             "        self.sessions.clear()"), "SURE: it is emptied from time to time"),
            (("async def flush(self, session_id, websocket):\n"
             "    self.sessions[session_id] = websocket\n    self.sessions.clear()"),
             "SURE: it is emptied as it is used"),
            ("def again(self):\n    self.sessions = {}\n    self.go()",
             "CALLED: whoever uses again()"),
            ("def __new__(cls):\n    cls.sessions.clear()", "nothing"),
            (("def reset(self):\n    self.sessions.clear()\n\ndef session_closed(self):\n"
             "    self.reset()"), "EVENT: only when session_closed() is called"),
        ],
    )  # fmt: skip
    def test_everything(self, tmp_path: Path, lines: str, expected: str) -> None:
        """
        What takes out everything counts if it runs from time to time, not if it is the end.
        """
        assert best(tmp_path, body(lines, CLASS)) == expected

    @pytest.mark.parametrize(
        "lines",
        [
            "sessions.clear()",
            "sessions.pop('x')",
            "for key in list(sessions):\n    del sessions[key]",
        ],
    )
    def test_at_import(self, tmp_path: Path, lines: str) -> None:
        """
        What runs as a module is imported takes out nothing of a session's.
        """
        assert best(tmp_path, f"{dedent(body('pass'))}\n{lines}\n") == "nothing"


class TestSweeps:
    @pytest.mark.parametrize(
        ("lines", "expected"),
        [
            (("async def sweep(self):\n    while True:\n        await asyncio.sleep(60)\n"
             "        for key, ws in list(self.sessions.items()):\n            if ws.stale:\n"
             "                del self.sessions[key]\n\nasync def run(self):\n"
             "    await self.sweep()"), "CALLED: called as the program starts"),
            (("async def sweep(self):\n    for key, ws in list(self.sessions.items()):\n"
             "        if ws.stale:\n            del self.sessions[key]"),
             "DEAD: nobody calls sweep()"),
            (("def prune(self):\n"
             "    self.sessions = {k: v for k, v in self.sessions.items() if v.alive}\n\n"
             "async def run(self):\n    self.prune()"), "CALLED: called as the program starts"),
            ("async def finish(self, gone):\n    self.sessions -= gone",
             "CALLED: whoever uses finish()"),
            (("async def put(self, session_id, websocket):\n"
             "    self.sessions[session_id] = websocket\n"
             "    for key in [k for k, v in self.sessions.items() if v.closed]:\n"
             "        del self.sessions[key]"), "SURE: each write sweeps it"),
            (("def stop(self):\n    for key in list(self.sessions):\n"
             "        if self.sessions[key].stale:\n            del self.sessions[key]"),
             "SHUTDOWN: only stop() empties it"),
            (("def session_closed(self, key):\n    for each in self.sessions:\n"
             "        each.tell(key)\n    del self.sessions[key]"),
             "EVENT: only when session_closed() is called"),
            (("def session_closed(self, key):\n    for each in self.sessions:\n"
             "        del self.sessions[key]"), "EVENT: only when session_closed() is called"),
        ],
    )  # fmt: skip
    def test_each_entry(self, tmp_path: Path, lines: str, expected: str) -> None:
        """
        What looks at each entry counts if it runs as time passes, or with each write.
        """
        assert best(tmp_path, body(lines, CLASS)) == expected

    def test_a_sweep_that_nobody_calls_is_told(self, tmp_path: Path) -> None:
        """
        A sweep without a caller says more than a removal that somebody may ask for.
        """
        lines = (
            "def sweep(self):\n    for key in list(self.sessions):\n"
            "        del self.sessions[key]\n\ndef finish(self, key):\n    del self.sessions[key]"
        )
        assert best(tmp_path, body(lines, CLASS)) == "DEAD: nobody calls sweep()"

    def test_entries_that_expire_are_meant_to_go(self, tmp_path: Path) -> None:
        """
        Where an entry is judged by its age, a removal that somebody may ask for is not enough.
        """
        lines = (
            "def get(self, key):\n    found = self.sessions[key]\n    if found.expired:\n"
            "        del self.sessions[key]\n\ndef finish(self, key):\n    del self.sessions[key]"
        )
        assert best(tmp_path, body(lines, CLASS)).startswith("ON_READ")


class TestQueues:
    @pytest.mark.parametrize(
        ("made", "line"),
        [
            ("[]", "self.sessions.pop()"),
            ("[]", "self.sessions.pop(0)"),
            ("[]", "del self.sessions[0]"),
            ("[]", "del self.sessions[:5]"),
            ("[]", "heapq.heappop(self.sessions)"),
            ("deque()", "self.sessions.popleft()"),
            ("set()", "self.sessions.pop()"),
        ],
    )
    def test_consumed(self, tmp_path: Path, made: str, line: str) -> None:
        """
        What takes entries out by their place, not by what they are, empties as a queue.
        """
        source = (
            f"class Hub:\n    def __init__(self):\n        self.sessions = {made}\n\n"
            f"    def session_closed(self):\n        {line}\n"
        )
        assert best(tmp_path, source) == "SURE: it is emptied as it is used"

    @pytest.mark.parametrize("line", ["self.sessions.remove(key)", "del self.sessions[key]"])
    def test_chosen(self, tmp_path: Path, line: str) -> None:
        """
        An entry that is chosen goes only with its event.
        """
        source = (
            "class Hub:\n    def __init__(self):\n        self.sessions = []\n\n"
            f"    def session_closed(self, key):\n        {line}\n"
        )
        assert best(tmp_path, source).startswith("EVENT")


class TestHandedOn:
    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("loop.call_later(60, self.sessions.pop, session_id)", "SURE: handed to call_later"),
            ("self.expire(self.sessions.pop, session_id)", "SURE: handed to expire"),
            ("atexit.register(self.sessions.clear)", "SHUTDOWN: only when the program ends"),
            ("app.on_shutdown(self.sessions.clear)", "SHUTDOWN: only when the program ends"),
            ("app.whatever(self.sessions.pop)", "CALLED: handed to whatever"),
        ],
    )
    def test_methods(self, tmp_path: Path, line: str, expected: str) -> None:
        """
        A method that is handed on runs when what it is handed to says so.
        """
        assert best(tmp_path, body(f"def later(self, session_id):\n    {line}", CLASS)) == expected

    def test_a_lambda_that_is_kept(self, tmp_path: Path) -> None:
        """
        A lambda that is handed to nobody that calls it in the end is no callback.
        """
        lines = "websocket.forget = lambda: sessions.pop(session_id)"
        assert not best(tmp_path, body(lines)).startswith("SURE: a callback")


def test_nothing(tmp_path: Path) -> None:
    """
    What is never removed rests on nothing.
    """
    assert best(tmp_path, body("pass")) == "nothing"
