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


def test_who_sleeps_beside_a_silent_peer_wakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A scenario may sleep for hours beside an open socket; it is no hang, and it is not waited for.
    """
    monkeypatch.setattr(_run, "LONGEST_SILENCE", 0.05)
    monkeypatch.setattr(_run, "PATIENCE", 0.5)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        left, right = socket.socketpair()
        with left, right:
            loop.add_reader(left, lambda: None)
            try:
                await asyncio.sleep(3600)
            finally:
                loop.remove_reader(left)

    explored = explore(scenario, modes=["cancel"], repeatable=False)
    assert explored.runs["cancel"] == explored.steps
