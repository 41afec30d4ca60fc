"""
The graph is built for one invocation of the command and returned to it.
"""

from __future__ import annotations

import graphlib
import subprocess
import sys
from pathlib import Path


class Build:
    def __init__(self) -> None:
        self.needs: dict[str, set[str]] = {}  # clean: one build for each run of the program
        self.done: set[str] = set()  # clean: one build for each run of the program

    def read(self, makefile: Path) -> None:
        for line in makefile.read_text().splitlines():
            target_id, _, needs = line.partition(":")
            self.needs[target_id.strip()] = set(needs.split())

    def run(self) -> int:
        for target_id in graphlib.TopologicalSorter(self.needs).static_order():
            if subprocess.run(["./build-one", target_id], timeout=600).returncode:
                return 1
            self.done.add(target_id)
        return 0


def main() -> int:
    build = Build()
    build.read(Path(sys.argv[1] if len(sys.argv) > 1 else "Buildfile"))
    return build.run()


if __name__ == "__main__":
    raise SystemExit(main())
