"""What is settled before anybody is asked who they are: where the request comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ._answers import HEADERS, refusal
from ._requests import only, printable

LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[0-9a-z._-]+)(?::([0-9]{1,5}))?", re.IGNORECASE)


class Hosts:
    """
    The names under which the page may be asked for.

    A page of somebody else whose name was made to lead here (DNS rebinding) still has that name in
    its requests. An entry without a port allows every port: the port says nothing about who leads
    here, and differs behind a tunnel.

    Args:
        allowed_hosts: Names and addresses, with or without a port.
        own: More of them.
        addresses: Whether every numeric address is allowed: none can be made to lead elsewhere.
    """

    def __init__(self, allowed_hosts: Iterable[str], *own: str, addresses: bool = False) -> None:
        if isinstance(allowed_hosts, str):
            raise TypeError(f"allowed_hosts must be several names, such as ({allowed_hosts!r},)")
        self._names = frozenset(map(_host, (*own, *allowed_hosts)))
        self._addresses = addresses

    def check(self, request: Request) -> None:
        """
        Refuse a host that is not one of these; without names, allow all.
        """
        if not self._names:
            return
        given = only(request, "host")
        if given is None:
            raise HTTPException(400, "the header Host is missing")
        found = HOST.fullmatch(given)
        if found is None:
            raise HTTPException(400, f"the host '{printable(given)}' is not of the form name:port")
        name = found[1].lower()
        if name in self._names or given.lower() in self._names:
            return
        if self._addresses and _is_address(name):
            return
        raise HTTPException(
            421,
            f"the host '{printable(given)}' is not one of this page's: if it should be, pass "
            f"allowed_hosts=('{printable(given)}',)",
        )


def _host(given: object) -> str:
    name = given
    if not isinstance(name, str) or HOST.fullmatch(name) is None:
        raise ValueError(
            f"allowed_hosts has {name!r}, which is no host: write a name, or name:port, such as "
            f"'example.org:8443'; an IPv6 address stands in brackets"
        )
    return name.lower()


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def origin_fits(request: Request, *, strict: bool) -> bool:
    """
    Tell whether a request that changes something comes from this very page.

    What a browser says in ``Sec-Fetch-Site`` no script can forge. ``Origin`` is ``null`` for a form
    of a page that sends no referrer, so it then says nothing.

    Args:
        request: The request.
        strict: Whether a request that says neither is refused.
    """
    site, origin = only(request, "sec-fetch-site"), only(request, "origin")
    if site is not None and site != "same-origin":
        return False
    if origin is None or origin == "null":
        return site is not None or not strict
    host = only(request, "host") or ""
    # A proxy in front of us may be the one that speaks TLS.
    return origin.lower() in {
        f"{each}://{host}".lower() for each in (request.scope["scheme"], "https")
    }


def check_site(request: Request) -> None:
    """
    Refuse what another site's page asks for by itself, without anybody following a link.
    """
    if only(request, "sec-fetch-site") in (None, "same-origin", "none"):
        return
    followed = (
        only(request, "sec-fetch-mode") == "navigate"
        and only(request, "sec-fetch-dest") == "document"
    )
    if not followed or request.scope["method"] not in ("GET", "HEAD"):
        raise HTTPException(403, "another site's page asked for this: open it by itself")


class Guard:
    """
    ASGI middleware: checks the host and the asking site, and adds the headers to each answer.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Pass on what may pass.
        """
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no WebSockets here
            await send({"type": "websocket.close", "code": 1008})
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        request = Request(scope)
        app = self._app
        try:
            self._hosts.check(request)
            check_site(request)
        except HTTPException as error:
            app = refusal(request, error.status_code, error.detail)
        await app(scope, receive, send_guarded)
