"""
The plugin beside pytest-asyncio, anyio's plugin and pytest-xdist, and without them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sessionstate.testing import plugin
from sessionstate.testing._loops import _loop_of
from tests.plugin_runs import (
    ALONE,
    HEAD,
    INI,
    LEAVES_SESSION,
    PLAIN,
    PLUGIN,
    QUICK,
    REPORTED,
    Run,
    run,
    text,
)

__all__ = ["run"]


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

    def test_with_anyio_in_real_time(self, run: Run) -> None:
        """
        A test that would run by it in vain, as anyio's backend is another, fails and says which.
        """
        result = run(
            """
            pytestmark = pytest.mark.anyio

            @pytest.fixture
            def anyio_backend():
                return "asyncio"

            async def test_waits(virtual_clock):
                pytest.fail("it ran")

            class TestOptions:
                @pytest.fixture
                def anyio_backend(self):
                    return "asyncio", {"debug": True}

                async def test_waits(self, virtual_clock):
                    pytest.fail("it ran")

                async def test_others(self):
                    pass

                def test_plain(self, virtual_clock):
                    virtual_clock.jump(1)
            """,
            "-pno:asyncio",
            mode="strict",
        )
        result.assert_outcomes(passed=2, errors=2)
        advice = ["def anyio_backend(virtual_anyio_backend):", "    return virtual_anyio_backend"]
        result.stdout.fnmatch_lines(["*in real time, by 'asyncio'.", "*", *advice])

    def test_with_pytest_asyncio_in_real_time(self, run: Run, pytester: pytest.Pytester) -> None:
        """
        The same where somebody else has pytest-asyncio make an ordinary loop.
        """
        pytester.makeconftest(
            """
            import asyncio
            import pytest

            @pytest.hookimpl(wrapper=True)
            def pytest_asyncio_loop_factories():
                yield
                return {"real": asyncio.SelectorEventLoop}
            """
        )
        result = run(
            """
            async def test_waits(virtual_clock):
                pytest.fail("it ran")
            """
        )
        result.assert_outcomes(errors=1)
        assert "in a loop that goes by real time" in text(result)

    def test_run_by_others(self, run: Run, pytester: pytest.Pytester) -> None:
        """
        Who runs async tests by a hook of their own is left alone.
        """
        pytester.makeconftest(
            """
            def pytest_pyfunc_call(pyfuncitem):
                clock = pyfuncitem.funcargs["virtual_clock"]
                clock.run(pyfuncitem.obj(virtual_clock=clock))
                return True
            """
        )
        run(
            """
            async def test_moves(virtual_clock):
                await virtual_clock.advance(1)
            """,
            "-pno:asyncio",
            "-pno:anyio",
        ).assert_outcomes(passed=1)

    @pytest.mark.parametrize(
        ("given", "found"),
        [
            ({"tmp_path": 1, "_module_scoped_runner": SimpleNamespace(get_loop=lambda: 2)}, 2),
            ({"tmp_path": 1, "_function_event_loop": 3}, 3),
            ({"tmp_path": 1}, None),
        ],
    )
    def test_of_every_version(self, given: dict[str, object], found: object) -> None:
        """
        The loop of a test is found in its runner, and before pytest-asyncio 1.1 by itself.
        """
        assert _loop_of(given) == found

    def test_by_a_policy(self, run: Run) -> None:
        """
        Where loops come from a policy, as before pytest-asyncio 1.4, it makes them for such a test.
        """
        run(
            """
            from sessionstate.testing import VirtualLoop

            @pytest.fixture
            def event_loop_policy():
                return asyncio.DefaultEventLoopPolicy()

            @pytest.fixture
            def made(event_loop_policy):
                loop = event_loop_policy.new_event_loop()
                yield loop
                loop.close()

            def test_virtual(virtual_clock, made):
                assert isinstance(made, VirtualLoop)
                assert made.clock is virtual_clock

            def test_real(made):
                assert not isinstance(made, VirtualLoop)
            """,
            "-pno:asyncio",
        ).assert_outcomes(passed=2)


class TestWorkers:
    def test_one_that_crashed_has_written_nothing(self) -> None:
        """
        People are told of what workers have written, as far as they lived to say so.
        """
        hears = plugin.Plugin.__new__(plugin.Plugin)
        hears.reports = cast("Any", SimpleNamespace(written=[]))
        hears.pytest_testnodedown(SimpleNamespace(workeroutput={"sessionstate_written": ["a"]}))
        hears.pytest_testnodedown(SimpleNamespace())
        assert hears.reports.written == ["a"]


class TestProcesses:
    def test_workers_of_xdist(self, pytester: pytest.Pytester) -> None:
        """
        Each worker checks its own tests, and writes a report of its own, of which people are told.
        """
        pytester.makeini(INI.format("auto"))
        source = HEAD + dedent(LEAVES_SESSION) + dedent(REPORTED.format(2))
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
        said = [each for each in result.outlines if each.startswith("sessionstate: wrote ")]
        assert said == [f"sessionstate: wrote {each.name}" for each in files]

    def test_bad_marker_in_a_worker(self, pytester: pytest.Pytester) -> None:
        """
        In a worker, which cannot refuse to begin, a test with a bad marker fails, and says why.
        """
        pytester.makeini(INI.format("auto"))
        marked = "@pytest.mark.sessionstate(ignroe=[])\ndef test_it(): pass\n"
        pytester.makepyfile(test_it=HEAD + marked + "def test_other(): pass\n")
        result = pytester.runpytest_subprocess(*PLUGIN, *PLAIN, QUICK, "-n1")
        result.assert_outcomes(passed=1, errors=1)
        assert "does not know ignroe=" in text(result)

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
