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


def plot(found: dict[str, Rows], file: Path) -> None:
    """
    Draw one panel for each size, and in it a group of bars for each operation.
    """
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "sessionstate"
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(len(SIZES), 1, figsize=(9, 8), layout="constrained")
    names = list(next(iter(found.values())))
    colours = dict(zip(names, mpl.colormaps["tab20"].colors, strict=False))
    for panel, (size, peers) in zip(panels, found.items(), strict=True):
        width = 0.85 / len(names)
        for number, peer in enumerate(names):
            places = [place + number * width for place in range(len(OPERATIONS))]
            heights = [peers.get(peer, {}).get(name, 0) for name in OPERATIONS]
            ours = peer.startswith(OURS)
            panel.bar(
                places,
                heights,
                width,
                label=peer,
                color=colours[peer],
                edgecolor="black" if ours else "none",
                linewidth=1.2,
            )
        panel.set_yscale("log")
        panel.set_ylabel("nanoseconds")
        panel.set_title(f"{size} entries (less is better)")
        panel.set_xticks([place + 0.4 for place in range(len(OPERATIONS))], OPERATIONS)
        panel.grid(axis="y", alpha=0.3)
    panels[0].legend(ncols=5, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.1))
    figure.savefig(file, metadata={"Date": None})


def main() -> None:
    """
    Draw what is in the first file to the second.
    """
    source, target = map(Path, sys.argv[1:])
    found = rows(json.loads(source.read_text(encoding="utf-8"))["figures"])
    plot(found, target)
    table(found)


if __name__ == "__main__":
    main()
