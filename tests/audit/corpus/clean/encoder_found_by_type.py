"""
What is remembered is the encoder of a class, and the program has a fixed number of classes.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
from collections.abc import Callable
from typing import Any

_ENCODERS: dict[type, Callable[[Any], Any]] = {
    datetime.datetime: datetime.datetime.isoformat,
    decimal.Decimal: str,
    set: sorted,
}
_resolved: dict[type, Callable[[Any], Any]] = {}  # clean: keyed by type(obj)


def encode(obj: Any) -> Any:
    kind = type(obj)
    encoder = _resolved.get(kind)
    if encoder is None:
        encoder = _find(kind)
        _resolved[kind] = encoder
    return encoder(obj)


def _find(kind: type) -> Callable[[Any], Any]:
    for base in kind.__mro__:
        if base in _ENCODERS:
            return _ENCODERS[base]
    if dataclasses.is_dataclass(kind):
        return dataclasses.asdict
    return repr


def reply(request_id: str, payload: Any) -> dict[str, Any]:
    return {"id": request_id, "payload": encode(payload)}
