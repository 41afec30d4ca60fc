"""
Tools register themselves while their modules are imported, and later nobody registers any.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

Tool = Callable[..., Awaitable[str]]
_tools: dict[str, Tool] = {}  # clean: one row for each tool in the source


def register(tool_id: str, tool: Tool) -> None:
    _tools[tool_id] = tool


def tool(tool_id: str) -> Callable[[Tool], Tool]:
    def decorate(fn: Tool) -> Tool:
        register(tool_id, fn)
        return fn

    return decorate


async def call(session_id: str, tool_id: str, **arguments: str) -> str:
    return await _tools[tool_id](session_id=session_id, **arguments)
