"""
The mixin that remembers a peer also forgets it, and every handler leaves through the mixin's finally.
"""


class TrackedPeers:
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.peers = {}  # clean: run_tracked() pops in finally

    async def run_tracked(self, peer_id, peer):
        self.peers[peer_id] = peer
        try:
            await self.serve_peer(peer_id, peer)
        finally:
            self.peers.pop(peer_id, None)
