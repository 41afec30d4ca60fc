"""Containers that cannot grow without end, alone or on behalf of a supervisor or session."""

from __future__ import annotations

from sessionstate._errors import GuardFull, StaleRequest

from ._causes import EvictionCause
from ._expiring import ExpiringMap
from ._lru import LRUCache
from ._replay import Claim, ReplayGuard

__all__ = [
    "Claim",
    "EvictionCause",
    "ExpiringMap",
    "GuardFull",
    "LRUCache",
    "ReplayGuard",
    "StaleRequest",
]
