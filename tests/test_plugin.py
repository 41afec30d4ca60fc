"""
The pytest plugin, in runs of pytest within this process, with the real plugins beside it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from importlib.metadata import entry_points
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from sessionstate import supervisors
from sessionstate._last import abandon
from sessionstate.testing import LeakReport, LeakRow, Verdict, _reports, plugin

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
    Give a function that runs tests with the plugin.
    """

    def run(source: str, *options: str, mode: str = "auto") -> pytest.RunResult:
        pytester.makeini(INI.format(mode))
        pytester.makepyfile(test_it=HEAD + dedent(source))
        return pytester.runpytest_inprocess(*ALONE, *PLAIN, QUICK, *options, plugins=[plugin])

    before = supervisors()
    yield run
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for supervisor in supervisors():
            if supervisor not in before:
                abandon(supervisor)
                supervisor._expiry._task._log_destroy_pending = False  # type: ignore[attr-defined]


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


class TestWhatIsLeft:
    def test_names_test_key_age_reason_and_place(self, run: Run) -> None:
        """
        A test that leaves a session fails as it is torn down, and says all that is known of it.
        """
        result = run(LEAVES_SESSION)
        result.assert_outcomes(passed=1, errors=1)
        said = text(result)
        assert "test_it.py::test_leaves left open:" in said
        session = r"  session chat-42, [\d.e-]+ s old: idle in \d+ s\n +opened at .*test_it.py:12\n"
        supervisor = r"  supervisor sessionstate: .* not left\n +opened at .*test_it.py:10\n"
        assert re.search(session, said)
        assert re.search(supervisor, said)
        assert 'ignore=["supervisor sessionstate"]' in said
        assert "Traceback" not in said

    def test_clean_tests_pass(self, run: Run) -> None:
        """
        A test that ends what it opens passes, whatever the mode.
        """
        source = """
            async def test_ends():
                async with Supervisor() as supervisor:
                    async with supervisor.session("a") as session:
                        session.start_soon(asyncio.sleep, 100)

            def test_nothing():
                pass

            def test_runs():
                async def main():
                    async with Supervisor() as supervisor:
                        await supervisor.open("a")
                asyncio.run(main())
        """
        run(source).assert_outcomes(passed=3)
        run(source, "--sessionstate=strict").assert_outcomes(passed=3)

    def test_foreign_tasks(self, run: Run) -> None:
        """
        A task that nobody ends is seen before its loop is closed, and named with its place.
        """
        result = run(
            """
            async def pump():
                await asyncio.sleep(1000)

            async def test_leaves():
                kept.append(asyncio.create_task(pump(), name="pump-1"))
            """,
            "--sessionstate=strict",
        )
        result.assert_outcomes(passed=1, errors=1)
        assert "  asyncio task pump-1: pump: it waits at " in text(result)

    def test_what_is_about_to_end(self, run: Run) -> None:
        """
        A task and a session that have been told to end have a moment for it.
        """
        run(
            """
            async def brief():
                await asyncio.sleep(0.05)

            async def slow():
                try:
                    await asyncio.sleep(1000)
                finally:
                    await asyncio.sleep(0.05)

            async def test_tells():
                kept.append(asyncio.create_task(brief()))
                kept.append(asyncio.create_task(slow()))
                await asyncio.sleep(0)
                kept[-1].cancel()
            """,
            PATIENT,
            "--sessionstate=strict",
        ).assert_outcomes(passed=1)

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell what is open")
    def test_files(self, run: Run) -> None:
        """
        A descriptor that a test leaves is found, though no loop ever ran.
        """
        result = run(
            """
            import os

            def test_leaves():
                kept.extend(os.pipe())

            def test_after():
                pass

            def test_closes():
                for fd in kept:
                    os.close(fd)
            """,
            "--sessionstate=strict",
        )
        result.assert_outcomes(passed=3, errors=1)
        assert "test_leaves left open" in text(result)

    def test_error_of_the_teardown(self, run: Run) -> None:
        """
        A fixture's own error comes out, with a note of what is left.
        """
        result = run(
            """
            @pytest.fixture
            def broken():
                yield
                raise KeyError("mine")

            async def test_leaves(broken):
                kept.append(await Supervisor().__aenter__())

            def test_ends_all_the_same(broken):
                pass
            """
        )
        result.assert_outcomes(passed=2, errors=2)
        assert "KeyError: 'mine'" in text(result)
        assert text(result).count("left open:") == 1

    def test_dropped_supervisor(self, run: Run) -> None:
        """
        A supervisor that goes with its loop, since nobody keeps it, is found all the same.
        """
        result = run(
            """
            async def test_leaves():
                await Supervisor(name="dropped").__aenter__()
            """,
            "-Wignore::ResourceWarning",
            "-Wignore::pytest.PytestUnraisableExceptionWarning",
        )
        assert "supervisor dropped: it was entered and not left" in text(result)

    def test_keeps_nothing_alive(self, run: Run) -> None:
        """
        What was left in a closed loop is noted, not held: it goes when the program lets go of it.
        """
        result = run(
            """
            import gc, weakref

            def test_drops():
                async def main():
                    supervisor = await Supervisor().__aenter__()
                    session = await supervisor.open("a")
                    session.callback(print)
                    supervisor._expiry.stop()
                    return weakref.ref(session), weakref.ref(supervisor)
                refs = asyncio.run(main())
                gc.collect()
                assert [ref() for ref in refs] == [None, None]
            """,
            "-Wignore::ResourceWarning",
        )
        result.assert_outcomes(passed=1, errors=1)
        assert "callback a: print" in text(result)

    def test_loop_of_ones_own(self, run: Run) -> None:
        """
        `asyncio.run` in a test cancels tasks by design; what does not end by that is left.
        """
        result = run(
            """
            async def serve():
                async with Supervisor() as supervisor:
                    await supervisor.open("a")
                    await asyncio.sleep(1000)

            def test_is_cancelled():
                async def main():
                    kept.append(asyncio.create_task(serve()))
                    await asyncio.sleep(0.01)
                asyncio.run(main())

            def test_leaves():
                async def main():
                    kept.append(await Supervisor(name="mine").__aenter__())
                asyncio.run(main())
            """,
        )
        result.assert_outcomes(passed=2, errors=1)
        assert "test_leaves left open:\n" in text(result).replace("E   ", "")
        assert "supervisor mine" in text(result)

    def test_thread_with_a_loop(self, run: Run) -> None:
        """
        A loop in another thread is left to whoever runs it.
        """
        run(
            """
            import threading

            def test_thread():
                async def main():
                    kept.append(asyncio.create_task(asyncio.sleep(1000)))
                thread = threading.Thread(target=asyncio.run, args=(main(),))
                thread.start()
                thread.join()
            """,
            "--sessionstate=strict",
        ).assert_outcomes(passed=1)

    def test_of_unittest(self, run: Run) -> None:
        """
        An async test case of unittest is looked at as any other.
        """
        result = run(
            """
            import unittest

            class TestCase(unittest.IsolatedAsyncioTestCase):
                async def test_leaves(self):
                    kept.append(asyncio.create_task(asyncio.sleep(1000), name="mine"))

                async def test_ends(self):
                    async with Supervisor():
                        pass
            """,
            "--sessionstate=strict",
        )
        result.assert_outcomes(passed=2, errors=1)
        assert "asyncio task mine: sleep" in text(result)

    def test_loop_that_was_closed(self, run: Run) -> None:
        """
        A test that closes or stops its loop is no trouble for the check.
        """
        run(
            """
            @pytest.mark.filterwarnings("ignore")
            def test_closes():
                runner = asyncio.Runner()
                runner.get_loop().close()
                with pytest.raises(RuntimeError, match="closed"):
                    runner.close()

            async def test_stops():
                loop = asyncio.get_running_loop()
                kept.append(asyncio.create_task(asyncio.sleep(1000)))
                loop.call_soon(loop.call_soon, loop.stop)
            """,
            "--sessionstate=strict",
        ).assert_outcomes(passed=2, errors=1)


