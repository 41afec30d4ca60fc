"""
Signalling for WebRTC: passes offers and answers on.
"""

from aiohttp import WSMsgType, web


async def signalling(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    peers = request.app["peers"]
    peer_id = request.match_info["peer_id"]
    peers[peer_id] = ws
    try:
        async for msg in ws:
            if msg.type == WSMsgType.TEXT:
                data = msg.json()
                if data["to"] in peers:
                    await peers[data["to"]].send_json({**data, "from": peer_id})
    finally:
        peers.pop(peer_id, None)
    return ws
