"""
Usage is added up by the model's name, and models come from a configuration file.
"""
import tomllib
from dataclasses import dataclass


@dataclass
class Usage:
    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0


class Meter:
    def __init__(self, config_path):
        with open(config_path, "rb") as f:
            self.models = {m["id"]: m for m in tomllib.load(f)["models"]}
        self.usage = {}  # clean: one row per configured model

    def record(self, session_id, model_id, response):
        model = self.models[model_id]
        row = self.usage.setdefault(model["id"], Usage())
        row.requests += 1
        row.tokens_in += response.usage.prompt_tokens
        row.tokens_out += response.usage.completion_tokens


meter = Meter("/etc/gateway/models.toml")


async def proxy(request, upstream):
    body = await request.json()
    response = await upstream.chat(body)
    meter.record(request.headers.get("x-session-id"), body["model"], response)
    return response
