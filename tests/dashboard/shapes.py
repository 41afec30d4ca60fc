"""
Whether what a source gives has the form that is promised: every key, of its type, fit for JSON.
"""

from __future__ import annotations

import json
from functools import cache
from math import isfinite
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    NotRequired,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from sessionstate.dashboard import _source

if TYPE_CHECKING:
    from sessionstate import Session
    from sessionstate.dashboard._probe import Probe
    from sessionstate.dashboard._source import Detail


def as_json(value: object) -> str:
    """
    Return *value* as strict JSON, which knows neither NaN nor infinity.
    """
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def check(value: Any, name: str) -> str:
    """
    Fail unless *value* is a TypedDict of that name, and return it as JSON.
    """
    _check(value, getattr(_source, name), name)
    return as_json(value)


def _check(value: Any, hint: Any, path: str) -> None:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        _check(value, _of_union(value, parts, path), path)
    elif origin is Literal:
        assert value in parts, f"{path} is {value!r}"
    elif origin is list:
        assert type(value) is list, f"{path} is a {type(value)}"
        for number, each in enumerate(cast("list[Any]", value)):
            _check(each, parts[0], f"{path}[{number}]")
    elif origin is dict:
        assert type(value) is dict, f"{path} is a {type(value)}"
        for key, each in cast("dict[Any, Any]", value).items():
            _check(key, parts[0], f"a key of {path}")
            _check(each, parts[1], f"{path}[{key!r}]")
    elif hasattr(hint, "__required_keys__"):
        _check_keys(value, hint, path)
    elif hint is float:
        assert type(value) in {int, float}, f"{path} is a {type(value)}"
        assert isfinite(value), f"{path} is {value}"
    elif hint is str:
        assert isinstance(value, str), f"{path} is a {type(value)}"
    else:
        assert type(value) is hint, f"{path} is a {type(value)}"


def _of_union(value: Any, parts: tuple[Any, ...], path: str) -> Any:
    if value is None:
        assert NoneType in parts, f"{path} is None"
        return NoneType
    (other,) = (each for each in parts if each is not NoneType)
    return other


@cache
def _hints(cls: Any) -> tuple[dict[str, Any], set[str]]:
    hints = get_type_hints(cls, include_extras=True)
    return hints, {key for key, hint in hints.items() if get_origin(hint) is NotRequired}


def _check_keys(value: Any, cls: Any, path: str) -> None:
    assert type(value) is dict, f"{path} is a {type(value)}"
    hints, may = _hints(cls)
    value = cast("dict[str, Any]", value)
    assert hints.keys() - may <= value.keys() <= hints.keys(), f"{path} has {sorted(value)}"
    for key, each in value.items():
        hint = hints[key]
        _check(each, get_args(hint)[0] if key in may else hint, f"{path}.{key}")


async def shown(probe: Probe, session: Session) -> Detail:
    """
    Return what is shown of *session*.
    """
    detail = await probe.session(session.incarnation)
    assert detail is not None
    check(detail, "Detail")
    return detail
