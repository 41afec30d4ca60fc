from __future__ import annotations

import asyncio
import gc
import socket
from contextlib import aclosing
from typing import Any, cast

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from sessionstate._cli.top._address import Address
from sessionstate._cli.top._client import (
    OVERVIEW,
    Client,
    LoopBlockedError,
    NotThePageError,
    ServerError,
    UnreachableError,
    WrongTokenError,
)
from sessionstate.dashboard._source import Overview
from tests.top.data import overview
from tests.top.made_up import TOKEN, MadeUp
from tests.top.watching import gone

pytestmark = pytest.mark.real_loop


def client_of(server: MadeUp, token: str | None = TOKEN) -> Client:
    """
    Make a client of *server*.
    """
    return Client(Address(server.url, token))


class TestClient:
    def test_an_update_has_all_that_is_shown(self) -> None:
        """
        What an answer must have is what the server promises; the history is not in all of them.
        """
        assert overview(1).keys() == OVERVIEW == Overview.__annotations__.keys() - {"history"}

    async def test_the_token_is_in_a_header_only(self, server: MadeUp) -> None:
        """
        No request has the token in its URL.
        """
        async with client_of(server) as client, aclosing(cast("Any", client.updates())) as updates:
            await client.overview()
            await client.sessions(search="&token=", state="idle", page=2)
            await client.session(1)
            await client.close(1)
            await anext(updates)
        await gone(server)
        assert len(server.asked) == 5
        assert not any(TOKEN in url for url in server.asked)
        assert {each["authorization"] for each in server.headers} == {f"Bearer {TOKEN}"}

    async def test_no_proxy_is_given_a_local_token(
        self, server: MadeUp, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        A server on this machine is asked directly, whatever the environment says.
        """
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9/")
        async with client_of(server) as client:
            assert (await client.overview())["number"] == 1

    async def test_updates(self, server: MadeUp) -> None:
        """
        The first update has the history; each later one comes once, and leaving ends the stream.
        """
        async with client_of(server) as client, aclosing(cast("Any", client.updates())) as updates:
            first = await anext(updates)
            server.push()
            second = await anext(updates)
            server.push(running=False)
            third = await anext(updates)
        assert len(first["history"]) == 201
        assert "history" not in second
        assert [first["number"], second["number"], third["number"]] == [1, 2, 3]
        assert third["running"] is False
        await gone(server)
        assert client.is_closed

    async def test_a_cancelled_stream_leaves_nothing(self, server: MadeUp) -> None:
        """
        Cancelling whoever follows closes the connection.
        """
        async with client_of(server) as client:
            began = asyncio.Event()

            async def follow() -> None:
                async with aclosing(cast("Any", client.updates())) as updates:
                    async for _ in updates:
                        began.set()

            task = asyncio.create_task(follow())
            await began.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await gone(server)
            assert (await client.overview())["number"] == 1

    async def test_a_stream_that_the_server_ends(self, server: MadeUp) -> None:
        """
        Updates end when the server is stopped.
        """
        async with client_of(server) as client, aclosing(cast("Any", client.updates())) as updates:
            await anext(updates)
            await asyncio.to_thread(server.stop)
            with pytest.raises((StopAsyncIteration, UnreachableError)):
                await anext(updates)

    async def test_what_is_gone(self, server: MadeUp) -> None:
        """
        A session that ended is None, and cannot be closed.
        """
        async with client_of(server) as client:
            assert await client.session(7) is not None
            assert await client.close(7) is True
            assert await client.close(7) is False
            assert await client.session(7) is None
        assert server.closed == [7]

    async def test_a_blocked_loop(self, server: MadeUp) -> None:
        """
        A server whose loop is blocked says for how long and where.
        """
        server.blocked = {"seconds": 4.2, "stack": ["app/db.py:17 in query"]}
        async with client_of(server) as client:
            with pytest.raises(LoopBlockedError, match=r"not answered for 4\.2 s") as caught:
                await client.sessions()
        assert caught.value.blocked == server.blocked

    @pytest.mark.parametrize("token", ["another", None])
    async def test_a_wrong_token(self, server: MadeUp, token: str | None) -> None:
        """
        A token that the server does not know is an error of its own kind, on the stream too.
        """
        async with client_of(server, token) as client:
            with pytest.raises(WrongTokenError, match="does not accept the token: the token is"):
                await client.overview()
            with pytest.raises(WrongTokenError, match="does not accept the token: the token is"):
                await anext(client.updates())

    async def test_nobody_there(self) -> None:
        """
        A port that nobody listens on is told with its address.
        """
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
            async with Client(Address(url, "x")) as client:
                with pytest.raises(UnreachableError, match=f"{url} cannot be reached: "):
                    await client.overview()

    async def test_a_redirect_is_not_followed(self, server: MadeUp) -> None:
        """
        The token goes to no other server.
        """
        server.redirect = True
        async with client_of(server) as client:
            with pytest.raises(NotThePageError, match="api/overview answers 307: that is no page"):
                await client.overview()

    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            (PlainTextResponse("<html>"), "is no JSON"),
            (PlainTextResponse("[" * 200_000), "is no JSON"),
            (JSONResponse([1]), "is no JSON object"),
            (JSONResponse({"number": 1}), "lacks allow_close, at, blocked"),
            (JSONResponse(overview(1) | {"tiles": {}}), "lacks abandoned, automatic_share"),
            (PlainTextResponse("no", 404), "answers 404: that is no page"),
            (JSONResponse({"error": "8 streams\x1b are open"}, 503), r"503: 8 streams\\x1b are"),
            (JSONResponse({"error": "too many"}, 429), "answers 429: too many"),
        ],
    )
    async def test_an_answer_of_something_else(
        self, server: MadeUp, answer: Response, why: str
    ) -> None:
        """
        What is no page of ours, or of another version, is told in one line.
        """
        server.answer = answer
        async with client_of(server) as client:
            with pytest.raises(ServerError, match=why) as caught:
                await client.overview()
            assert str(caught.value).isprintable()
            with pytest.raises(ServerError):
                await anext(client.updates())
        gc.collect()