class TestModes:
    def test_auto_leaves_others_alone(self, run: Run) -> None:
        """
        By default a test that opens nothing of sessionstate may leave what it likes.
        """
        run(
            """
            async def test_leaves_task():
                kept.append(asyncio.create_task(asyncio.sleep(1000)))
            """
        ).assert_outcomes(passed=1)

    def test_auto_is_strict_with_its_own(self, run: Run) -> None:
        """
        By default a test that opens something of sessionstate may leave nothing, of whatever kind.
        """
        result = run(
            """
            async def test_leaves_task():
                async with Supervisor():
                    kept.append(asyncio.create_task(asyncio.sleep(1000)))
            """
        )
        result.assert_outcomes(passed=1, errors=1)

    def test_warn(self, run: Run) -> None:
        """
        ``warn`` says the same, and lets the test pass.
        """
        result = run(LEAVES_SESSION, "--sessionstate=warn", "-Walways")
        result.assert_outcomes(passed=1, warnings=1)
        assert "LeftoverWarning" in text(result)
        assert "session chat-42" in text(result)

    def test_off(self, run: Run) -> None:
        """
        ``off`` says nothing.
        """
        run(LEAVES_SESSION, "--sessionstate=off").assert_outcomes(passed=1)

    def test_marker_beats_option_beats_ini(self, run: Run, pytester: pytest.Pytester) -> None:
        """
        The closest says what holds: marker of the test, marker of the class, option, ini-file.
        """
        source = """
            async def leave():
                supervisor = await Supervisor(default=False).__aenter__()
                kept.append(supervisor)

            @pytest.mark.sessionstate("off")
            class TestAll:
                async def test_class(self):
                    await leave()

                @pytest.mark.sessionstate("strict")
                async def test_own(self):
                    await leave()

            async def test_plain():
                await leave()
        """
        run(source).assert_outcomes(passed=3, errors=2)
        run(source, "--sessionstate=off").assert_outcomes(passed=3, errors=1)
        run(source, "-osessionstate=off").assert_outcomes(passed=3, errors=1)
        run(source, "-osessionstate=off", "--sessionstate=strict").assert_outcomes(
            passed=3, errors=2
        )

    def test_ignore(self, run: Run) -> None:
        """
        What is named may be left: in the marker, in that of the class, in the ini-file, by place.
        """
        source = """
            @pytest.mark.sessionstate(ignore=["supervisor *"])
            class TestAll:
                @pytest.mark.sessionstate(ignore=["session chat-*"])
                async def test_leaves(self):
                    supervisor = await Supervisor().__aenter__()
                    kept.append(supervisor)
                    await supervisor.open("chat-42")
                    await supervisor.open("{other}")
        """
        run(source.format(other="chat-43")).assert_outcomes(passed=1)
        run(source.format(other="other")).assert_outcomes(passed=1, errors=1)
        given = "-osessionstate_ignore=session other\nsession another"
        run(source.format(other="other"), given).assert_outcomes(passed=1)
        given = "-osessionstate_ignore=*/test_it.py:*"
        run(source.format(other="other"), given).assert_outcomes(passed=1)

    @pytest.mark.parametrize(
        ("marker", "option", "words"),
        [
            ('"loud"', "", "must be one of 'strict', 'warn', 'off', 'auto', not 'loud'"),
            ('ignore="session *"', "", "write ignore=['session *']"),
            ("", "-osessionstate=loud", "must be one of 'strict'"),
            ("", "-osessionstate_settle=long", "at least 0, not 'long'"),
        ],
    )
    def test_bad_input(self, run: Run, marker: str, option: str, words: str) -> None:
        """
        What cannot be meant says what to write instead.
        """
        source = f"""
            @pytest.mark.sessionstate({marker})
            def test_it():
                pass
        """
        result = run(source, *filter(None, [option]))
        assert words in text(result) + "\n".join(result.errlines)


