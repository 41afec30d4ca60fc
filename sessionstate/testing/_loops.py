"""
The loops of tests that ask for virtual time, whichever plugin makes and runs them.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from ._clock import VirtualClock
from ._virtual_loop import VirtualLoop

ASKS: Final = "virtual_clock"
FOR_ANYIO: Final = """\
{test} asks for `virtual_clock`, but anyio's plugin runs it in real time, by {backend!r}.
Write in conftest.py:

@pytest.fixture
def anyio_backend(virtual_anyio_backend):
    return virtual_anyio_backend"""
FOR_ASYNCIO: Final = (
    "{test} asks for `virtual_clock`, but pytest-asyncio {version} runs it in a loop that goes by "
    "real time: let each test of that loop's scope ask for it, or pip install 'pytest-asyncio>=1.4'"
)


class Clocks:
    """
    The virtual clock of the test that runs, for its loop and for its fixtures.
    """

    def __init__(self) -> None:
        self._clock: VirtualClock | None = None
        self._loop: VirtualLoop | None = None
        self._asked = False

    def begin(self, item: pytest.Item) -> None:
        """Have a test begin at 0, unless its loop is that of the one before."""
        self._clock = None
        self._asked = asks(item)

    def current(self) -> VirtualClock:
        """Return the clock of the test's loop, or the one that its loop will have."""
        if self._loop is not None and not self._loop.is_closed():
            return self._loop.clock
        if self._clock is None:
            self._clock = VirtualClock()
        return self._clock

    def new_event_loop(self) -> VirtualLoop:
        """Make the test's loop."""
        self._loop = self.current().new_event_loop()
        return self._loop

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_asyncio_loop_factories(self) -> Mapping[str, Callable[[], VirtualLoop]]:
        """
        Tell pytest-asyncio how to make it.
        """
        return {"virtual": self.new_event_loop}

    def patch(
        self, fixture: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> pytest.MonkeyPatch:
        """
        Tell pytest-asyncio before 1.4, which knows only policies, until that is undone.
        """
        patch = pytest.MonkeyPatch()
        if self._asked and "event_loop_policy" in fixture.argnames:
            policy = request.getfixturevalue("event_loop_policy")
            patch.setattr(policy, "new_event_loop", self.new_event_loop)
        return patch

    def check(self, item: pytest.Item) -> None:
        """
        Fail a test that asked for virtual time and is about to run in real time.
        """
        if not self._asked or not is_async(item):
            return
        said = ""
        given: dict[str, Any] = getattr(item, "funcargs", {})
        backend, runner = given.get("anyio_backend"), sys.modules.get("pytest_asyncio")
        if backend is not None:
            if isinstance(backend, str) or not backend[1].get("loop_factory"):
                said = FOR_ANYIO.format(test=item.nodeid, backend=backend)
        elif (
            runner is not None
            and runner.is_async_test(item)
            and not isinstance(_loop_of(given), VirtualLoop)
        ):
            said = FOR_ASYNCIO.format(test=item.nodeid, version=runner.__version__)
        if said:
            pytest.fail(said, pytrace=False)


def asks(item: pytest.Item) -> bool:
    """Tell whether a test asks for virtual time, by itself or by its fixtures."""
    return ASKS in getattr(item, "fixturenames", ())


def is_async(item: pytest.Item) -> bool:
    """Tell whether a test has to be run by a plugin."""
    function: Any = getattr(item, "obj", None)
    inner = getattr(getattr(function, "hypothesis", None), "inner_test", function)
    return inspect.iscoroutinefunction(inner)


def _loop_of(given: dict[str, Any]) -> object:
    """Return the loop that pytest-asyncio runs a test in, by what it gives the test."""
    for name, each in given.items():
        if name.endswith("_scoped_runner"):
            return each.get_loop()
        if name.endswith("_event_loop"):  # before pytest-asyncio 1.1
            return each
    return None
