"""
Statistics are kept by the first digit of the status code, which makes five rows.
"""

import time
from collections import defaultdict
from statistics import fmean

from fastapi import FastAPI, Request

app = FastAPI()
_millis = defaultdict(float)  # clean: five classes of status
_count = defaultdict(int)  # clean: five classes of status


@app.middleware("http")
async def measure(request: Request, call_next):
    began = time.perf_counter()
    response = await call_next(request)
    key = f"{response.status_code // 100}xx"
    _millis[key] += (time.perf_counter() - began) * 1000
    _count[key] += 1
    response.headers["x-request-id"] = request.headers.get("x-request-id", "-")
    return response


@app.get("/stats")
def stats():
    mean = fmean(_millis[k] / _count[k] for k in _count) if _count else 0.0
    return {"mean": mean, "by_class": dict(_count)}
