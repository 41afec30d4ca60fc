"""A run of which one worker fails stays in the table, because the group raises and the pop is after its block."""

import asyncio

RUNS: dict[str, list[str]] = {}  # leaks SS002b: an ExceptionGroup leaves the function before the pop
VOICES = ("critic", "writer", "judge")


async def _speak(run_id: str, voice: str, topic: str, llm) -> None:
    RUNS[run_id].append(f"{voice}: {await llm(voice, topic)}")


async def debate(run_id: str, topic: str, llm) -> list[str]:
    RUNS[run_id] = []
    async with asyncio.TaskGroup() as group:
        for voice in VOICES:
            group.create_task(_speak(run_id, voice, topic, llm))
    return RUNS.pop(run_id)


async def handler(request):
    lines = await debate(request.id, request.args["topic"], request.app.llm)
    return {"lines": lines}
