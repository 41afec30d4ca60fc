"""
What happens in the demo: its conversations, its webhooks, and the tools that it runs.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections import Counter
from collections.abc import Iterator

import psutil
import pytest

pytest.importorskip("pyee")
pytest.importorskip("websockets")

from sessionstate._cli.demo import plain, tools, traffic, webhooks
from sessionstate._cli.demo.settings import REMEMBERED, WEBHOOK_WINDOW
from sessionstate._cli.demo.traffic import Ending, Errand


class TestTraffic:
    def test_the_seed_decides_everything(self) -> None:
        """
        One seed gives one traffic, and another seed another.
        """
        assert traffic.plan(200, 1) == traffic.plan(200, 1)
        assert traffic.plan(200, 1) != traffic.plan(200, 2)

    @pytest.mark.parametrize("sessions", [20, 60, 777, 2000])
    def test_every_way_to_end_occurs(self, sessions: int) -> None:
        """
        Exactly as many conversations are planned as asked for, and each way to end is among them.
        """
        conversations = traffic.plan(sessions, 3)
        counts = Counter(one.ending for one in conversations)
        assert len({one.id for one in conversations}) == sessions
        assert counts == traffic.count_by_ending(sessions)
        assert set(counts) == set(Ending)

    def test_the_event_comes_for_eight_percent(self) -> None:
        """
        `session.deleted` is planned for 8 % of the conversations.
        """
        assert sum(one.deleted for one in traffic.plan(2000, 5)) == 160

    @pytest.mark.parametrize(
        ("sessions", "with_tool", "with_helper"),
        [(20, 2, 4), (777, 23, 155), (100_000, 60, 20_000)],
    )
    def test_some_have_errands(self, sessions: int, with_tool: int, with_helper: int) -> None:
        """
        A few conversations run a tool, never too many, more have a sub-agent: by the first prompt.
        """
        conversations = traffic.plan(sessions, 3)
        errands = Counter(one.errand for one in conversations)
        assert (errands[Errand.TOOL], errands[Errand.DELEGATE]) == (with_tool, with_helper)
        one = next(one for one in conversations if one.errand is Errand.TOOL)
        assert [one.prompt(turn) for turn in (0, 1)] == ["run the tool", "question 1"]

    def test_the_shares_make_a_whole(self) -> None:
        """
        The shares of the mix add up to one.
        """
        assert sum(traffic.SHARES.values()) == pytest.approx(1.0)

    def test_a_conversation_survives_its_journey(self) -> None:
        """
        What a client process reads is what was planned.
        """
        for one in traffic.plan(20, 1):
            sent = json.loads(json.dumps(one.as_json()))
            assert traffic.Conversation.from_json(sent) == one

    def test_victims_die_in_batches(self) -> None:
        """
        Every conversation that is to be killed is in exactly one batch.
        """
        conversations = traffic.plan(2000, 5)
        batches = traffic.victims(conversations)
        killed = [one for one in conversations if one.ending is Ending.KILLED]
        assert [one for batch in batches for one in batch] == killed
        assert max(map(len, batches)) <= traffic.BATCH


class TestWebhooks:
    def test_the_seed_decides_everything(self) -> None:
        """
        One seed gives one order of webhooks, and another seed another.
        """
        assert webhooks.plan(200, 1) == webhooks.plan(200, 1)
        assert webhooks.plan(200, 1) != webhooks.plan(200, 2)

    @pytest.mark.parametrize(("sessions", "sent"), [(20, 100), (777, 155), (10_000, 400)])
    def test_a_replay_comes_after_its_original(self, sessions: int, sent: int) -> None:
        """
        Each webhook is sent once, and a quarter of them once more, later.
        """
        planned = webhooks.plan(sessions, 3)
        originals = [hook.number for hook in planned if not hook.replay]
        assert originals == list(range(sent))
        replays = [hook for hook in planned if hook.replay]
        assert len({hook.number for hook in replays}) == len(replays) == round(sent / 4)
        for hook in replays:
            assert planned.index(webhooks.Webhook(hook.number, replay=False)) < planned.index(hook)

    def test_a_bounded_set_forgets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        What makes the plain server take a replay is that it forgot the signature, nothing else.
        """
        monkeypatch.setattr(plain, "seen", {})
        now = webhooks.time.time()
        assert plain.first_time("first", now)
        assert not plain.first_time("first", now)
        assert not plain.first_time("old", now - WEBHOOK_WINDOW - 1)
        assert not plain.first_time("of the future", now + WEBHOOK_WINDOW + 1)
        for number in range(REMEMBERED):
            assert plain.first_time(str(number), now)
        assert plain.signatures() == REMEMBERED
        assert plain.first_time("first", now)

    @pytest.mark.real_loop
    def test_a_replay_is_the_same_to_the_last_byte(self) -> None:
        """
        What is sent again is what was sent, with its signature; each answer is counted.
        """
        taken: list[tuple[bytes, str, str]] = []

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            taken.append(await webhooks.read(reader))
            first = taken.count(taken[-1]) == 1
            await webhooks.answer(writer, webhooks.TAKEN if first else webhooks.SEEN_BEFORE)

        async def main() -> webhooks.Deliveries:
            planned = webhooks.plan(20, 3)
            async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
                port = server.sockets[0].getsockname()[1]
                return await webhooks.send_all(port, planned, rate=1000)

        assert asyncio.run(main()) == webhooks.Deliveries(
            sent=100, taken=100, replays=25, replays_taken=0
        )
        for body, signed_at, signature in taken:
            assert webhooks.sign(signed_at, body) == signature
            assert webhooks.sign(signed_at, body + b"!") != signature

    @pytest.mark.real_loop
    def test_a_server_that_hangs_up_is_told(self) -> None:
        """
        A webhook that gets no answer is an error, not a refusal.
        """

        async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        async def main() -> None:
            async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
                await webhooks.post(server.sockets[0].getsockname()[1], b"")

        with pytest.raises(ConnectionError, match="hung up"):
            asyncio.run(main())


