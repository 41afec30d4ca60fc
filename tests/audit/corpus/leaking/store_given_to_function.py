"""The shared store of answers grows with every request id, because a helper that gets it as an argument only adds to it."""

import logging
from collections.abc import MutableMapping
from typing import Any

log = logging.getLogger(__name__)

_answers: dict[str, Any] = {}  # leaks SS001: handed to keep(), which only adds
_handlers: dict[str, Any] = {}  # clean: filled by a decorator at import


def handler(name):
    def register(fn):
        _handlers[name] = fn
        return fn

    return register


def keep(store: MutableMapping[str, Any], request_id: str, value: Any) -> Any:
    log.debug("keeping the answer to %s", request_id)
    store[request_id] = value
    return value


@handler("sum")
async def add(body):
    return sum(body["numbers"])


async def handle(request):
    if request.id in _answers:
        return _answers[request.id]
    result = await _handlers[request.verb](request.body)
    return keep(_answers, request.id, result)
