"""The gauge makes a series for each session and never drops one, because the end sets it to zero instead of removing it."""

import time


class Gauge:
    def __init__(self, name: str, label: str):
        self.name = name
        self.label = label
        self.series: dict[str, float] = {}  # unseen SS001: set to zero at the end, not deleted

    def set(self, value: float, which: str) -> None:
        self.series[which] = value

    def render(self) -> str:
        return "\n".join(f'{self.name}{{{self.label}="{k}"}} {v}' for k, v in self.series.items())


GAUGES = [Gauge("turn_seconds", "session"), Gauge("turn_tokens", "session")]  # clean: two of them, made at import


async def timed_turn(session, prompt):
    seconds, tokens = GAUGES
    started = time.perf_counter()
    try:
        reply = await session.turn(prompt)
        tokens.set(reply.tokens, session.id)
        return reply
    finally:
        seconds.set(time.perf_counter() - started, session.id)
        tokens.set(0, session.id)
