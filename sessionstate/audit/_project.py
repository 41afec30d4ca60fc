"""
All files together: who is meant by a name, and who calls whom.
"""

from __future__ import annotations

import linecache
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from sessionstate.audit._facts import MODULE, Class, Facts, Function
from sessionstate.audit._findings import Place

GENERIC: Final = frozenset(
    {
        *(
            "get",
            "set",
            "add",
            "pop",
            "update",
            "append",
            "remove",
            "clear",
            "items",
            "keys",
            "values",
        ),
        *("copy", "join", "format", "split", "strip", "encode", "decode", "read", "write", "send"),
        *(
            "put",
            "wait",
            "result",
            "cancel",
            "done",
            "acquire",
            "release",
            "info",
            "debug",
            "error",
        ),
        *("warning", "exception", "extend", "insert", "setdefault", "discard", "sort", "index"),
        *("delete", "close", "create", "start", "stop", "open", "connect", "post", "patch", "head"),
        *("options", "command", "event", "on", "send_message", "process", "handle", "call", "load"),
        *("count", "execute", "commit", "flush", "lower", "upper", "startswith", "endswith", "run"),
    }
)
"""Method names that say nothing about whose method it is."""

DEEPEST: Final = 5
"""How often a name is passed on from module to module."""


@dataclass(slots=True, eq=False)
class Module:
    """
    One file of the project.
    """

    path: str
    """As it is shown."""
    name: str
    """Dotted, as others import it."""
    facts: Facts
    is_test: bool = False


@dataclass(slots=True, eq=False)
class Func:
    """
    One function, with the module that it is in.
    """

    module: Module
    fact: Function

    @property
    def name(self) -> str:
        """
        Its name, without what it is defined in.
        """
        return self.fact.name


@dataclass(slots=True, eq=False)
class Type:
    """
    One class, with the module that it is in.
    """

    module: Module
    fact: Class
    methods: dict[str, Func] = field(default_factory=dict[str, Func])

    @property
    def name(self) -> str:
        """
        Its name, without what it is defined in.
        """
        return self.fact.qualname.rpartition(".")[2]


class Project:
    """
    The modules that are audited together.
    """

    def __init__(self, modules: Iterable[Module]) -> None:
        self.modules = list(modules)
        self.functions: list[Func] = []
        self.named: defaultdict[str, list[Func]] = defaultdict(list)
        """Functions and methods by their last name."""
        self.types: defaultdict[str, list[Type]] = defaultdict(list)
        """Classes by their last name."""
        self.by_name: dict[str, Module] = {}
        self._types: dict[tuple[int, str], Type] = {}
        self._found_types: dict[tuple[int, str], Type | None] = {}
        self._lineages: dict[int, tuple[Type, ...]] = {}
        for module in self.modules:
            self.by_name.setdefault(module.name, module)
            for each in module.facts.classes:
                kind = Type(module, each)
                self.types[kind.name].append(kind)
                self._types[id(module), each.qualname] = kind
            for fact in module.facts.functions:
                func = Func(module, fact)
                self.functions.append(func)
                if fact.qualname != MODULE:
                    self.named[func.name].append(func)
                owner = fact.qualname.rpartition(".")[0]
                found = self._types.get((id(module), owner))
                if found is not None:
                    found.methods[func.name] = func

    @cached_property
    def callers(self) -> dict[str, list[Func]]:
        """
        The functions that call, pass on or look up something of a name.
        """
        found: defaultdict[str, list[Func]] = defaultdict(list)
        for func in self.functions:
            for name in func.fact.calls:
                found[name].append(func)
        return found

    def type_of(self, func: Func) -> Type | None:
        """
        Return the class whose instance is ``self`` in *func*.
        """
        return self._types.get((id(func.module), func.fact.cls))

    def imported(self, module: Module, name: str, depth: int = 0) -> tuple[Module, str] | None:
        """
        Return the module and the name in it that *name* is in *module*; None if it is not ours.

        The name is empty if a module is meant.
        """
        target = module.facts.imports.get(name)
        if target is None:
            return None
        where, _, what = target.partition(":")
        where = self._absolute(module, where) if where.startswith(".") else where
        for full, rest in ((f"{where}.{what}" if what else where, ""), (where, what)):
            found = self._module(full)
            if found is not None and found is not module:
                again = rest in found.facts.imports and not _defines(found, rest)
                if again and depth < DEEPEST:
                    further = self.imported(found, rest, depth + 1)
                    return further or (found, rest)
                return found, rest
        return None

    def _module(self, name: str) -> Module | None:
        """
        Return the module of that dotted name; the beginning may be missing on either side.
        """
        found = self.by_name.get(name)
        if found is None and name:
            candidates = self._tails.get(name.rpartition(".")[2], ())
            fits = [
                m for m in candidates if m.name.endswith(f".{name}") or name.endswith(f".{m.name}")
            ]
            found = fits[0] if len(fits) == 1 else None
        return found

    @cached_property
    def _tails(self) -> dict[str, list[Module]]:
        found: defaultdict[str, list[Module]] = defaultdict(list)
        for module in self.modules:
            found[module.name.rpartition(".")[2]].append(module)
        return found

    def _absolute(self, module: Module, relative: str) -> str:
        dots = len(relative) - len(relative.lstrip("."))
        parts = module.name.split(".")
        if not module.path.endswith("__init__.py"):
            dots += 1
        kept = parts[: len(parts) - dots + 1] if dots > 1 else parts
        return ".".join([*kept, relative.lstrip(".")]).strip(".")

    def find_type(self, module: Module, name: str) -> Type | None:
        """
        Return the class that *name* is in *module*, or the only one of that name.
        """
        name = name.lstrip("@%")
        known = (id(module), name)
        if known not in self._found_types:
            self._found_types[known] = self._find_type(module, name)
        return self._found_types[known]

    def _find_type(self, module: Module, name: str) -> Type | None:
        head, _, rest = name.partition(".")
        here = self._types.get((id(module), name))
        if here is not None:
            return here
        target = self.imported(module, head)
        if target is not None:
            found = self._types.get((id(target[0]), rest or target[1]))
            if found is not None:
                return found
        several = self.types.get(name.rpartition(".")[2], [])
        return several[0] if len(several) == 1 else None

    def lineage(self, kind: Type) -> tuple[Type, ...]:
        """
        Return a class and its bases, as far as they are ours.
        """
        found = self._lineages.get(id(kind))
        if found is None:
            found = self._lineages[id(kind)] = tuple(self._ancestry(kind))
        return found

    def _ancestry(self, kind: Type) -> Iterator[Type]:
        waiting, seen = [kind], {id(kind)}
        while waiting:
            one = waiting.pop(0)
            yield one
            for base in one.fact.bases:
                found = self.find_type(one.module, base)
                if found is not None and id(found) not in seen:
                    seen.add(id(found))
                    waiting.append(found)

    def place(self, module: Module, line: int, column: int = 1) -> Place:
        """
        Return a place with the text of its line.
        """
        return Place(module.path, line, column, linecache.getline(module.path, line).strip())


def _defines(module: Module, name: str) -> bool:
    touches = module.facts.functions[0].touches  # of its own statements
    return any(path == f"@{name}" for path, how in touches if how == "=")
