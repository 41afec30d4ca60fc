"""The tool results of each turn stay in the application's state, because a turn's end takes away only its running mark."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request


@dataclass
class Runtime:
    model: str
    running: set[str] = field(default_factory=set)  # clean: discarded when the turn ends, however it ends
    tool_results: dict[str, list[Any]] = field(default_factory=dict)  # leaks SS001: no turn id is ever taken out


app = FastAPI()
app.state.runtime = Runtime(model="small")


@app.post("/turns/{turn_id}")
async def run_turn(turn_id: str, request: Request) -> dict[str, Any]:
    runtime: Runtime = request.app.state.runtime
    body = await request.json()
    runtime.running.add(turn_id)
    try:
        for call in body["calls"]:
            output = await request.app.state.tools.invoke(call)
            runtime.tool_results.setdefault(turn_id, []).append(output)
        return {"results": runtime.tool_results.get(turn_id, [])}
    finally:
        runtime.running.discard(turn_id)
