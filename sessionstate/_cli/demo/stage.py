"""
Brings a server and its clients together, and asks the server what is left.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import cast

from sessionstate._cli.demo import page, report, webhooks
from sessionstate._cli.demo.channel import Child, ChildError, Message
from sessionstate._cli.demo.measure import MODULES, PLAIN, SCOPED, Left, Outcome, Report, Sample
from sessionstate._cli.demo.progress import Bars, Watcher
from sessionstate._cli.demo.settings import SETTLE
from sessionstate._cli.demo.traffic import Conversation, Ending, plan, victims
from sessionstate._cli.demo.webhooks import Deliveries, Webhook

WORKERS = 2
"""Client processes that live through a run."""

BATCH_SPREAD = 1.0
"""Seconds within which the conversations of one doomed process begin."""

LEAST_SHARE = 0.95
"""Of the planned requests; a machine that stumbles may have conversations cut short."""

PATIENCE = 120.0
"""Seconds of silence from every client after which a run is given up."""


class Run:
    """
    The traffic against one server.
    """

    def __init__(self, server: Child, address: str, watcher: Watcher) -> None:
        self.samples: list[Sample] = []
        self.reconnects = 0
        self.reconnects_found = 0
        self.cut_short = 0
        self.census: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._server = server
        self._address = address
        self._watcher = watcher

    async def follow(self) -> None:
        """
        Take what the server says, until it ends.
        """
        while (message := await self._server.receive()) is not None:
            if "unexpected" in message:
                raise ChildError(f"a handler failed that should not:\n{message['unexpected']}")
            for key in ("sample", "census"):
                if key in message:
                    self.sampled(message[key])
            if "census" in message:
                self.census.set_result(message["census"])
        if not self.census.done():
            raise await self._server.complaint()

    def sampled(self, message: Message) -> None:
        """
        Keep what the server says of itself.
        """
        self.samples.append(Sample.take(message))
        self._watcher.sampled(self.samples[-1])

    def ended(self, one: Conversation) -> None:
        """
        Note an end, and send the event where it comes.
        """
        if one.deleted:
            self._server.send(do="delete", id=one.id)
        self._watcher.ended()

    async def work(self, clients: Child, conversations: list[Conversation]) -> None:
        """
        Have *conversations* from a process that lives on, and see each of them end.
        """
        async for one, message in self._talk(clients, conversations):
            self.cut_short += message["cut"]
            if message["found"] is not None:
                self.reconnects += 1
                self.reconnects_found += message["found"]
            self.ended(one)

    async def kill(self, doomed: list[Conversation]) -> None:
        """
        Have *doomed* from a process of their own, and kill it in the middle of all of them.
        """
        first = doomed[0].start
        pace = min(1.0, BATCH_SPREAD / max(doomed[-1].start - first, BATCH_SPREAD))
        await asyncio.sleep(first)
        async with Child("sessionstate._cli.demo.clients") as clients:
            await clients.expect("ready")
            async for _one, message in self._talk(clients, doomed, first=first, pace=pace):
                self.cut_short += message["cut"]
            clients.kill()
        for one in doomed:
            self.ended(one)

    async def send_all(
        self,
        crowd: list[Child],
        conversations: list[Conversation],
        hook_port: int,
        hooks: list[Webhook],
    ) -> Deliveries:
        """
        Have all *conversations*, and send the webhooks meanwhile.
        """
        lasting = [one for one in conversations if one.ending is not Ending.KILLED]
        async with asyncio.TaskGroup() as traffic:
            sender = traffic.create_task(webhooks.send_all(hook_port, hooks))
            for number, clients in enumerate(crowd):
                traffic.create_task(self.work(clients, lasting[number :: len(crowd)]))
            for doomed in victims(conversations):
                traffic.create_task(self.kill(doomed))
        return sender.result()

    async def _talk(
        self,
        clients: Child,
        conversations: list[Conversation],
        *,
        first: float = 0.0,
        pace: float = 1.0,
    ) -> AsyncGenerator[tuple[Conversation, Message]]:
        waiting = {one.id: one for one in conversations}
        orders = [one.as_json() | {"start": (one.start - first) * pace} for one in conversations]
        clients.send(do="talk", address=self._address, conversations=orders)
        while waiting:
            try:
                async with asyncio.timeout(PATIENCE):
                    message = await clients.receive()
            except TimeoutError:
                stuck = ", ".join(f"{one.id} ({one.ending})" for one in waiting.values())
                raise ChildError(f"nothing happens any more; still waiting for {stuck}") from None
            if message is None:
                raise await clients.complaint()
            if "broken" in message:
                raise ChildError(f"a conversation broke: {message['broken']}")
            yield waiting.pop(message["ended"]), message


@asynccontextmanager
async def workers(conversations: int) -> AsyncGenerator[list[Child]]:
    """
    Start the client processes that live through a run.
    """
    async with AsyncExitStack() as stack:
        started = [
            await stack.enter_async_context(Child("sessionstate._cli.demo.clients"))
            for _ in range(min(WORKERS, conversations))
        ]
        for clients in started:
            await clients.expect("ready")
        yield started


async def stage(
    name: str,
    conversations: list[Conversation],
    hooks: list[Webhook],
    watcher: Watcher,
    *leak: str,
) -> Outcome:
    """
    Send it all to the server called *name*, let every deadline pass, and count.
    """
    async with (
        Child("sessionstate._cli.demo.server", MODULES[name], *leak) as server,
        workers(len(conversations)) as crowd,
    ):
        ports = await server.expect("port")
        run = Run(server, f"ws://127.0.0.1:{ports['port']}", watcher)
        server.send(do="begin")
        run.sampled((await server.expect("begun"))["begun"])  # before there is any traffic
        begun = time.monotonic()
        async with asyncio.TaskGroup() as group:
            following = group.create_task(run.follow())
            deliveries = await run.send_all(crowd, conversations, ports["hook_port"], hooks)
            traffic_seconds = time.monotonic() - begun
            watcher.settles()
            server.send(do="settle", seconds=SETTLE)
            census = await run.census
            server.send(do="stop")
            await following
        watcher.settled()
        for clients in crowd:
            await clients.stop()
        await server.join()
    return outcome(
        name,
        run,
        census,
        conversations,
        deliveries=deliveries,
        traffic_seconds=traffic_seconds,
    )


def outcome(
    name: str,
    run: Run,
    census: Message,
    conversations: list[Conversation],
    *,
    deliveries: Deliveries,
    traffic_seconds: float,
) -> Outcome:
    """
    Put a run's figures together, and refuse those of a traffic that did not take place.
    """
    for what, planned in (
        ("conversations", len(conversations)),
        ("requests", round(sum(one.turns for one in conversations) * LEAST_SHARE)),
    ):
        if census[what] < planned:
            raise ChildError(
                f"{name} saw only {census[what]:,} of {planned:,} {what}: nothing follows from that"
            )
    return Outcome(
        name=name,
        conversations=census["conversations"],
        requests=census["requests"],
        left=Left(**{key: census[key] for key in Left.__slots__}),
        endings=census["endings"],
        outcomes=census["outcomes"],
        ended_by_deadline=census["ended_by_deadline"],
        reconnects=run.reconnects,
        reconnects_found=run.reconnects_found,
        cut_short=run.cut_short,
        webhooks=deliveries,
        traffic_seconds=round(traffic_seconds, 1),
        samples=run.samples,
    )


async def stage_both(sessions: int, seed: int, plant: str | None) -> Report:
    """
    Run the same traffic against one server, then against the other.
    """
    conversations = plan(sessions, seed)
    hooks = webhooks.plan(sessions, seed)
    began = time.monotonic()
    try:
        with Bars(len(conversations), [PLAIN, SCOPED]) as bars:
            plain = await stage(PLAIN, conversations, hooks, bars.watch(PLAIN))
            leak = [] if plant is None else [plant]
            scoped = await stage(SCOPED, conversations, hooks, bars.watch(SCOPED), *leak)
    except BaseExceptionGroup:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # A task group prefers the complaint of a process that was ended to the Ctrl-C.
            raise asyncio.CancelledError from None
        raise
    return Report(sessions, seed, time.monotonic() - began, plain, scoped)


def run(*, sessions: int, seed: int, output: Path, as_json: bool, plant: str | None) -> bool:
    """
    Do all of it: run, write the files, print the report.

    Args:
        sessions: Conversations for each server.
        seed: What the mix of conversations grows from.
        output: A directory for the files, made if need be.
        as_json: Print JSON rather than a table.
        plant: A leak to plant in the server that uses sessionstate.

    Returns:
        True if sessionstate has nothing left.

    Raises:
        RuntimeError: If a process of the demo failed.
        OSError: If a file cannot be written, or a process cannot be started.
    """
    output.mkdir(parents=True, exist_ok=True)
    try:
        both = asyncio.run(stage_both(sessions, seed, plant))
    except BaseExceptionGroup as group:
        raise first_of(group) from group
    written = json.dumps(both.as_json())
    (output / "report.json").write_text(written + "\n", encoding="utf-8")
    page.write(both, output)
    if as_json:
        print(written)
    else:
        report.show(both, output)
    return both.clean


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """
    Take the error that a person wants to read out of the groups around it.
    """
    error = group.exceptions[0]
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error
