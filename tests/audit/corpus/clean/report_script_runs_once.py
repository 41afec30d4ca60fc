"""
The script reads a log, prints a table and exits.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter, defaultdict

durations: dict[str, list[float]] = defaultdict(list)  # clean: the process ends after one report
errors: Counter[str] = Counter()  # clean: the process ends after one report


def read(path: str) -> None:
    with open(path, newline="") as f:
        for row in csv.DictReader(f):
            durations[row["session_id"]].append(float(row["seconds"]))
            if row["status"] != "ok":
                errors[row["session_id"]] += 1


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Longest sessions of a log")
    parser.add_argument("log", nargs="+")
    parser.add_argument("--top", type=int, default=10)
    options = parser.parse_args(argv)
    for path in options.log:
        read(path)
    longest = sorted(durations, key=lambda sid: -sum(durations[sid]))[: options.top]
    for session_id in longest:
        print(f"{session_id:<32} {sum(durations[session_id]):8.1f} {errors[session_id]:4}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
