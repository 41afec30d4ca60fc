"""
The examples of what a session can own: processes, child sessions, and what must not come twice.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import ModuleType

import pytest

from sessionstate import CloseReason, Supervisor, session
from tests.example_runs import ends, load, output, process, run

pytestmark = pytest.mark.real_loop


class TestWebhookReceiver:
    @asynccontextmanager
    async def serve(self, app: object) -> AsyncIterator[str]:
        """
        Serve the example's application on a real socket.
        """
        import uvicorn

        listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="warning")  # type: ignore[arg-type]
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield "http://{}:{}/webhook".format(*listener.getsockname())
        server.should_exit = True
        await serving

    def test_prints_what_it_shows(self) -> None:
        """
        A request is acted upon once, and a failed one again; replays, forgeries and old ones never.
        """
        assert output("webhook_receiver") == [
            "a chair: 200, 1 shipped",
            "the same again: 409, 1 shipped",
            "with another body: 401, 1 shipped",
            "an hour old: 400, 1 shipped",
            "a lamp, while busy: 503, 1 shipped",
            "the retry: 200, 2 shipped",
            "the retry again: 409, 2 shipped",
            "remembered: 2 signatures",
        ]

    def test_many_at_once_are_one(self) -> None:
        """
        Of twenty copies that arrive together, one is acted upon; a strange header harms nobody.
        """
        import httpx

        example = load("webhook_receiver")
        app = example.build()

        async def main() -> None:
            async with self.serve(app) as url, httpx.AsyncClient() as client:
                body, headers = example.signed("a chair")
                answers = await asyncio.gather(
                    *(client.post(url, content=body, headers=headers) for _ in range(20))
                )
                assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19
                assert app.state.shop.shipped == ["a chair"]
                for strange in ({}, {b"signature": b"\xff", b"signed-at": b"\xff"}):
                    refused = await client.post(url, content=body, headers=strange)
                    assert refused.status_code == 401

        run(main)

    def test_full_it_refuses_and_forgets_nothing(self) -> None:
        """
        With no room for one more signature, the next is refused, and the first still known.
        """
        import httpx

        example = load("webhook_receiver")
        app = example.build(maxsize=1)

        async def main() -> None:
            async with self.serve(app) as url, httpx.AsyncClient() as client:
                codes: list[int] = []
                first, second = example.signed("a chair"), example.signed("a table")
                for body, headers in (first, second, first):
                    answer = await client.post(url, content=body, headers=headers)
                    codes.append(answer.status_code)
                assert codes == [200, 503, 409]

        run(main)

    def test_what_is_too_old_is_neither_kept_nor_taken(self) -> None:
        """
        When the window has passed the signature is gone, and the request stale.
        """
        import httpx

        example = load("webhook_receiver")
        app = example.build(window=1.0)

        async def main() -> None:
            async with self.serve(app) as url, httpx.AsyncClient() as client:
                body, headers = example.signed("a chair")
                assert (await client.post(url, content=body, headers=headers)).status_code == 200
                while len(app.state.guard):  # noqa: ASYNC110 (the guard tells nobody that it forgets)
                    await asyncio.sleep(0.05)
                assert time.time() > float(headers["signed-at"]) + 1.0
                again = await client.post(url, content=body, headers=headers)
                assert (again.status_code, len(app.state.shop.shipped)) == (400, 1)

        run(main)


class TestSubAgents:
    def test_prints_what_it_shows(self) -> None:
        """
        A tree that is done is gone; one that is ended goes from the leaves up; a greedy one stops.
        """
        assert output("sub_agents") == [
            "plan: 7 agents worked",
            "plan: completed",
            "greedy: failed",
            "greedy: refused more than 20 agents at a time",
            "stuck/agent/a asks",
            "stuck/agent/b asks",
            "stuck/agent/b: parent",
            "stuck/agent/a: parent",
            "stuck/agent: parent",
            "stuck: deleted",
            "stuck: ended by somebody else",
            "left: 0 sessions, 0 notes",
        ]

    def test_who_is_done_does_not_wait(self) -> None:
        """
        A sub-agent that has done its work is gone while the one that it worked for goes on.
        """
        example = load("sub_agents")

        async def main() -> None:
            async with Supervisor() as supervisor, session("root") as root:
                ended = ends(supervisor)
                assert await example.delegate(root, "agent", "look it up", 1) == 3
                assert [ended.get_nowait() for _ in range(3)] == [
                    ("root/agent/a", CloseReason.COMPLETED),
                    ("root/agent/b", CloseReason.COMPLETED),
                    ("root/agent", CloseReason.COMPLETED),
                ]
                assert (list(supervisor), root.children) == (["root"], ())
                assert len(example.notes) == 0

        run(main)

    @pytest.mark.parametrize("way", ["fails", "cancelled"])
    def test_however_the_root_ends(self, way: str) -> None:
        """
        When the request fails or is cancelled, none of its sub-agents goes on working.
        """
        example = load("sub_agents")
        asked, answered = asyncio.Event(), asyncio.Event()

        async def request() -> None:
            async with session("root") as root, asyncio.TaskGroup() as group:
                group.create_task(example.delegate(root, "agent", "ask the user", 1))
                for _ in range(2):
                    await example.questions.get()
                asked.set()
                await answered.wait()
                raise LookupError("what it is about")

        async def main() -> None:
            async with Supervisor() as supervisor:
                asking = asyncio.create_task(request())
                await asked.wait()
                assert (len(supervisor), len(example.notes)) == (4, 2)
                if way == "cancelled":
                    asking.cancel()
                answered.set()
                with pytest.raises((ExceptionGroup, asyncio.CancelledError)):
                    await asking
                assert asking.cancelled() is (way == "cancelled")
                assert (len(supervisor), len(example.notes)) == (0, 0)

        run(main)


class TestProcessRunner:
    def test_prints_what_it_shows(self) -> None:
        """
        Output and exit code come back; of a command whose client hung up, no process is left.
        """
        assert output("process_runner") == [
            "greet: ['hello', 'ended with 0']",
            "fail: ['no such luck', 'ended with 1']",
            "watch: 2 processes, 0 left",
        ]

    @asynccontextmanager
    async def serve(self, example: ModuleType) -> AsyncIterator[tuple[Supervisor, int]]:
        """
        Serve the example's handler with a supervisor that the test can see.
        """
        server = await asyncio.start_server(example.handle, "127.0.0.1", 0)
        async with Supervisor() as supervisor, server:
            yield supervisor, server.sockets[0].getsockname()[1]

    def test_a_killed_client_leaves_no_process(self) -> None:
        """
        When a client process is killed, the tree that it started ends, to the last grandchild.
        """
        example = load("process_runner")
        program = (
            "import socket, sys\n"
            "with socket.create_connection(('127.0.0.1', int(sys.argv[1]))) as server:\n"
            "    server.sendall(b'watch\\n')\n"
            "    for line in server.makefile(): print(line, end='', flush=True)"
        )

        async def main() -> None:
            async with self.serve(example) as (supervisor, port):
                with process("-c", program, str(port)) as client:
                    assert client.stdout is not None
                    line = await asyncio.to_thread(client.stdout.readline)
                    pids = [int(pid) for pid in line.split()]
                    assert example.running(pids) == len(pids) == 2
                    (its_session,) = supervisor.values()
                    client.kill()
                    await its_session.wait_closed()
                    assert example.running(pids) == 0

        run(main)

    def test_an_unknown_command_is_not_run(self) -> None:
        """
        What a client sends is looked up, never executed.
        """
        example = load("process_runner")

        async def main() -> None:
            async with self.serve(example) as (supervisor, port):
                assert await example.ask(port, "rm -rf") == "choose from greet, fail, watch\n"
                assert len(supervisor) == 0

        run(main)

    def test_an_ended_session_takes_its_processes_along(self) -> None:
        """
        A session that is ended from outside hangs up on its client, with no process left.
        """
        example = load("process_runner")

        async def main() -> None:
            async with self.serve(example) as (supervisor, port):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"watch\n")
                pids = [int(pid) for pid in (await reader.readline()).split()]
                assert await supervisor.close(next(iter(supervisor)))
                assert example.running(pids) == 0
                assert await reader.read() == b""
                writer.close()

        run(main)
