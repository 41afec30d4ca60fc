"""
The pytest plugin: virtual time, and no test that leaves something open.

It is installed with sessionstate, and leaves tests alone that open nothing of it.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args

import pytest

from ._check import Check
from ._leftovers import Leftover, listed, patterns
from ._loops import Clocks, is_async
from ._options import seconds
from ._reports import OPTIONS, LeakCheck, Reports
from ._reprs import short_repr

if TYPE_CHECKING:
    from ._clock import VirtualClock

Mode = Literal["strict", "warn", "off", "auto"]
MODES: Final[tuple[str, ...]] = get_args(Mode)
KEYWORDS: Final = ("mode", "ignore", *sorted(OPTIONS))
MARKER: Final = (
    "sessionstate(mode, *, ignore, requests, rounds, leak_limit, ...): whether the test fails "
    "('strict'), warns ('warn') or says nothing ('off') if something that it opened is still "
    "there, what may be left (ignore=[patterns]), and the defaults of its `leakcheck`"
)
SUGGESTED: Final = 5
ADVICE: Final = """\
What to do: end it where it was opened, with 'async with' or a fixture that closes it. What is
meant to stay: @pytest.mark.sessionstate(ignore={patterns}), or sessionstate_ignore
in the ini-file; for no check at all @pytest.mark.sessionstate("off")."""


class LeftoverWarning(pytest.PytestWarning):
    """
    A test left something open; the mode is ``warn``.

    .. versionadded:: 0.1
    """


def pytest_addoption(parser: pytest.Parser) -> None:
    """
    Add the options and their twins in the ini-file.
    """
    group = parser.getgroup("sessionstate")
    group.addoption(
        "--sessionstate",
        choices=MODES,
        help="tests that leave something open fail (strict), warn, or pass (off); default: those "
        "that open something of sessionstate fail (auto)",
    )
    group.addoption(
        "--sessionstate-report",
        metavar="FILE",
        help="write what `leakcheck` found to FILE: .html, .json or .txt",
    )
    group.addoption(
        "--sessionstate-calibrate",
        action="store_true",
        help="let `leakcheck` measure first how much an empty request grows here",
    )
    parser.addini("sessionstate", "default of --sessionstate", default="auto")
    parser.addini("sessionstate_ignore", "patterns of what tests may leave", type="linelist")
    parser.addini("sessionstate_settle", "seconds that what is about to end has", default="1.0")


def pytest_configure(config: pytest.Config) -> None:
    """
    Begin to watch.
    """
    config.addinivalue_line("markers", MARKER)
    config.pluginmanager.register(Plugin(config), "sessionstate-check")


class Plugin:
    """
    The hooks, with what they know from one to the next; there is one in each process.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._mode: Mode = _mode(
            config.getoption("--sessionstate") or config.getini("sessionstate")
        )
        self._ignore: list[str] = config.getini("sessionstate_ignore")
        self._check = Check(_settle(config.getini("sessionstate_settle")))
        self._check.install()
        self._begun = False
        self.clocks: Clocks = Clocks()
        self.reports: Reports = Reports(config)
        config.add_cleanup(self._check.uninstall)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """
        Refuse markers that cannot be meant, each once.

        A worker of pytest-xdist cannot refuse to begin: there the tests fail as they are set up.
        """
        wrong: dict[int, str] = {}
        for item in items:
            for mark in item.iter_markers("sessionstate"):
                try:
                    _read(mark, item.nodeid)
                except pytest.UsageError as error:
                    wrong.setdefault(id(mark), str(error))
        if wrong and not hasattr(config, "workerinput"):
            raise pytest.UsageError(*wrong.values())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None]:
        """
        Look at what is open before the fixtures are set up.
        """
        self.clocks.begin(item)
        self._begun = False
        try:
            mode, _ = self._of(item)
            if mode != "off":
                self._check.begin(always=mode != "auto", runs_in_loop=is_async(item))
                self._begun = True
        except Exception:  # such as of a marker that the collection did not refuse
            yield  # or the tear-down of others would fail as well
            raise
        result = yield
        self.clocks.check(item)
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None]:
        """
        Look at what is open after the fixtures are torn down, and tell.
        """
        try:
            result = yield
        except BaseException as error:
            text = self._left(item)
            if text:
                error.add_note(text)
            raise
        text = self._left(item)
        if text and self._of(item)[0] == "warn":
            item.warn(LeftoverWarning(text))
        elif text:
            pytest.fail(text, pytrace=False)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """
        Let what a fixture of a wider scope opens stay as long as the fixture does.
        """
        before = None if request.scope == "function" else self._check.look()
        patch = self.clocks.patch(fixturedef, request)
        try:
            return (yield)
        finally:
            patch.undo()
            if before is not None:
                self._check.adopt(fixturedef, before)

    def pytest_fixture_post_finalizer(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        """
        Let what it opened stay no longer.
        """
        self._check.release(fixturedef)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> Generator[None]:
        """
        Have pytest-asyncio make a virtual loop for a test that asks for `virtual_clock`.

        Its hook is there for these tests only: it changes all tests for which there is one.
        """
        if "virtual_clock" not in metafunc.fixturenames:
            return (yield)
        plugins = metafunc.config.pluginmanager
        plugins.register(self.clocks, "sessionstate-clocks")
        try:
            return (yield)
        finally:
            plugins.unregister(self.clocks)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """
        Write the report; a worker of pytest-xdist tells where.
        """
        self.reports.write()
        getattr(session.config, "workeroutput", {})["sessionstate_written"] = self.reports.written

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """
        Hear it, unless the worker has crashed.
        """
        self.reports.written += getattr(node, "workeroutput", {}).get("sessionstate_written", [])

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """
        Say where the report is.
        """
        for each in sorted(self.reports.written):
            terminalreporter.write_line(f"sessionstate: wrote {each}")

    def _of(self, item: pytest.Item) -> tuple[Mode, list[str]]:
        """Return the mode of a test, and what it may leave."""
        mode: Mode = self._mode
        ignore = list(self._ignore)
        for mark in reversed(list(item.iter_markers("sessionstate"))):
            given, more = _read(mark, item.nodeid)
            mode = given or mode
            ignore += more
        return mode, ignore

    def _left(self, item: pytest.Item) -> str:
        """Return the text of what a test leaves; an empty one if that is nothing."""
        if not self._begun:
            return ""
        mode, ignore = self._of(item)
        left = [] if mode == "off" else self._check.end(ignore)
        return told(item.nodeid, left) if left else ""


def told(test: str, left: list[Leftover]) -> str:
    """Return what people read of a test that left something."""
    suggested = [*dict.fromkeys(each.pattern for each in left)][:SUGGESTED]
    advice = ADVICE.format(patterns=json.dumps(suggested, ensure_ascii=False))
    return f"{listed(f'{test} left open', left)}\n{advice}"


def _read(mark: pytest.Mark, test: str) -> tuple[Mode | None, tuple[str, ...]]:
    """Return the mode that a marker of *test* gives, if any, and what it lets stay."""
    unknown = [each for each in mark.kwargs if each not in KEYWORDS]
    if unknown:
        raise pytest.UsageError(
            f"{test}: @pytest.mark.sessionstate does not know {unknown[0]}=: it knows "
            f"{', '.join(KEYWORDS)}"
        )
    modes = [*mark.args, *(each for key, each in mark.kwargs.items() if key == "mode")]
    if len(modes) > 1:
        raise pytest.UsageError(
            f"{test}: @pytest.mark.sessionstate takes one mode, not {short_repr(tuple(modes))}: "
            f"patterns are given as ignore=[...]"
        )
    mode = _mode(modes[0], f"{test}: ") if modes else None
    try:
        return mode, patterns(mark.kwargs.get("ignore", ()))
    except TypeError as error:
        raise pytest.UsageError(f"{test}: {error}") from None


def _mode(given: object, where: str = "") -> Mode:
    if given not in MODES:
        raise pytest.UsageError(
            f"{where}sessionstate must be one of {', '.join(map(repr, MODES))}, "
            f"not {short_repr(given)}"
        )
    return cast("Mode", given)


def _settle(given: str) -> float:
    number: Any = given
    with suppress(ValueError):
        number = float(given)
    try:
        seconds("sessionstate_settle", number, none=False, zero=True)
    except (TypeError, ValueError) as error:
        raise pytest.UsageError(str(error)) from None
    return float(number)


def _plugin(request: pytest.FixtureRequest) -> Plugin:
    plugin: Any = request.config.pluginmanager.get_plugin("sessionstate-check")
    return cast("Plugin", plugin)


@pytest.fixture
def virtual_clock(request: pytest.FixtureRequest) -> VirtualClock:
    """
    Give a `sessionstate.testing.VirtualClock`; pytest-asyncio runs the test by it.
    """
    return _plugin(request).clocks.current()


@pytest.fixture
def virtual_anyio_backend(virtual_clock: VirtualClock) -> tuple[str, dict[str, Any]]:
    """
    Give what `anyio_backend` returns, so that anyio's plugin runs the test by `virtual_clock`.
    """
    return "asyncio", {"loop_factory": virtual_clock.new_event_loop}


@pytest.fixture
def leakcheck(request: pytest.FixtureRequest) -> LeakCheck:
    """
    Give `run(request, **options)`, which fails the test if requests leave something behind.
    """
    return LeakCheck(request, _plugin(request).reports)
