"""
An audit as a whole: what is shown, what is accepted and why, and what an inventory says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sessionstate.audit import _spawning
from sessionstate.audit._audit import audit
from sessionstate.audit._baseline import write
from sessionstate.audit._findings import Confidence, Problem, Report, Verdict
from sessionstate.audit._settings import Settings, SettingsError
from tests.audit.small import found

CHAT = """\
agents = {}
waiting = {}
REGIONS = {}


async def chat(session_id, agent):
    agents[session_id] = agent
    waiting[session_id] = agent
    await agent.run()
    del waiting[session_id]


async def again(session_id, agent):
    agents[session_id] = agent
"""
"""Two findings: nothing removes from `agents`; from `waiting`, unless cancelled."""

SERVERS = """\
import asyncio


class Servers:
    def __init__(self):
        self.running = {}

    async def start(self, session_id):
        process = await asyncio.create_subprocess_exec("server")
        self.running[session_id] = process
"""
"""A map that grows, of processes that nobody ends."""

DOUBTED = """\
import functools


@functools.lru_cache(maxsize=100)
def name_of(session_id):
    return session_id
"""
"""A finding of little confidence."""

HUB = """\
class Hub:
    def __init__(self):
        self._rooms = {}

    async def join(self, room_ref, peer):
        self._rooms[room_ref] = peer
