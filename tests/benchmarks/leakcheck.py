"""
How many leaks `leakcheck` finds, and how often it is wrong: `python -m tests.benchmarks.leakcheck`.

A small asyncio server answers requests: sessions, mixed sizes, bursts, buffers of up to 300 KB. It
leaks 24, 28 or 64 KB in 1000 requests, or it keeps what is bounded. Each case runs in a process of
its own, once for each seed; the seed decides about sizes, order and pauses.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

from sessionstate import ExpiringMap, LRUCache, Supervisor, session
from sessionstate.testing import LeakReport, Verdict, VirtualClock, leakcheck

ROOT = Path(__file__).parents[2]
BURSTS = 0.03
BOUND = 500


class World:
    """
    The server of one run, with its one peculiarity.
    """

    def __init__(self, case: str, seed: int) -> None:
        self.random = random.Random(seed)
        self.seed = seed
        self.keep: Callable[[int], None] = getattr(self, case)
        self.listeners: list[Callable[[str], object]] = []
        self.failed: dict[str, dict[str, dict[str, str]]] = {}
        self.seen: set[str] = set()
        self.pages: OrderedDict[int, str] = OrderedDict()
        self.answers = LRUCache[int, str](maxsize=6000)
        self.rendered = lru_cache(maxsize=6000)(self.text)
        self.tokens = ExpiringMap[int, str](ttl=60)
        self.stamps: dict[int, float] = {}

    def text(self, number: int) -> str:
        """
        Make a string of a few hundred characters, other ones for each *number*.
        """
        return f"{number:x}" * self.random.randrange(20, 60)

    async def request(self, number: int) -> None:
        """
        Answer one request.
        """
        sizes = [self.random.randrange(20_000, 300_000)]
        if self.random.random() < BURSTS:
            sizes *= 8
        async with session(f"chat-{number}", stall_timeout=300) as s:
            s.vars["transcript"] = [self.text(each) for each in range(self.random.randrange(20))]
            await asyncio.gather(*map(self.work, sizes))
            self.keep(number)

    async def work(self, size: int) -> None:
        """
        Hold a large buffer for a moment.
        """
        buffer = bytearray(size)
        await asyncio.sleep(self.random.random() / 10)
        assert len(buffer) == size

    # What is left

    def listener(self, number: int) -> None:
        """
        Listen, and never stop: 56 of 1000 requests do.
        """
        if self.random.random() < 0.056:
            client = {"number": str(number)}

            def heard(event: str) -> None:
                client["event"] = event

            self.listeners.append(heard)

    def error_path(self, number: int) -> None:
        """
        Keep what failed: 30 of 1000 requests do.
        """
        try:
            if self.random.random() < 0.03:
                raise ValueError(number)
        except ValueError as error:
            self.failed[f"request-{number}"] = {
                "error": {"text": f"{error!r:>40}", "session": f"chat-{number}"},
                "request": {"path": f"/sessions/{number}/messages", "trace": f"{number:0100}"},
            }

    def signatures(self, _: int) -> None:
        """
        Remember every signature.
        """
        self.seen.add(f"{self.random.getrandbits(60):015x}")

    # What is bounded

    def bounded_cache(self, number: int) -> None:
        """
        Keep the last 500 pages, of which nobody knows.
        """
        self.pages[number] = self.text(number)
        if len(self.pages) > BOUND:
            self.pages.popitem(last=False)

    def filling_lru(self, number: int) -> None:
        """
        Fill a cache that has room for more than will come: of functools, or of sessionstate.
        """
        if self.seed % 2:
            self.rendered(number)
        else:
            self.answers[number] = self.text(number)

    def ttl_map(self, number: int) -> None:
        """
        Keep what expires: in a map of sessionstate, or in one that is purged by the next request.
        """
        if self.seed % 2:
            now = asyncio.get_running_loop().time()
            for old in [key for key, due in self.stamps.items() if due <= now]:
                del self.stamps[old]
            self.stamps[number] = now + 60
        else:
            self.tokens[number] = self.text(number)


LEAKS = {"listener": 24, "error_path": 28, "signatures": 64}
BOUNDED = ("bounded_cache", "filling_lru", "ttl_map")
CASES = (*LEAKS, *BOUNDED)


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    One run.
    """

    case: str
    seed: int
    verdict: str
    slope: float
    low: float
    high: float
    seconds: float
    cpu: float
    site: str


def check(case: str, seed: int, **options: Any) -> LeakReport:
    """
    Run `leakcheck` over the server of *case*.
    """

    async def main() -> LeakReport:
        async with Supervisor():
            return await leakcheck(World(case, seed).request, **options)

    return VirtualClock().run(main())


def outcome(case: str, seed: int) -> Outcome:
    """
    Run it, and keep what is shown.
    """
    before = process_time()
    report = check(case, seed)
    cpu = process_time() - before
    total = next(row for row in report.rows if row.kind == "total")
    site = next((row for row in report.leaks if row.kind == "site"), total)
    return Outcome(
        case,
        seed,
        report.verdict,
        total.slope,
        total.low,
        total.high,
        report.seconds,
        cpu,
        site.example,
    )


def apart(case: str, seeds: int) -> list[Outcome]:
    """
    Run one case with all seeds, in a process of its own.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.leakcheck", "--case", case, "--seeds", str(seeds)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return [Outcome(**each) for each in json.loads(done.stdout)]


def line(case: str, runs: Sequence[Outcome]) -> list[str]:
    """
    Return what is told of one case.
    """
    found = sum(run.verdict == Verdict.LEAK for run in runs)
    unsure = sum(run.verdict == Verdict.INCONCLUSIVE for run in runs)
    slope = median(run.slope for run in runs) / 1024
    truth = f"{LEAKS[case]} KB" if case in LEAKS else "0"
    slowest = max(run.seconds for run in runs)
    return [
        case,
        truth,
        f"{found} of {len(runs)}",
        str(unsure),
        f"{slope:.1f} KB",
        f"{median(run.cpu for run in runs):.1f} s",
        f"{median(run.seconds for run in runs):.1f} s",
        f"{slowest:.1f} s",
    ]


def show(cells: Sequence[str]) -> None:
    """
    Print a line of the table.
    """
    first, *others = cells
    print(f"{first:<14}", *(f"{cell:>9}" for cell in others), flush=True)


def main() -> None:
    """
    Run every case, and print the table.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="runs of each case (20)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run there")
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        runs = [asdict(outcome(options.case, seed)) for seed in range(options.seeds)]
        print(json.dumps(runs))
        return
    print("4500 requests in 30 rounds; KB per 1000 requests\n")
    titles = ("", "truth", "leak", "unsure", "slope", "CPU", "time", "slowest")
    show(titles)
    outcomes: list[Outcome] = []
    for case in CASES:
        runs = apart(case, options.seeds)
        outcomes += runs
        show(line(case, runs))
    if options.json:
        options.json.write_text(json.dumps([asdict(each) for each in outcomes], indent=2))


if __name__ == "__main__":
    main()
