"""The form for the token, which needs no script; and the way out."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from ._auth import Caller, TokenGate, refuse_change
from ._files import Files
from ._guard import origin_fits
from ._requests import read_form

LONGEST: Final = 2048
"""Bytes of a form."""


class Desk:
    """
    Where people show their token.
    """

    def __init__(self, gate: TokenGate, files: Files) -> None:
        self._gate = gate
        self._files = files

    def routes(self) -> list[Route]:
        """
        Return what may be asked for.
        """
        return [
            Route("/login", self._form),
            Route("/login", self._log_in, methods=["POST"]),
            Route("/logout", self._log_out, methods=["POST"]),
        ]

    async def _form(self, request: Request) -> Response:
        answer = await self._gate.admit(request, page=True)
        if isinstance(answer, Caller):
            return RedirectResponse("./", 303)
        if answer.headers.get("location") == "./login":
            return self._files.login()
        return answer

    async def _log_in(self, request: Request) -> Response:
        if not origin_fits(request, strict=False):
            raise HTTPException(403, "this login was refused: it does not come from this page")
        tokens = [value for name, value in await read_form(request, LONGEST) if name == b"token"]
        if not tokens:
            return self._files.login("The token is missing.", 400)
        wrong = self._gate.refuse(request, tokens[0])
        if wrong is None:
            return self._gate.log_in(request)
        response = self._files.login(
            "The token is wrong."
            if wrong.status_code == HTTPStatus.UNAUTHORIZED
            else "Too many wrong tokens came. Try again later.",
            wrong.status_code,
        )
        for name in ("retry-after", "www-authenticate"):
            if name in wrong.headers:
                response.headers[name] = wrong.headers[name]
        return response

    async def _log_out(self, request: Request) -> Response:
        caller = await self._gate.admit(request, page=True)
        if isinstance(caller, Response):
            return caller
        form = await read_form(request, LONGEST)
        sent = next((value for name, value in form if name == b"csrf"), None)
        why = refuse_change(request, caller, sent, strict=False)
        if why is not None:
            raise HTTPException(403, f"this logout was refused: {why}")
        return self._gate.log_out(request)
