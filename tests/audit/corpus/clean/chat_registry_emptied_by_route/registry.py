"""
The dictionary has no removal here: the route in routes.py pops its own client in a finally.
"""

from fastapi import WebSocket

clients: dict[str, WebSocket] = {}  # clean: routes.py pops in finally


def is_online(client_id: str) -> bool:
    return client_id in clients


async def send_to(client_id: str, text: str) -> bool:
    socket = clients.get(client_id)
    if socket is None:
        return False
    await socket.send_text(text)
    return True
