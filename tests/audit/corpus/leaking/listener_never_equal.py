"""The listener stays although remove_listener() is called, because a second partial is not the one that was added."""

import functools

from pyee.asyncio import AsyncIOEventEmitter

emitter = AsyncIOEventEmitter()


class ScriptRun:
    def __init__(self, session, script):
        self.session = session
        self.script = script

    def _changed(self, key, value):
        self.session.enqueue({"rerun": self.script, "because": key, "value": value})

    def __enter__(self):
        emitter.add_listener("changed", functools.partial(self._changed, self.session.id))  # leaks SS004: the partial removed below is another object
        return self

    def __exit__(self, *exc_info):
        handler = functools.partial(self._changed, self.session.id)
        if handler in emitter.listeners("changed"):
            emitter.remove_listener("changed", handler)


def run(session, script):
    with ScriptRun(session, script):
        exec(script.code, session.globals)
