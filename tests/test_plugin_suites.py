"""
What suites do that know nothing of the plugin, which must not change them.
"""

from __future__ import annotations

import pytest

from tests.plugin_runs import Run, run, text

__all__ = ["run"]


class TestOthers:
    @pytest.mark.parametrize("mode", ["auto", "strict"])
    def test_what_they_replace(self, run: Run, mode: str) -> None:
        """
        A suite may put what it likes in the place of what the check itself needs.
        """
        run(
            """
            import socket, subprocess
            from unittest import mock

            @pytest.fixture(scope="module", autouse=True)
            def nothing_runs():
                with (
                    mock.patch("subprocess.Popen"),
                    mock.patch("socket.socket"),
                    mock.patch("os.listdir", return_value=["it"]),
                ):
                    yield

            def test_first():
                subprocess.Popen.assert_not_called()

            def test_second():
                subprocess.Popen.assert_not_called()
            """,
            f"--sessionstate={mode}",
        ).assert_outcomes(passed=2)

    @pytest.mark.parametrize("mode", ["auto", "strict"])
    def test_what_they_make(self, run: Run, mode: str) -> None:
        """
        A socket may compare by content, and not be hashable.
        """
        run(
            """
            import socket

            class Same(socket.socket):
                __hash__ = None

                def __eq__(self, other):
                    return True

            def test_makes():
                with Same(), Same():
                    pass
            """,
            f"--sessionstate={mode}",
        ).assert_outcomes(passed=1)

    def test_what_fails_to_begin(self, run: Run) -> None:
        """
        A check that cannot begin is told once, and the test after it is none the worse.
        """
        result = run(
            """
            from unittest import mock

            @pytest.fixture(scope="module")
            def broken():
                with mock.patch(
                    "sessionstate.testing._check.activity", side_effect=[OSError("mine"), ()]
                ):
                    yield

            def test_first(broken):
                pass

            def test_second(broken):
                pass

            def test_third(broken):
                pass
            """,
            "--sessionstate=strict",
        )
        result.assert_outcomes(passed=2, errors=1)
        assert text(result).count("OSError: mine") == 1 + 1  # and in the summary

    def test_supervisor_of_a_wider_scope(self, run: Run) -> None:
        """
        As long as a fixture's supervisor runs it is told where the others' tasks come from.
        """
        result = run(
            """
            import pytest_asyncio
            pytestmark = pytest.mark.asyncio(loop_scope="module")

            @pytest_asyncio.fixture(scope="module", loop_scope="module")
            async def supervisor():
                async with Supervisor() as supervisor:
                    yield supervisor

            async def test_uses(supervisor):
                pass

            async def test_leaves(supervisor):
                async with supervisor.session("a"):
                    kept.append(asyncio.create_task(asyncio.sleep(1000), name="mine"))

            async def test_ends():
                kept.pop().cancel()
            """
        )
        result.assert_outcomes(passed=3, errors=1)
        result.stdout.re_match_lines(
            [r"  asyncio task mine: sleep: .*", r"      opened at .*test_it.py:22$"],
            consecutive=True,
        )
