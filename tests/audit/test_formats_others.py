"""
What a report looks like to a program, in a workflow, in a comment, and as an inventory.
"""

from __future__ import annotations

import json
from dataclasses import replace

from sessionstate.audit._findings import (
    Container,
    Place,
    Report,
    Severity,
    Verdict,
)
from sessionstate.audit.formats import (
    as_github,
    as_json,
    as_markdown,
    inventory_as_json,
    inventory_as_text,
    inventory_lines,
)
from tests.audit.reports import CONTAINERS, FINDING, NASTY, NEVER, REPORT


class TestJson:
    def test_findings(self) -> None:
        """
        Each finding is an object with its names, its ways out and its places.
        """
        first, second = json.loads(as_json(REPORT))
        assert first == {
            "rule": "SS002",
            "code": "SS002b",
            "path": "app/agents.py",
            "line": 5,
            "column": 5,
            "container": "agents",
            "severity": "warning",
            "confidence": "medium",
            "message": "an entry stays if converse is left before line 9",
            "exits": [
                {"line": 6, "kind": "cancelled", "message": "leaks if cancelled at line 6"},
                {"line": 8, "kind": "return", "message": "leaks if it returns at line 8"},
            ],
            "writes": [
                {
                    "path": "app/agents.py",
                    "line": 5,
                    "column": 5,
                    "text": "agents[session_id] = Agent(prompt)  # one for each chat",
                }
            ],
            "removals": [
                {
                    "path": "app/agents.py",
                    "line": 9,
                    "column": 5,
                    "text": "agents.pop(session_id, None)",
                }
            ],
            "defined": {
                "path": "app/agents.py",
                "line": 1,
                "column": 1,
                "text": "agents: dict[str, Agent] = {}",
            },
            "advice": "remove it in a finally, as the first step",
        }
        assert second["defined"] is None

    def test_nothing(self) -> None:
        """
        Where nothing was found, the list is empty.
        """
        assert as_json(Report(())) == "[]\n"

    def test_it_is_ascii(self) -> None:
        """
        A name that no encoding has does not break it.
        """
        text = as_json(Report((replace(FINDING, path=NASTY),)))
        assert text.isascii()
        assert json.loads(text)[0]["path"] == NASTY


class TestGithub:
    def test_commands(self) -> None:
        """
        Each finding is one command, by its severity, with its ways out and its advice.
        """
        info = replace(FINDING, severity=Severity.INFO, exits=(), advice="")
        first, second, third = as_github(Report((FINDING, NEVER, info))).splitlines()
        assert first == (
            "::warning title=SS002b not-in-finally [medium],file=app/agents.py,line=5,col=5::"
            "agents: an entry stays if converse is left before line 9%0A"
            "leaks if cancelled at line 6%0Aleaks if it returns at line 8%0A"
            "help: remove it in a finally, as the first step"
        )
        assert second.startswith("::error title=SS001 never-removed")
        assert third.startswith("::notice ")
        assert third.endswith("::agents: an entry stays if converse is left before line 9")

    def test_nothing_breaks_out(self) -> None:
        """
        No name begins a command or a property of its own.
        """
        evil = replace(
            FINDING, path="a,line=1::b\n::set-env::.py", message="100 % \r\n::error::x", exits=()
        )
        (line,) = as_github(Report((evil,))).splitlines()
        assert "file=a%2Cline=1%3A%3Ab%0A%3A%3Aset-env%3A%3A.py,line=5" in line
        assert r"100 %25 \r\n::error::x%0Ahelp" in line


