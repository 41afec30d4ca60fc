"""
The page in a thread of its own: real sockets, and a loop that does not answer.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from sessionstate import Supervisor
from sessionstate.dashboard import DashboardPage, serve_dashboard
from sessionstate.dashboard._serving import Address, listen
from tests.dashboard.conftest import PATIENCE, connect, page_threads
from tests.dashboard.memory_source import MemorySource

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    Serve = Callable[..., AbstractAsyncContextManager[DashboardPage]]

pytestmark = pytest.mark.real_loop


class TestServe:
    async def test_from_the_first_moment_to_the_last(self, serve: Serve) -> None:
        """
        The page answers as soon as the context is entered, and nobody once it was left.
        """
        async with serve() as page:
            assert page_threads()
            async with connect(page) as client:
                answer = await client.get("api/overview")
                assert answer.status_code == 200
                assert "server" not in answer.headers
        assert not page_threads()
        async with connect(page) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get("api/overview")

    async def test_login_url(self, serve: Serve) -> None:
        """
        The address with the token lets a browser in; the other one has no token.
        """
        async with serve() as page, httpx.AsyncClient(follow_redirects=True) as browser:
            assert page.token not in page.url
            assert page.token not in repr(page)
            assert (await browser.get(page.url)).url.path == "/login"
            answer = await browser.get(page.login_url)
            assert str(answer.url) == page.url
            assert answer.text.startswith("<!doctype html>")

    async def test_odd_token(self, serve: Serve) -> None:
        """
        A token may be any text.
        """
        async with serve(token="a&b=c d/é") as page, httpx.AsyncClient() as browser:  # noqa: S106
            assert (await browser.get(page.login_url)).status_code == 303

    async def test_tokens_differ(self, serve: Serve) -> None:
        """
        Each page has a token of its own, which is long.
        """
        async with serve() as one, serve() as other:
            assert one.token != other.token
            assert one.url != other.url
            assert len(one.token) >= 43

    async def test_nothing_is_said(
        self, serve: Serve, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """
        The token stands in no log and no output.
        """
        caplog.set_level(logging.DEBUG)
        async with serve() as page, httpx.AsyncClient() as browser:
            logging.getLogger("httpx").disabled = True
            await browser.get(page.login_url)
            logging.getLogger("httpx").disabled = False
        out, err = capfd.readouterr()
        own = [each.getMessage() for each in caplog.records if not each.name.startswith("http")]
        assert not any(page.token in text for text in [out, err, *own])

    async def test_ipv6(self, serve: Serve) -> None:
        """
        The loopback of IPv6 will do.
        """
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            pytest.skip("this machine has no IPv6")
        async with serve("::1") as page, connect(page) as client:
            assert page.url.startswith("http://[::1]:")
            assert (await client.get("api/overview")).status_code == 200

    async def test_everywhere(self, serve: Serve) -> None:
        """
        One who listens everywhere is found at the loopback, and by no made-up name.
        """
        async with serve("0.0.0.0", token="t") as page, connect(page) as client:  # noqa: S104, S106
            assert page.url.startswith("http://127.0.0.1:")
            assert (await client.get("api/overview")).status_code == 200
            answer = await client.get("api/overview", headers={"host": "example.org"})
            assert answer.status_code == 421

    async def test_port_taken(self, serve: Serve) -> None:
        """
        A port that somebody has is an error that says what to do.
        """
        async with serve() as page:
            port = httpx.URL(page.url).port
            with pytest.raises(OSError, match=f"cannot listen at port {port} of 127.* port=0"):
                async with serve(port=port):
                    pytest.fail("it was entered")
            assert len(page_threads()) == 1

    async def test_by_name(self, serve: Serve) -> None:
        """
        A name is looked up, and the page has it.
        """
        async with serve("localhost") as page, connect(page) as client:
            assert page.url.startswith("http://localhost:")
            assert (await client.get("api/overview")).status_code == 200

    async def test_host_without_an_address(self) -> None:
        """
        A name that leads nowhere is an error that says so.
        """
        address = Address.of("nowhere.invalid", 0, "token", ())
        with pytest.raises(OSError, match=r"host 'nowhere\.invalid' has no address to listen at"):
            await listen(address)

    async def test_junk(self, serve: Serve) -> None:
        """
        What is no HTTP is answered by closing, and the next one is served.
        """
        async with serve() as page, connect(page) as client:
            url = httpx.URL(page.url)
            for junk in (
                b"\x16\x03\x01\x00",
                b"GET\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n",
            ):
                reader, writer = await asyncio.open_connection(url.host, url.port)
                writer.write(junk + b"\r\n" * 2)
                assert b"500" not in (await reader.read(4096)).partition(b"\r\n")[0]
                writer.close()
                await writer.wait_closed()
            assert (await client.get("api/overview")).status_code == 200


class TestBlockedLoop:
    async def test_answers(self, serve: Serve) -> None:
        """
        While the loop of the program does not answer, the page does.
        """
        answers: list[httpx.Response] = []
        asked = threading.Event()

        def ask(page: DashboardPage) -> None:
            headers = {"authorization": f"Bearer {page.token}"}
            answers.append(httpx.get(f"{page.url}api/overview", headers=headers, timeout=PATIENCE))
            asked.set()

        async with serve() as page:
            thread = threading.Thread(target=ask, args=(page,))
            thread.start()
            assert asked.wait(PATIENCE)  # the loop is blocked until the answer is there
            thread.join()
        assert answers[0].status_code == 200
        assert answers[0].json()["tiles"]["live"] == 2

    async def test_streams(self, serve: Serve, source: MemorySource) -> None:
        """
        While the loop of the program does not answer, updates come.
        """
        seen: list[int] = []
        first, second = threading.Event(), threading.Event()

        def read(page: DashboardPage) -> None:
            headers = {"authorization": f"Bearer {page.token}"}
            url = f"{page.url}api/stream"
            with httpx.stream("GET", url, headers=headers, timeout=PATIENCE) as answer:
                for line in answer.iter_lines():
                    if line.startswith("data: "):
                        seen.append(json.loads(line[6:])["number"])
                        (first if len(seen) == 1 else second).set()
                        if len(seen) == 2:
                            return

        async with serve() as page:
            thread = threading.Thread(target=read, args=(page,))
            thread.start()
            assert first.wait(PATIENCE)
            source.advance()
            assert second.wait(PATIENCE)
            thread.join()
        assert seen == [1, 2]


class TestArguments:
    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])  # noqa: S104
    def test_reachable_without_a_token(self, host: str) -> None:
        """
        A page that other machines can reach needs a token that somebody chose.
        """
        with pytest.raises(ValueError, match="other machines, so the page demands a token"):
            serve_dashboard(Supervisor(), host=host)

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "::1", "LOCALHOST"])
    def test_loopback(self, host: str) -> None:
        """
        On the loopback the page makes its own.
        """
        assert len(Address.of(host, 0, None, ()).token) == 43

    @pytest.mark.parametrize("port", [-1, 65536, "80", 1.0, True, None])
    def test_port(self, port: Any) -> None:
        """
        A port is a number.
        """
        with pytest.raises(ValueError, match="port must be a number from 0, for any that is free"):
            serve_dashboard(Supervisor(), port=port)

    @pytest.mark.parametrize("host", ["", "a b", "http://localhost", None, 1])
    def test_host(self, host: Any) -> None:
        """
        A host is a name or an address.
        """
        with pytest.raises(ValueError, match="host must be a name or address"):
            serve_dashboard(Supervisor(), host=host)

    @pytest.mark.parametrize("token", ["", b"bytes", 7])
    def test_token(self, token: Any) -> None:
        """
        A token is a text that is not empty.
        """
        with pytest.raises(ValueError, match="token must be a str that is not empty"):
            serve_dashboard(Supervisor(), token=token)

    def test_supervisor(self) -> None:
        """
        What is no supervisor has no page.
        """
        with pytest.raises(TypeError, match="a dashboard shows a Supervisor, not 'it'"):
            serve_dashboard("it")  # type: ignore[arg-type]

    @pytest.mark.skipif(sys.platform == "win32", reason="there no port is privileged")
    def test_zone(self) -> None:
        """
        The zone of an address is no part of the name that it is asked for by.
        """
        assert Address.of("fe80::1%eth0", 0, "token", ()).hosts._names >= {"[fe80::1]"}
