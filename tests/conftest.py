"""
Each test has a virtual loop of its own, and fails when it leaves anything behind.

Options: `--uvloop` runs what does not need virtual time on uvloop; `--eager` runs everything with
eager tasks (Python 3.12 and later). Markers: `real_loop` for tests that need real time, processes
or sockets; `virtual_time` for those that would take long on a real loop and do not ask for `clock`.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Protocol

from tests.counting import counting  # isort: skip - before the first import of what is counted

import pytest
from hypothesis import HealthCheck, settings
from pytest_asyncio import is_async_test

from sessionstate import Session, Supervisor
from sessionstate.testing import VirtualClock, VirtualLoop
from sessionstate.testing._watch import Watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    LoopFactory = Callable[[], asyncio.AbstractEventLoop]

NEEDS_VIRTUAL_TIME = "needs virtual time, which uvloop cannot have"
LONGEST_ON_UVLOOP = 20.0

pytest_plugins = ["pytester"]

settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "stress",
    deadline=None,
    database=None,
    max_examples=2000,
    stateful_step_count=80,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """
    Add the second and the third way to run the suite.
    """
    group = parser.getgroup("sessionstate")
    group.addoption("--uvloop", action="store_true", help="run on uvloop, in real time")
    group.addoption("--eager", action="store_true", help="run on the virtual loop with eager tasks")


def pytest_configure(config: pytest.Config) -> None:
    """
    Say what the markers mean, and refuse loops that this interpreter does not have.
    """
    for line in (
        "stress: the long form of a test; `nox -s stress` runs these",
        "real_loop: needs the wall clock, real processes or sockets",
        "virtual_time: would take long on a real loop; skipped with --uvloop",
    ):
        config.addinivalue_line("markers", line)
    _hear_signals()
    if config.getoption("uvloop") and config.getoption("eager"):
        raise pytest.UsageError("--uvloop and --eager exclude each other")
    if config.getoption("eager") and sys.version_info < (3, 12):
        raise pytest.UsageError("--eager needs Python 3.12 or later")
    if config.getoption("uvloop"):
        try:
            import uvloop  # noqa: F401
        except ImportError as exc:
            raise pytest.UsageError("--uvloop needs 'uvloop': pip install uvloop") from exc


def _hear_signals() -> None:
    """
    Undo what `nohup`, or a shell's background, does to us and to every process we start.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, LoopFactory]:
    """
    Give each test the loop it needs: virtual unless it is marked otherwise.
    """
    if config.getoption("uvloop"):
        return {"uvloop": _uvloop}
    if _is_real(item):
        return {"asyncio": asyncio.new_event_loop}
    if config.getoption("eager"):
        return {"eager": _eager}
    return {"virtual": _virtual}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """
    Put the leak checks first and the folders last, and skip on uvloop what asks for a clock.

    What the folders test leaves parsed source and imported frameworks alive, through which the leak
    checks would go at each of their thousands of collections.
    """
    root = config.rootpath / "tests"

    def turn(item: pytest.Item) -> int:
        leaks = item.path.name.startswith("test_leakcheck")
        return 2 if item.path.parent != root else 0 if leaks else 1

    items.sort(key=turn)
    if not config.getoption("uvloop"):
        return
    for item in items:
        asks = {"clock", "steps"}.intersection(getattr(item, "fixturenames", ()))
        if asks or item.get_closest_marker("virtual_time"):
            item.add_marker(pytest.mark.skip(reason=NEEDS_VIRTUAL_TIME))


def pytest_sessionfinish() -> None:
    """
    Write which branches were taken, if that is counted.
    """
    if counting is not None:
        counting.finish()


def _is_real(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ("real_loop",))


def _virtual() -> VirtualLoop:
    return VirtualClock().new_event_loop()


def _eager() -> VirtualLoop:
    return VirtualClock().new_eager_event_loop()


def _uvloop() -> asyncio.AbstractEventLoop:
    import uvloop

    loop = uvloop.new_event_loop()
    # A test that waits in earnest would hang: better a RuntimeError that ends it.
    loop.call_later(LONGEST_ON_UVLOOP, loop.stop)
    return loop


@pytest.fixture
def log() -> list[str]:
    """
    Give a list for what happens, in order.
    """
    return []


