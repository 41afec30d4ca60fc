"""
The stack is told how to forget the device before anything that may fail.
"""

import socketserver
from contextlib import ExitStack

online = {}  # clean: ExitStack.callback pops


class DeviceHandler(socketserver.StreamRequestHandler):
    def handle(self):
        with ExitStack() as stack:
            device_id = self.rfile.readline().strip().decode()
            online[device_id] = self.client_address
            stack.callback(online.pop, device_id, None)
            log = stack.enter_context(open(f"/var/log/devices/{device_id}.log", "ab"))
            for line in self.rfile:
                log.write(line)
                self.wfile.write(b"ok\n")


if __name__ == "__main__":
    with socketserver.ThreadingTCPServer(("", 9100), DeviceHandler) as server:
        server.serve_forever()
