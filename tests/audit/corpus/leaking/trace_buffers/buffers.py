"""Spans of each trace stay in memory, because the exporter reads a trace's list and leaves it where it is."""

from collections import defaultdict

spans_by_trace: defaultdict[str, list[dict]] = defaultdict(list)  # leaks SS001: exported, and kept
exporters: list = []  # clean: filled once, when the program starts
