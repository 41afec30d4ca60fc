"""
Runs of pytest with the plugin, within this process, with the real plugins beside it.
"""

from __future__ import annotations

import warnings
from textwrap import dedent
from typing import TYPE_CHECKING, Protocol

import pytest

from sessionstate import supervisors
from sessionstate._last import abandon
from sessionstate.testing import plugin

if TYPE_CHECKING:
    from collections.abc import Iterator

ALONE = ("-p", "no:sessionstate")
PLUGIN = (*ALONE, "-p", "sessionstate.testing.plugin")
QUICK = "-osessionstate_settle=0.02"
PATIENT = "-osessionstate_settle=10"
PLAIN = ("-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:hypothesispytest")
HEAD = """
import asyncio
import pytest
from sessionstate import SessionMap, Supervisor, supervisors
from sessionstate.testing import census

kept = []

"""
INI = """
[pytest]
asyncio_mode = {}
asyncio_default_fixture_loop_scope = function
"""


class Run(Protocol):
    """
    What the `run` fixture gives.
    """

    def __call__(self, source: str, *options: str, mode: str = "auto") -> pytest.RunResult:
        """
        Run the tests in *source*; *mode* is pytest-asyncio's.
        """
        ...


@pytest.fixture
def run(pytester: pytest.Pytester) -> Iterator[Run]:
    """
    Give a function that runs tests with the plugin; end what they leave.
    """

    def run_tests(source: str, *options: str, mode: str = "auto") -> pytest.RunResult:
        pytester.makeini(INI.format(mode))
        pytester.makepyfile(test_it=HEAD + dedent(source))
        return pytester.runpytest_inprocess(*ALONE, *PLAIN, QUICK, *options, plugins=[plugin])

    before = supervisors()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CI", "BUILD_NUMBER"):  # with these pytest's summary repeats whole messages
            patch.delenv(name, raising=False)
        yield run_tests
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for supervisor in supervisors():
            if supervisor not in before:
                abandon(supervisor)


def text(result: pytest.RunResult) -> str:
    """
    Return what a run has printed.
    """
    return "\n".join(result.outlines)


LEAVES_SESSION = """
    async def test_leaves():
        supervisor = await Supervisor().__aenter__()
        kept.append(supervisor)
        await supervisor.open("chat-42")
"""

REPORTED = """
    @pytest.mark.sessionstate(rounds=6, requests=5)
    @pytest.mark.parametrize("number", range({}))
    async def test_bounded(leakcheck, virtual_clock, number):
        async def request():
            return 0
        await leakcheck.run(request)
"""
