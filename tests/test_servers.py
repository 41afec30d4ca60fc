"""
Real servers in real processes: whatever ends them, each session's clean-up is written down.
"""

from __future__ import annotations

import re
import signal
import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.programs import PROLOGUE, Program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

if sys.platform == "win32":
    pytest.skip("Windows has no signal that ends one server process", allow_module_level=True)

pytestmark = pytest.mark.real_loop

APP = """
import contextlib
from sessionstate import SessionClosed, session

supervisor = Supervisor(shutdown_timeout=5)
if os.environ.get("INSTALL") == "beneath":
    supervisor.install_signal_handlers()

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        async with supervisor:
            if os.environ.get("INSTALL") == "lifespan":
                print("took", [each.name for each in supervisor.install_signal_handlers()])
            own(await supervisor.open("idle"))
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})
    else:
        with contextlib.suppress(SessionClosed):
            async with session("held", stall_timeout=60) as s:
                own(s)
                headers = [(b"content-type", b"text/plain")]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await send({"type": "http.response.body", "body": b"inside", "more_body": True})
                if "LISTENS" in os.environ:
                    while (await receive())["type"] != "http.disconnect":
                        pass
                else:
                    await asyncio.sleep(60)
"""
BOTH = ["held", "idle"]
UVICORN = ("-m", "uvicorn", "app:app", "--port", "0")
HYPERCORN = ("-m", "hypercorn", "app:app", "--bind", "127.0.0.1:0")


class Served(Program):
    """
    A server with a client inside of a request.
    """

    client: socket.socket

    def signal(self, *names: str) -> None:
        """
        Send signals, each once the server has taken note of the one before; the client goes then.

        From Python 3.12 on, servers wait for open connections, whatever their time-outs say.
        """
        for number, name in enumerate(names):
            if number:
                self.wait_for("Waiting for")
            self.send(signal.Signals[name])
        self.client.close()


@contextmanager
def serve(tmp_path: Path, *arguments: str, app: str = "", **env: str) -> Iterator[Served]:
    """
    Start a server, with a client inside of a request.
    """
    (tmp_path / "app.py").write_text(PROLOGUE + APP + app)
    with Served(tmp_path, arguments=arguments, PYTHONPATH=str(tmp_path), **env) as program:
        line = program.wait_for("unning on http://")
        found = re.search(r"http://([\d.]+):(\d+)", line)
        assert found is not None
        with socket.create_connection((found[1], int(found[2]))) as client:
            program.client = client
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = b""
            while b"inside" not in answer:
                received = client.recv(1000)
                assert received, answer
                answer += received
            yield program


def ran(program: Program, kind: str) -> list[str]:
    """
    Return the sessions whose clean-up of this kind ran.
    """
    lines = [line.partition(": ") for line in program.log()]
    return sorted(id for id, _, what in lines if what.partition(",")[0] == kind)


TERM, INT, HUP = "SIGTERM", "SIGINT", "SIGHUP"


class TestUvicorn:
    @pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
    @pytest.mark.parametrize(("name", "status"), [(TERM, -signal.SIGTERM), (INT, 0)])
    def test_graceful_time_out(self, tmp_path: Path, name: str, status: int, loop: str) -> None:
        """
        Requests that are cancelled natively when the graceful time-out is over lose no clean-up.
        """
        options = ("--timeout-graceful-shutdown", "0", "--loop", loop)
        with serve(tmp_path, *UVICORN, *options) as program:
            program.signal(name)
            assert program.status() == status
        assert "timeout graceful shutdown exceeded" in program.output
        assert ran(program, "sync") == ran(program, "async") == BOTH

    def test_impatient(self, tmp_path: Path) -> None:
        """
        A second Ctrl+C makes uvicorn skip the lifespan; its runner unwinds the supervisor then.
        """
        with serve(tmp_path, *UVICORN) as program:
            program.signal(INT, INT)
            program.status()
        assert "Application shutdown complete" not in program.output
        assert ran(program, "sync") == ran(program, "async") == BOTH

    @pytest.mark.parametrize(
        ("install", "expected"), [("", []), ("lifespan", []), ("beneath", BOTH)]
    )
    def test_impatient_after_sigterm(
        self, tmp_path: Path, install: str, expected: list[str]
    ) -> None:
        """
        Ctrl+C after SIGTERM ends the process at once, unless handlers lie beneath uvicorn's.

        It skips the lifespan and raises both signals again with the handlers that it found.
        """
        app = """
if __name__ == "__main__":
    import uvicorn
    uvicorn.run(app, port=0)
"""
        with serve(tmp_path, str(tmp_path / "app.py"), app=app, INSTALL=install) as program:
            program.signal(TERM, INT)
            assert program.status() == -signal.SIGTERM
        assert ran(program, "sync") == ran(program, "async") == expected

    @pytest.mark.parametrize("install", ["lifespan", "beneath"])
    def test_installed(self, tmp_path: Path, install: str) -> None:
        """
        Handlers of the supervisor are not in the way of uvicorn's shutdown.
        """
        options = ("--timeout-graceful-shutdown", "0")
        with serve(tmp_path, *UVICORN, *options, INSTALL=install) as program:
            program.signal(TERM)
            assert program.status() == -signal.SIGTERM
        if install == "lifespan":
            assert "took ['SIGHUP']" in program.output
        assert "Application shutdown complete" in program.output
        assert ran(program, "sync") == ran(program, "async") == BOTH

    def test_hangup(self, tmp_path: Path) -> None:
        """
        SIGHUP, which uvicorn leaves to end the process, loses nothing with them.
        """
        with serve(tmp_path, *UVICORN, INSTALL="lifespan") as program:
            program.signal(HUP)
            assert program.status() == -signal.SIGHUP
        assert ran(program, "sync") == ran(program, "async") == BOTH

    @pytest.mark.parametrize(
        ("names", "status"),
        [
            ((TERM,), 128 + signal.SIGTERM),
            ((TERM, INT), -signal.SIGINT),
            ((HUP,), 128 + signal.SIGHUP),
        ],
    )
    def test_under_run(self, tmp_path: Path, names: tuple[str, ...], status: int) -> None:
        """
        Served under `sessionstate.run`, no signal loses anything.
        """
        app = f"""
import uvicorn
async def main():
    graceful = 0 if {len(names) == 1} else None
    config = uvicorn.Config(app, port=0, timeout_graceful_shutdown=graceful)
    await uvicorn.Server(config).serve()
if __name__ == "__main__":
    sessionstate.run(main())
"""
        with serve(tmp_path, str(tmp_path / "app.py"), app=app) as program:
            program.signal(*names)
            assert program.status() == status
        assert ran(program, "sync") == ran(program, "async") == BOTH


