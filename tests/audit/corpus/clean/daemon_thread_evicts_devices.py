"""
A daemon thread, started by the constructor, evicts every device that has not reported for a while.
"""
import threading
import time


class DeviceTable(object):
    def __init__(self, max_silence=120):
        self.max_silence = max_silence
        self.lock = threading.RLock()
        self.devices = {}  # clean: the thread started below deletes the silent
        self.stopped = threading.Event()
        self.janitor = threading.Thread(target=self._janitor, daemon=True)
        self.janitor.start()

    def report(self, device_id, payload):
        with self.lock:
            self.devices[device_id] = {"payload": payload, "at": time.monotonic()}

    def _janitor(self):
        while not self.stopped.wait(15):
            with self.lock:
                now = time.monotonic()
                for device_id in list(self.devices):
                    if now - self.devices[device_id]["at"] > self.max_silence:
                        del self.devices[device_id]

    def close(self):
        self.stopped.set()
        self.janitor.join()


table = DeviceTable()


def on_mqtt_message(client, userdata, message):
    _, device_id = message.topic.split("/", 1)
    table.report(device_id, message.payload)
