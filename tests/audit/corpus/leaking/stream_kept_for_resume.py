"""An answer whose reader timed out is never removed, because the finally spares it for a reader who may not come back."""

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

app = FastAPI()
partial_answers: dict[str, list[str]] = {}  # leaks SS002c: spared when the reason is 'timeout', and then forgotten
streaming: set[str] = set()  # clean: discarded first thing in the finally


async def produce(question_id: str, question: str):
    reason = "done"
    streaming.add(question_id)
    try:
        partial_answers[question_id] = []
        async for token in app.state.model.stream(question):
            partial_answers[question_id].append(token)
            yield token
    except TimeoutError:
        reason = "timeout"
        raise
    finally:
        streaming.discard(question_id)
        if reason != "timeout":
            partial_answers.pop(question_id, None)


@app.get("/ask/{question_id}")
async def ask(question_id: str, q: str):
    return StreamingResponse(produce(question_id, q), media_type="text/plain")


@app.get("/so-far/{question_id}")
async def so_far(question_id: str):
    return {"tokens": partial_answers.get(question_id, [])}
