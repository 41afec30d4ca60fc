"""The addresses of instrumented agents pile up, because a number in a set keeps no tie to the object that died."""

from functools import wraps

_instrumented: set[int] = set()  # leaks SS001: id() of each agent, and no finalizer


def instrument(agent, tracer):
    if id(agent) in _instrumented:
        return agent
    _instrumented.add(id(agent))
    original = agent.run

    @wraps(original)
    async def run(*args, **kwargs):
        with tracer.start_as_current_span("agent.run"):
            return await original(*args, **kwargs)

    agent.run = run
    return agent


async def handle_turn(request, tracer, make_agent):
    agent = instrument(make_agent(request.session_id), tracer)
    return await agent.run(request.prompt)
