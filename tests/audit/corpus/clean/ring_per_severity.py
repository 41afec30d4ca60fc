"""
There is a ring for each severity, of which there are five, and a ring has a maximum length.
"""
import enum
import time
from collections import defaultdict, deque


class Severity(enum.IntEnum):
    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50


class Journal:
    def __init__(self):
        self.rings = defaultdict(lambda: deque(maxlen=200))  # clean: enum keys, bounded values

    def write(self, severity: Severity, session_id, text):
        self.rings[severity].append((time.time(), session_id, text))

    def read(self, at_least=Severity.WARNING):
        rows = [row for severity, ring in self.rings.items() if severity >= at_least for row in ring]
        return sorted(rows)


journal = Journal()


async def on_agent_event(event):
    severity = Severity.ERROR if event.get("error") else Severity.INFO
    journal.write(severity, event["session_id"], event["text"])
