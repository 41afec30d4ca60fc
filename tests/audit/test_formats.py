"""
What a report looks like to a person.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sessionstate.audit._findings import (
    Confidence,
    Exit,
    Place,
    Report,
    Severity,
)
from sessionstate.audit.formats import (
    as_text,
    clean,
    source_lines,
    statistics_as_json,
    statistics_as_text,
    summary,
    text_lines,
)
from tests.audit.reports import FINDING, NASTY, NEVER, REPORT, SOURCE, line_at


def text_of(*findings: Any, **options: Any) -> str:
    """
    Return findings as text, without the last line.
    """
    text = as_text(Report(findings, files=1), **({"line_at": line_at} | options))
    return text.rsplit("\n\n", 1)[0]


class TestText:
    def test_a_finding_tells_its_story(self) -> None:
        """
        Written here, removed here, but not if the function is left there: with the lines.
        """
        assert text_of(FINDING) == (
            "app/agents.py:5:5: SS002b [medium] agents: "
            "an entry stays if converse is left before line 9\n"
            "  |\n"
            "5 |     agents[session_id] = Agent(prompt)  # one for each chat\n"
            "  |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ written here\n"
            "...\n"
            "9 |     agents.pop(session_id, None)\n"
            "  |     ---------------------------- removed here, but\n"
            "...\n"
            "6 |     await agents[session_id].run(prompt)\n"
            "  |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ leaks if cancelled at line 6\n"
            "...\n"
            "8 |         return\n"
            "  |         ^^^^^^ leaks if it returns at line 8\n"
            "  |\n"
            "  = help: remove it in a finally, as the first step"
        )

    def test_a_file_that_is_gone_has_the_lines_of_the_report(self) -> None:
        """
        Where a file cannot be read, what the audit saw is shown.
        """
        assert text_of(NEVER, line_at=lambda *_: "").splitlines()[2:4] == [
            "104 | self._sockets[client_id] = socket",
            "    | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ written here, and at line 140",
        ]

    def test_a_file_that_has_changed_has_them_too(self) -> None:
        """
        A line that is another by now is not shown for what the audit saw.
        """
        text = text_of(FINDING, line_at=lambda *_: "something else")
        assert "5 | agents[session_id] = Agent(prompt)" in text

    def test_without_any_line(self) -> None:
        """
        What is in no file that can be read is still told.
        """
        bare = replace(FINDING, writes=(), removals=(), advice="")
        assert text_of(bare, line_at=lambda *_: "").splitlines()[1:] == [
            "  |",
            "5 |",
            "  | ^ here",
            "6 |",
            "  | ^ leaks if cancelled at line 6",
            "...",
            "8 |",
            "  | ^ leaks if it returns at line 8",
        ]

    def test_the_same_line_is_shown_once(self) -> None:
        """
        A line that is removed at and left at has two marks.
        """
        both = replace(FINDING, exits=(Exit(9, "exception", "leaks if pop raises"),))
        text = text_of(both)
        assert text.count("agents.pop") == 1
        assert "removed here, but\n  |     ^^^^" in text

    def test_other_files_are_named(self) -> None:
        """
        A removal in another file says in which.
        """
        there = replace(
            FINDING,
            removals=(Place("app/ends.py", 77, 1, "agents.clear()"),),
            writes=(*FINDING.writes, Place("app/more.py", 3, 1)),
            exits=(),
        )
        text = text_of(there)
        assert "written here, and at line app/more.py:3" in text
        assert "  ::: app/ends.py:77\n77 | agents.clear()\n   | -------------- removed here" in text

    def test_many_are_counted(self) -> None:
        """
        After the third removal or way out the rest is a number.
        """
        many = replace(
            FINDING,
            writes=(*FINDING.writes, *(Place("app/agents.py", n, 1) for n in range(20, 25))),
            removals=tuple(Place("app/agents.py", n, 1) for n in range(30, 34)),
            exits=tuple(Exit(n, "raise", "leaks") for n in range(40, 46)),
        )
        text = text_of(many)
        assert "written here, and at lines 20, 21, 22 and 2 more" in text
        assert "   | and 1 more removal\n   | and 3 more exits\n" in text

    def test_long_lines_are_cut(self) -> None:
        """
        No line of source is longer than the width, and the place to look at is in it.
        """
        line = f"{' ' * 4}{'x = 1; ' * 2000}agents[key] = 1; {'y = 2; ' * 100}"
        far = replace(FINDING, column=line.index("agents") + 1, writes=(), removals=(), exits=())
        shown, mark = text_of(far, line_at=lambda *_: line, width=60).splitlines()[2:4]
        assert len(shown) == 60
        assert len(mark) <= 60
        assert shown[mark.index("^") :].startswith("agents[key] = 1; y")
        assert shown.count("\N{HORIZONTAL ELLIPSIS}") == 2

    def test_wide_characters_and_tabs(self) -> None:
        """
        The mark stands below what it means, whatever is before it on the line.
        """
        line = "\tx['\N{HIRAGANA LETTER A}e\N{COMBINING ACUTE ACCENT}'] = agents[key]"
        at = replace(FINDING, column=line.index("agents") + 1, writes=(), removals=(), exits=())
        shown, mark = text_of(at, line_at=lambda *_: line).splitlines()[2:4]
        before = shown[: shown.index("agents")]
        assert before.startswith("5 |     x")
        # One character takes two columns, and another none.
        assert mark.index("^") == len(before) + 1 - 1
        assert mark.count("^") == len("agents[key]")

    def test_a_wide_line_is_cut(self) -> None:
        """
        Columns are counted, not characters.
        """
        wide = "\N{HIRAGANA LETTER A}" * 200
        at = replace(FINDING, column=1, writes=(), removals=(), exits=())
        shown = text_of(at, line_at=lambda *_: wide, width=40).splitlines()[2]
        assert shown == f"5 | {wide[:17]}\N{HORIZONTAL ELLIPSIS}"

    def test_nothing_reaches_the_terminal(self) -> None:
        """
        What a terminal would obey is written out, wherever it comes from.
        """
        nasty = replace(
            FINDING,
            path=NASTY,
            container=NASTY,
            message=NASTY,
            advice=NASTY,
            exits=(Exit(1, "raise", NASTY),),
            writes=(Place(NASTY, 5, 5, NASTY),),
        )
        text = text_of(nasty, line_at=lambda *_: NASTY)
        assert not {"\x1b", "\r", "\t", "\u202e", "\ud800"} & set(text)
        assert r"\x1b[31m\r\n    \u202e|`<b>@all\ud800" in text

    def test_what_is_accepted_can_be_listed(self) -> None:
        """
        Accepted findings are listed on demand, each with its reason.
        """
        line = (
            "app/sockets.py:104:9: SS001 [high] Manager._sockets accepted: the number of clients\n"
        )
        assert line in as_text(REPORT, line_at=line_at, accepted=True)
        assert line not in as_text(REPORT, line_at=line_at)

    @pytest.mark.parametrize(
        ("report", "last"),
        [
            (
                REPORT,
                "Found 2 possible leaks in 120 files (2 hidden below --confidence high; 1 acc",
            ),
            (Report((), files=120), "No leaks found in 120 files."),
            (Report((FINDING,), files=1), "Found 1 possible leak in 1 file."),
            (
                Report((), files=2, hidden=1),
                "No leaks found in 2 files (1 hidden below --confidence high).",
            ),
        ],
    )
    def test_the_last_line_sums_up(self, report: Report, last: str) -> None:
        """
        One sentence says how many there are, in how many files, and what is not shown.
        """
        text = as_text(report, confidence=Confidence.HIGH, line_at=line_at)
        assert text.splitlines()[-1].startswith(last)
        assert text.endswith(".\n")

    def test_lines_have_styles(self) -> None:
        """
        An error, a warning and a suggestion have colours of their own.
        """
        info = replace(FINDING, severity=Severity.INFO)
        styles = {
            style
            for line in text_lines(Report((FINDING, NEVER, info)), line_at=line_at)
            for text, style in line
            if text.startswith("SS0")
        }
        assert styles == {"bold red", "bold yellow", "bold cyan"}

    def test_statistics(self) -> None:
        """
        Findings can be counted by rule, the most frequent first.
        """
        report = Report((NEVER, FINDING, FINDING), files=3)
        assert statistics_as_text(report) == (
            "2  SS002b  not-in-finally  removed after what may fail or be cancelled\n"
            "1  SS001   never-removed   grows by a session's key, and nothing is ever removed\n\n"
            "Found 3 possible leaks in 3 files.\n"
        )
        assert statistics_as_text(Report(())) == "No leaks found in 0 files.\n"
        first, _ = json.loads(statistics_as_json(report))
        assert (first["code"], first["name"], first["count"]) == ("SS002b", "not-in-finally", 2)


class TestSourceLines:
    def test_lines_are_read_as_they_are_asked_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        A file is read once, when its first line is wanted, in the encoding that it declares.
        """
        file = tmp_path / "latin.py"
        lines = source_lines()
        file.write_bytes(b"# coding: latin-1\nx = '\xe9'\n")
        assert lines(str(file), 2) == "x = '\xe9'"
        file.unlink()
        assert [lines(str(file), n) for n in (0, 1, 99)] == ["", "# coding: latin-1", ""]
        (tmp_path / "app").mkdir()
        (tmp_path / FINDING.path).write_text(SOURCE)
        monkeypatch.chdir(tmp_path)
        assert "    await agents[session_id].run(prompt)\n" in as_text(Report((FINDING,)))

    @pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b"# coding: nonsense\n"])
    def test_they_never_fail(self, tmp_path: Path, content: bytes | None) -> None:
        """
        A file that is gone, or in no encoding there is, has no lines.
        """
        file = tmp_path / "x.py"
        if content is not None:
            file.write_bytes(content)
        assert source_lines()(str(file), 1) == ""
        assert source_lines()("\0", 1) == ""

    def test_clean(self) -> None:
        """
        What can be seen is left as it is.
        """
        assert clean("d\xe9j\xe0 vu \N{GRINNING FACE}") == "d\xe9j\xe0 vu \N{GRINNING FACE}"


def test_summary_is_public() -> None:
    """
    What the last line says can be had alone.
    """
    assert summary(Report((), files=1)) == "No leaks found in 1 file."
