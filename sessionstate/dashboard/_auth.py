"""Who may see the page: whom the app around it allows, or who has the token."""

from __future__ import annotations

import hmac
import inspect
import logging
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import quote, quote_from_bytes

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ._answers import refusal
from ._guard import origin_fits
from ._requests import fields, only, printable

logger = logging.getLogger("sessionstate.dashboard")

Authorize = Callable[[Request], object]
"""Tells whether a request may see the page; it may be async, too."""

LONGEST_LOGIN: Final = 12 * 3600
"""Seconds."""
MOST_LOGINS: Final = 256
MOST_ATTEMPTS: Final = 10
"""Wrong tokens in a row."""
EVERY: Final = 6.0
"""Seconds after which one more may be tried."""
COOKIE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
PORT: Final = re.compile(r":([0-9]{1,5})$")


@dataclass(frozen=True, slots=True)
class Caller:
    """
    Somebody who may see the page.
    """

    who: str
    """For the log: the address, and the beginning of a digest of the cookie."""
    csrf: str | None
    """What the page must send along to change something; None for a program without a cookie."""
    cookie: str | None = None
    """The cookie that the page has to set first."""


class Gate(Protocol):
    """
    Decides who may see the page.
    """

    async def admit(self, request: Request, *, page: bool) -> Caller | Response:
        """
        Return who asks, or the answer that turns them away.

        Args:
            request: The request.
            page: Whether a person asks for a page, who can be led to a form.
        """
        ...


class Csrf:
    """
    Binds what a page sends along to its cookie, which a foreign page can neither read nor know.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def token(self, cookie: str) -> str:
        """
        Return what belongs to *cookie*.
        """
        return hmac.new(self._key, cookie.encode(), "sha256").hexdigest()


def same(given: bytes, expected: bytes) -> bool:
    """
    Compare in a time that does not tell where they differ.
    """
    return hmac.compare_digest(given, expected)


def cookie_name(request: Request) -> str:
    """
    Return the name of the page's cookie: browsers do not tell the ports of a host apart.
    """
    port = PORT.search(only(request, "host") or "")
    return f"sessionstate_{port[1] if port else 'page'}"


def cookie_of(request: Request) -> str | None:
    """
    Return the page's cookie, if it looks like one.
    """
    cookie = request.cookies.get(cookie_name(request), "")
    return cookie if COOKIE.fullmatch(cookie) else None


def set_cookie(request: Request, response: Response, cookie: str) -> None:
    """
    Set the page's cookie; an empty one takes it away.
    """
    response.set_cookie(
        cookie_name(request),
        cookie,
        max_age=LONGEST_LOGIN if cookie else 0,
        path=quote(request.scope.get("root_path", "")) + "/",
        secure=request.scope["scheme"] == "https",
        httponly=True,
        samesite="strict",
    )


def address(request: Request, cookie: str | None = None) -> str:
    """
    Return who asks, for the log: never the cookie itself.
    """
    host = printable(request.client.host) if request.client else "somebody"
    if cookie is None:
        return host
    return f"{host} (cookie {hmac.new(b'log', cookie.encode(), 'sha256').hexdigest()[:8]})"


def bearer_of(request: Request) -> bytes | None:
    """
    Return the token that a program sends, if it does.
    """
    scheme, _, token = (only(request, "authorization") or "").partition(" ")
    return token.strip().encode("latin-1") if scheme.lower() == "bearer" else None


class AskingGate:
    """
    Asks the app around the page. The cookie is there against foreign pages only.
    """

    def __init__(self, authorize: Authorize) -> None:
        self._authorize = authorize
        self._csrf = Csrf()

    async def admit(self, request: Request, *, page: bool) -> Caller | Response:  # noqa: ARG002
        """
        Return who asks, or a refusal; an `authorize` that fails allows nobody.
        """
        try:
            answer = self._authorize(request)
            allowed = bool(await answer if inspect.isawaitable(answer) else answer)
        except Exception:
            logger.exception("authorize failed for %s, who was refused", address(request))
            allowed = False
        else:
            if not allowed:
                logger.info("authorize refused %s", address(request))
        if not allowed:
            return refusal(request, 403, "you may not see this page: its authorize said no")
        if bearer_of(request) is not None and "cookie" not in request.headers:
            return Caller(address(request), None)
        cookie = cookie_of(request)
        if cookie is not None:
            return Caller(address(request, cookie), self._csrf.token(cookie))
        fresh = secrets.token_urlsafe(32)
        return Caller(address(request, fresh), self._csrf.token(fresh), fresh)


class Attempts:
    """
    How many wrong tokens may come, from anybody: a few at once, then one now and then.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left = float(MOST_ATTEMPTS)
        self._at = clock()

    def wait(self) -> float:
        """
        Return the seconds until one more is allowed; 0 for now.
        """
        now = self._clock()
        self._left = min(self._left + (now - self._at) / EVERY, float(MOST_ATTEMPTS))
        self._at = now
        return max(0.0, (1 - self._left) * EVERY)

    def count(self) -> None:
        """
        Note that one came.
        """
        self._left -= 1