class TestMarkdown:
    def test_a_table(self) -> None:
        """
        Each finding is a row, below a sentence that sums up.
        """
        text = as_markdown(REPORT)
        assert text.startswith("### sessionstate audit\n\nFound 2 possible leaks in 120 files (2 ")
        assert text.splitlines()[-2] == (
            "| `app/agents.py:5` | SS002b (medium) | `agents` an entry stays if converse is left "
            "before line 9<br>leaks if cancelled at line 6<br>leaks if it returns at line 8 "
            "| remove it in a finally, as the first step |"
        )

    def test_nothing(self) -> None:
        """
        Where nothing was found, there is no table.
        """
        assert as_markdown(Report((), files=3)) == (
            "### sessionstate audit\n\nNo leaks found in 3 files.\n"
        )

    def test_nothing_breaks_out(self) -> None:
        """
        Neither a bar, a backtick, a tag nor a name to be called means anything.
        """
        evil = replace(
            FINDING, container="a``b|c`", message="*x* |<img src=a> @all `y` [z](http://q)\n# h"
        )
        row = as_markdown(Report((evil,))).splitlines()[-1]
        assert r"``` a``b\|c` ```" in row
        assert r"\*x\* \|&lt;img src=a&gt; &#64;all \`y\` \[z\](http&#58;//q)\n" not in row
        assert r"\*x\* \|&lt;img src=a&gt; &#64;all \`y\` \[z\](http&#58;//q)\\n\# h" in row

    def test_it_fits_into_a_comment(self) -> None:
        """
        What does not fit is counted.
        """
        long = replace(FINDING, message="x" * 900)
        text = as_markdown(Report((long,) * 300))
        assert len(text) < 65_536
        shown = text.count("| `app/agents.py:5`")
        assert text.endswith(f"\n\n{300 - shown} more findings.\n")


class TestInventory:
    def test_a_table(self) -> None:
        """
        Each container is a row, with its verdict and why.
        """
        assert inventory_as_text(REPORT).splitlines() == [
            "verdict   container       kind         defined            writes  removals  reason",
            (
                "leak      agents          dict         app/agents.py:1         1         1  "
                "SS002b: not on every way out"
            ),
            (
                "accepted  regions         dict         app/regions.py:12       2         0  "
                "SS001: the number of regions"
            ),
            (
                "clean     Manager._turns  defaultdict  app/sockets.py:20       3         1  "
                "removed in a finally at line 44"
            ),
            "",
            "3 containers in 120 files: 1 leak, 1 clean, 1 accepted.",
        ]

    def test_nothing(self) -> None:
        """
        Where there are no containers, one sentence says so.
        """
        assert inventory_as_text(Report((), files=1)) == "0 containers in 1 file.\n"

    def test_rows_stay_rows(self) -> None:
        """
        A row is no wider than asked for, and one line, whatever the names are.
        """
        long = Container(
            NASTY * 20,
            NASTY,
            Place("a/" * 60 + "b.py", 7, 1),
            Verdict.SUSPECT,
            NASTY * 9,
            1,
            0,
            "SS001",
        )
        text = inventory_as_text(Report((), containers=(long, *CONTAINERS)), width=130)
        rows = text.splitlines()
        assert len(rows) == 7
        assert max(map(len, rows)) <= 130
        assert "/a/a/b.py:7" in rows[1]
        assert "\x1b" not in rows[1]

    def test_verdicts_have_colours(self) -> None:
        """
        A leak is red, what is clean green.
        """
        lines = list(inventory_lines(REPORT))
        assert [line[0][1] for line in lines[1:4]] == ["bold red", "cyan", "green"]

    def test_the_code_is_told_once(self) -> None:
        """
        A reason that names its code already is left as it is.
        """
        named = replace(CONTAINERS[0], reason="SS002b: not on every way out")
        assert "  SS002b: not on every way out\n" in inventory_as_text(
            Report((), containers=(named,))
        )

    def test_json(self) -> None:
        """
        Each container is an object with its names.
        """
        first, *_ = json.loads(inventory_as_json(REPORT))
        assert first["name"] == "agents"
        assert (first["verdict"], first["defined"]["line"]) == ("leak", 1)
        assert (first["writes"], first["removals"], first["code"]) == (1, 1, "SS002b")
