"""Long-term memory of each user is never purged, because the purge in maintenance.py is imported and not called."""

from collections import defaultdict


class Memory:
    def __init__(self):
        self.facts = defaultdict(list)  # leaks SS002d: maintenance.purge() has no caller
        self.scratch = {}  # clean: the turn in agent.py pops it in a finally


MEMORY = Memory()
