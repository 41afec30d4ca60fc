"""Asking for an unknown thread makes a row for it, because the store of checkpoints is a defaultdict that is read with brackets."""

import time
from collections import defaultdict


class MemorySaver:
    """Keeps the checkpoints of agent threads in memory."""

    def __init__(self):
        self.storage = defaultdict(dict)  # leaks SS001: each read of an unknown thread adds a key
        self.serializers = {"json": "dumps", "msgpack": "packb"}  # clean: two fixed names

    def get_tuple(self, config):
        thread_id = config["configurable"]["thread_id"]
        checkpoints = self.storage[thread_id]
        if not checkpoints:
            return None
        newest = max(checkpoints)
        return newest, checkpoints[newest]

    def put(self, config, checkpoint):
        thread_id = config["configurable"]["thread_id"]
        self.storage[thread_id][time.time_ns()] = checkpoint


saver = MemorySaver()


async def show_thread(request):
    found = saver.get_tuple({"configurable": {"thread_id": request.path_params["thread"]}})
    return {"found": found is not None}