# A clean-up that takes longer than hypercorn and its other workers do.
SLOW = """
async def log_later(text):
    await asyncio.sleep(0.5 if os.environ["SLOW"] in text else 0)
    log(text)
"""


class TestHypercorn:
    @pytest.mark.parametrize(
        ("name", "workers", "loop"),
        [
            (TERM, "1", "uvloop"),
            (INT, "0", "uvloop"),
            pytest.param(
                TERM,
                "0",
                "asyncio",
                marks=pytest.mark.skipif(
                    sys.version_info >= (3, 12),
                    reason="there hypercorn waits for open connections before its time-out",
                ),
            ),
        ],
    )
    def test_graceful_time_out(self, tmp_path: Path, name: str, workers: str, loop: str) -> None:
        """
        Requests that are cancelled natively when the graceful time-out is over lose no clean-up.
        """
        options = ("--graceful-timeout", "0", "--workers", workers, "--worker-class", loop)
        with serve(tmp_path, *HYPERCORN, *options) as program:
            program.signal(name)
            assert program.status() == 0, program.output
        assert ran(program, "sync") == ran(program, "async") == BOTH

    def test_shutdown_time_out(self, tmp_path: Path) -> None:
        """
        When hypercorn gives the lifespan up, its runner waits for the clean-up all the same.
        """
        config = tmp_path / "hypercorn.toml"
        config.write_text("shutdown_timeout = 0.1\n")
        options = ("--workers", "0", "--config", str(config))
        env = {"SLOW": "idle", "LISTENS": "yes"}
        with serve(tmp_path, *HYPERCORN, *options, app=SLOW, **env) as program:
            program.signal(TERM)
            program.status()
        assert "LifespanTimeoutError" in program.output
        assert ran(program, "sync") == ran(program, "async") == BOTH

    @pytest.mark.parametrize(("install", "expected"), [("", []), ("lifespan", BOTH)])
    def test_worker_that_is_terminated(
        self, tmp_path: Path, install: str, expected: list[str]
    ) -> None:
        """
        A worker handles no signals: without handlers of the supervisor, SIGTERM ends it at once.
        """
        with serve(tmp_path, *HYPERCORN, INSTALL=install) as program:
            for worker in program.children("spawn_main"):
                worker.terminate()
            program.status()
        assert ran(program, "sync") == ran(program, "async") == expected

    @pytest.mark.parametrize(("install", "expected"), [("", []), ("lifespan", ["held"])])
    def test_slower_worker(self, tmp_path: Path, install: str, expected: list[str]) -> None:
        """
        Of several workers, hypercorn terminates the slower ones, which lose nothing with handlers.
        """
        options = ("--workers", "2")
        env = {"SLOW": "held", "INSTALL": install, "LISTENS": "yes"}
        with serve(tmp_path, *HYPERCORN, *options, app=SLOW, **env) as program:
            program.signal(TERM)
            program.status()
        assert [id for id in ran(program, "async") if id == "held"] == expected
