"""
The catalogue, disturbed at some of its points; `python -m tests.stress` takes all of them.
"""

from __future__ import annotations

import sys

import pytest

from sessionstate.testing import Mode, VirtualClock
from tests.scenarios import CATALOGUE

# Each run has a virtual loop of its own: uvloop would see the same again.
pytestmark = pytest.mark.virtual_time

MOST = 12
"""Points of each mode; which, is chosen by the seed."""
SEED = 4

VIRTUAL = [name for name, scenario in CATALOGUE.items() if scenario.repeatable]
REAL = [name for name in CATALOGUE if name not in VIRTUAL]

EAGER = [
    pytest.param(False, id="lazy"),
    pytest.param(
        True,
        id="eager",
        marks=pytest.mark.skipif(
            sys.version_info < (3, 12), reason="eager tasks came with Python 3.12"
        ),
    ),
]


@pytest.mark.parametrize("eager", EAGER)
@pytest.mark.parametrize("name", VIRTUAL)
def test_disturbed_at_some_points(name: str, *, eager: bool) -> None:
    """
    Whatever strikes, at whichever step: nothing is left, and every clean-up ran exactly once.
    """
    CATALOGUE[name].explore(most=MOST, seed=SEED, eager=eager)


@pytest.mark.skipif(sys.platform == "win32", reason="only the Proactor's loop has processes there")
@pytest.mark.parametrize("name", REAL)
def test_real_processes_disturbed_at_a_few_points(name: str) -> None:
    """
    A cancellation anywhere in a real process's life leaves no process and no file descriptor.
    """
    CATALOGUE[name].explore([Mode.CANCEL, Mode.TWICE, Mode.ALL], most=2, seed=SEED)


@pytest.mark.parametrize("name", VIRTUAL)
def test_takes_something(name: str) -> None:
    """
    A scenario that took nothing would prove nothing.
    """
    assert VirtualClock().run(CATALOGUE[name].undisturbed()).taken


def test_there_are_enough() -> None:
    """
    The catalogue has at least forty scenarios, each with a sentence that says what happens.
    """
    assert len(CATALOGUE) >= 40
    assert all(scenario.about.endswith(".") for scenario in CATALOGUE.values())
