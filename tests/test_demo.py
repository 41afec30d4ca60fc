"""
The demo: runs with real processes on real sockets.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree as ET

import psutil
import pytest

pytest.importorskip("click")
pytest.importorskip("pyee")
pytest.importorskip("rich")
pytest.importorskip("websockets")

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedError

from sessionstate._cli.demo import stage, traffic, webhooks
from sessionstate._cli.demo.channel import Child, ChildError
from sessionstate._cli.demo.clients import reset
from sessionstate._cli.demo.measure import PLAIN, SCOPED, Left, Outcome, Sample
from sessionstate._cli.demo.progress import Bars
from sessionstate._cli.demo.traffic import Ending, Errand

if TYPE_CHECKING:
    from collections.abc import Iterator


SESSIONS = 60
LONGEST_RUN = 120.0
CLIENTS = "sessionstate._cli.demo.clients"


def alive(pid: int) -> bool:
    """
    Tell whether a process runs.
    """
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def is_tool(process: psutil.Process) -> bool:
    """
    Tell whether a process is one that a tool started.
    """
    try:
        return process.name() == "sleep"
    except psutil.NoSuchProcess:
        return False


@pytest.mark.real_loop
class TestProcesses:
    def test_a_killed_client_is_really_killed(self) -> None:
        """
        `kill` ends a client process from outside: it gets no chance to say goodbye.
        """

        async def main() -> tuple[int, int | None]:
            async with Child(CLIENTS) as child:
                await child.expect("ready")
                child.kill()
                return child.pid, await child.wait()

        pid, code = asyncio.run(main())
        assert code == (1 if sys.platform == "win32" else -signal.SIGKILL)
        assert not alive(pid)

    def test_a_child_ends_with_the_demo(self) -> None:
        """
        A process whose standard input ends, as it does when the demo is killed, ends by itself.
        """
        with subprocess.Popen(
            [sys.executable, "-m", CLIENTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            assert json.loads(child.stdout.readline()) == {"ready": True}
            child.communicate(timeout=30)
            assert child.returncode == 0

    def test_a_failed_child_says_why(self) -> None:
        """
        A process that ends too early is an error with its exit code and its last words.
        """

        async def main() -> None:
            async with Child("sessionstate._cli.demo.server", "neither") as child:
                await child.expect("port")

        with pytest.raises(ChildError, match=r"exit code 1:\n(?s:.)*No module named.*neither"):
            asyncio.run(main())

    def test_a_reset_is_a_reset(self) -> None:
        """
        A client's reset reaches the server as one: no close frame, no orderly end of the stream.
        """

        async def main() -> BaseException | None:
            seen: asyncio.Future[ConnectionClosedError] = asyncio.get_running_loop().create_future()

            async def handle(socket: ServerConnection) -> None:
                try:
                    await socket.recv()
                except ConnectionClosedError as error:
                    seen.set_result(error)

            async with serve(handle, "127.0.0.1", 0, ping_interval=None) as server:
                port = next(iter(server.sockets)).getsockname()[1]
                reset(await connect(f"ws://127.0.0.1:{port}", ping_interval=None, proxy=None))
                return (await asyncio.wait_for(seen, 20)).__cause__

        assert isinstance(asyncio.run(main()), ConnectionResetError)


class Finished(NamedTuple):
    code: int
    out: str
    err: str
    output: Path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Finished]]:
    """
    Run the whole command, as a person does: as it is, and with a leak planted, at the same time.
    """
    folder = tmp_path_factory.mktemp("demo")
    calls = {"clean": ["--json"], "leaky": ["--plant", "entry"]}
    environment = {**os.environ, "COLUMNS": "120", "PYTHONIOENCODING": "utf-8"}
    started = {
        name: subprocess.Popen(
            [
                *(sys.executable, "-m", "sessionstate", "demo", f"--sessions={SESSIONS}"),
                *("--seed=3", f"--output={folder / name}", *options),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env=environment,
        )
        for name, options in calls.items()
    }
    try:
        finished: dict[str, Finished] = {}
        for name, process in started.items():
            out, err = process.communicate(timeout=LONGEST_RUN)
            finished[name] = Finished(process.returncode, out, err, folder / name)
        yield finished
    finally:
        for process in started.values():
            process.kill()
            process.communicate()


@pytest.mark.real_loop
class TestDemo:
    def test_nothing_is_left(self, runs: dict[str, Finished]) -> None:
        """
        After real traffic sessionstate has nothing left: the exit code is 0. Plain dicts have.
        """
        clean = runs["clean"]
        assert clean.code == 0, clean.err
        servers = json.loads(clean.out)["servers"]
        assert set(servers["sessionstate"]["left"].values()) == {0}
        never = SESSIONS - round(SESSIONS * traffic.DELETED_SHARE)
        assert servers["plain"]["left"]["sessions"] == never
        assert servers["plain"]["left"]["contexts"] == never
        assert servers["plain"]["left"]["listeners"] == never

    def test_processes_are_left_by_killing_one(self, runs: dict[str, Finished]) -> None:
        """
        With plain dicts whatever a tool started is left, and tools are unless the event came.
        """
        left = json.loads(runs["clean"].out)["servers"]["plain"]["left"]
        with_tool = [one for one in traffic.plan(SESSIONS, 3) if one.errand is Errand.TOOL]
        assert left["grandchildren"] == len(with_tool) == traffic.tools(SESSIONS)
        assert left["tools"] == sum(not one.deleted for one in with_tool)

    def test_replays_are_refused(self, runs: dict[str, Finished]) -> None:
        """
        Both servers take every webhook; with plain dicts, some of those that are sent twice again.
        """
        servers = json.loads(runs["clean"].out)["servers"]
        hooks = webhooks.plan(SESSIONS, 3)
        replays = sum(hook.replay for hook in hooks)
        for server in servers.values():
            assert server["webhooks"]["sent"] == server["webhooks"]["taken"] == len(hooks) - replays
            assert server["webhooks"]["replays"] == replays
        assert servers["plain"]["webhooks"]["replays_taken"] > 0
        assert servers["sessionstate"]["webhooks"]["replays_taken"] == 0

    def test_the_report_has_everything(self, runs: dict[str, Finished]) -> None:
        """
        `--json` prints one object on standard output, the same that is written, and nothing else.
        """
        clean = runs["clean"]
        both = json.loads(clean.out)
        assert both == json.loads((clean.output / "report.json").read_text("utf-8"))
        assert set(both) == {
            *("sessions", "seed", "seconds", "clean", "machine", "settings", "mix", "units"),
            "servers",
        }
        assert (both["sessions"], both["seed"], both["clean"]) == (SESSIONS, 3, True)
        assert sum(both["mix"].values()) == SESSIONS
        for server in both["servers"].values():
            assert set(server["left"]) == set(Left.__slots__)
            assert server["rss_peak"] >= server["rss_end"] > 0
            assert server["rss_peak"] >= server["rss_start"] > 0
            assert isinstance(server["rss_per_1000_requests"], int)
            assert {len(sample) for sample in server["samples"]} == {len(Sample.__slots__)}
            assert server["samples"][-1][0] > both["settings"]["settle"]

    def test_both_had_the_same_traffic(self, runs: dict[str, Finished]) -> None:
        """
        Both servers held every conversation, answered as much, and saw each kind of ending.
        """
        both = json.loads(runs["clean"].out)
        plain, scoped = both["servers"]["plain"], both["servers"]["sessionstate"]
        mix = both["mix"]
        for server in (plain, scoped):
            assert server["conversations"] == SESSIONS
            assert server["cut_short"] == 0
            assert server["reconnects_found"] == server["reconnects"] == mix["reconnects"]
            assert server["outcomes"]["handler raised"] == mix["raises"]
            assert server["outcomes"]["timed out"] == mix["timeout"]
        assert plain["outcomes"]["finished"] == mix["polite"] + mix["reconnects"]
        lost = mix["killed"] + mix["reset"] + mix["reconnects"]
        assert plain["outcomes"]["connection lost"] == lost
        assert plain["requests"] == scoped["requests"]

    def test_deadlines_did_what_goodbyes_did_not(self, runs: dict[str, Finished]) -> None:
        """
        With sessionstate every conversation ended; those of silent clients did by stalling.
        """
        both = json.loads(runs["clean"].out)
        scoped = both["servers"]["sessionstate"]
        polite = both["mix"]["polite"] + both["mix"]["reconnects"]
        assert sum(scoped["endings"].values()) == SESSIONS
        assert scoped["ended_by_goodbye"] + scoped["ended_by_deadline"] == SESSIONS
        assert scoped["ended_by_goodbye"] >= polite
        conversations = traffic.plan(SESSIONS, 3)
        silent = [one for one in conversations if one.ending is Ending.SILENT and not one.deleted]
        assert scoped["endings"]["stalled"] == len(silent)
        assert both["servers"]["plain"]["ended_by_deadline"] == 0

    def test_the_files_are_there(self, runs: dict[str, Finished]) -> None:
        """
        Charts and page lie in the output directory, and are well-formed.
        """
        for name in ("memory.svg", "sessions.svg", "processes.svg"):
            ET.parse(runs["clean"].output / name)  # noqa: S314 (our own)
        html = (runs["clean"].output / "index.html").read_text("utf-8")
        assert html.count("<svg") == 3

    def test_a_leak_is_found(self, runs: dict[str, Finished]) -> None:
        """
        With a leak planted, the table names it and the exit code is 1.
        """
        leaky = runs["leaky"]
        assert leaky.code == 1, leaky.err
        assert "sessionstate has something left" in leaky.out
        assert "agents" in leaky.out
        assert not json.loads((leaky.output / "report.json").read_text("utf-8"))["clean"]

    @pytest.mark.parametrize(
        "leaks",
        [
            {
                "entry": {"agents": 2},
                "task": {"tasks": 2},
                "context": {"tasks": 4, "contexts": 2},
                "session": {"sessions": 2},
            },
            {
                "sub-agent": {"sub_agents": 2},
                "listener": {"listeners": 2},
                "tool": {"tools": 2, "grandchildren": 2},
                "replay": {},
            },
        ],
        ids=" ".join,
    )
    def test_every_kind_of_leak_is_found(self, leaks: dict[str, dict[str, int]]) -> None:
        """
        Whatever is left behind shows up as just that, and a replay that was taken as one.
        """

        async def main() -> list[Outcome]:
            planned = traffic.plan(20, 3), webhooks.plan(20, 3)
            with Bars(20, list(leaks)) as bars:
                return await asyncio.gather(
                    *(stage.stage(SCOPED, *planned, bars.watch(kind), kind) for kind in leaks)
                )

        for (kind, left), found in zip(leaks.items(), asyncio.run(main()), strict=True):
            assert found.left == Left(**(dict.fromkeys(Left.__slots__, 0) | left)), kind
            assert (found.webhooks.replays_taken > 0) is (kind == "replay")

    def test_traffic_that_did_not_take_place_is_no_result(self) -> None:
        """
        A server that saw fewer conversations than were planned gives an error, not a clean report.
        """
        conversations = traffic.plan(60, 3)
        for census, message in (
            ({"conversations": 59, "requests": 300}, "saw only 59 of 60 conversations"),
            ({"conversations": 60, "requests": 0}, "saw only 0 of 2.. requests"),
        ):
            with pytest.raises(ChildError, match=message):
                stage.outcome(
                    PLAIN,
                    None,  # type: ignore[arg-type]
                    census,
                    conversations,
                    deliveries=webhooks.Deliveries(),
                    traffic_seconds=1.0,
                )

    def test_an_interruption_is_no_failure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        When a process that is ended for a Ctrl-C complains, the demo was interrupted, not broken.
        """

        async def end(*_: object) -> Outcome:
            async with asyncio.TaskGroup() as group:
                group.create_task(complain())
                await asyncio.sleep(3600)
            raise AssertionError

        async def complain() -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                raise ChildError("the server process ended with exit code 1")

        async def main() -> None:
            demo = asyncio.create_task(stage.stage_both(20, 3, None))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            demo.cancel()
            await demo

        monkeypatch.setattr(stage, "stage", end)
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(main())

    @pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process")
    def test_nothing_runs_on_after_an_interruption(self, tmp_path: Path) -> None:
        """
        Ctrl-C in the middle of the traffic ends the demo, every process of its own, and the tools.
        """
        command = [sys.executable, "-m", "sessionstate", "demo", f"--output={tmp_path}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as demo:
            children: list[psutil.Process] = []
            deadline = time.monotonic() + 60
            while not any(map(is_tool, children)) and time.monotonic() < deadline:
                time.sleep(0.1)
                children = psutil.Process(demo.pid).children(recursive=True)
            demo.send_signal(signal.SIGINT)
            out, err = demo.communicate(timeout=60)
        assert (demo.returncode, out) == (130, b"")
        assert b"Traceback" not in err
        assert len(children) >= 5
        _, running = psutil.wait_procs(children, timeout=30)
        assert [process for process in running if alive(process.pid)] == []
