"""
The pytest plugin says what a test has left open.
"""

from __future__ import annotations

import re
import sys

import pytest

from sessionstate.testing._leftovers import Leftover
from tests.plugin_runs import LEAVES_SESSION, PATIENT, Run, run, text

__all__ = ["run"]


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
        assert 'ignore=["supervisor sessionstate", "session chat-42"]' in said
        assert "Traceback" not in said

    @pytest.mark.parametrize("mode", ["auto", "strict"])
    def test_names_the_place_of_what_a_session_owns(self, run: Run, mode: str) -> None:
        """
        What a session owns is named with its own place, and a task with the line that started it.
        """
        result = run(
            """
            def clean_up():
                pass

            async def pump():
                await asyncio.sleep(1000)

            async def test_leaves():
                supervisor = await Supervisor().__aenter__()
                kept.append(supervisor)
                session = await supervisor.open("chat-42")
                session.callback(clean_up)
                kept.append(asyncio.create_task(pump(), name="pump-1"))
            """,
            f"--sessionstate={mode}",
        )
        result.assert_outcomes(passed=1, errors=1)
        result.stdout.re_match_lines(
            [
                r"  callback chat-42: clean_up, .* old: of session 'chat-42', opened at .*:18$",
                r"      opened at .*test_it.py:19$",
                r"      defined at .*test_it.py:9$",
            ],
            consecutive=True,
        )
        result.stdout.re_match_lines(
            [
                r"  asyncio task pump-1: pump: it waits at .*",
                r"      opened at .*test_it.py:20$",
                r"      defined at .*test_it.py:12$",
            ],
            consecutive=True,
        )

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
        A task that nobody ends is seen before its loop is closed, even if it was forgotten.
        """
        result = run(
            """
            async def pump():
                await asyncio.sleep(1000)

            async def test_leaves():
                kept.append(asyncio.create_task(pump(), name="pump-1"))

            async def test_forgets():
                asyncio.create_task(asyncio.Event().wait(), name="waits-1")
            """,
            "--sessionstate=strict",
        )
        result.assert_outcomes(passed=2, errors=2)
        assert "  asyncio task pump-1: pump: it waits at " in text(result)
        assert "  asyncio task waits-1: Event.wait: it " in text(result)

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

    def test_suggested_patterns(self, run: Run) -> None:
        """
        What is suggested to be ignored fits in the next run too: each pattern once, five at most.
        """
        source = """
            async def pump():
                await asyncio.sleep(1000)

            {marker}
            async def test_leaves():
                supervisor = await Supervisor(default=False).__aenter__()
                for number in range({sessions}):
                    await supervisor.open(f"chat-{{number}}")
                kept.append([supervisor, *(asyncio.create_task(pump()) for _ in range(3))])
        """
        said = text(run(source.format(marker="", sessions=2)))
        found = re.search(r"@pytest.mark.sessionstate\(ignore=\[.*\]\)", said)
        assert found is not None
        assert said.count("asyncio task *: pump") == 1
        run(source.format(marker=found[0], sessions=2)).assert_outcomes(passed=1)
        said = text(run(source.format(marker="", sessions=9)))
        assert 'chat-3"]), or' in said

    @pytest.mark.parametrize(
        ("kind", "name", "pattern"),
        [
            ("file descriptor", "16, /tmp/pytest-325/test_it0/y", "file descriptor *, */y"),
            ("file descriptor", "3, pipe:[1234]", "file descriptor *, pipe:*"),
            ("file descriptor", "3, anon_inode:[pidfd]", "file descriptor *, anon_inode:[[]pidfd]"),
            ("asyncio task", "Task-12: sleep", "asyncio task *: sleep"),
            ("asyncio task", "pump: 1: Pool.poll", "asyncio task *: Pool.poll"),
            ("child process", "17196, sleep (sleeping)", "child process *, sleep*"),
            ("session", "chat-42", "session chat-42"),
            ("session", "who?*[a]", "session who[?][*][[]a]"),
            ("task", "a: Task-7", "task a: *"),
            ("callback", "a: <f at 0x7Fa1>", "callback a: <f at *>"),
        ],
    )
    def test_patterns_last(self, kind: str, name: str, pattern: str) -> None:
        """
        The pattern of what is left fits it, and leaves out what another run does not have again.
        """
        left = Leftover(kind, name)
        assert left.pattern == pattern
        assert left.matches(left.pattern)

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
        A loop in another thread is left to whoever runs it; a session that stays there is not.
        """
        result = run(
            """
            import threading

            @pytest.fixture(scope="module")
            def server():
                started, found = threading.Event(), {}

                async def serve():
                    async with Supervisor() as supervisor:
                        found["loop"] = asyncio.get_running_loop()
                        found["stop"] = asyncio.Event()
                        found["supervisor"] = supervisor
                        kept.append(asyncio.create_task(asyncio.sleep(1000)))
                        started.set()
                        await found["stop"].wait()

                thread = threading.Thread(target=lambda: asyncio.run(serve()))
                thread.start()
                started.wait()
                yield found
                found["loop"].call_soon_threadsafe(found["stop"].set)
                thread.join()

            def test_uses(server):
                assert len(server["supervisor"]) == 0

            def test_leaves(server):
                opening = server["supervisor"].open("chat-42")
                asyncio.run_coroutine_threadsafe(opening, server["loop"]).result()

            def test_uses_again(server):
                assert len(server["supervisor"]) == 1
            """,
            "--sessionstate=strict",
        )
        result.assert_outcomes(passed=3, errors=1)
        assert "test_leaves left open:\n  session chat-42" in text(result)

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
