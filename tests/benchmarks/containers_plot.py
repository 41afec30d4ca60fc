"""
The plot and the table of the containers' documentation, from what was measured.

``python -m tests.benchmarks --only containers lru replay --json figures.json``, and then
``python -m tests.benchmarks.containers_plot figures.json docs/explanation/containers-peers.svg``,
which prints the table.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.benchmarks.containers import OPERATIONS
from tests.benchmarks.svg import panels

OURS = "ExpiringMap"
SIZES = ("1,000", "100,000")

Rows = dict[str, dict[str, float]]


def rows(figures: list[dict[str, Any]]) -> dict[str, Rows]:
    """
    Nanoseconds by size, by peer, by operation.
    """
    found: dict[str, Rows] = {size: {} for size in SIZES}
    for figure in figures:
        if figure["name"] != "containers":
            continue
        operation, size = figure["what"].removeprefix("ExpiringMap ").split(", ")
        for note, value in figure["notes"].items():
            if note.startswith("ns of "):
                peers = found[size.removesuffix(" entries")]
                peers.setdefault(note.removeprefix("ns of "), {})[operation] = value
    return found


def table(found: dict[str, Rows]) -> None:
    """
    Print a Markdown table of each size.
    """
    for size, peers in found.items():
        print(f"\n### {size} entries, nanoseconds\n")
        print("| | " + " | ".join(OPERATIONS) + " |")
        print("|---" * (len(OPERATIONS) + 1) + "|")
        for peer, costs in peers.items():
            print(f"| {peer} | " + " | ".join(f"{costs[name]:,.0f}" for name in OPERATIONS) + " |")


def plot(found: dict[str, Rows]) -> str:
    """
    Draw one panel for each size, and in it a row for each peer.
    """
    names = next(iter(found.values()))
    return panels(
        "Nanoseconds of each operation, on a scale of powers: less is better",
        {f"{size} entries": peers for size, peers in found.items()},
        OPERATIONS,
        ours=[name for name in names if name.startswith(OURS)],
        ticks=(20, 100_000),
        unit="ns",
    )


def main() -> None:
    """
    Draw what is in the first file to the second.
    """
    source, target = map(Path, sys.argv[1:])
    found = rows(json.loads(source.read_text(encoding="utf-8"))["figures"])
    target.write_text(plot(found), encoding="utf-8")
    table(found)


if __name__ == "__main__":
    main()
