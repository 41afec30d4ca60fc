"""
There is one client for each provider, and the settings name three.
"""

import os

import httpx

ENDPOINTS = {
    "openai": "https://api.openai.com/v1",
    "mistral": "https://api.mistral.ai/v1",
    "local": os.environ.get("LOCAL_LLM", "http://localhost:8080/v1"),
}
_clients: dict[str, httpx.AsyncClient] = {}  # clean: keys come from ENDPOINTS


def client_for(provider: str) -> httpx.AsyncClient:
    if provider not in ENDPOINTS:
        raise ValueError(f"unknown provider {provider!r}")
    client = _clients.get(provider)
    if client is None:
        client = httpx.AsyncClient(base_url=ENDPOINTS[provider], timeout=60)
        _clients[provider] = client
    return client


async def complete(session, prompt: str) -> str:
    client = client_for(session.provider)
    reply = await client.post("/chat/completions", json={"messages": [{"role": "user", "content": prompt}]})
    return reply.json()["choices"][0]["message"]["content"]
