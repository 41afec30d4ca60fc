"""Old answers are no longer served and yet stay, because their age is compared on reading and nothing deletes them."""

import time

TTL = 30.0


class AnswerCache:
    def __init__(self, model):
        self.model = model
        self._answers = {}  # leaks SS010: too old is a miss, and no removal
        self.hits = self.misses = 0

    async def ask(self, conversation_id, question):
        key = (conversation_id, question)
        stored = self._answers.get(key)
        if stored is not None and time.monotonic() - stored[0] < TTL:
            self.hits += 1
            return stored[1]
        self.misses += 1
        answer = await self.model.ask(question)
        self._answers[key] = (time.monotonic(), answer)
        return answer


async def endpoint(request, cache: AnswerCache):
    body = await request.json()
    return {"answer": await cache.ask(body["conversation"], body["question"])}
