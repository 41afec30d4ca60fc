"""Every peer that ever said hello stays in the table, because the subclass of dict knows how to add and to greet, and not to remove."""

import asyncio
import struct


class PeerTable(dict):
    """Maps (host, port) to what we know of a peer."""

    def hello(self, addr, version):
        self[addr] = {"version": version, "bytes": 0}
        return self[addr]

    def account(self, addr, n):
        peer = self.get(addr)
        if peer is not None:
            peer["bytes"] += n

    @property
    def newest_version(self):
        return max((p["version"] for p in self.values()), default=0)


peers = PeerTable()  # unseen SS001: UDP has no end, and no peer is ever dropped


class Node(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        if addr not in peers:
            (version,) = struct.unpack("!H", data[:2])
            peers.hello(addr, version)
        peers.account(addr, len(data))
        self.transport.sendto(b"ok", addr)