class TestFixtures:
    def test_of_the_test(self, run: Run) -> None:
        """
        What a fixture of the test closes after it is not left.
        """
        run(
            """
            @pytest.fixture
            async def supervisor():
                async with Supervisor() as supervisor:
                    yield supervisor

            async def test_uses(supervisor):
                await supervisor.open("a")
                supervisor["a"].start_soon(asyncio.sleep, 100)
            """
        ).assert_outcomes(passed=1)

    @pytest.mark.parametrize("mode", ["auto", "strict"])
    def test_of_a_wider_scope(self, run: Run, mode: str) -> None:
        """
        What a fixture of the module opens may stay for the module; what tests leave in it may not.
        """
        result = run(
            """
            import pytest_asyncio
            pytestmark = pytest.mark.asyncio(loop_scope="module")

            @pytest_asyncio.fixture(scope="module", loop_scope="module")
            async def supervisor():
                async with Supervisor() as supervisor:
                    await supervisor.open("lasting")
                    task = asyncio.create_task(asyncio.sleep(1000))
                    yield supervisor
                    task.cancel()

            async def test_uses(supervisor):
                async with supervisor.session("a"):
                    pass

            async def test_leaves(supervisor):
                await supervisor.open("b")
                supervisor["lasting"].callback(print)
                kept.append(asyncio.create_task(asyncio.sleep(1000), name="mine"))

            async def test_uses_again(supervisor):
                async with supervisor.session("a"):
                    pass
                kept.pop().cancel()
            """,
            f"--sessionstate={mode}",
        )
        result.assert_outcomes(passed=3, errors=1)
        said = text(result)
        assert "test_leaves left open:" in said
        for each in ("session b,", "callback lasting: print", "asyncio task mine: sleep"):
            assert f"  {each}" in said
        assert "  session lasting" not in said

    def test_wider_fixture_that_leaves_something(self, run: Run) -> None:
        """
        What a fixture of the module does not close is told by the last test of the module.
        """
        result = run(
            """
            @pytest.fixture(scope="module")
            def inner():
                yield 1

            @pytest.fixture(scope="module")
            def leaky(request):
                request.getfixturevalue("inner")
                loop = asyncio.new_event_loop()
                supervisor = Supervisor(name="leaky", default=False)
                loop.run_until_complete(supervisor.__aenter__())
                loop.close()
                kept.append(supervisor)

            def test_first(leaky):
                pass

            def test_last(leaky):
                pass
            """,
            "--sessionstate=strict",
        )
        result.assert_outcomes(passed=2, errors=1)
        assert "test_last left open" in text(result)
        assert "supervisor leaky" in text(result)

    def test_fixture_that_fails(self, run: Run) -> None:
        """
        A fixture that fails is reported as ever.
        """
        result = run(
            """
            @pytest.fixture(scope="module")
            def broken():
                raise KeyError("mine")

            def test_it(broken):
                pass
            """,
            "--sessionstate=strict",
        )
        result.assert_outcomes(errors=1)


