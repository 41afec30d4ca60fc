"""
What the best removal from a container rests on.
"""

from __future__ import annotations

from pathlib import Path

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
                "task = asyncio.create_task(run(websocket))\n"
                "task.add_done_callback(lambda _: sessions.pop(session_id, None))",
                "SURE: a callback removes it",
            ),
            (
                "async with contextlib.AsyncExitStack() as stack:\n"
                "    stack.callback(sessions.pop, session_id)\n    await run(websocket)",
                "SURE: handed to callback",
            ),
            (
                "if len(sessions) > 100:\n    sessions.pop(next(iter(sessions)))",
                "SURE: its size is limited",
            ),
            (
                "try:\n    await run(websocket)\nexcept BaseException:\n"
                "    del sessions[session_id]\n    raise\nsessions.pop(session_id)",
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
                "try:\n    await run(websocket)\nfinally:\n    if websocket.failed:\n"
                "        del sessions[session_id]",
                "GUARDED: in a finally, behind another condition",
            ),
            (
                "try:\n    await run(websocket)\nfinally:\n    if session_id in sessions:\n"
                "        del sessions[session_id]",
                "SURE: removed on every way out",
            ),
            (
                "try:\n    await run(websocket)\nexcept WebSocketDisconnect:\n"
                "    del sessions[session_id]",
                "ONE_EXCEPT: only on WebSocketDisconnect",
            ),
            (
                "try:\n    await run(websocket)\nexcept Exception:\n    del sessions[session_id]\n"
                "else:\n    del sessions[session_id]",
                "STRAIGHT: only if nothing before it fails",
            ),
        ],
    )
    def test_taken_and_given(self, tmp_path: Path, lines: str, expected: str) -> None:
        """
        A function that puts in and takes out is judged by its ways out between the two.
        """
        assert best(tmp_path, body(lines)) == expected

