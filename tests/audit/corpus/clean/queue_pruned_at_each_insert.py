"""
Each insert first prunes, from a heap of deadlines, everything that is already too old.
"""

import heapq
import time


class PendingLogins:
    LIFETIME = 300

    def __init__(self):
        self.state_of = {}  # clean: __setitem__ prunes the expired
        self.heap = []  # clean: popped together with the map

    def __setitem__(self, state_token, return_to):
        now = time.time()
        self.prune(now)
        self.state_of[state_token] = return_to
        heapq.heappush(self.heap, (now + self.LIFETIME, state_token))

    def prune(self, now):
        while self.heap and self.heap[0][0] <= now:
            _, token = heapq.heappop(self.heap)
            self.state_of.pop(token, None)

    def redeem(self, state_token):
        return self.state_of.pop(state_token, None)


logins = PendingLogins()


def begin_oauth(request, make_token):
    token = make_token()
    logins[token] = request.args.get("next", "/")
    return f"https://id.example/authorize?state={token}"


def finish_oauth(request):
    return logins.redeem(request.args["state"]) or "/"
