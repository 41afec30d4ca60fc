"""Tickets in progress wait for an event that says 'resolved', because an abandoned ticket is resolved by nobody."""

tickets = {}  # leaks SS002a: removed in listeners.py, when and if the event comes
agents_on_duty = set()  # clean: discarded in a finally in desk.py
