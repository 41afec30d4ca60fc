"""
The corpus: what leaks in it is found, what does not is not, and what is not seen is said.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.audit.scoring import CORPUS, cases, marks, score

CASES = [pytest.param(case, id=case.relative_to(CORPUS).as_posix()) for case in cases()]


@pytest.mark.parametrize("case", CASES)
def test_a_case_is_judged_as_it_is_marked(case: Path) -> None:
    """
    Each leak that is marked is found at its line, nothing else is, and what is unseen stays so.
    """
    judged = score(case)
    assert [f"{each.line}: {each.message}" for each in judged.wrong] == []
    assert [mark for mark in judged.missed if not mark.unseen] == []
    assert [mark for mark, _ in judged.found if mark.unseen] == [], "it is seen: mark it so"


def test_there_is_enough_of_everything() -> None:
    """
    The corpus has leaking and clean cases, of every rule, and few that the audit does not see.
    """
    every = [mark for case in cases() for mark in marks(case)]
    assert {mark.code[:5] for mark in every} == {f"SS{number:03}" for number in range(1, 11)}
    assert {mark.code[5:] for mark in every if mark.code[:5] == "SS002"} >= set("abcdefg")
    assert sum("clean" in case.parts for case in cases()) >= 60
    assert sum("leaking" in case.parts for case in cases()) >= 60
    assert sum(mark.unseen for mark in every) < len(every) / 8
