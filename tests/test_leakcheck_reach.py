"""
A short form of `tests/benchmarks/leakcheck.py`: one seed, and fewer requests.
"""

import pytest

from sessionstate.testing import Verdict
from tests.benchmarks.leakcheck import BOUNDED, LEAKS, check

pytestmark = pytest.mark.virtual_time


@pytest.mark.parametrize("case", LEAKS)
def test_leak_is_found(case: str) -> None:
    """
    24, 28 or 64 KB in 1000 requests are found among sessions, bursts and large buffers.
    """
    report = check(case, seed=1, requests=100)
    assert report.verdict is Verdict.LEAK
    total = next(row for row in report.rows if row.kind == "total")
    assert total.slope / 1024 > LEAKS[case] / 2


@pytest.mark.parametrize("case", BOUNDED)
def test_what_is_bounded_raises_no_alarm(case: str) -> None:
    """
    A bounded cache, a cache that still fills and a map whose entries expire are no leaks.
    """
    assert check(case, seed=1, requests=100).verdict is not Verdict.LEAK
