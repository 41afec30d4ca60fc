"""
What an audit remembers of the last ones: the same report, and nothing that is no longer so.
"""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sessionstate.audit import _deciding, _remembered
from sessionstate.audit._audit import audit
from sessionstate.audit._cache import DAY, JUDGED, NAME
from sessionstate.audit._findings import Confidence, Report, Verdict
from sessionstate.audit._remembered import Judged, code
from sessionstate.audit._settings import Settings
from tests.audit.remembering import CHAT, EMPTY, forge, judged, kept, look, packed, project

__all__ = ["judged", "project"]
pytestmark = pytest.mark.usefixtures("project", "judged")


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
        days = {day for (day,) in base.execute("SELECT day FROM facts")}
        base.close()
        assert days == {int(time.time() // DAY)}


class TestChanges:
    """
    What makes the audit judge again.
    """

    @pytest.fixture(autouse=True)
    def before(self, project: Path, judged: list[int]) -> Report:
        """
        Audit once, and count from there.
        """
        report = look(str(project / "app"))
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
