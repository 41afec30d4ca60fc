"""
Of which class something is an instance, as far as it is set to one, or annotated as one.
"""

from __future__ import annotations

from typing import Final

from sessionstate.audit._project import Func, Module, Project, Type

VAGUE: Final = frozenset(
    {
        *("data", "items", "values", "children", "args", "headers", "params", "fields", "options"),
        *("config", "nodes", "state", "attrs", "kwargs", "result", "results", "entries", "parts"),
        *("lines", "errors", "messages", "tags", "names", "info", "metadata", "properties", "name"),
    }
)
"""Attributes that many classes have: their name alone does not tell whose they are."""


class Instances:
    """
    Finds the class of what a path names.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self._values: dict[tuple[int, str], tuple[Module, str]] = {}
        """What class the value of a module's or class's name is of, as its module calls it."""
        self._attributes: dict[str, tuple[Module, str] | None] = {}
        """The same by the name of an attribute; None where it is of several classes."""
        self._known: dict[tuple[int, str, str], Type | None] = {}

    def learn(self, func: Func, path: str, value: str) -> None:
        """
        Note that *func* sets *path* to an instance of *value*.
        """
        self._known.clear()
        root, _, rest = path.partition(".")
        found = (func.module, value)
        if rest:
            attr = path.rpartition(".")[2]
            agreed = self._attributes.setdefault(attr, found)
            if agreed is not None and agreed[1] != value:
                self._attributes[attr] = None
        if root == "self" and rest and "." not in rest:
            owner = self.project.type_of(func)
            if owner is not None:
                self._values.setdefault((id(owner), rest), found)
        elif root[0] == "@" and not rest:
            self._values.setdefault((id(func.module), root[1:]), found)
        elif root[0] == "^" and not rest:
            self._values.setdefault((id(func.module), root), found)

    def of(self, func: Func, path: str) -> Type | None:
        """
        Return the class that what *path* names in *func* is an instance of.
        """
        asked = (id(func.module), func.fact.cls, path)
        if asked not in self._known:
            self._known[asked] = self._of(func, path)
        return self._known[asked]

    def _of(self, func: Func, path: str) -> Type | None:
        project = self.project
        root, *rest = path.split(".")
        kind: Type | None = None
        if root == "self":
            kind = project.type_of(func)
        elif root[:1] == "%":
            kind = project.find_type(func.module, root)
            while kind is None and rest:  # ``%module.Class`` was split at its dots
                root, rest = f"{root}.{rest[0]}", rest[1:]
                kind = project.find_type(func.module, root)
        elif root[:1] == "@":
            kind, rest = self._global(func.module, root[1:], rest)
        elif root[:1] == "^":
            found = self._values.get((id(func.module), root))
            kind = project.find_type(*found) if found is not None else None
        known = kind is not None
        for attr in rest:
            kind = self._attribute(kind, attr) if kind is not None else None
        if kind is None and not known and rest:
            kind = self._by_attribute(rest[-1])
        return kind

    def _by_attribute(self, attr: str) -> Type | None:
        """
        Return the class of what is set to an attribute of that name, if all agree.
        """
        found = self._attributes.get(attr)
        return self.project.find_type(*found) if found is not None and attr not in VAGUE else None

    def is_foreign(self, func: Func, path: str) -> bool:
        """
        Tell whether *path* names what another project made.
        """
        root = path.partition(".")[0]
        if root[:1] == "%":
            return self.project.find_type(func.module, root) is None
        if root[:1] != "@" or root[1:] in func.module.facts.imports:
            name = root[1:]
            return root[:1] == "@" and self.project.imported(func.module, name) is None
        made = self._values.get((id(func.module), root[1:]))
        return made is not None and self.project.find_type(*made) is None

    def _global(self, module: Module, name: str, rest: list[str]) -> tuple[Type | None, list[str]]:
        project = self.project
        direct = project._types.get((id(module), name))
        if direct is not None:
            return direct, rest
        found = self._values.get((id(module), name))
        if found is not None:
            return project.find_type(*found), rest
        target = project.imported(module, name)
        if target is None:
            return None, rest
        other, what = target
        if not what and rest:
            what, rest = rest[0], rest[1:]
        found = self._values.get((id(other), what))
        if found is not None:
            return project.find_type(*found), rest
        return project._types.get((id(other), what)), rest

    def _attribute(self, kind: Type, attr: str) -> Type | None:
        for each in self.project.lineage(kind):
            found = self._values.get((id(each), attr))
            if found is not None:
                return self.project.find_type(*found)
        return None
