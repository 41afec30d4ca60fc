"""
Every scrape hands the collected gauges over and starts again with an empty map.
"""
import threading


class Gauges:
    def __init__(self):
        self._mutex = threading.Lock()
        self._latest = {}  # clean: cleared at each scrape, and at 10 000 rows

    def put(self, session_id, name, value):
        with self._mutex:
            if len(self._latest) >= 10_000:
                self._latest.clear()
            self._latest[session_id, name] = value

    def scrape(self):
        with self._mutex:
            taken = self._latest.copy()
            self._latest.clear()
        return [f'{name}{{session="{sid}"}} {value}' for (sid, name), value in taken.items()]


gauges = Gauges()


def metrics_view(request):
    return "\n".join(gauges.scrape())


def on_frame(session, frame):
    gauges.put(session.id, "frame_bytes", len(frame))
