"""The cost of each conversation is added up for ever, because it lies in a plain dict beside a cache that does expire."""

from cachetools import LRUCache, TTLCache
from fastapi import FastAPI

app = FastAPI()


class Accounts:
    profiles = TTLCache(maxsize=10_000, ttl=300)  # clean: bounded and expiring
    prompts = LRUCache(maxsize=512)  # clean: bounded
    spent = {}  # leaks SS001: a sum for each conversation

    def profile(self, user_id, load):
        if user_id not in self.profiles:
            self.profiles[user_id] = load(user_id)
        return self.profiles[user_id]

    def charge(self, conversation_id, tokens):
        self.spent[conversation_id] = self.spent.get(conversation_id, 0) + tokens
        return self.spent[conversation_id]


app.state.accounts = Accounts()


@app.post("/c/{conversation_id}")
async def say(conversation_id: str, text: str):
    accounts: Accounts = app.state.accounts
    prompt = accounts.prompts.setdefault(text[:64], text.strip())
    reply = await app.state.model(prompt)
    return {"reply": reply.text, "spent": accounts.charge(conversation_id, reply.tokens)}
