"""The dependency that routes use."""

from fastapi import Depends, HTTPException, Request

from rate_windows import limits


def limited(plan: str):
    def check(request: Request) -> None:
        if not limits.hit(request.client.host, plan):
            raise HTTPException(429)

    return Depends(check)
