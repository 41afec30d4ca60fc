"""
The fixture `leakcheck`, and the file that its findings go to.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sessionstate.testing import LeakReport, LeakRow, Verdict, _reports
from tests.plugin_runs import REPORTED, Run, run, text

__all__ = ["run"]


VALUES = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)


async def fake_leakcheck(request: Any, *, floor: float = 8192, **options: Any) -> LeakReport:
    """
    Be a leak check that believes what the request returns: tasks left of 1000 requests, or None.
    """
    tasks = await request()
    verdict = Verdict.BOUNDED if tasks == 0 else Verdict.LEAK
    if tasks is None:
        verdict = Verdict.INCONCLUSIVE
    row = LeakRow("asyncio tasks", "invariant", "tasks", tasks or 0, 0, 0, 0, verdict, VALUES)
    total = LeakRow("all", "total", "bytes", 0, 0, 0, floor, Verdict.BOUNDED, VALUES)
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
                    report = await leakcheck.run(leaky)
                    assert (report.verdict, report.leaks) == ("bounded", ())
                    assert (report.rows[0].floor, report.rows[0].verdict) == (10, "bounded")
                    assert "+10 asyncio tasks of 1000 requests, 10 are allowed" in report.text()

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

    def test_writes_reports(self, run: Run, pytester: pytest.Pytester) -> None:
        """
        The report is text, JSON or one page, whatever the name of the file says.
        """
        for number, name in ((1, "new/one.html"), (2, "two.html"), (2, "two.json"), (2, "two.txt")):
            result = run(REPORTED.format(number), f"--sessionstate-report={name}", "-Walways")
            assert result.parseoutcomes()["passed"] == number
        found = {each: (pytester.path / each).read_text() for each in ("new/one.html", "two.html")}
        assert found["new/one.html"].count("<section") == 0
        assert found["two.html"].count('<section id="check-') == 2
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
            ("timers of the loop", "invariant", "timers", "timers"),
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
    def test_marker_takes_what_leakcheck_takes(self, run: Run) -> None:
        """
        The marker knows each option of the check, such as the time that a request may take.
        """
        run(
            """
            @pytest.mark.sessionstate(time_limit=5)
            async def test_it(leakcheck, virtual_clock):
                with pytest.raises(RuntimeError, match="5 s"):
                    await leakcheck.run(lambda: asyncio.sleep(6))
            """
        ).assert_outcomes(passed=1)

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

    def test_allows_sleeping_tasks(self, run: Run) -> None:
        """
        Tasks that sleep may be left if they and their timers are allowed, and not otherwise.
        """
        result = run(
            """
            @pytest.fixture
            async def request_():
                tasks = []
                async def request(number):
                    tasks.append(asyncio.create_task(asyncio.sleep(1000)))
                    await asyncio.sleep(0)
                yield request
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)

            @pytest.mark.sessionstate(rounds=6, requests=2, tasks=1000)
            class TestAll:
                async def test_tasks(self, leakcheck, request_):
                    with pytest.raises(AssertionError, match="LEAK .*: timers of the loop"):
                        await leakcheck.run(request_)

                async def test_both(self, leakcheck, request_):
                    report = await leakcheck.run(request_, timers=1000)
                    assert not report.leaks
                    floors = {row.name: row.floor for row in report.rows}
                    assert floors["asyncio tasks"] == floors["timers of the loop"] == 1000
            """,
            "-Walways",
        )
        result.assert_outcomes(passed=2, warnings=1)