class TestVirtualClock:
    def test_with_pytest_asyncio(self, run: Run) -> None:
        """
        With pytest-asyncio a test that asks for it runs by it, and others do not; names stay.
        """
        result = run(
            """
            from sessionstate.testing import VirtualLoop

            async def test_moves(virtual_clock):
                await asyncio.sleep(3600)
                assert virtual_clock.now == 3600
                await virtual_clock.advance(60)

            async def test_begins_at_zero(virtual_clock):
                assert virtual_clock.now == 0
                async with Supervisor(idle_timeout=600) as supervisor:
                    await supervisor.open("a")
                    await virtual_clock.advance(610)
                    assert "a" not in supervisor

            async def test_real():
                assert not isinstance(asyncio.get_running_loop(), VirtualLoop)

            def test_plain(virtual_clock):
                virtual_clock.run(asyncio.sleep(10))
                assert virtual_clock.now == 10
            """,
            "-v",
        )
        result.assert_outcomes(passed=4)
        result.stdout.fnmatch_lines(["*::test_moves PASSED*", "*::test_real PASSED*"])

    def test_in_a_wider_loop(self, run: Run) -> None:
        """
        In a loop of the module time goes on from test to test.
        """
        run(
            """
            pytestmark = pytest.mark.asyncio(loop_scope="module")

            async def test_first(virtual_clock):
                await asyncio.sleep(10)

            async def test_second(virtual_clock):
                assert virtual_clock.now == 10
                assert asyncio.get_running_loop().clock is virtual_clock
            """
        ).assert_outcomes(passed=2)

    def test_leaks_in_virtual_time(self, run: Run) -> None:
        """
        What is about to end has its moment in virtual time, and what stays is found.
        """
        result = run(
            """
            async def test_soon(virtual_clock):
                kept.append(asyncio.create_task(asyncio.sleep(0.015)))

            async def test_later(virtual_clock):
                kept.append(asyncio.create_task(asyncio.sleep(1000)))
            """,
            "--sessionstate=strict",
        )
        result.assert_outcomes(passed=2, errors=1)
        assert "test_later left open" in text(result)

    def test_with_anyio(self, run: Run) -> None:
        """
        With anyio's plugin it is the backend that runs by it; its runner is nobody's leftover.
        """
        result = run(
            """
            import anyio
            pytestmark = pytest.mark.anyio

            @pytest.fixture
            def anyio_backend(virtual_anyio_backend):
                return virtual_anyio_backend

            @pytest.fixture
            async def supervisor():
                async with Supervisor() as supervisor:
                    yield supervisor

            async def test_moves(virtual_clock, supervisor):
                await supervisor.open("a")
                await anyio.sleep(3600)
                assert virtual_clock.now == 3600

            async def test_leaves(virtual_clock):
                assert virtual_clock.now == 0
                kept.append(asyncio.create_task(asyncio.sleep(1000), name="mine"))

            async def test_leaves_session(virtual_clock, supervisor):
                kept.append(await Supervisor(default=False).__aenter__())
            """,
            "--sessionstate=strict",
            mode="strict",
        )
        result.assert_outcomes(passed=3, errors=2)
        assert "asyncio task mine: sleep" in text(result)


