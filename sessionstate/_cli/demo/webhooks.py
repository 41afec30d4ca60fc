"""
Webhooks: signed when they are sent, and some of them sent again by somebody who listened in.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from dataclasses import dataclass
from random import Random

from sessionstate._cli.demo.settings import REMEMBERED

SECRET = b"known to the sender and to the server, not to who listens in"

FEWEST, MOST = 100, 400
"""Webhooks of a run: more than the server with plain dicts remembers, whatever its size."""

SHARE = 0.2
"""Webhooks for each conversation, between those."""

RATE = 33
"""Requests sent in a second."""

REPLAYED_SHARE = 0.25
"""The share that is sent again."""

TAKEN, SEEN_BEFORE, FORGED = 200, 409, 401
"""What the server answers."""

PATIENCE = 60.0
"""Seconds after which a webhook without an answer is given up."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """
    One request as planned.
    """

    number: int
    replay: bool


@dataclass(slots=True)
class Deliveries:
    """
    What came of them, as their sender sees it.
    """

    sent: int = 0
    taken: int = 0
    replays: int = 0
    replays_taken: int = 0

    def count(self, webhook: Webhook, status: int) -> None:
        """
        Count an answer.
        """
        if webhook.replay:
            self.replays += 1
            self.replays_taken += status == TAKEN
        else:
            self.sent += 1
            self.taken += status == TAKEN


def plan(sessions: int, seed: int) -> list[Webhook]:
    """
    Make the webhooks of a run in their order, each replay after the one that it repeats.
    """
    random = Random(seed)
    count = min(MOST, max(FEWEST, round(sessions * SHARE)))
    requests = [(float(number), Webhook(number, replay=False)) for number in range(count)]
    requests += [
        (number + random.uniform(1, 3 * REMEMBERED), Webhook(number, replay=True))
        for number in random.sample(range(count), round(count * REPLAYED_SHARE))
    ]
    return [webhook for _, webhook in sorted(requests, key=lambda request: request[0])]


async def send_all(port: int, webhooks: list[Webhook], *, rate: float = RATE) -> Deliveries:
    """
    Send *webhooks*, so many in a second; a replay is the same to the last byte.
    """
    deliveries = Deliveries()
    requests: dict[int, bytes] = {}
    begun = time.monotonic()
    for turn, webhook in enumerate(webhooks):
        await asyncio.sleep(begun + turn / rate - time.monotonic())
        if webhook.number not in requests:
            requests[webhook.number] = request(f"model {webhook.number}".encode(), time.time())
        async with asyncio.timeout(PATIENCE):
            deliveries.count(webhook, await post(port, requests[webhook.number]))
    return deliveries


def sign(signed_at: str, body: bytes) -> str:
    """
    Make the signature of *body*.
    """
    return hmac.new(SECRET, signed_at.encode() + b"." + body, "sha256").hexdigest()


def request(body: bytes, signed_at: float) -> bytes:
    """
    Write a signed request.
    """
    at = repr(signed_at)
    lines = (
        "POST /webhook HTTP/1.1",
        "Host: localhost",
        f"Content-Length: {len(body)}",
        f"Signed-At: {at}",
        f"Signature: {sign(at, body)}",
    )
    return "\r\n".join((*lines, "", "")).encode() + body


async def post(port: int, request: bytes) -> int:
    """
    Send a request, and give the status that it was answered with.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        answer = (await reader.readline()).split()
        if len(answer) < 2:  # noqa: PLR2004 (HTTP/1.1 200)
            raise ConnectionError("the server hung up instead of answering a webhook")
        return int(answer[1])
    finally:
        writer.close()


async def read(reader: asyncio.StreamReader) -> tuple[bytes, str, str]:
    """
    Take a request off a connection: its body, when it was signed, and its signature.
    """
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:-2])
    body = await reader.readexactly(int(headers["Content-Length"]))
    return body, headers["Signed-At"], headers["Signature"]


async def answer(writer: asyncio.StreamWriter, status: int) -> None:
    """
    Answer a request, and hang up.
    """
    writer.write(f"HTTP/1.1 {status} -\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()
    writer.close()