class TokenGate:
    """
    Lets in who has the token: as ``Authorization: Bearer``, in the form, or once in the address.

    Everything is of a bounded size: the logins, of which the oldest makes room, and the count of
    wrong tokens, which is one for all.

    Args:
        token: The token.
        clock: Seconds.
    """

    def __init__(self, token: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._token = token.encode("utf-8", "surrogateescape")
        self._clock = clock
        self._csrf = Csrf()
        self._attempts = Attempts(clock)
        self._logins: dict[str, float] = {}

    async def admit(self, request: Request, *, page: bool) -> Caller | Response:
        """
        Return who asks; without a right token or cookie, a refusal or the way to the form.
        """
        if (bearer := bearer_of(request)) is not None:
            wrong = self.refuse(request, bearer)
            return Caller(address(request), None) if wrong is None else wrong
        if page and request.method != "POST" and (answer := self._exchange(request)) is not None:
            return answer
        cookie = cookie_of(request)
        if cookie is not None and self._logins.get(self._csrf.token(cookie), 0) > self._clock():
            return Caller(address(request, cookie), self._csrf.token(cookie))
        if page:
            return RedirectResponse("./login", 303)
        return refusal(
            request,
            401,
            "the token is missing: open login_url, or send 'Authorization: Bearer TOKEN'",
            {"www-authenticate": "Bearer"},
        )

    def refuse(self, request: Request, token: bytes) -> Response | None:
        """
        Return what to answer to a wrong *token*; None if it is right.
        """
        if same(token, self._token):  # nobody can lock out who has it
            return None
        wait = self._attempts.wait()
        if wait:
            return refusal(
                request,
                429,
                f"too many wrong tokens came: try again in {wait:.0f} s",
                {"retry-after": str(int(wait) + 1)},
            )
        self._attempts.count()
        logger.warning("a wrong token came from %s", address(request))
        return refusal(
            request, 401, "the token is wrong", {"www-authenticate": 'Bearer error="invalid_token"'}
        )

    def _exchange(self, request: Request) -> Response | None:
        """
        Take the token out of the address, and let in whoever sent the right one.
        """
        given = fields(request.scope["query_string"])
        tokens = [value for name, value in given if name == b"token"]
        if not tokens:
            return None
        wrong = self.refuse(request, tokens[0])
        if wrong is not None:
            return wrong
        rest = "&".join(
            f"{quote_from_bytes(name)}={quote_from_bytes(value)}"
            for name, value in given
            if name != b"token"
        )
        # The last part of a path of ours, which are all at the same depth: fits under any prefix.
        name = request.scope["path"].rpartition("/")[2].removeprefix("login")
        return self.log_in(request, f"./{name}" + (f"?{rest}" if rest else ""))

    def log_in(self, request: Request, to: str = "./") -> Response:
        """
        Begin a login, and lead on.
        """
        cookie = secrets.token_urlsafe(32)
        now = self._clock()
        for name in [name for name, ends in self._logins.items() if ends <= now]:
            del self._logins[name]
        if len(self._logins) >= MOST_LOGINS:
            del self._logins[next(iter(self._logins))]
        self._logins[self._csrf.token(cookie)] = now + LONGEST_LOGIN
        logger.info("%s logged in", address(request, cookie))
        response = RedirectResponse(to, 303)
        set_cookie(request, response, cookie)
        return response

    def log_out(self, request: Request) -> Response:
        """
        End the login of a cookie, and take that away.
        """
        cookie = cookie_of(request)
        if cookie is not None:
            self._logins.pop(self._csrf.token(cookie), None)
        response = RedirectResponse("./login", 303)
        set_cookie(request, response, "")
        return response


def refuse_change(
    request: Request, caller: Caller, sent: str | bytes | None, *, strict: bool
) -> str | None:
    """
    Say why a change must not be made; None if it may.

    A browser sends cookies, and what the app around us goes by, for pages of others too. It must
    prove that our page asked; a program that sends the token itself need not.

    Args:
        request: The request.
        caller: Who sent it.
        sent: The proof.
        strict: Whether the browser must say, besides, from where it comes.
    """
    if not origin_fits(request, strict=strict and caller.csrf is not None):
        return "it does not come from this page: its Origin or Sec-Fetch-Site is another"
    if caller.csrf is None:
        return None
    proof = sent.encode("latin-1", "replace") if isinstance(sent, str) else sent
    if proof is None or not same(proof, caller.csrf.encode()):
        return "its X-CSRF-Token is missing or is not that of this login: load the page again"
    return None
