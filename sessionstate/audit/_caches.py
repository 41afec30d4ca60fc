"""
SS003: a cache decorator keeps a session's arguments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from sessionstate.audit._facts import STATIC
from sessionstate.audit._findings import Confidence, Finding, Severity
from sessionstate.audit._project import Func, Module, Project, Type
from sessionstate.audit._servers import (
    KIND,
    OBJECT,
    SETS_UP,
    is_async,
    made_in,
    origin,
    passing,
    session_parameters,
    single,
)
from sessionstate.audit._settings import Settings
from sessionstate.audit._vocabulary import LONG_OWNER, SHORT_OWNER

CACHES: Final = frozenset({"functools.cache", "functools.lru_cache", "async_lru.alru_cache"})
UNLIMITED: Final = frozenset({"None", "maxsize=None"})
FIXED: Final = re.compile(r"(Enum|Flag|Protocol|^type|Meta(class)?|NamedTuple|Singleton)$")
SETTLED: Final = re.compile(
    r"(Config|Settings|Options|Spec|Schema|Metadata|Info|State|Data|Mixin)$"
)
VALUE: Final = frozenset({"__hash__", "__eq__"})

PLAIN: Final = (
    "use functools.cached_property, or make the cache in __init__, where it is the object's"
)
KEYED: Final = "give it a maxsize, or keep the value in the session: await s.get_or_create(...)"


def findings(project: Project, settings: Settings | None = None) -> Iterator[Finding]:
    """
    Yield each function whose cache keeps what belongs to a session.
    """
    for func in project.functions:
        for text in func.fact.decorators:
            if (limit := _limit(func.module, text)) is not None:
                found = _judge(project, func, settings, limited=limit)
                if found is not None:
                    yield replace(found, line=_decorator_line(project, func, text))


def _decorator_line(project: Project, func: Func, decorator: str) -> int:
    name = re.split(r"[ (]", decorator, maxsplit=1)[0]
    line = func.fact.line
    for above in range(line - 1, max(line - 8, 0), -1):
        text = project.place(func.module, above).text
        if text.startswith(f"@{name}"):
            return above
        if text.startswith(("def ", "async def ", "class ")):
            break
    return line


def _limit(module: Module, decorator: str) -> bool | None:
    """
    Tell whether a cache decorator is bounded; None if it is no such decorator.
    """
    head, _, options = decorator.partition(" ")
    if re.split(r"[.(]", head, maxsplit=1)[0] not in module.facts.imports:
        return None
    name = origin(module, head.removesuffix("()"))
    if name not in CACHES:
        return None
    return not (name == "functools.cache" or UNLIMITED.intersection(options.split()))


def _judge(
    project: Project, func: Func, settings: Settings | None, *, limited: bool
) -> Finding | None:
    owner = _owner(project, func)
    names = [name for name, _ in func.fact.parameters]
    keys = session_parameters(func, settings)
    if owner is not None and any(FIXED.search(base) for base in owner.fact.bases):
        owner = None
    if keys:
        shown = " and ".join(keys[:2])
        annotations = dict(func.fact.parameters)
        sure = any(OBJECT.match(key) or KIND.match(annotations[key]) for key in keys)
        sureness = Confidence.HIGH if sure else Confidence.MEDIUM
        if owner is None and SETS_UP.match(func.name):
            sureness = Confidence.LOW
        said = f"{_name(func)} keeps a result for each {shown} that it was ever called with"
        return _finding(func, said, KEYED, Severity.ERROR, sureness, limited=limited)
    if owner is None or single(project, owner):
        return None
    alone = len(names) == 1
    if LONG_OWNER.search(owner.name) and not passing(owner):
        if alone:
            return None
        sureness = Confidence.LOW
    elif VALUE & owner.methods.keys() or "dataclass" in " ".join(owner.fact.decorators):
        sureness = Confidence.LOW
    else:
        sureness = _sureness(project, owner)
    said = (
        f"the cache of {_name(func)} is the class's, and keeps every {owner.name} it was called on"
    )
    return _finding(func, said, PLAIN, Severity.WARNING, sureness, limited=limited)


def _owner(project: Project, func: Func) -> Type | None:
    """
    Return the class whose instances the cache keeps.
    """
    if func.fact.flags & STATIC or "classmethod" in func.fact.decorators or func.name == "__new__":
        return None
    kind = project.type_of(func)
    direct = kind is not None and func.fact.qualname == f"{kind.fact.qualname}.{func.name}"
    return kind if direct else None


def _sureness(project: Project, owner: Type) -> Confidence:
    makers = [each for each in made_in(project, owner) if not SETS_UP.match(each.name)]
    if passing(owner):
        return Confidence.HIGH
    if SHORT_OWNER.search(owner.name) and not SETTLED.search(owner.name):
        return Confidence.MEDIUM
    if any(session_parameters(each) or is_async(each) for each in makers):
        return Confidence.MEDIUM
    functions = [each for each in makers if each.fact.parameters or each.fact.cls]
    return Confidence.MEDIUM if functions else Confidence.LOW


def _name(func: Func) -> str:
    return func.fact.qualname


def _finding(
    func: Func, said: str, advice: str, severity: Severity, sureness: Confidence, *, limited: bool
) -> Finding:
    if limited:
        severity, sureness = Severity.INFO, Confidence.LOW
        said += ", up to its maxsize"
    else:
        said += ": it has no maxsize, and no entry can be taken out"
    return Finding(
        rule="SS003",
        code="SS003",
        path=func.module.path,
        line=func.fact.line,
        column=1,
        container=_name(func),
        severity=severity,
        confidence=sureness,
        message=said,
        advice=advice,
    )
