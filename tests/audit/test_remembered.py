"""
What an audit remembers of the last ones: the same report, and nothing that is no longer so.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from sessionstate.audit import _deciding, _remembered
from sessionstate.audit._audit import audit
from sessionstate.audit._cache import JUDGED, NAME
from sessionstate.audit._findings import Confidence, Report, Verdict
from sessionstate.audit._project import Module
from sessionstate.audit._remembered import Judged, code
from sessionstate.audit._settings import Settings
from sessionstate.audit.formats import as_json, as_sarif, as_text, inventory_as_text

CHAT = """\
agents = {}
waiting = {}
REGIONS = {}


async def chat(session_id, agent):
    agents[session_id] = agent
    waiting[session_id] = agent
    await agent.run()
    del waiting[session_id]


class Hub:
    def __init__(self):
        self._rooms = {}

    async def join(self, room_ref, peer):
        self._rooms[room_ref] = peer
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """
    Be in a project.
    """
    (tmp_path / "app").mkdir()
    (tmp_path / "app/chat.py").write_text(CHAT)
    (tmp_path / "app/empty.py").write_text("x = 1\n")
    (tmp_path / "app/broken.py").write_text("x = (\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def judged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """
    Note of how many modules each judging was.
    """
    noted: list[int] = []
    real = _deciding.decided

    def decided(modules: Sequence[Module], settings: Settings) -> Judged:
        noted.append(len(modules))
        return real(modules, settings)

    monkeypatch.setattr(_deciding, "decided", decided)
    yield noted
    code.cache_clear()


def look(*paths: str, **settings: Any) -> Report:
    """
    Audit what is at *paths*.
    """
    values: dict[str, Any] = {"jobs": 1, **settings}
    return audit(paths or ("app",), settings=Settings(**values))


def kept() -> list[tuple[bytes, bytes]]:
    """
    Return what is remembered, the oldest first.
    """
    base = sqlite3.connect(Path(".sessionstate_cache", NAME))
    try:
        return base.execute("SELECT key, data FROM judged ORDER BY rowid").fetchall()
    finally:
        base.close()


def forge(data: object) -> None:
    """
    Replace all that is remembered.
    """
    base = sqlite3.connect(Path(".sessionstate_cache", NAME))
    with base:
        base.execute("UPDATE judged SET data = ?", (data,))
    base.close()


def packed(value: object) -> bytes:
    """
    Return *value* as it would be remembered.
    """
    return zlib.compress(json.dumps(value).encode())


class TestSame:
    @pytest.mark.parametrize("jobs", [1, 2, None])
    def test_report(self, judged: list[int], jobs: int | None) -> None:
        """
        What is remembered makes the same report, to the last place, and nothing is judged again.
        """
        never = look(cache=False)
        cold = look(jobs=jobs)
        warm = look(jobs=jobs)
        assert judged == [2, 2]
        assert warm == cold == never
        assert warm.findings
        assert warm.findings[0].writes[0].text == "agents[session_id] = agent"
        assert [each.path for each in warm.problems] == ["app/broken.py"]
        assert (warm.files, warm.lines) == (3, 19)

    def test_facts_are_left_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Nor are facts made of what the cache has.
        """
        cold = look()
        monkeypatch.setattr("sessionstate.audit._reading.unpacked", None)
        assert look() == cold

    def test_progress(self) -> None:
        """
        Progress comes to its end all the same, once.
        """
        look()
        told: list[tuple[int, int]] = []
        audit(
            ["app"],
            settings=Settings(jobs=1),
            progress=lambda done, total: told.append((done, total)),
        )
        assert told[-1] == (3, 3)
        assert told.count((3, 3)) == 1

    def test_facts_are_in_use(self) -> None:
        """
        What is remembered keeps the facts beside it from being dropped as unused.
        """
        look()
        base = sqlite3.connect(Path(".sessionstate_cache", NAME))
        with base:
            base.execute("UPDATE facts SET day = day - 5")
        look()
        assert base.execute("SELECT max(day) - min(day) FROM facts").fetchone() == (0,)
        look()
        base.close()


class TestChanges:
    """
    What makes the audit judge again.
    """

    @pytest.fixture(autouse=True)
    def before(self, judged: list[int]) -> Report:
        """
        Audit once, and count from there.
        """
        report = look()
        judged.clear()
        return report

    def test_content(self, judged: list[int]) -> None:
        """
        A file that has changed, though it be a line further down.
        """
        Path("app/chat.py").write_text(f"\n{CHAT}")
        report = look()
        assert judged == [2]
        assert report.findings[0].line == 8
        assert report.findings[0].writes[0].text == "agents[session_id] = agent"

    def test_comment(self, judged: list[int], before: Report) -> None:
        """
        A comment, which accepts what it is beside.
        """
        Path("app/chat.py").write_text(CHAT.replace("agents = {}", "agents = {}  # noqa"))
        report = look()
        assert judged == [2]
        assert len(report.findings) == len(before.findings) - 1
        assert [each.finding.container for each in report.accepted] == ["agents"]

    def test_moved(self, judged: list[int]) -> None:
        """
        A file that was moved.
        """
        Path("app/chat.py").rename("app/talk.py")
        assert {each.path for each in look().findings} == {"app/talk.py"}
        assert judged == [2]

    def test_new_and_gone(self, judged: list[int], before: Report) -> None:
        """
        One more file; without it all is as before.
        """
        Path("app/more.py").write_text("from app.chat import agents\nagents.clear()\n")
        look()
        assert judged == [3]
        Path("app/more.py").unlink()
        assert look() == before
        assert judged == [3]

    def test_given(self, judged: list[int]) -> None:
        """
        The same file, asked for by its name.
        """
        look("app", "app/chat.py")
        assert judged == [2]

    def test_mended(self, judged: list[int]) -> None:
        """
        A file that could not be read, and can be now.
        """
        Path("app/broken.py").write_text("x = 3\n")
        assert not look().problems
        assert judged == [3]

    @pytest.mark.parametrize(
        ("setting", "value"),
        [
            ("session_keys", ("room_ref",)),
            ("bounded_keys", ("session_id",)),
            ("listener_pairs", {"join": "leave"}),
            ("include_tests", True),
        ],
    )
    def test_settings(self, judged: list[int], before: Report, setting: str, value: object) -> None:
        """
        A setting that judging depends on.
        """
        report = look(**{setting: value})
        assert judged == [2]
        assert look(**{setting: value}) == report
        assert look() == before
        assert judged == [2]

    @pytest.mark.parametrize(
        ("name", "value"), [("sys.version", "3.99"), ("sessionstate.__version__", "9.9")]
    )
    def test_versions(
        self, judged: list[int], monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        """
        Another interpreter or release.
        """
        code.cache_clear()
        monkeypatch.setattr(f"sessionstate.audit._remembered.{name}", value)
        look()
        assert judged == [2]

    def test_code(self, judged: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A change in any module of the audit.
        """
        real = Path(_remembered.__file__)
        copy = tmp_path / "copy"
        copy.mkdir()
        for each in real.parent.glob("*.py"):
            (copy / each.name).write_bytes(each.read_bytes())
        monkeypatch.setattr(_remembered, "__file__", str(copy / real.name))
        code.cache_clear()
        look()
        assert judged == []
        with (copy / "_vocabulary.py").open("a") as file:
            file.write("# changed\n")
        code.cache_clear()
        look()
        assert judged == [2]


class TestSieve:
    """
    What is sieved is sieved after what is remembered.
    """

    @pytest.mark.parametrize(
        "settings",
        [
            {"select": ("SS001",)},
            {"select": ("SS002b",)},
            {"ignore": ("SS001",)},
            {"confidence": Confidence.HIGH},
            {"confidence": Confidence.LOW},
            {"per_path_ignores": {"app": ("SS001",)}},
            {"exclude": ("nothing",)},
            {"force_exclude": True},
        ],
    )
    def test_settings(self, judged: list[int], settings: dict[str, Any]) -> None:
        """
        Settings that merely sieve are applied to what is remembered.
        """
        look()
        judged.clear()
        report = look(**settings)
        assert judged == []
        assert report == look(cache=False, **settings)

    def test_baseline(self, project: Path, judged: list[int]) -> None:
        """
        So is a baseline.
        """
        found = look().findings
        entry = {"path": "app/chat.py", "rule": "SS001", "container": "agents", "count": 1}
        file = project / "baseline.json"
        file.write_text(json.dumps({"version": 1, "accepted": [entry]}))
        report = look(baseline=file)
        assert judged == [2]
        assert len(report.findings) == len(found) - 1
        assert [each.reason for each in report.accepted] == ["baseline"]
        assert [each.name for each in report.containers if each.verdict is Verdict.ACCEPTED] == [
            "agents"
        ]

    def test_judging_sees_nothing_else(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Of the settings judging is given those alone that it is remembered under.
        """
        given: list[Settings] = []

        def decided(_: object, settings: Settings) -> Judged:
            given.append(settings)
            return Judged((), (), 0)

        monkeypatch.setattr(_deciding, "decided", decided)
        look(session_keys=("ref",), select=("SS001",), confidence="low", cache=False)
        assert given == [Settings(session_keys=("ref",))]


EMPTY: Final[list[object]] = [(), (), 0]
WRONG: Final[dict[str, object]] = {
    "": [],
    "0": {},
    "1": "text",
    "2": -1,
    "0 0": [],
    "0 0 0": "SS009",
    "0 0 1": "SS999",
    "0 0 2": "/etc/passwd",
    "0 0 3": True,
    "0 0 4": 1.5,
    "0 0 5": None,
    "0 0 6": [],
    "0 0 7": "certain",
    "0 0 8": 7,
    "0 0 9": [[1, "end"]],
    "0 0 12": [],
    "0 0 13": ["text"],
    "0 0 10 0 0": ["app/chat.py"],
    "0 0 10 0 1": 10**30,
    "0 0 10 0 3": {},
    "1 0": "12345678",
    "1 0 2 0": "../secret.py",
    "1 0 3": "fine",
    "1 0 5": "1",
}
"""Changes to what is remembered: what is there instead, by the indices that lead to it."""


class TestDeciding:
    def test_one_finding_a_container(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        What several rules find is told once, by the first of them.
        """
        found = look(cache=False).findings[0]
        assert found.container == "agents"
        again = [replace(found, code="SS006", rule="SS006"), replace(found, container="others")]

        class Rule:
            findings = staticmethod(lambda *_: again)

        monkeypatch.setattr(_deciding, "LOCAL_RULES", (Rule, Rule))
        names = [each.container for each in look(cache=False, confidence="low").findings]
        assert sorted(names) == sorted({*names, "others"})

    def test_mended_at_once(self) -> None:
        """
        A file that is written and audited again in the same process is quoted as it is now.
        """
        look()
        Path("app/chat.py").write_text(CHAT.replace(" = agent\n", " = [agent]\n"))
        assert look().findings[0].writes[0].text == "agents[session_id] = [agent]"


class TestHarm:
    @pytest.mark.parametrize(
        "data",
        [
            None,
            7,
            "text",
            b"",
            b"garbage",
            zlib.compress(b"[1,2"),
            zlib.compress(b"\xff"),
            zlib.compress(b"[" * 100_000),
            zlib.compress(b"9" * 10_000),
            packed(EMPTY)[:-3],
            packed(EMPTY[:2]),
            packed({"findings": []}),
            packed("abc"),
        ],
    )
    def test_garbage(self, judged: list[int], data: object) -> None:
        """
        What is no memory is ignored, and replaced.
        """
        before = look()
        forge(data)
        assert look() == before
        assert look() == before
        assert judged == [2, 2]

    @pytest.mark.parametrize(("where", "value"), WRONG.items())
    def test_wrong(self, judged: list[int], where: str, value: object) -> None:
        """
        Neither is one believed of which a single value is wrong, or leads to another file.
        """
        before = look()
        told = [json.loads(zlib.decompress(kept()[0][1]))]
        path = [0, *map(int, where.split())]
        inner: Any = told
        for index in path[:-1]:
            inner = inner[index]
        inner[path[-1]] = value
        forge(packed(told[0]))
        assert look() == before
        assert judged == [2, 2]

    def test_too_large(self, judged: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Nor is one that takes too much memory.
        """
        look()
        monkeypatch.setattr(_remembered, "LARGEST", 100)
        look()
        assert judged == [2, 2]

    def test_made_up(self, judged: list[int]) -> None:
        """
        What is made up, but of the right form, is at worst a wrong text, in every format.
        """
        look()
        told = json.loads(zlib.decompress(kept()[0][1]))
        told[0][0][3:6] = [0, 2**31 - 1, "\x1b[31m\ud800"]
        told[0][0][9] = [[0, "nonsense", "\u202e"]]
        told[0][0][10] = told[0][0][11] = [["app/chat.py", 2**31 - 1, 0, "\ud800"]]
        told[0][0][12] = None
        told[1][0] = ["\ud800", "", ["app/chat.py", 0, 0, ""], "leak", "", 0, 0, "nonsense"]
        forge(packed(told))
        report = look(confidence="low")
        assert judged == [2]
        for form in (as_json, as_text, as_sarif):
            assert form(report)
        assert inventory_as_text(report)

    def test_letters(self) -> None:
        """
        What is not ASCII is remembered as well.
        """
        Path("app/chat.py").write_text(CHAT.replace("agents", "agénts"))
        before = look()
        assert before.findings[0].container == "agénts"
        assert look() == before


class TestRoom:
    def test_few(self, judged: list[int]) -> None:
        """
        Only the last ones are kept.
        """
        for number in range(JUDGED + 3):
            Path("app/empty.py").write_text(f"x = {number}\n")
            look()
        assert len(kept()) == JUDGED
        judged.clear()
        look()
        Path("app/empty.py").write_text("x = 0\n")
        look()
        assert judged == [2]
        assert len(kept()) == JUDGED

    def test_off(self, judged: list[int]) -> None:
        """
        Without a cache nothing is remembered, and nothing believed that was.
        """
        look(cache=False)
        assert not Path(".sessionstate_cache").exists()
        look()
        forge(packed(EMPTY))
        before = kept()
        assert look(cache=False).findings
        assert judged == [2, 2, 2]
        assert kept() == before

    def test_changed_meanwhile(self, judged: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
        """
        What was judged is remembered of the contents that were judged, not of those seen at first.
        """
        look()
        base = sqlite3.connect(Path(".sessionstate_cache", NAME))
        with base:
            base.execute("UPDATE facts SET data = NULL")
            base.execute("DELETE FROM judged")
        base.close()
        real = _remembered.recall

        def recall(*arguments: Any) -> Judged | None:
            Path("app/chat.py").write_text("x = 2\n")
            return real(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(_remembered, "recall", recall)
            assert not look().containers
        judged.clear()
        assert not look().containers
        assert judged == []
        Path("app/chat.py").write_text(CHAT)
        assert look().containers
        assert judged == [2]
