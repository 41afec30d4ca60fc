"""
The table on the screen, and the facts about the machine that go with it.
"""

import gc
import os
import platform
import sys
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tests.benchmarks.measure import Figure

HEADINGS = ("what", "reference", "measured", "at most", "verdict")


def facts() -> dict[str, object]:
    """
    What the figures depend on.
    """
    return {
        "python": sys.version,
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "load": os.getloadavg() if hasattr(os, "getloadavg") else None,
        "packages": {
            name: installed(name) for name in ("sessionstate", "anyio", "sortedcontainers")
        },
        "clock": {
            "name": "time.thread_time_ns",
            "resolution_s": time.get_clock_info("thread_time").resolution,
        },
        "gc_threshold": gc.get_threshold(),
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def processor() -> str:
    """
    The processor's name, where the system tells it.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def installed(name: str) -> str:
    """
    A package's version.
    """
    try:
        return version(name)
    except PackageNotFoundError:
        return "from the source tree"


def number(value: float, unit: str) -> str:
    """
    A figure with its unit, in three digits.
    """
    text = f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
    return f"{text}x" if unit == "x" else f"{text} {unit}"


def cells(figure: Figure) -> tuple[str, str, str, str, str]:
    """
    One line of the table.
    """
    return (
        figure.what,
        figure.reference,
        number(figure.measured, figure.unit),
        number(figure.at_most, figure.unit),
        "reached" if figure.reached else "missed",
    )


def show(figures: Sequence[Figure]) -> None:
    """
    Print the table, with rich where it is installed.
    """
    try:
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table
    except ImportError:
        plain([HEADINGS, *map(cells, figures)])
        return
    table = Table(*HEADINGS)
    for column in table.columns[2:4]:
        column.justify = "right"
        column.no_wrap = True
    for figure in figures:
        table.add_row(*map(escape, cells(figure)), style=None if figure.reached else "bold")
    console = Console()
    if not console.is_terminal:
        console.width = 140
    console.print(table)


def plain(lines: Sequence[Sequence[str]]) -> None:
    """
    Print the table in columns.
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(map(str.ljust, line, widths)).rstrip())
