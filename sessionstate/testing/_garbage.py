"""
What was there before, kept from the garbage collector for a while.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

FROZEN: Final = 1000
"""Objects that are kept from the garbage collector by somebody, not by Python itself."""


@contextmanager
def frozen() -> Iterator[None]:
    """
    Keep the collector from what is there already: its looks at that would take most of the time.
    """
    # Somebody else may have done so, and would not want it undone. 3.12 begins with some hundred.
    if gc.get_freeze_count() > FROZEN:
        yield
        return
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
