"""
Whoever adds a listener removes it in a finally: the only user is in stream.py.
"""


class Feed:
    def __init__(self):
        self.listeners = []  # clean: stream.py removes in finally

    def add_listener(self, listener):
        self.listeners.append(listener)

    def remove_listener(self, listener):
        if listener in self.listeners:
            self.listeners.remove(listener)

    def publish(self, item):
        for listener in list(self.listeners):
            listener(item)


feed = Feed()