@pytest.fixture
async def clock() -> VirtualClock:
    """
    Give the virtual clock of the test's loop.
    """
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop), "`clock` and `real_loop` exclude each other"
    return loop.clock


@pytest.fixture
async def steps() -> Callable[[], int]:
    """
    Give a function that tells how many steps the test's loop has made so far.
    """
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop), "`steps` and `real_loop` exclude each other"
    watch = Watch(loop, lambda step: None)
    watch.start()
    return lambda: watch.steps


class StartSupervisor(Protocol):
    """
    What the `start_supervisor` fixture gives.
    """

    async def __call__(self, **options: Any) -> Supervisor:
        """
        Enter `Supervisor(**options)` in a task of its own and return it.
        """
        ...


@pytest.fixture
async def start_supervisor() -> AsyncIterator[StartSupervisor]:
    """
    Give a function that starts supervisors, each in a task of its own; all end after the test.
    """
    stop = asyncio.Event()
    hosts: list[asyncio.Task[None]] = []

    async def start(**options: Any) -> Supervisor:
        started: asyncio.Future[Supervisor] = asyncio.get_running_loop().create_future()
        host = asyncio.create_task(host_supervisor(started, stop, **options))
        either: list[asyncio.Future[Any]] = [host, started]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not started.done():
            await host
        hosts.append(host)
        return await started

    yield start
    stop.set()
    for host in reversed(hosts):
        await host


async def host_supervisor(
    started: asyncio.Future[Supervisor], stop: asyncio.Event, **options: Any
) -> None:
    """
    Be the task in which a supervisor lives until *stop*.
    """
    async with Supervisor(**options) as supervisor:
        started.set_result(supervisor)
        await stop.wait()


@pytest.fixture
async def supervisor(start_supervisor: StartSupervisor) -> Supervisor:
    """
    Give a running supervisor, the loop's default one, that lives in a task of its own.
    """
    return await start_supervisor()


@pytest.fixture
async def s(supervisor: Supervisor) -> Session:
    """
    Give a session that nobody holds.
    """
    return await supervisor.open("a")


@pytest.fixture
def loop_errors() -> list[dict[str, Any]]:
    """
    Give what the loop's exception handler was called with; a test that wants it so clears it.
    """
    return []


@pytest.fixture
def unraisable() -> list[str]:
    """
    Give what could not be raised anywhere; a test that wants it so clears it.
    """
    return []


@pytest.fixture(scope="module", autouse=True)
def _others_garbage() -> None:
    """
    Collect what earlier modules left in cycles, so that no test has to answer for it.
    """
    gc.collect()


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest, unraisable: list[str]) -> Iterator[None]:
    """
    Fail a test that leaves a task, a complaint of the loop, or an error nobody could raise.
    """
    before = sys.unraisablehook

    def note(args: sys.UnraisableHookArgs) -> None:
        unraisable.append(f"{args.exc_value!r} in {args.object!r}: {args.err_msg}")

    sys.unraisablehook = note
    try:
        if is_async_test(request.node):
            request.getfixturevalue("no_task_left")
        yield
        gc.collect(1)
    finally:
        sys.unraisablehook = before
    if unraisable:
        pytest.fail("could not be raised: " + "; ".join(unraisable), pytrace=False)


@pytest.fixture
async def no_task_left(loop_errors: list[dict[str, Any]]) -> AsyncIterator[None]:
    """
    Be the part of `nothing_left` that lives in the loop.
    """
    loop = asyncio.get_running_loop()
    own = asyncio.all_tasks()
    loop.set_exception_handler(lambda _, context: loop_errors.append(context))
    yield
    left = await _left(loop, own)
    loop.set_exception_handler(None)
    if left:
        pytest.fail(f"tasks left: {left}", pytrace=False)
    if loop_errors:
        pytest.fail(f"the loop's exception handler was called: {loop_errors}", pytrace=False)


async def _left(
    loop: asyncio.AbstractEventLoop, own: set[asyncio.Task[Any]]
) -> list[asyncio.Task[Any]]:
    if isinstance(loop, VirtualLoop):
        await loop.clock.settle()
    current = asyncio.current_task()
    left: list[asyncio.Task[Any]] = []
    for _ in range(50):
        left = [task for task in asyncio.all_tasks() if task is not current and task not in own]
        if not left or isinstance(loop, VirtualLoop):
            break
        await asyncio.sleep(0.01)
    return left
