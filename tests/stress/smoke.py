"""
Each scenario once on uvloop, with nothing injected, in real time.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.scenarios import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Iterator

PACE = 0.05
"""How long everything takes, of what it takes in virtual time."""
LIMIT = 30.0


def smoke(names: list[str]) -> Iterator[tuple[str, str]]:
    """
    Give the names of scenarios, each with what went wrong, if anything did.
    """
    import uvloop

    for name in names or CATALOGUE:
        scenario = CATALOGUE[name]
        told: list[str] = []
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.get_loop().set_exception_handler(partial(_note, told))
            try:
                runner.run(asyncio.wait_for(scenario.undisturbed(PACE), LIMIT))
            except Exception as error:
                told.append(repr(error))
        yield name, "; ".join(told)


def _note(told: list[str], _: object, context: dict[str, Any]) -> None:
    told.append(str(context))


def show(names: list[str]) -> int:
    """
    Run them, say what came of it, and return how many went wrong.
    """
    try:
        import uvloop  # noqa: F401
    except ImportError:
        print("uvloop: skipped, as it is not installed")
        return 0
    began, wrong, number = time.monotonic(), 0, 0
    for name, told in smoke(names):
        number += 1
        if told:
            wrong += 1
            print(f"uvloop: {name}: {told}")
    print(f"uvloop: {number} scenarios in {time.monotonic() - began:.0f} s, {wrong} went wrong")
    return wrong
