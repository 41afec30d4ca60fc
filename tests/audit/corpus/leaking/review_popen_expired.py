"""A reviewing model's command line survives its deadline, because TimeoutExpired is turned into a verdict and the process is let be."""

import subprocess
from concurrent.futures import ThreadPoolExecutor

REVIEWERS = {"a": ["claude", "-p"], "b": ["codex", "exec"]}  # clean: constant


def review(name: str, diff: str, seconds: float = 300.0) -> str:
    child = subprocess.Popen(  # leaks SS005a: the except lets it run on
        REVIEWERS[name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        out, _ = child.communicate(diff, timeout=seconds)
    except subprocess.TimeoutExpired:
        return f"{name}: no opinion within {seconds:g} s"
    return f"{name}: {out.strip()}"


def review_all(diff: str) -> list[str]:
    with ThreadPoolExecutor(len(REVIEWERS)) as pool:
        return list(pool.map(lambda name: review(name, diff), REVIEWERS))
