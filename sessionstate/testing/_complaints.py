"""
What Python complains of meanwhile, to nobody in particular.
"""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def listening(complaints: list[str]) -> Iterator[None]:
    """
    Note what nobody can raise, and the warnings of what was dropped.
    """
    before = sys.unraisablehook

    def unraisable(args: sys.UnraisableHookArgs) -> None:
        complaints.append(f"sys.unraisablehook was told: {args.exc_value!r} in {args.object!r}")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sys.unraisablehook = unraisable
        try:
            yield
            gc.collect()
        finally:
            sys.unraisablehook = before
    complaints += [
        f"{each.category.__name__}: {each.message}"
        for each in caught
        if issubclass(each.category, ResourceWarning) or "never awaited" in str(each.message)
    ]
