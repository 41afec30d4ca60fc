"""A replaced tool server stays as a zombie, because close() sends it the signal and drops the handle unwaited."""

import json
import subprocess
import threading


class StdioServer:
    def __init__(self, command):
        self.command = command
        self.lock = threading.Lock()
        self.child = None

    def start(self):
        self.child = subprocess.Popen(  # leaks SS005c: terminate() in close(), and no wait()
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, method, **params):
        with self.lock:
            self.child.stdin.write(json.dumps({"method": method, "params": params}) + "\n")
            self.child.stdin.flush()
            return json.loads(self.child.stdout.readline())

    def close(self):
        child, self.child = self.child, None
        if child is not None:
            child.stdin.close()
            child.stdout.close()
            child.terminate()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc_info):
        self.close()