"""
"""A finding that is fairly sure."""


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """
    Be in a project.
    """
    (tmp_path / "app").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def look(*paths: str | Path, **settings: Any) -> Report:
    """
    Audit what is at *paths*.
    """
    values: dict[str, Any] = {"jobs": 1, "cache": False, **settings}
    return audit(paths or ("app",), settings=Settings(**values))


def chat(old: str = "", new: str = "") -> None:
    """
    Write `CHAT`, with the first *old* replaced.
    """
    assert old in CHAT
    Path("app/chat.py").write_text(CHAT.replace(old, new, 1))


def names(report: Report) -> list[str]:
    """
    Return what is found, by its code and container.
    """
    return [f"{each.code} {each.container}" for each in report.findings]


def reasons(report: Report) -> dict[str, str]:
    """
    Return why each container is accepted.
    """
    return {each.finding.container: each.reason for each in report.accepted}


def verdicts(report: Report) -> dict[str, Verdict]:
    """
    Return the verdict of each container.
    """
    return {each.name: each.verdict for each in report.containers}


class TestFindings:
    def test_one_for_a_container(self, root: Path) -> None:
        """
        A container that two rules see has one finding.
        """
        alone = found(_spawning.findings, root / "app", SERVERS)
        assert alone == ["SS005 Servers.running"]
        assert names(look()) == ["SS001 Servers.running"]

    def test_sorted(self) -> None:
        """
        Findings are sorted by file and line, whichever rule they are of.
        """
        Path("app/b.py").write_text(CHAT)
        Path("app/a.py").write_text(
            f"{DOUBTED.replace('maxsize=100', 'maxsize=None')}\nlast = {{}}\n\n\n"
            "async def put(session_id, agent):\n    last[session_id] = agent\n"
        )
        Path("app/c.py").write_text(SERVERS.replace("self.running[session_id]", "self.one"))
        assert [(each.path, each.line, each.code) for each in look().findings] == [
            ("app/a.py", 4, "SS003"),
            ("app/a.py", 12, "SS001"),
            ("app/b.py", 7, "SS001"),
            ("app/b.py", 8, "SS002b"),
            ("app/c.py", 9, "SS005"),
        ]

    def test_counts(self) -> None:
        """
        A report tells how many files and lines were read, and which could not be.
        """
        chat()
        Path("app/broken.py").write_text("x = (\n")
        report = look()
        assert (report.files, report.lines) == (2, 14)
        assert [each.path for each in report.problems] == ["app/broken.py"]
        assert report.seconds > 0

    def test_nothing_there(self) -> None:
        """
        A path with nothing at it is an error, and one with no files is an empty report.
        """
        with pytest.raises(FileNotFoundError, match="nowhere"):
            look("nowhere")
        assert look() == Report(())

    def test_progress(self) -> None:
        """
        Progress comes to its end once, and never goes back.
        """
        for number in range(3):
            Path(f"app/{number}.py").write_text(CHAT)
        told: list[tuple[int, int]] = []
        audit(
            ["app"],
            settings=Settings(jobs=1, cache=False),
            progress=lambda done, total: told.append((done, total)),
        )
        assert told == sorted(set(told))
        assert told[-1] == (3, 3)


class TestComments:
    @pytest.mark.parametrize(
        "line",
        ["    agents[session_id] = agent", "agents = {}", "    agents[session_id] = agent\n    w"],
    )
    def test_noqa(self, line: str) -> None:
        """
        A noqa accepts a finding at its write and at the definition, and of no other container.
        """
        first, newline, rest = line.partition("\n")
        chat(line, f"{first}  # noqa: SS001{newline}{rest}")
        report = look()
        assert names(report) == ["SS002b waiting"]
        assert reasons(report) == {"agents": "noqa"}

    def test_another_write(self) -> None:
        """
        A noqa accepts a finding at any of the writes.
        """
        Path("app/chat.py").write_text(f"{CHAT.rstrip()}  # noqa\n")
        report = look()
        assert report.accepted[0].finding.line == 7
        assert reasons(report) == {"agents": "noqa"}

    def test_another_file(self) -> None:
        """
        A comment at the definition accepts what another file writes.
        """
        Path("app/__init__.py").touch()
        Path("app/store.py").write_text("agents = {}  # sessionstate: bounded-by the fleet\n")
        chat("agents = {}", "from app.store import agents")
        assert reasons(look()) == {"agents": "the fleet"}

    @pytest.mark.parametrize("comment", ["# noqa: SS002", "# noqa: E501", "# agents are few"])
    def test_other_comments(self, comment: str) -> None:
        """
        A noqa of another rule accepts nothing, nor does a comment that is merely one.
        """
        chat("agents = {}", f"agents = {{}}  {comment}")
        assert names(look()) == ["SS001 agents", "SS002b waiting"]

    def test_bounded_by(self) -> None:
        """
        What follows bounded-by is the reason, of the container too.
        """
        chat("agents = {}", "# sessionstate: bounded-by the number of agents\nagents = {}")
        report = look()
        assert reasons(report) == {"agents": "the number of agents"}
        assert [
            (each.verdict, each.reason, each.code)
            for each in report.containers
            if each.name == "agents"
        ] == [(Verdict.ACCEPTED, "the number of agents", "SS001")]

    def test_complaint(self) -> None:
        """
        A comment that accepts nothing though it was meant to is a problem, told once.
        """
        chat("agents = {}", "agents = {}  # sessionstate: bounded-by")
        report = look()
        assert names(report) == ["SS001 agents", "SS002b waiting"]
        (one,) = report.problems
        assert one == Problem("app/chat.py", one.message, 1)
        assert one.message.startswith("bounded-by needs a reason")

    def test_file_vanishes(self) -> None:
        """
        A file that is gone before its comments are read has none.
        """
        chat("agents = {}", "agents = {}  # noqa")
        report = audit(
            ["app"],
            settings=Settings(jobs=1, cache=False),
            progress=lambda *_: Path("app/chat.py").unlink(),
        )
        assert names(report) == ["SS001 agents", "SS002b waiting"]
        assert report.problems == ()


class TestSettings:
    def test_select_and_ignore(self) -> None:
        """
        Only what is selected and not ignored is found; the rest is neither hidden nor accepted.
        """
        chat()
        assert names(look(select=("SS001",))) == ["SS001 agents"]
        report = look(ignore=("SS001",))
        assert names(report) == ["SS002b waiting"]
        assert (report.hidden, report.accepted) == (0, ())
        assert look(select=("SS002",), ignore=("SS002b",)).findings == ()

    def test_per_path_ignores(self) -> None:
        """
        Rules are ignored in the files that a pattern matches, and in no other.
        """
        chat()
        Path("app/more.py").write_text(CHAT)
        report = look(per_path_ignores={"app/chat.py": ("SS001", "SS002")})
        assert {each.path for each in report.findings} == {"app/more.py"}

    def test_outside_of_the_root(self, root: Path) -> None:
        """
        A file outside of the root is matched by its path as it is shown.
        """
        chat()
        (root / "other").mkdir()
        given: dict[str, Any] = {"root": root / "other"}
        assert names(look(**given)) == ["SS001 agents", "SS002b waiting"]
        ignored = {"chat.py": ("SS001",), "other/chat.py": ("SS002",)}
        assert names(look(**given, per_path_ignores=ignored)) == ["SS002b waiting"]

    def test_confidence(self) -> None:
        """
        What is less sure than was asked for is counted, and not shown.
        """
        chat()
        Path("app/names.py").write_text(DOUBTED)
        report = look()
        assert (len(report.findings), report.hidden) == (2, 1)
        report = look(confidence=Confidence.LOW)
        assert names(report)[-1] == "SS003 name_of"
        assert report.hidden == 0

    def test_baseline(self, root: Path) -> None:
        """
        What the baseline has is accepted, after the comments, and what is new is shown.
        """
        chat()
        write("baseline.json", look(select=("SS001",)).findings, root=root)
        report = look(baseline=Path("baseline.json"))
        assert names(report) == ["SS002b waiting"]
        assert reasons(report) == {"agents": "baseline"}
        chat("agents = {}", "agents = {}  # noqa")
        assert reasons(look(baseline=Path("baseline.json"))) == {"agents": "noqa"}

    def test_no_baseline(self) -> None:
        """
        A baseline that is not there is an error.
        """
        with pytest.raises(SettingsError, match="there is no baseline"):
            look(baseline=Path("baseline.json"))

    def test_nearest_pyproject(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Settings are by default those nearest to the first path; without paths, to where one is.
        """
        chat()
        table = "[tool.sessionstate.audit]\ncache = false\njobs = 1\n"
        Path("pyproject.toml").write_text(f'{table}ignore = ["SS001"]\n')
        elsewhere = root / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "pyproject.toml").write_text(f'{table}baseline = "none.json"\n')
        monkeypatch.chdir(elsewhere)
        assert names(audit([root / "app", elsewhere])) == ["SS002b waiting"]
        with pytest.raises(SettingsError, match="there is no baseline"):
            audit([])


