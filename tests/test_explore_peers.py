"""
Scenarios with sockets, in which others have a say.
"""

from __future__ import annotations

import asyncio
import socket

import pytest

from sessionstate.testing import ScenarioError, _run, explore


def test_who_never_stops_talking_is_told_to_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A scenario whose sockets answer each other for ever is refused, and not waited for.
    """
    monkeypatch.setattr(_run, "LONGEST_TALK", 0.05)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        left, right = socket.socketpair()
        with left, right:
            for each in (left, right):
                loop.add_reader(each, lambda mine: mine.send(mine.recv(1)), each)
            right.send(b"x")
            try:
                await asyncio.Event().wait()
            finally:
                for each in (left, right):
                    loop.remove_reader(each)

    with pytest.raises(ScenarioError, match=r"it hangs: .* were never silent"):
        explore(scenario, repeatable=False)
