"""The assembled prompt of each session is cached with the whole builder, because functools.cache has no bound and keeps self."""

from functools import cache


class PromptBuilder:
    def __init__(self, templates, profiles):
        self.templates = templates
        self.profiles = profiles
        self.parts = ["system", "tools", "profile"]  # clean: constant

    @cache  # leaks SS003: keeps self and each session_id
    def preamble(self, session_id: str) -> str:
        profile = self.profiles.load(session_id)
        return "\n\n".join(self.templates[part].format(**profile) for part in self.parts)

    def build(self, session_id: str, question: str) -> str:
        return f"{self.preamble(session_id)}\n\n{question}"


async def ask(request, builder: PromptBuilder, model):
    prompt = builder.build(request.session["id"], request.query_params["q"])
    return await model.complete(prompt)
