"""
The baseline: what was found before is accepted, wherever in its file it stands by now.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sessionstate.audit._baseline import Entry, load, write
from sessionstate.audit._settings import SettingsError
from tests.audit.reports import FINDING, NEVER


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """
    Work in a folder of its own.
    """
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestSplit:
    def test_what_was_written_is_accepted(self, root: Path) -> None:
        """
        Right after it was written, everything is accepted, and nothing is stale.
        """
        write("b.json", [FINDING, NEVER], root=root)
        baseline = load("b.json", root=root)
        new, accepted = baseline.split([FINDING, NEVER])
        assert new == []
        assert [(each.finding, each.reason) for each in accepted] == [
            (FINDING, "baseline"),
            (NEVER, "baseline"),
        ]
        assert baseline.stale([FINDING, NEVER]) == []

    def test_lines_do_not_matter(self, root: Path) -> None:
        """
        Edits above a finding, or another sub-code of its rule, do not make it new.
        """
        write("b.json", [FINDING], root=root)
        moved = replace(FINDING, line=99, column=1, code="SS002c")
        assert load("b.json", root=root).split([moved])[0] == []

    @pytest.mark.parametrize("change", [{"rule": "SS001"}, {"path": "b.py"}, {"container": "c"}])
    def test_another_is_new(self, root: Path, change: dict[str, str]) -> None:
        """
        Another rule, file or container is a new finding, and the old entry is stale.
        """
        write("b.json", [FINDING], root=root)
        other = replace(FINDING, **change)  # type: ignore[arg-type]
        baseline = load("b.json", root=root)
        assert baseline.split([other]) == ([other], [])
        assert baseline.stale([other]) == [Entry("app/agents.py", "SS002", "agents", 1)]

    def test_they_are_counted(self, root: Path) -> None:
        """
        Where two were accepted the third is new; where one is left, one entry is stale.
        """
        write("b.json", [FINDING, FINDING], root=root)
        baseline = load("b.json", root=root)
        third = replace(FINDING, line=50)
        assert baseline.split([FINDING, FINDING, third])[0] == [third]
        assert [entry.count for entry in baseline.stale([FINDING])] == [1]

    def test_paths_begin_at_the_root(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        From whichever directory the audit is run, the file is the same.
        """
        write("b.json", [FINDING], root=root)
        (root / "app").mkdir()
        monkeypatch.chdir(root / "app")
        here = replace(FINDING, path="agents.py")
        assert load("../b.json", root=root).split([here])[0] == []

    def test_another_drive(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        What no path from the root leads to is known by its whole path.
        """

        def refuse(*_: object) -> str:
            raise ValueError("path is on mount 'D:'")

        monkeypatch.setattr("os.path.relpath", refuse)
        write("b.json", [FINDING], root=root)
        entry = json.loads(Path("b.json").read_text())["accepted"][0]
        assert entry["path"].endswith("/app/agents.py")
        assert len(entry["path"]) > len("/app/agents.py")


class TestFile:
    def test_it_can_be_reviewed(self, root: Path) -> None:
        """
        The file is sorted, has one entry a line, and is the same for the same findings.
        """
        write("b.json", [NEVER, FINDING, NEVER], root=root)
        assert Path("b.json").read_text() == (
            '{\n  "version": 1,\n  "accepted": [\n'
            '    {"path": "app/agents.py", "rule": "SS002", "container": "agents", "count": 1},\n'
            '    {"path": "app/sockets.py", "rule": "SS001", "container": "Manager._sockets", '
            '"count": 2}\n  ]\n}\n'
        )

    def test_an_empty_one(self, root: Path) -> None:
        """
        Where there is nothing to accept, the file says so.
        """
        write("b.json", [], root=root)
        assert load("b.json", root=root).split([FINDING]) == ([FINDING], [])

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("{", "is not JSON: "),
            ("\xff", "is not JSON: "),
            ("[]", "it is not of the form that is written"),
            ("{}", "it is not of the form that is written ('version')"),
            ('{"version": 2}', "its version is 2, not 1"),
            ('{"version": 1, "accepted": 3}', "it is not of the form"),
            ('{"version": 1, "accepted": [3]}', "it is not of the form"),
            ('{"version": 1, "accepted": [{}]}', "it is not of the form that is written ('path')"),
            (
                '{"version": 1, "accepted": [{"path": 1, "rule": "SS001", "container": ""}]}',
                "names no rule, file or container",
            ),
            (
                '{"version": 1, "accepted": [{"path": "", "rule": "E501", "container": ""}]}',
                "names no rule, file or container",
            ),
            (
                '{"version":1,"accepted":[{"path":"a","rule":"SS001","container":"b","count":0}]}',
                "counts nothing",
            ),
        ],
    )
    def test_a_broken_one_is_refused(self, root: Path, text: str, message: str) -> None:
        """
        A file that is no baseline is told, with what to do.
        """
        Path("b.json").write_text(text, encoding="latin-1")
        with pytest.raises(SettingsError) as caught:
            load("b.json", root=root)
        assert str(caught.value).startswith("the baseline 'b.json' is ")
        assert message in str(caught.value)
        assert "write it anew with 'sessionstate audit --write-baseline FILE'" in str(caught.value)

    def test_a_missing_one(self, root: Path) -> None:
        """
        A file that is not there is told, with how to write it.
        """
        with pytest.raises(SettingsError, match="write it with 'sessionstate audit --write-base"):
            load("b.json", root=root)

    def test_a_folder(self, root: Path) -> None:
        """
        What cannot be read is told with why.
        """
        with pytest.raises(SettingsError, match=r"the baseline '.*' cannot be read: "):
            load(root, root=root)
