import asyncio
import difflib
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from functools import partial
from types import ModuleType
from typing import Any

import pytest

from sessionstate import CloseReason, Session, SessionClosed, Supervisor, current_supervisor
from tests.example_runs import EXAMPLES, PATIENCE, ends, load, output, process, run

pytestmark = pytest.mark.real_loop


class TestAgentServer:
    @asynccontextmanager
    async def serve(
        self, example: ModuleType, **deadlines: float
    ) -> AsyncIterator[tuple[Supervisor, str]]:
        """
        Serve the example's handler with a supervisor that the test can see.
        """
        from websockets.asyncio.server import serve

        handler = partial(example.converse, **{"linger": 0.0, "stall_timeout": 300.0} | deadlines)
        async with Supervisor() as supervisor, serve(handler, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            yield supervisor, f"ws://127.0.0.1:{port}"

    def test_prints_what_it_shows(self) -> None:
        """
        A client that comes back finds its agent; a silent one is told why it was let go.
        """
        assert output("agent_server") == [
            "back: answer 1",
            "back: answer 2",
            "back ended: completed, 2 questions, 2 tool calls",
            "silent ended: stalled, 0 questions, 0 tool calls",
            "silent: session stalled",
            "left: 0 sessions, 0 agents",
        ]

    def test_goodbye_and_reset_leave_nothing(self) -> None:
        """
        A conversation's agent goes with a polite client and with a TCP reset alike.
        """
        from websockets.asyncio.client import connect

        example = load("agent_server")

        async def main() -> None:
            async with self.serve(example) as (supervisor, url):
                ended = ends(supervisor)
                async with connect(f"{url}/polite") as client:
                    await client.send("hello")
                    assert await client.recv() == "answer 1"
                    assert list(example.agents) == ["polite"]
                assert await ended.get() == ("polite", CloseReason.COMPLETED)

                async with connect(f"{url}/reset") as client:
                    await client.send("hello")
                    await client.recv()
                    client.transport.abort()
                    assert await ended.get() == ("reset", CloseReason.FAILED)
                assert (len(supervisor), len(example.agents)) == (0, 0)

        run(main)

    def test_killed_client_leaves_nothing(self) -> None:
        """
        A client process that is killed says no goodbye; its conversation ends all the same.
        """
        example = load("agent_server")
        program = (
            "import sys; from websockets.sync.client import connect\n"
            "with connect(sys.argv[1]) as client:\n"
            "    client.send('hello'); print(client.recv(), flush=True); client.recv()"
        )

        async def main() -> None:
            async with self.serve(example) as (supervisor, url):
                ended = ends(supervisor)
                with process("-c", program, f"{url}/killed") as client:
                    assert client.stdout is not None
                    answer = await asyncio.to_thread(client.stdout.readline)
                    assert answer == "answer 1\n"
                    assert list(example.agents) == ["killed"]
                    client.kill()
                    assert await ended.get() == ("killed", CloseReason.FAILED)
                assert (len(supervisor), len(example.agents)) == (0, 0)

        run(main)

    def test_activity_keeps_it_silence_ends_it(self) -> None:
        """
        A client that keeps talking outlives stall_timeout; the one beside it, silent, does not.
        """
        from websockets.asyncio.client import connect

        example = load("agent_server")

        async def main() -> None:
            async with self.serve(example, stall_timeout=1.0) as (supervisor, url):
                ended = ends(supervisor)
                async with connect(f"{url}/talks") as talks, connect(f"{url}/silent") as silent:
                    started = time.monotonic()
                    silenced = asyncio.create_task(silent.wait_closed())
                    while not silenced.done() or time.monotonic() < started + 1.5:
                        await talks.send("still here")
                        await talks.recv()
                        await asyncio.sleep(0.05)
                    assert silent.close_reason == "session stalled"
                    assert await ended.get() == ("silent", CloseReason.STALLED)
                    assert list(example.agents) == ["talks"]
                assert await ended.get() == ("talks", CloseReason.COMPLETED)

        run(main)

    def test_linger_keeps_the_agent(self) -> None:
        """
        A second connection within linger has the same agent, and not a copy of it.
        """
        from websockets.asyncio.client import connect

        example = load("agent_server")

        async def main() -> None:
            async with self.serve(example, linger=60.0) as (supervisor, url):
                agents = list[Any]()
                for number in (1, 2):
                    async with connect(f"{url}/back") as client:
                        await client.send("hello")
                        assert await client.recv() == f"answer {number}"
                        agents.append(example.agents.peek("back"))
                assert agents[0] is agents[1]
                assert supervisor["back"].incarnation == 1

        run(main)


class TestDict:
    def test_prints_what_it_shows(self) -> None:
        """
        The dict keeps everybody who said no goodbye; the session map keeps nobody.
        """
        assert output("dict_before") == ["10 conversations, 3 goodbyes, 7 agents left"]
        assert output("dict_after") == ["10 conversations, 3 goodbyes, 0 agents left"]

    def test_little_changes(self) -> None:
        """
        What a reader has to change is the map, a block around the handler and the supervisor.
        """
        before, after = (
            (EXAMPLES / f"dict_{name}.py").read_text("utf-8").split('"""', 2)[2].splitlines()
            for name in ("before", "after")
        )
        code = [
            line[2:].strip()
            for line in difflib.ndiff(before, after)
            if line.startswith("+ ") and line[2:].strip() and "import" not in line
        ]
        assert 'agents = SessionMap[Agent]("agents")' in code
        assert len(code) <= 8

    @pytest.mark.parametrize("way", ["reset", "silent"])
    def test_no_goodbye_leaves_nothing(self, way: str) -> None:
        """
        After the change, a reset and a silence end a conversation too.
        """
        example = load("dict_after")

        async def main() -> None:
            loop = asyncio.get_running_loop()
            server = await asyncio.start_server(example.handler, "127.0.0.1", 0)
            async with Supervisor(stall_timeout=0.5) as supervisor, server:
                ended = ends(supervisor)
                # No transport: those of Windows say goodbye even where they are aborted.
                with socket.create_connection(server.sockets[0].getsockname()) as client:
                    client.setblocking(False)
                    await loop.sock_sendall(client, b"hello\n")
                    assert await loop.sock_recv(client, 100) == b"1: hello\n"
                    assert len(example.agents) == 1
                    if way == "reset":
                        linger = b"\x01\0\0\0\0\0\0\0" if os.name != "nt" else b"\x01\0\0\0"
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                        client.close()
                        expected = CloseReason.FAILED
                    else:
                        assert await loop.sock_recv(client, 100) == b""  # the server hangs up
                        expected = CloseReason.STALLED
                    assert (await ended.get())[1] == expected
                    assert len(example.agents) == 0

        run(main)


class TestOnlyEvents:
    def test_prints_what_it_shows(self) -> None:
        """
        Sessions whose end nobody announced end at their deadline, with all their maps.
        """
        assert output("only_events") == [
            "the stream is over: 92 agents, 92 maps",
            "ended: 8 by event, 92 by deadline",
            "left: 0 sessions, 0 agents, 0 maps",
        ]

    def test_events_keep_it(self) -> None:
        """
        A session that events keep coming for outlives its idle timeout, on a real socket.
        """
        example = load("only_events")

        async def busy(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b'{"type": "session.deleted", "session": "never heard of"}\n')
            writer.write(b'{"type": "message", "session": "quiet", "agent": "a"}\n')
            for _number in range(30):
                writer.write(b'{"type": "message", "session": "busy", "agent": "a"}\n')
                await asyncio.sleep(0.05)
            writer.close()

        async def main() -> None:
            server = await asyncio.start_server(busy, "127.0.0.1", 0)
            async with Supervisor(idle_timeout=1.0) as supervisor, server:
                ended = ends(supervisor)
                port = server.sockets[0].getsockname()[1]
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                await example.follow(reader, supervisor)
                assert ended.get_nowait() == ("quiet", CloseReason.IDLE)
                assert list(example.agent_names) == ["busy"]
                assert await ended.get() == ("busy", CloseReason.IDLE)
                writer.close()

        run(main)


class TestManyRequests:
    def test_prints_what_it_shows(self) -> None:
        """
        Requests share one conversation, which goes when nobody asks any more.
        """
        assert output("many_requests") == [
            "{'name': 'Ada', 'turn': 1, 'life': 1}",
            "{'name': 'Ada', 'turn': 2, 'life': 1}",
            "['hello', 'how are you?']",
            "404 0 transcripts left",
        ]

    @contextmanager
    def uvicorn(self) -> Iterator[tuple[subprocess.Popen[str], str]]:
        """
        Serve the example as its first lines say, with uvicorn's own command.
        """
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = ["-m", "uvicorn", "--app-dir", str(EXAMPLES), "--port", str(port)]
        with process(*command, "--factory", "many_requests:build") as server:
            assert server.stdout is not None
            for line in server.stdout:
                if "Uvicorn running" in line:
                    break
            yield server, f"http://127.0.0.1:{port}"

    def test_under_uvicorn(self) -> None:
        """
        Under uvicorn's own command, concurrent requests share one life, and DELETE ends it.
        """
        import httpx

        async def main(url: str) -> None:
            async with httpx.AsyncClient(base_url=url) as client:
                assert (await client.get("/chat/a")).status_code == 404
                answers = await asyncio.gather(
                    *(client.post("/chat/a", content=str(number)) for number in range(20)),
                    client.post("/chat/b", content="other"),
                )
                turns = [answer.json()["turn"] for answer in answers]
                assert sorted(turns) == sorted([*range(1, 21), 1])
                assert len({answer.json()["life"] for answer in answers}) == 2
                assert len((await client.get("/chat/a")).json()) == 20
                assert (await client.delete("/chat/a")).status_code == 204
                assert (await client.delete("/chat/a")).status_code == 404
                assert (await client.get("/chat/a")).status_code == 404
                again = (await client.post("/chat/a", content="new")).json()
                assert (again["turn"], again["life"]) == (1, 3)

        with self.uvicorn() as (server, url):
            run(partial(main, url))
            if os.name == "nt":
                return  # no signal that uvicorn could unwind from reaches one process only
            server.send_signal(signal.SIGTERM)
            rest, _ = server.communicate(timeout=PATIENCE)
            assert "Application shutdown complete" in rest
            assert "Traceback" not in rest

    def test_request_inside_keeps_it_then_it_is_gone(self) -> None:
        """
        A slow request outlives idle_timeout; one ended from outside is answered, not dropped.
        """
        import httpx
        import uvicorn

        example = load("many_requests")

        async def slow() -> AsyncIterator[bytes]:
            yield b"he"
            await asyncio.sleep(1.0)
            yield b"llo"

        async def main() -> None:
            listener = socket.create_server(("127.0.0.1", 0))
            host, port = listener.getsockname()
            application = example.build(idle_timeout=0.3, stall_timeout=PATIENCE)
            server = uvicorn.Server(uvicorn.Config(application, log_level="warning"))
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            async with httpx.AsyncClient(base_url=f"http://{host}:{port}") as client:
                answer = await client.post("/chat/slow", content=slow())
                assert answer.json()["turn"] == 1

                opened: asyncio.Queue[str] = asyncio.Queue()

                def put(session: Session) -> None:
                    opened.put_nowait(session.id)

                current_supervisor().on_open(put)
                reader, writer = await asyncio.open_connection(host, port)
                writer.write(b"POST /chat/cut HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
                assert await opened.get() == "cut"
                assert (await client.delete("/chat/cut")).status_code == 204
                assert b"404" in await reader.readline()
                writer.close()
            server.should_exit = True
            await serving

        run(main)


class TestSiblings:
    def test_prints_what_it_shows(self) -> None:
        """
        One feed's silence ends its own session; its siblings read to the end.
        """
        lines = output("siblings")
        assert sorted(lines[:-1]) == [
            "dull: stalled, 1 readings",
            "lively: completed, 4 readings",
            "merry: completed, 4 readings",
        ]
        assert lines[-1] == "left: 0 sessions, 0 readings"

    def test_suppress_is_what_saves_them(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """
        Without the suppress, the group cancels the siblings and raises SessionClosed.
        """
        example = load("siblings")
        monkeypatch.setattr(example, "suppress", nullcontext)
        with pytest.RaisesGroup(pytest.RaisesExc(SessionClosed, match="dull")):
            asyncio.run(example.main(stall_timeout=0.3))
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 3
        assert lines[0].startswith("dull: stalled")
        assert all(": cancelled," in line for line in lines[1:])
