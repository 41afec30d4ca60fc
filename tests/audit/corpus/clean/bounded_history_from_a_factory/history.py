"""
The factory returns a bounded map of bounded deques, so that users only write.
"""

from __future__ import annotations

from collections import OrderedDict, deque


class BoundedDict(OrderedDict):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def __setitem__(self, key, value) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        while len(self) > self.size:
            self.popitem(last=False)


def new_history(chats: int = 1000) -> BoundedDict:
    return BoundedDict(chats)


def line_buffer(lines: int = 30) -> deque[str]:
    return deque(maxlen=lines)
