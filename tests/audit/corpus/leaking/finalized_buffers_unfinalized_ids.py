"""The id of each stream is kept after the stream is gone, because a finalizer frees its buffer and its id is in another set."""

import itertools
import weakref


class StreamRegistry:
    def __init__(self):
        self._serial = itertools.count(1)
        self._buffers = {}  # clean: weakref.finalize pops it
        self._issued = set()  # leaks SS001: no finalizer for this one

    def attach(self, stream):
        stream_id = next(self._serial)
        self._issued.add(stream_id)
        self._buffers[stream_id] = bytearray()
        weakref.finalize(stream, self._buffers.pop, stream_id, None)
        return stream_id

    def write(self, stream_id, data):
        if stream_id not in self._issued:
            raise LookupError(f"stream {stream_id} was never opened")
        self._buffers[stream_id] += data


registry = StreamRegistry()


async def pump(connection):
    stream_id = registry.attach(connection)
    async for frame in connection:
        registry.write(stream_id, frame.payload)
