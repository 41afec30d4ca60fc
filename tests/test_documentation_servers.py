"""
The pages about web servers: their application, served by a real server, which gets a real signal.
"""

from __future__ import annotations

import re
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.programs import PATIENCE, Program
from tests.test_documentation import blocks

if TYPE_CHECKING:
    from pathlib import Path

if sys.platform == "win32":
    pytest.skip("Windows has no signal that ends one server process", allow_module_level=True)

websockets = pytest.importorskip("websockets.sync.client")

pytestmark = pytest.mark.real_loop

UVICORN = ("-m", "uvicorn", "shop:app", "--port", "0")
AIOHTTP = """
import signal, socket
from aiohttp import web
import shop

ours = shop.supervised
async def supervised(app):
    async for _ in ours(app):
        took = app[shop.SUPERVISOR].install_signal_handlers()
        print("took", [each.name for each in took], flush=True)
        yield
shop.supervised = supervised
listener = socket.create_server(("127.0.0.1", 0))
running = "running on http://127.0.0.1:{}".format(listener.getsockname()[1])
web.run_app(
    shop.build(), sock=listener, shutdown_timeout=10, print=lambda _: print(running, flush=True)
)
"""


def write_application(page: str, folder: Path) -> None:
    """
    Write the blocks of *page*, but the one that looks at it, to the file that the page calls so.
    """
    codes = [each.code for each in blocks(f"docs/how-to/{page}") if "await look()" not in each.code]
    assert len(codes) > 3
    (folder / "shop.py").write_text("\n".join(codes), encoding="utf-8")


def stopped(program: Program, path: str) -> tuple[int, str]:
    """
    Send SIGTERM with a client in a WebSocket: the exit status, and what closed the socket.
    """
    found = re.search(r"http://([\d.]+:\d+)", program.wait_for("unning on http://"))
    assert found is not None
    with websockets.connect(f"ws://{found[1]}/{path}", proxy=None) as client:
        client.send("hello")
        if path.startswith("chat"):
            assert client.recv(timeout=PATIENCE) == "ann, that was number 1"
        program.send(signal.SIGTERM)
        with pytest.raises(Exception, match="received 1") as closed:
            client.recv(timeout=PATIENCE)
    return program.status(), str(closed.value)


class TestUvicorn:
    @pytest.mark.parametrize("path", ["chat/ann", "agent/ann"])
    def test_sigterm_ends_those_who_receive(self, tmp_path: Path, path: str) -> None:
        """
        A WebSocket is closed with 1012, which ends its session and what works for it at once.
        """
        pytest.importorskip("fastapi")
        write_application("fastapi.md", tmp_path)
        with Program(tmp_path, arguments=UVICORN, PYTHONPATH=str(tmp_path)) as program:
            status, closed = stopped(program, path)
        assert "1012" in closed
        assert "ann: failed" in program.output
        assert "Application shutdown complete" in program.output
        assert status == -signal.SIGTERM

    def test_sigterm_waits_for_those_who_do_not(self, tmp_path: Path) -> None:
        """
        A handler that does not receive is cancelled when the graceful time is over.
        """
        pytest.importorskip("fastapi")
        write_application("fastapi.md", tmp_path)
        deaf = """
@app.websocket("/deaf")
async def deaf(socket: WebSocket) -> None:
    await socket.accept()
    async with session("ann"):
        await asyncio.Event().wait()
"""
        with (tmp_path / "shop.py").open("a", encoding="utf-8") as file:
            file.write(deaf)
        options = (*UVICORN, "--timeout-graceful-shutdown", "1")
        with Program(tmp_path, arguments=options, PYTHONPATH=str(tmp_path)) as program:
            stopped(program, "deaf")
        assert "timeout graceful shutdown exceeded" in program.output
        assert "ann: cancelled" in program.output


class TestAiohttp:
    def test_sigterm_tells_the_sessions(self, tmp_path: Path) -> None:
        """
        `on_shutdown` ends the sessions before the handlers are waited for, and clients hear why.
        """
        pytest.importorskip("aiohttp")
        write_application("aiohttp.md", tmp_path)
        with Program(tmp_path, arguments=("-c", AIOHTTP), PYTHONPATH=str(tmp_path)) as program:
            status, closed = stopped(program, "chat/ann")
        assert "1001" in closed
        assert "session shutdown" in closed
        assert "took ['SIGHUP']" in program.output
        assert "ann: shutdown" in program.output
        assert status == 0
