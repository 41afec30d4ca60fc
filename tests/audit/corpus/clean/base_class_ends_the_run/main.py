"""
The entrance for HTTP.
"""

from fastapi import FastAPI

from .research import ResearchRunner


async def search(query: str) -> list[str]:
    return [query]


async def llm(prompt: str) -> str:
    return prompt[:10]


app = FastAPI()
runner = ResearchRunner(search, llm)


@app.post("/research")
async def research(prompt: str) -> str:
    return await runner.run(prompt)
