"""
The keys are made once with dict.fromkeys, and a write to any other is refused.
"""
import threading

EVENTS = ("session.open", "session.close", "session.error", "message")
_lock = threading.Lock()
totals = dict.fromkeys(EVENTS, 0)  # clean: constant keys
last_session = dict.fromkeys(EVENTS)  # clean: constant keys


def bump(event_id, session_id):
    if event_id not in totals:
        raise KeyError(f"unknown event {event_id!r}")
    with _lock:
        totals[event_id] += 1
        last_session[event_id] = session_id


def on_event(payload):
    bump(payload["event_id"], payload["session_id"])
    return dict(totals)
