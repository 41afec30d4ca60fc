"""
What is kept of surveys: bounded in samples and in names, and always of the whole time.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from sessionstate import Counted, Supervisor, Survey
from sessionstate._history import MOST, NAMES, History


class Date:
    """
    The date, which stands still.
    """

    now = 0.0


@pytest.fixture(autouse=True)
def date(monkeypatch: pytest.MonkeyPatch) -> Date:
    """
    Give the date that samples are told.
    """
    date = Date()
    monkeypatch.setattr("sessionstate._history.time", lambda: date.now)
    return date


@pytest.fixture
def history() -> History:
    """
    Give a history of a process that does not grow.
    """
    history = History()
    history.rss = lambda: 1000
    return history


def survey(*counted: Counted, sessions: int = 0, orphans: int = 0) -> Survey:
    """
    Return what a survey may have found.
    """
    return Survey(0.0, 0.0, 0.0, sessions, orphans, counted)


def entries(number: int, name: str = "agents") -> Counted:
    """
    Return a map's figures.
    """
    return Counted(name, "slot", number, 0, 0)


class TestMoments:
    def test_what_a_survey_found(self, history: History) -> None:
        """
        A sample has the survey's figures, the requests until then, and the memory.
        """
        supervisor = Supervisor(default=False)
        supervisor.count_request()
        supervisor.count_request(4)
        sites = [Counted("a.py:1", "site", 5, 2, 1), Counted("b.py:1", "site", 3, 1, 0)]
        history.add(supervisor, survey(entries(7), *sites, sessions=8, orphans=1))
        (moment,) = history.moments
        assert moment.at == 0.0
        assert moment.requests == supervisor.requests == 5
        assert (moment.live, moment.unbounded, moment.orphans, moment.rss) == (8, 3, 1, 1000)
        assert moment.figures == {
            ("slot", "agents"): entries(7),
            ("site", "a.py:1"): sites[0],
            ("site", "b.py:1"): sites[1],
        }

    async def test_sessions_stand_for_requests(
        self, history: History, supervisor: Supervisor
    ) -> None:
        """
        Where nobody counts requests, sessions that were opened are counted.
        """
        await supervisor.open("a")
        await supervisor.close("a")
        await supervisor.open("a")
        history.add(supervisor, survey())
        assert not history.counts_requests
        assert history.moments[0].requests == 2

    def test_first_request(self, history: History) -> None:
        """
        The first counted request begins a new history: what was over sessions is not over these.
        """
        supervisor = Supervisor(default=False)
        for _ in range(MOST + 1):
            history.add(supervisor, survey())
        supervisor.count_request()
        for _ in range(3):
            history.add(supervisor, survey())
        assert history.counts_requests
        assert [moment.requests for moment in history.moments] == [1, 1, 1]

    def test_process(self) -> None:
        """
        The memory is this process's own.
        """
        history = History()
        history.add(Supervisor(default=False), survey())
        assert history.moments[0].rss > 2**20


class TestBounded:
    def test_samples(self, history: History, date: Date) -> None:
        """
        However many surveys are made, the samples are few, evenly apart, and begin with the first.
        """
        supervisor = Supervisor(default=False)
        times: list[float] = []
        apart: set[float] = set()
        for number in range(2000):
            date.now = float(number)
            history.add(supervisor, survey())
            times = [moment.at for moment in history.moments]
            apart = {later - at for at, later in pairwise(times)}
            assert times[0] == 0
            assert len(apart) <= 1
            assert len(times) <= MOST
            assert number - times[-1] <= max(apart, default=0)
        assert len(times) > MOST / 2
        assert apart == {16}

    def test_names(self, history: History) -> None:
        """
        Of endlessly many names those that were there first have a history, and keep it.
        """
        supervisor = Supervisor(default=False)
        for number in range(NAMES + 20):
            history.add(supervisor, survey(entries(1, "agents"), entries(2, f"made {number}")))
        found = {name for moment in history.moments for name in moment.figures}
        assert len(found) == NAMES
        assert all(moment.figures["slot", "agents"].entries == 1 for moment in history.moments)
        assert len(history._known) == NAMES

    def test_one_name_of_two_kinds(self, history: History) -> None:
        """
        A map and a kind of resource may have one name.
        """
        both = entries(1, "task"), Counted("task", "resource", 2, 0, 0)
        history.add(Supervisor(default=False), survey(*both))
        assert list(history.moments[0].figures.values()) == [*both]


class TestLatest:
    def test_the_newest_is_always_there(self, history: History, date: Date) -> None:
        """
        The newest survey is there though its sample is not kept, and how long there were orphans.
        """
        supervisor = Supervisor()
        for _ in range(MOST + 1):
            history.add(supervisor, survey())
        date.now = 60.0
        late = Counted("agents", "slot", 1, 0, 1)
        history.add(supervisor, survey(late, sessions=7))
        assert history.moments[-1].live == 0
        assert history.all()[-1].live == 7
        assert history.late["slot", "agents"][:2] == (1, 60.0)
        date.now = 70.0
        history.add(supervisor, survey(late, sessions=8))
        assert history.moments[-1].live == history.all()[-1].live == 8
        assert history.late["slot", "agents"][:2] == (2, 60.0)
        history.add(supervisor, survey())
        assert history.late == {}
