"""
The plots of the page about performance, from what was measured.

``python -m tests.benchmarks --json figures.json``, and then ``python -m
tests.benchmarks.performance_plot figures.json docs/images``; several files are taken together.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.benchmarks import familiar
from tests.benchmarks.svg import Row, bars, dots, lines

OURS = {
    familiar.SESSION,
    familiar.CALLBACK,
    familiar.ATTACH,
    familiar.ASYNC,
    familiar.PARANOID,
}
LABELS = {
    "enter + exit of an empty session": "session(id) / a class by hand",
    "the same with one sync callback": "with a callback / a class by hand",
    "attach to a live session, enter + exit": "attach(id) / a class by hand",
    "session with one async callback": "with an async callback / a bare task",
    "session with one async CM hosted": "with an async context / a bare task",
    "touch()": "s.touch() / a deadline written by hand",
    "agents[id], touch included": "agents[id] / a dict read",
    "SessionVar.get()": "SessionVar.get() / ContextVar.get()",
    "enter + exit with leak_detection='simple'": "leak_detection=simple / disabled",
    "enter + exit with leak_detection='advanced'": "leak_detection=advanced / disabled",
}
"""What the small rows compare, in a few words."""

Figures = list[dict[str, Any]]


def ratios(figures: Figures) -> str:
    """
    Draw what the small rows cost, as a multiple of their references, with their bounds.
    """
    rows = [
        Row(
            LABELS[figure["what"]],
            figure["measured"],
            f"{figure['measured']:.2f}" + ("" if figure["reached"] else ", missed"),
            "a" if figure["reached"] else "c",
            figure["at_most"],
        )
        for figure in figures
        if figure["what"] in LABELS
    ]
    return bars(
        "How many times its reference each operation costs; the stroke is the bound",
        rows,
        range(0, 15, 2),
        "x",
    )


def blocks(figures: Figures) -> str:
    """
    Draw what entering and leaving costs.
    """
    notes = next(figure["notes"] for figure in figures if figure["name"] == "familiar")
    costs = {
        note.removeprefix("ns of "): nanoseconds / 1e3
        for note, nanoseconds in notes.items()
        if note.startswith("ns of ")
    }
    rows = [
        Row(name, cost, f"{cost:.1f} µs", "a" if name in OURS else "b")
        for name, cost in sorted(costs.items(), key=lambda item: item[1])
    ]
    return dots("Entering and leaving a block that does nothing", rows, (1, 3, 10, 30, 100), "µs")


def growth(figures: Figures) -> str:
    """
    Draw what opening and expiring cost as there are more sessions.
    """
    opened, expired = (figure["notes"] for figure in figures if figure["name"] == "growth")
    series = {
        "open, a value": ("a", opened, "open_ns_at_"),
        "expire": ("c", expired, "expire_ns_at_"),
        "dict insert": ("b", opened, "dict_insert_ns_at_"),
        "dict delete": ("d dashed", expired, "dict_delete_ns_at_"),
    }
    return lines(
        "Nanoseconds a session, by how many are live",
        {
            name: (
                kind,
                {
                    int(note.removeprefix(prefix)): value
                    for note, value in notes.items()
                    if note.startswith(prefix)
                },
            )
            for name, (kind, notes, prefix) in series.items()
        },
        (10, 100, 1_000, 10_000, 100_000),
        "ns",
    )


def main() -> None:
    """
    Draw what is in the files to the folder, the last argument.
    """
    *sources, target = map(Path, sys.argv[1:])
    figures = [
        figure
        for source in sources
        for figure in json.loads(source.read_text(encoding="utf-8"))["figures"]
    ]
    for draw in (ratios, blocks, growth):
        (target / f"performance-{draw.__name__}.svg").write_text(draw(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
