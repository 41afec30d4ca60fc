"""What happens when the desk's events arrive."""

from . import store


def install(bus):
    @bus.on("ticket.resolved")
    def _resolved(event):
        store.tickets.pop(event.ticket_id, None)

    @bus.on("ticket.noted")
    def _noted(event):
        ticket = store.tickets.get(event.ticket_id)
        if ticket is not None:
            ticket["notes"].append(event.text)
