"""
Models are classes, registered by a decorator at import, and events only look them up.
"""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T", bound=type)
EVENT_TYPES: dict[str, type] = {}  # clean: one row for each event class


def event(type_id: str):
    def add(cls: T) -> T:
        EVENT_TYPES[type_id] = cls
        cls.type_id = type_id
        return cls

    return add


def build(payload: dict) -> object:
    return EVENT_TYPES[payload["type_id"]](**payload["fields"])
