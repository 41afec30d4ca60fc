"""
What runs the state machines many times.
"""

from __future__ import annotations

import argparse
import logging
import re
from typing import TYPE_CHECKING

import hypothesis.core
import pytest

from tests.machines import KINDS, ROOT, batches, duration, run_here

if TYPE_CHECKING:
    from pathlib import Path


class TestMachines:
    def test_has_all_of_them(self) -> None:
        """
        Every state machine of the suite is in the list.
        """
        found: set[tuple[str, str]] = set()
        files: list[Path] = sorted((ROOT / "tests").glob("test_*.py"))
        for path in files:
            text = path.read_text(encoding="utf-8")
            names = re.findall(r"^class (\w+)\(RuleBasedStateMachine\):", text, re.MULTILINE)
            found |= {(path.stem, name) for name in names}
        assert found == {(each.module, each.name) for each in KINDS}

    def test_hands_out_all_in_turn(self) -> None:
        """
        All examples are run, each machine's share of them, none of them last, each with a seed.
        """
        todo = batches(KINDS, 100_000, 7)
        assert sum(size for _, size, _ in todo) == 100_000
        assert [seed for *_, seed in todo] == list(range(7, 7 + len(todo)))
        first = [kind.name for kind, *_ in list(todo)[: len(KINDS)]]
        assert sorted(first) == sorted(each.name for each in KINDS)
        assert all(size <= kind.batch for kind, size, _ in todo)

    def test_counts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        One run tells how many examples and steps it took.
        """
        monkeypatch.setattr(hypothesis.core, "global_force_seed", None)
        monkeypatch.setattr(logging.getLogger("sessionstate"), "setLevel", lambda _: None)
        (kind,) = [each for each in KINDS if each.name == "LRUMachine"]
        row = run_here(kind, 5, seed=1)
        assert row.examples >= 5
        assert row.examples < row.steps <= row.examples * kind.steps
        assert row.failures == 0

    @pytest.mark.parametrize(
        ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("0.5h", 1800)]
    )
    def test_duration(self, text: str, seconds: float) -> None:
        """
        A budget is a number of seconds, minutes or hours.
        """
        assert duration(text) == seconds

    @pytest.mark.parametrize("text", ["", "m", "0", "-1s", "10 parsecs"])
    def test_bad_duration(self, text: str) -> None:
        """
        What is no duration is refused, with an example.
        """
        with pytest.raises(argparse.ArgumentTypeError, match="write 90s, 10m or 2h"):
            duration(text)
