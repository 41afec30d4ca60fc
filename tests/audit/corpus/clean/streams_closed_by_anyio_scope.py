"""
A channel is entered inside an ExitStack, which is told in the next statement to pop it again.
"""

from __future__ import annotations

from contextlib import ExitStack

import anyio
from anyio.abc import ByteStream
from anyio.streams.memory import MemoryObjectSendStream


class Mux:
    def __init__(self) -> None:
        self._channels: dict[int, MemoryObjectSendStream[bytes]] = {}  # clean: ExitStack pops

    async def channel(self, channel_id: int, stream: ByteStream) -> None:
        send, receive = anyio.create_memory_object_stream[bytes](16)
        with ExitStack() as stack:
            self._channels[channel_id] = send
            stack.callback(self._channels.pop, channel_id, None)
            stack.enter_context(send)
            stack.enter_context(receive)
            async for chunk in receive:
                await stream.send(chunk)

    async def route(self, source: ByteStream) -> None:
        async for frame in source:
            channel_id, payload = frame[0], frame[1:]
            if channel_id in self._channels:
                await self._channels[channel_id].send(payload)


async def serve(mux: Mux, source: ByteStream, sinks: dict[int, ByteStream]) -> None:
    async with anyio.create_task_group() as group:
        for channel_id, sink in sinks.items():
            group.start_soon(mux.channel, channel_id, sink)
        await mux.route(source)
        group.cancel_scope.cancel()
