"""
Which tests the plugin looks at, how strictly, and what fixtures may leave.
"""

from __future__ import annotations

import pytest

from tests.plugin_runs import LEAVES_SESSION, Run, run, text

__all__ = ["run"]


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

    def test_mode_as_a_keyword(self, run: Run) -> None:
        """
        A marker takes its mode with a keyword as well as without.
        """
        result = run(
            """
            @pytest.mark.sessionstate(mode="strict")
            async def test_strict():
                kept.append(asyncio.create_task(asyncio.sleep(1000)))

            @pytest.mark.sessionstate(mode="off")
            async def test_off():
                kept.append(await Supervisor(default=False).__aenter__())
            """
        )
        result.assert_outcomes(passed=2, errors=1)
        assert "test_strict left open" in text(result)

    @pytest.mark.parametrize(
        ("marker", "option", "words"),
        [
            ('"loud"', "", "must be one of 'strict', 'warn', 'off', 'auto', not 'loud'"),
            ('"off", "session *"', "", "patterns are given as ignore=[...]"),
            ('ignore="session *"', "", "write ignore=['session *']"),
            ("ignore=12", "", "write ignore=['12']"),
            ("ignore=[b'session *']", "", "a pattern to ignore is text, not b'session *'"),
            ("ignroe=[]", "", "does not know ignroe=: it knows mode, ignore, advance, children, "),
            ("mode='loud'", "", "test_it: sessionstate must be one of 'strict', "),
            ("mode=['off']", "", "must be one of 'strict', 'warn', 'off', 'auto', not ['off']"),
            ("'off', mode='warn'", "", "takes one mode, not ('off', 'warn')"),
            ("", "-osessionstate=loud", "must be one of 'strict'"),
            ("", "--sessionstate-report=it.pdf", "'it.pdf' must end with .html, .json, .txt"),
            ("", "--sessionstate-report=it", "'it' must end with .html"),
            ("", "-osessionstate_settle=long", "sessionstate_settle is a number of seconds, not "),
            ("", "-osessionstate_settle=inf", "sessionstate_settle is inf: it is a finite number"),
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
        assert result.ret is pytest.ExitCode.USAGE_ERROR
        said = text(result) + "\n".join(result.errlines)
        assert words in said
        assert not marker or "ERROR: test_it.py::test_it: " in said

    def test_bad_markers_are_told_once(self, run: Run) -> None:
        """
        All markers that cannot be meant are told as tests are collected, and each of them once.
        """
        result = run(
            """
            @pytest.mark.sessionstate("loud")
            class TestAll:
                @pytest.mark.parametrize("number", range(3))
                def test_it(self, number):
                    pass

            @pytest.mark.sessionstate(ignroe=["session *"])
            def test_other():
                pass
            """
        )
        said = [each for each in result.errlines if "ERROR" in each]
        assert ["TestAll::test_it[0]: sess" in said[0], "test_other: @" in said[1]] == [True, True]
        assert len(said) == 2
        assert "StashKey" not in text(result)

    def test_marker_that_comes_late(self, run: Run) -> None:
        """
        A marker that cannot be meant, added after the collection, is told once: by the set-up.
        """
        result = run(
            """
            async def test_first():
                kept.append(await Supervisor(default=False).__aenter__())

            def test_late():
                pass

            @pytest.fixture(scope="session", autouse=True)
            def mark(request):
                request.session.items[1].add_marker(pytest.mark.sessionstate("loud"))
            """,
        )
        result.assert_outcomes(passed=1, errors=2)
        assert text(result).count("E           pytest.UsageError: test_it.py::test_late") == 1


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