class TestInventory:
    def test_verdicts(self, root: Path) -> None:
        """
        A container is a leak where its finding is shown, and a suspect where it is hidden.
        """
        chat("waiting = {}", "waiting = {}  # noqa")
        assert verdicts(look()) == {
            "agents": Verdict.LEAK,
            "waiting": Verdict.ACCEPTED,
            "REGIONS": Verdict.CLEAN,
        }
        Path("app/chat.py").write_text(HUB)
        assert verdicts(look()) == {"Hub._rooms": Verdict.LEAK}
        report = look(confidence=Confidence.HIGH)
        assert verdicts(report) == {"Hub._rooms": Verdict.SUSPECT}
        assert (report.findings, report.hidden) == ((), 1)
        write("baseline.json", look().findings, root=root)
        accepted = look(baseline=Path("baseline.json"))
        assert verdicts(accepted) == {"Hub._rooms": Verdict.ACCEPTED}

    def test_reasons(self) -> None:
        """
        A container with a finding says which, and one without why it is clean.
        """
        chat()
        report = look(select=("SS001",))
        (one,) = report.findings
        told = {each.name: (each.code, each.reason) for each in report.containers}
        assert told["agents"] == ("SS001", one.message)
        assert told["REGIONS"] == ("", "nothing is put in")


def report_of(folder: Path, **sources: str) -> Report:
    """
    Audit modules of these names in *folder*.
    """
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
    return audit([folder], settings=Settings(root=folder, cache=False, jobs=1))


FAILS = """\
agents = {}


async def chat(session_id, agent):
    agents[session_id] = agent
    try:
        await agent.run()
    except Exception:
        agents.pop(session_id)
        raise
"""


class TestAcrossFiles:
    def test_filled_in_another_file(self, tmp_path: Path) -> None:
        """
        A container is a leak in the inventory of its own file, wherever it is filled.
        """
        chat = "from store import agents\n\n\nasync def chat(session_id, agent):\n"
        chat += "    agents[session_id] = agent\n"
        report = report_of(tmp_path, store="agents = {}\n", chat=chat)
        assert [each.verdict for each in report.containers] == [Verdict.LEAK]
        assert len(report.findings) == 1

    def test_what_fails_is_removed(self, tmp_path: Path) -> None:
        """
        A removal that only undoes a failure is told as one.
        """
        (finding,) = report_of(tmp_path, chat=FAILS).findings
        assert finding.message == "agents grows with each key, and only what fails is removed"