@pytest.mark.real_loop
class TestTools:
    @pytest.fixture(autouse=True)
    def nothing_noted(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """
        Begin with nothing in view, and end what a test has noted.
        """
        monkeypatch.setattr(tools, "children", [])
        monkeypatch.setattr(tools, "grandchildren", [])
        yield
        tools.end_all()

    def test_killing_a_tool_leaves_what_it_started(self) -> None:
        """
        A tool that is killed is gone when it is reaped; what it started runs, until all is ended.
        """
        with subprocess.Popen(tools.TOOL, stdout=subprocess.PIPE) as tool:
            assert tool.stdout is not None
            tools.note(tool.pid, tool.stdout.readline())
            assert tools.running() == (1, 1)
            tool.kill()
            tool.wait()
            assert tools.running() == (0, 1)
            tools.end_all()
            psutil.wait_procs(tools.grandchildren, timeout=30)
            assert tools.running() == (0, 0)

    @pytest.mark.skipif(not psutil.POSIX, reason="only POSIX has zombies")
    def test_what_nobody_reaped_is_there(self) -> None:
        """
        A tool that ended and was not waited for counts as left: its server holds a zombie.
        """
        with subprocess.Popen(tools.TOOL, stdout=subprocess.PIPE) as tool:
            assert tool.stdout is not None
            tools.note(tool.pid, tool.stdout.readline())
            tools.end_all()
            while tools.children[0].status() != psutil.STATUS_ZOMBIE:
                pass
            assert tools.running()[0] == 1
        assert tools.running()[0] == 0

    def test_what_is_gone_is_not_noted(self) -> None:
        """
        A tool that ended before it was looked at is not there.
        """
        with subprocess.Popen(tools.TOOL, stdout=subprocess.PIPE) as tool:
            assert tool.stdout is not None
            line = tool.stdout.readline()
            tool.kill()
            tool.wait()
        tools.note(tool.pid, line)
        assert tools.running() == (0, 1)
