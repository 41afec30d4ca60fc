"""
Where tasks wait, for messages.
"""

from __future__ import annotations

import asyncio
from typing import Any


def waits_at(task: asyncio.Task[Any]) -> str:
    """
    Return the line at which *task* waits, as ``file:line``; an empty text if it has none.
    """
    frames = task.get_stack(limit=1)
    return f"{frames[0].f_code.co_filename}:{frames[0].f_lineno}" if frames else ""
