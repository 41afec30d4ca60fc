"""
The child is only to be had from a context manager that kills it and waits when it is left.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

children: dict[str, subprocess.Popen[str]] = {}  # clean: popped in the finally of child()


@contextmanager
def child(session_id: str, *argv: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # clean: killed
    children[session_id] = process
    try:
        yield process
    finally:
        children.pop(session_id, None)
        process.kill()
        process.wait()


def run_python(session_id: str, code: str) -> str:
    with child(session_id, "python3", "-c", code) as process:
        out, _ = process.communicate(timeout=30)
        return out


def handle_tool_call(session_id: str, call: dict) -> dict:
    try:
        return {"id": call["id"], "output": run_python(session_id, call["code"])}
    except subprocess.TimeoutExpired:
        return {"id": call["id"], "error": "time is over"}
