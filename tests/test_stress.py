"""
The program that takes every point of every scenario.
"""

from __future__ import annotations

import argparse
from itertools import islice
from typing import Any

import pytest

from sessionstate.testing import Mode
from tests.scenarios import CATALOGUE, Scenario
from tests.scenarios.mixed import mixed
from tests.stress.__main__ import arguments, duration, main, shard
from tests.stress.jobs import Done, Job, catalogue, do, drawn
from tests.stress.report import Report
from tests.world import World

# What it runs has loops of its own: uvloop would see the same again.
pytestmark = pytest.mark.virtual_time


class TestArguments:
    @pytest.mark.parametrize(
        ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400)]
    )
    def test_durations(self, text: str, seconds: float) -> None:
        """
        A budget is so many seconds, minutes or hours.
        """
        assert duration(text) == seconds

    @pytest.mark.parametrize("text", ["", "m", "-1", "10 m", "0", "ten"])
    def test_no_duration(self, text: str) -> None:
        """
        What is no duration is refused, with examples.
        """
        with pytest.raises(argparse.ArgumentTypeError, match=r"write 90s, 10m or 1\.5h"):
            duration(text)

    @pytest.mark.parametrize("text", ["", "0/2", "3/2", "1", "a/b"])
    def test_no_shard(self, text: str) -> None:
        """
        What is no shard is refused, with examples.
        """
        with pytest.raises(argparse.ArgumentTypeError, match="write 1/2 and 2/2"):
            shard(text)

    @pytest.mark.parametrize("argv", [["--only", "nothing"], ["--point", "cancel@1"]])
    def test_what_does_not_go(self, argv: list[str]) -> None:
        """
        A scenario that there is not, and a point of none, end it with a message.
        """
        with pytest.raises(SystemExit):
            arguments(argv)


class TestJobs:
    def test_shards_share_all_jobs(self) -> None:
        """
        Each job is in one shard, and in one only.
        """
        jobs = list(catalogue([], 0))
        assert len(jobs) == len(set(jobs)) >= len(CATALOGUE) * (len(Mode) - 1) - 20
        assert {job for which in range(3) for job in jobs[which::3]} == set(jobs)

    def test_shards_draw_others(self) -> None:
        """
        Shards and seeds draw different scenarios.
        """
        names = [
            job.name
            for seed in (0, 1)
            for which in (0, 1)
            for job in islice(drawn(seed, which), 6)
            if not job.eager
        ]
        assert len(names) == len(set(names))

    def test_what_is_drawn_is_the_same_each_time(self) -> None:
        """
        A number draws the same scenario each time.
        """
        one, other = (mixed(12).explore([Mode.CANCEL], most=1) for _ in range(2))
        assert (one.steps, one.points) == (other.steps, other.points)

    def test_job_that_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A failure tells the scenario, the mode, the point, and the command that replays it.
        """

        async def careless(world: World) -> None:
            world.take("it")
            await world.live()
            world.release("it")

        monkeypatch.setitem(CATALOGUE, "careless", Scenario("careless", careless))
        done = do(Job("careless", Mode.CANCEL, eager=False, seed=0), None)
        assert (done.steps, done.points, done.runs) == (5, 5, 5)
        told = done.failures[0]
        assert "careless, cancel@2" in told
        assert "it: taken 1 times, release begun 0 times" in told
        assert "python -m tests.stress --only careless --point 'cancel@2'" in told
        assert main(["--only", "careless", "--point", "cancel@2"]) == 1
        assert main(["--only", "careless", "--point", "cancel@1"]) == 0

    def test_job_that_cannot_be_done(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A scenario that goes wrong undisturbed is one failure.
        """

        async def broken(world: World) -> None:
            raise LookupError("on purpose")

        monkeypatch.setitem(CATALOGUE, "broken", Scenario("broken", broken))
        done = do(Job("broken", Mode.CANCEL, eager=False, seed=0), None)
        assert len(done.failures) == 1
        assert "LookupError('on purpose')" in done.failures[0]


class TestReport:
    def test_table(self) -> None:
        """
        The table has a row for each scenario, one for those that were drawn, and a sum.
        """
        report = Report()
        for name, mode in (("timers", Mode.CANCEL), ("timers", Mode.ALL), ("mixed-7", None)):
            job = Job(name, mode, eager=False, seed=0)
            report.add(Done(job, 40, 1000, 500, 1.5, ("wrong",) if mode is None else ()))
        rows: list[Any] = [line.split() for line in report.table()]
        assert rows == [
            ["scenario", "steps", "points", "runs", "failures", "seconds"],
            ["timers", "40", "2,000", "1,000", "0", "3.0"],
            ["(drawn)", "40", "1,000", "500", "1", "1.5"],
        ]
        assert report.ending(3) == (
            "1,500 injections into 1 scenarios and 1 drawn ones in 3 s, 500 a second: 1 failed"
        )


@pytest.mark.stress
def test_whole_program(capsys: pytest.CaptureFixture[str]) -> None:
    """
    The program does its jobs in processes, and ends with a table and a sum.
    """
    assert main(["--only", "sync_callbacks", "--budget", "20s"]) == 0
    shown = capsys.readouterr().out
    assert "sync_callbacks" in shown
    assert ": 0 failed" in shown