VALUES = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)


async def fake_leakcheck(request: Any, *, floor: float = 8192, **options: Any) -> LeakReport:
    """
    Be a leak check that believes what the request returns: tasks left of 1000 requests, or None.
    """
    tasks = await request()
    verdict = Verdict.BOUNDED if tasks == 0 else Verdict.LEAK
    row = LeakRow("asyncio tasks", "invariant", "tasks", tasks or 0, 0, 0, 0, verdict, VALUES)
    total = LeakRow("all", "total", "bytes", 0, 0, 0, floor, Verdict.BOUNDED, VALUES)
    if tasks is None:
        verdict = Verdict.INCONCLUSIVE
    made = {"requests": 30, "requests_each": 5, "rounds": 6, "dropped": 2, "needs": 10} | options
    return LeakReport(
        subject="it", verdict=verdict, rows=(row, total), floor=floor, seconds=1.0, **made
    )


class TestLeakcheck:
    @pytest.fixture(autouse=True)
    def _fake(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_reports, "leakcheck", fake_leakcheck)

    def test_fails_for_a_leak(self, run: Run) -> None:
        """
        A request that leaks fails its test with the report, unless as much is allowed.
        """
        result = run(
            """
            async def leaky():
                return 10

            async def test_leaks(leakcheck):
                await leakcheck.run(leaky)

            @pytest.mark.sessionstate(tasks=10)
            class TestAllowed:
                async def test_marker(self, leakcheck):
                    assert (await leakcheck.run(leaky)).leaks

                @pytest.mark.sessionstate(tasks=9)
                async def test_closest(self, leakcheck):
                    with pytest.raises(AssertionError, match="LEAK"):
                        await leakcheck.run(leaky)

                async def test_call(self, leakcheck):
                    with pytest.raises(AssertionError, match="LEAK"):
                        await leakcheck.run(leaky, tasks=0)
            """,
            "--sessionstate-report=found.txt",
        )
        result.assert_outcomes(passed=3, failed=1)
        assert "asyncio tasks" in text(result)
        result.stdout.fnmatch_lines(["sessionstate: wrote found.txt"])

    def test_warns_if_it_cannot_tell(self, run: Run) -> None:
        """
        An answer that is inconclusive is a warning, and no failure.
        """
        result = run(
            """
            async def test_it(leakcheck):
                async def unknown():
                    return None
                await leakcheck.run(unknown)
            """,
            "-Walways",
        )
        result.assert_outcomes(passed=1, warnings=1)
        assert "INCONCLUSIVE" in text(result)

    def test_passes_options_on(self, run: Run) -> None:
        """
        What the marker and the call say is passed on; a limit of bytes is the floor.
        """
        run(
            """
            @pytest.mark.sessionstate(rounds=9, requests=7, leak_limit="16KB/1000")
            async def test_it(leakcheck):
                async def good():
                    return 0
                report = await leakcheck.run(good, requests=8)
                assert (report.rounds, report.requests, report.floor) == (9, 8, 16 * 1024)
            """
        ).assert_outcomes(passed=1)

    def test_advances(self, run: Run) -> None:
        """
        Time is moved in virtual time, and only there.
        """
        run(
            """
            async def test_virtual(leakcheck, virtual_clock):
                await leakcheck.advance(10)
                assert virtual_clock.now == 10

            async def test_real(leakcheck):
                with pytest.raises(RuntimeError, match="ask for the fixture `virtual_clock`"):
                    await leakcheck.advance(10)
            """
        ).assert_outcomes(passed=2)

    REPORTED = """
        @pytest.mark.sessionstate(rounds=6, requests=5)
        @pytest.mark.parametrize("number", range({}))
        async def test_bounded(leakcheck, virtual_clock, number):
            async def request():
                return 0
            await leakcheck.run(request)
    """

    def test_writes_reports(self, run: Run, pytester: pytest.Pytester) -> None:
        """
        The report is text, JSON or one page, whatever the name of the file says.
        """
        for number, name in ((1, "new/one.html"), (2, "two.html"), (2, "two.json"), (2, "two.txt")):
            result = run(self.REPORTED.format(number), f"--sessionstate-report={name}", "-Walways")
            assert result.parseoutcomes()["passed"] == number
        found = {each: (pytester.path / each).read_text() for each in ("new/one.html", "two.html")}
        assert "<iframe" not in found["new/one.html"]
        assert found["two.html"].count("<iframe srcdoc=") == 2
        assert "test_bounded[1]" in found["two.html"]
        rows = json.loads((pytester.path / "two.json").read_text())
        assert [each["test"] for each in rows] == [
            "test_it.py::test_bounded[0]",
            "test_it.py::test_bounded[1]",
        ]
        assert "test_it.py::test_bounded[0]\n" in (pytester.path / "two.txt").read_text()

    def test_writes_nothing_without_a_finding(self, run: Run, pytester: pytest.Pytester) -> None:
        """
        A run without a leak check leaves the file of the one before.
        """
        run("def test_it(): pass", "--sessionstate-report=it.txt").assert_outcomes(passed=1)
        assert not (pytester.path / "it.txt").exists()

    def test_calibrates_once(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        The floor is measured before the first check, and holds unless a limit is given.
        """
        measured: list[int] = []

        async def calibrate() -> int:
            measured.append(1)
            return 12_345

        monkeypatch.setattr(_reports, "calibrate", calibrate)
        run(
            """
            async def request():
                return 0

            async def test_one(leakcheck):
                assert (await leakcheck.run(request)).floor == 12_345

            async def test_two(leakcheck):
                assert (await leakcheck.run(request)).floor == 12_345
                assert (await leakcheck.run(request, leak_limit="1KB/500")).floor == 2048
            """,
            "--sessionstate-calibrate",
        ).assert_outcomes(passed=2)
        assert len(measured) == 1

    def test_own_file_of_a_worker(self) -> None:
        """
        A worker puts its name into that of the file.
        """
        assert _reports.own_file(Path("a/it.html"), None) == Path("a/it.html")
        assert _reports.own_file(Path("a/it.html"), "gw1") == Path("a/it-gw1.html")

    @pytest.mark.parametrize(
        ("name", "kind", "unit", "counts_as"),
        [
            ("ExpiringMap app.tokens", "container", "entries", "entries"),
            ("child processes", "invariant", "processes", "children"),
            ("asyncio tasks", "invariant", "tasks", "tasks"),
            ("listeners of lasting sessions", "invariant", "listeners", "listeners"),
            ("all", "total", "bytes", ""),
        ],
    )
    def test_what_a_row_counts_as(self, name: str, kind: Any, unit: str, counts_as: str) -> None:
        """
        What may be left is told by the words of the marker.
        """
        row = LeakRow(name, kind, unit, 1, 0, 2, 0, Verdict.LEAK, VALUES)
        assert _reports.counted(row) == counts_as

    def test_bad_limit(self, run: Run) -> None:
        """
        A limit that cannot be read says what one looks like.
        """
        result = run(
            """
            @pytest.mark.sessionstate(leak_limit="8 potatoes")
            async def test_it(leakcheck):
                await leakcheck.run(asyncio.sleep)
            """
        )
        result.assert_outcomes(failed=1)
        assert "such as '8KB/1000', not '8 potatoes'" in text(result)


class TestRealLeakcheck:
    def test_finds_a_leak(self, run: Run) -> None:
        """
        A request that leaves a task fails its test, which names the task.
        """
        result = run(
            """
            @pytest.mark.sessionstate(rounds=5, requests=2)
            async def test_leaks(leakcheck, virtual_clock):
                tasks = []
                async def request(number):
                    tasks.append(asyncio.create_task(asyncio.Event().wait()))
                    await asyncio.sleep(0)
                try:
                    await leakcheck.run(request)
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.wait(tasks)
            """
        )
        result.assert_outcomes(failed=1)
        assert "LEAK" in text(result)
        assert "asyncio tasks" in text(result)


class TestProcesses:
    def test_workers_of_xdist(self, pytester: pytest.Pytester) -> None:
        """
        Each worker checks its own tests, and writes a report of its own.
        """
        pytester.makeini(INI.format("auto"))
        source = HEAD + dedent(LEAVES_SESSION) + dedent(TestLeakcheck.REPORTED.format(2))
        pytester.makepyfile(test_it=source)
        result = pytester.runpytest_subprocess(
            *PLUGIN,
            *PLAIN,
            QUICK,
            "-n2",
            "--dist=load",
            "--sessionstate-report=it.json",
            "-Walways",
        )
        assert result.parseoutcomes()["passed"] == 3
        assert result.parseoutcomes()["errors"] == 1
        assert "test_leaves left open:" in text(result)
        files = sorted(pytester.path.glob("it*.json"))
        assert {each.name for each in files} <= {"it-gw0.json", "it-gw1.json"}
        assert sum(len(json.loads(each.read_text())) for each in files) == 2

    def test_without_the_other_plugins(self, pytester: pytest.Pytester, run: Run) -> None:
        """
        It works where neither pytest-asyncio nor anyio's plugin is installed.
        """
        pytester.makepyfile(
            test_it=HEAD
            + dedent(
                """
                def test_runs(virtual_clock):
                    async def main():
                        kept.append(await Supervisor(name="mine").__aenter__())
                        await asyncio.sleep(100)
                    virtual_clock.run(main())
                """
            )
        )
        result = pytester.runpytest_inprocess(
            *ALONE, *PLAIN, QUICK, "-pno:asyncio", "-pno:anyio", plugins=[plugin]
        )
        result.assert_outcomes(passed=1, errors=1)
        assert "supervisor mine" in text(result)

    def test_package_does_not_need_pytest(self) -> None:
        """
        What is not the plugin is imported without pytest.
        """
        code = "import sys, sessionstate.testing; sys.exit('pytest' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], check=False)
        assert done.returncode == 0

    def test_is_installed_as_a_plugin(self, tmp_path: Path) -> None:
        """
        Pytest finds it by the name of the package.
        """
        found = entry_points(group="pytest11", name="sessionstate")
        if not found:
            pytest.skip("the package was installed before it had a plugin: install it again")
        (tmp_path / "test_it.py").write_text("def test_it(virtual_clock): virtual_clock.jump(1)\n")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
        done = subprocess.run(
            [*command, f"--rootdir={tmp_path}"], cwd=tmp_path, check=False, capture_output=True
        )
        assert b"1 passed" in done.stdout
