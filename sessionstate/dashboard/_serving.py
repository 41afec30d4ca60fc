"""The live page from a thread of its own, which answers while the event loop is blocked."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Final, cast
from urllib.parse import quote

import anyio
import uvicorn

from sessionstate import Supervisor
from sessionstate._redaction import Redact

from ._app import Built, build_app, check_arguments
from ._auth import TokenGate
from ._connections import Connection
from ._files import FOLDER
from ._guard import HOST, LOOPBACK, Hosts
from ._source import Source

logger = logging.getLogger("sessionstate.dashboard")

SHOWN: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - nothing is bound by it
"""Where one who listens everywhere is found."""
HIGHEST_PORT: Final = 65535
BACKLOG: Final = 64
GRACE: Final = 1
"""Seconds that requests have to end when the server stops."""
PATIENCE: Final = 5.0
"""Seconds until the thread is left alone, if it does not end."""


@dataclass(frozen=True, slots=True)
class DashboardPage:
    """
    A page that is being served.

    .. versionadded:: 0.1
    """

    url: str
    """Where it is, without the token: fit for a log."""
    token: str = field(repr=False)
    """For programs, which send it as ``Authorization: Bearer``."""

    @property
    def login_url(self) -> str:
        """
        Where it is, with the token: for whoever may see everything, and for no log.
        """
        return f"{self.url}?token={quote(self.token, safe='', errors='surrogateescape')}"


@dataclass(frozen=True, slots=True)
class Address:
    """
    Where to listen, and for whom.
    """

    host: str
    port: int
    token: str
    hosts: Hosts

    @classmethod
    def of(cls, host: str, port: int, token: str | None, allowed_hosts: Iterable[str]) -> Address:
        """
        Check what was given, and make a token if there is none.
        """
        if type(cast("object", port)) is not int or not 0 <= port <= HIGHEST_PORT:
            raise ValueError(
                f"port must be a number from 0, for any that is free, to {HIGHEST_PORT}, "
                f"not {port!r}"
            )
        if not isinstance(cast("object", host), str) or not HOST.fullmatch(in_address(host)):
            raise ValueError(f"host must be a name or address such as '127.0.0.1', not {host!r}")
        if token is not None and (not isinstance(cast("object", token), str) or not token):
            raise ValueError(
                "token must be a str that is not empty: secrets.token_urlsafe() makes a good one, "
                "and None lets the page make its own"
            )
        if token is None and not _is_loopback(host):
            raise ValueError(
                f"host {host!r} can be reached from other machines, so the page demands a token "
                f"that you chose: pass token=, such as what secrets.token_urlsafe() makes, or stay "
                f"with host='127.0.0.1'"
            )
        names = Hosts(allowed_hosts, *LOOPBACK, in_address(host), addresses=_is_any(host))
        return cls(host, port, token or secrets.token_urlsafe(32), names)


def in_address(host: str) -> str:
    """
    Return *host* as it stands in an address: IPv6 in brackets, and without its zone.
    """
    return f"[{host.partition('%')[0]}]" if ":" in host else host


def _is_numeric(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return ip_address(host).is_loopback if _is_numeric(host) else host.lower() == "localhost"


def _is_any(host: str) -> bool:
    return _is_numeric(host) and ip_address(host).is_unspecified


def serve_dashboard(
    supervisor: Supervisor,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    allow_close: bool = False,
    allowed_hosts: Iterable[str] = (),
    redact: Redact | None = None,
) -> AbstractAsyncContextManager[DashboardPage]:
    """
    Serve the live page, from a thread of its own, as long as the context lasts.

    The thread has its own event loop, so the page answers, and says where the program is, while
    the loop of *supervisor* is blocked. Entering waits for the server to listen; leaving closes
    its streams and waits, a few seconds at most and whether cancelled or not, for its end.

    ::

        async with serve_dashboard(supervisor) as page:
            print(page.login_url)

    Args:
        supervisor: Whose sessions are shown; it must run in the current event loop.
        host: Where to listen: an address, or a name that has one.
        port: The port; 0 for any that is free.
        token: What one must have to see the page. Default: a random one.
        allow_close: Whether sessions may be closed from the page; each is logged, with who did it.
        allowed_hosts: More names under which the page may be asked for, such as that of a proxy,
            with or without a port.
        redact: What is shown of an id: ``"short"``, the default, ``"hash"``, ``"none"`` for all of
            it, or a function.

    Raises:
        ValueError: If other machines can reach *host* and there is no *token*.
        RuntimeError: When entered, if *supervisor* does not run in this event loop.
        OSError: When entered, if the address cannot be had, such as a port that is taken.

    .. versionadded:: 0.1
    """
    check_arguments(supervisor, allow_close)
    address = Address.of(host, port, token, allowed_hosts)
    return _serve_supervisor(supervisor, address, allow_close=allow_close, redact=redact)


@asynccontextmanager
async def _serve_supervisor(
    supervisor: Supervisor, address: Address, *, allow_close: bool, redact: Redact | None
) -> AsyncIterator[DashboardPage]:
    from ._bridge import Bridge  # noqa: PLC0415 - as in `create_app`
    from ._probe import Probe  # noqa: PLC0415

    if not supervisor._running or supervisor._loop is not asyncio.get_running_loop():
        raise RuntimeError(
            f"{supervisor!r} does not run in this event loop: enter it first, as in 'async with "
            f"supervisor, serve_dashboard(supervisor) as page'"
        )
    probe = Probe(supervisor, redact=redact, allow_close=allow_close)
    probe.start()
    try:
        async with serve_source(Bridge(probe), address, allow_close=allow_close) as page:
            yield page
    finally:
        probe.stop()


@asynccontextmanager
async def serve_source(
    source: Source, address: Address, *, allow_close: bool, folder: Path = FOLDER
) -> AsyncIterator[DashboardPage]:
    """
    Serve the page above any source that may be asked from another thread.
    """
    built = build_app(
        source,
        TokenGate(address.token),
        title="sessionstate",
        allow_close=allow_close,
        hosts=address.hosts,
        folder=folder,
    )
    listener = await listen(address)
    server = ServerThread(built, listener)
    try:
        await server.start()
        name = SHOWN.get(address.host, in_address(address.host))
        yield DashboardPage(f"http://{name}:{listener.getsockname()[1]}/", address.token)
    finally:
        await server.stop()


async def listen(address: Address) -> socket.socket:
    """
    Return a socket that listens.
    """
    where = (address.host, address.port)
    try:
        if _is_numeric(address.host):  # nobody has to be asked
            found = socket.getaddrinfo(*where, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        else:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(*where, type=socket.SOCK_STREAM)
    except OSError as error:
        raise OSError(
            error.errno, f"host {address.host!r} has no address to listen at: {error.strerror}"
        ) from error
    family, kind, protocol, _, bound = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        # On Windows it would share the port with whoever has it.
        if sys.platform != "win32":  # pragma: no branch - each platform takes one of them
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)  # noqa: FBT003
        listener.bind(bound)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise OSError(
            error.errno,
            f"the page cannot listen at port {address.port} of {address.host}: {error.strerror}; "
            f"give another port, or port=0 for any that is free",
        ) from error
    return listener


class ServerThread:
    """
    A server in a thread with an event loop of its own.

    Args:
        built: The app.
        listener: Where to listen; it is closed with the server.
    """

    def __init__(self, built: Built, listener: socket.socket) -> None:
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._started: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._error: BaseException | None = None
        config = uvicorn.Config(
            built.app,
            lifespan="off",
            http=Connection,
            ws="none",
            interface="asgi3",
            log_config=None,
            access_log=False,  # it would have the tokens of addresses
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE,
        )
        self._server = _Server(config, lambda: self._tell(self._started), built.streams.close)
        self._thread = threading.Thread(
            target=self._run, name="sessionstate dashboard", daemon=True
        )

    async def start(self) -> None:
        """
        Start the thread, and wait until it serves.
        """
        self._thread.start()
        either = [self._started, self._ended]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not self._started.done():
            raise RuntimeError("the server of the page ended at its start") from self._error

    def _run(self) -> None:
        try:
            asyncio.run(self._server.serve([self._listener]))
        except BaseException as error:
            self._error = error
            logger.exception("the server of the page failed")
        finally:
            self._listener.close()
            self._tell(self._ended)

    def _tell(self, future: asyncio.Future[None]) -> None:
        try:
            self._loop.call_soon_threadsafe(future.set_result, None)
        except RuntimeError:  # the loop is closed: nobody waits any more
            pass

    async def stop(self) -> None:
        """
        End the streams and the server, and wait for the thread: a few seconds, come what may.
        """
        if self._thread.ident is None:  # it could not be started
            self._listener.close()
            return
        self._server.should_exit = True  # which it looks at ten times a second
        interrupted = await self._wait()
        if self._ended.done():
            self._thread.join()
        else:
            logger.warning("the thread of the page did not end within %g s: it is left", PATIENCE)
        if interrupted is not None:
            raise interrupted

    async def _wait(self) -> asyncio.CancelledError | None:
        """
        Wait for the end of the thread through every cancellation, and return the first one.
        """
        first: asyncio.CancelledError | None = None
        ends = self._loop.time() + PATIENCE
        with anyio.CancelScope(shield=True):
            while not self._ended.done() and (left := ends - self._loop.time()) > 0:
                try:
                    await asyncio.wait([self._ended], timeout=left)
                except asyncio.CancelledError as error:
                    first = first or error
        return first


class _Server(uvicorn.Server):
    """
    Tells when it serves, and before it stops.
    """

    def __init__(
        self, config: uvicorn.Config, serves: Callable[[], None], stops: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._serves = serves
        self._stops = stops

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._serves()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stops()
        await super().shutdown(sockets)
