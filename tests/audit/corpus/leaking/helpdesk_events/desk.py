"""The websocket at which an agent works on tickets."""

import uuid

from .store import agents_on_duty, tickets


async def open_ticket(request):
    ticket_id = uuid.uuid4().hex[:8]
    tickets[ticket_id] = {"from": request.user, "notes": []}
    return ticket_id


async def duty(ws, agent_name):
    agents_on_duty.add(agent_name)
    try:
        async for ticket_id in ws:
            await ws.send(str(tickets.get(ticket_id)))
    finally:
        agents_on_duty.discard(agent_name)
