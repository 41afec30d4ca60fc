"""
The containers that outlive a call, and everything that is done to them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from sessionstate.audit._contexts import Frame, Seen, walk
from sessionstate.audit._events import Event
from sessionstate.audit._facts import MODULE
from sessionstate.audit._project import Func, Module, Project, Type
from sessionstate.audit._vocabulary import GROW, READ, SHRINK

VAGUE: Final = frozenset(
    {
        *("data", "items", "values", "children", "args", "headers", "params", "fields", "options"),
        *("config", "nodes", "state", "attrs", "kwargs", "result", "results", "entries", "parts"),
        *("lines", "errors", "messages", "tags", "names", "info", "metadata", "properties", "name"),
    }
)
"""Attributes that many classes have: their name alone does not tell whose they are."""

STATE: Final = "state"
CLOSURE: Final = "closure"
GLOBAL: Final = "global"
ATTRIBUTE: Final = "attribute"


class Op(NamedTuple):
    """
    One thing done to a container.
    """

    func: Func
    name: str
    event: Event
    frames: tuple[Frame, ...]
    inner: bool
    """Whether it is done to a value in the container."""
    via: str = ""
    """What it is handed to as a callback, such as ``add_done_callback``."""

    @property
    def line(self) -> int:
        """
        Its line.
        """
        return int(self.event[3])

    @property
    def key(self) -> str:
        """
        Its key.
        """
        return "" if self.via else str(self.event[5])


@dataclass(slots=True, eq=False)
class Kept:
    """
    A container that outlives a call.
    """

    name: str
    kind: str
    scope: str
    module: Module
    line: int
    column: int
    owner: Type | None = None
    maker: Func | None = None
    """The function whose local variable it is, of a closure."""
    ops: list[Op] = field(default_factory=list)
    escapes: list[Op] = field(default_factory=list)
    """Where it is handed to something unknown, or returned."""

    @property
    def attribute(self) -> str:
        """
        Its last name.
        """
        return self.name.rpartition(".")[2]

    def writes(self) -> Iterator[Op]:
        """
        Yield what puts an entry in.
        """
        for op in self.ops:
            if not op.inner and (op.name in GROW or (op.name == "[]" and self.creates)):
                yield op

    def removals(self) -> Iterator[Op]:
        """
        Yield what takes an entry out.
        """
        for op in self.ops:
            if not op.inner and op.name in REMOVES:
                yield op

    @property
    def creates(self) -> bool:
        """
        Whether reading creates.
        """
        return self.kind.startswith("defaultdict")


REMOVES: Final = SHRINK | {"=", "=filter", "[:]=", "del"}


class Containers:
    """
    Finds each container of a project, and resolves paths to them.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self.all: list[Kept] = []
        self._globals: dict[tuple[int, str], Kept] = {}
        self._attributes: dict[tuple[int, str], Kept] = {}
        self._closures: dict[tuple[int, str], Kept] = {}
        self._named: defaultdict[str, list[Kept]] = defaultdict(list)
        self._instances: dict[tuple[int, str], tuple[Module, str]] = {}
        """What class the value of a module's or class's name is of, as its module calls it."""
        self._attribute_instances: dict[str, tuple[Module, str] | None] = {}
        """The same by the name of an attribute; None where it is of several classes."""
        for func in project.functions:
            self._define(func)
        for func in project.functions:
            self._gather(func)
        for kept in self.all:
            for op in kept.escapes:
                self._bind(kept, op)

    def _define(self, func: Func) -> None:
        for path, kind, line, column, value in func.fact.makes:
            if value[:1] == "%":
                self._instance(func, path, value)
            if not kind or path[0] == "$" or ".*" in path:
                continue
            root, _, rest = path.partition(".")
            if root == "self" and rest and "." not in rest:
                owner = self.project.type_of(func)
                if owner is not None:
                    self._attribute(func, owner, rest, kind, line, column)
            elif root[0] == "^" and not rest:
                if func.fact.qualname != MODULE:
                    name = root.rpartition(">")[2]
                    kept = Kept(name, kind, CLOSURE, func.module, line, column, None, func)
                    self._closures.setdefault((id(func.module), root), kept)
            elif root[0] == "@" and not rest:
                known = self._globals.get((id(func.module), root[1:]))
                if known is None:
                    self._globals[id(func.module), root[1:]] = self._add(
                        Kept(root[1:], kind, GLOBAL, func.module, line, column)
                    )
            elif rest and not self._is_attribute_of_known(func, path):
                self._state(func, path, kind, line, column)

    def _is_attribute_of_known(self, func: Func, path: str) -> bool:
        base, _, attr = path.rpartition(".")
        owner = self.instance(func, base)
        if owner is None:
            return False
        self._attribute(func, owner, attr, "dict", 0, 0)
        return True

    def _attribute(
        self, func: Func, owner: Type, attr: str, kind: str, line: int, column: int
    ) -> None:
        for each in self.project.lineage(owner):
            if (id(each), attr) in self._attributes:
                return
        if line == 0:
            return
        name = f"{owner.name}.{attr}"
        kept = Kept(name, kind, ATTRIBUTE, func.module, line, column, owner)
        self._attributes[id(owner), attr] = self._add(kept)

    def _state(self, func: Func, path: str, kind: str, line: int, column: int) -> None:
        """
        Note a container that hangs on something of which the class is not known, as ``app.state``.
        """
        base, _, attr = path.rpartition(".")
        if any(each.scope == STATE for each in self._named.get(attr, ())):
            return
        shown = base.lstrip("@$%").rpartition(">")[2]
        name = f"{shown}{attr}" if attr[0] == "[" else f"{shown}.{attr}"
        self._add(Kept(name.replace("self.", ""), kind, STATE, func.module, line, column), attr)

    def _add(self, kept: Kept, attr: str = "") -> Kept:
        self.all.append(kept)
        self._named[attr or kept.attribute].append(kept)
        return kept

    def _instance(self, func: Func, path: str, value: str) -> None:
        root, _, rest = path.partition(".")
        found = (func.module, value)
        if rest:
            attr = path.rpartition(".")[2]
            agreed = self._attribute_instances.setdefault(attr, found)
            if agreed is not None and agreed[1] != value:
                self._attribute_instances[attr] = None
        if root == "self" and rest and "." not in rest:
            owner = self.project.type_of(func)
            if owner is not None:
                self._instances.setdefault((id(owner), rest), found)
        elif root[0] == "@" and not rest:
            self._instances.setdefault((id(func.module), root[1:]), found)
        elif root[0] == "^" and not rest:
            self._instances.setdefault((id(func.module), root), found)

    def instance(self, func: Func, path: str) -> Type | None:
        """
        Return the class that what *path* names in *func* is an instance of.
        """
        project = self.project
        root, *rest = path.split(".")
        kind: Type | None = None
        if root == "self":
            kind = project.type_of(func)
        elif root[:1] == "%":
            # ``%module.Class`` was split at its dots.
            while kind is None and root:
                kind = project.find_type(func.module, root)
                if kind is None and rest:
                    root, rest = f"{root}.{rest[0]}", rest[1:]
                else:
                    break
        elif root[:1] == "@":
            kind, rest = self._global_instance(func.module, root[1:], rest)
        elif root[:1] == "^":
            found = self._instances.get((id(func.module), root))
            kind = project.find_type(*found) if found is not None else None
        known = kind is not None
        for attr in rest:
            kind = self._attribute_type(kind, attr) if kind is not None else None
        if kind is None and not known and rest:
            kind = self._by_attribute(rest[-1])
        return kind

    def _by_attribute(self, attr: str) -> Type | None:
        """
        Return the class of what is set to an attribute of that name, if all agree.
        """
        found = self._attribute_instances.get(attr)
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
        made = self._instances.get((id(func.module), root[1:]))
        return made is not None and self.project.find_type(*made) is None

    def _global_instance(
        self, module: Module, name: str, rest: list[str]
    ) -> tuple[Type | None, list[str]]:
        project = self.project
        direct = project._types.get((id(module), name))
        if direct is not None:
            return direct, rest
        found = self._instances.get((id(module), name))
        if found is not None:
            return project.find_type(*found), rest
        target = project.imported(module, name)
        if target is None:
            return None, rest
        other, what = target
        if not what and rest:
            what, rest = rest[0], rest[1:]
        found = self._instances.get((id(other), what))
        if found is not None:
            return project.find_type(*found), rest
        return project._types.get((id(other), what)), rest

    def _attribute_type(self, kind: Type, attr: str) -> Type | None:
        for each in self.project.lineage(kind):
            found = self._instances.get((id(each), attr))
            if found is not None:
                return self.project.find_type(*found)
        return None

    def resolve(self, func: Func, path: str) -> tuple[list[Kept], bool]:
        """
        Return the containers that *path* may be, and whether a value in them is meant.
        """
        head, star, _ = path.partition(".*")
        inner = bool(star)
        root, _, rest = head.partition(".")
        if not rest:
            kept = self._whole(func, root)
            return ([kept] if kept is not None else []), inner
        base, _, attr = head.rpartition(".")
        owner = self.instance(func, base)
        if owner is not None:
            for each in self.project.lineage(owner):
                found = self._attributes.get((id(each), attr))
                if found is not None:
                    return [found], inner
        if base[:1] == "@" and "." not in base:
            target = self.project.imported(func.module, base[1:])
            if target is not None and not target[1]:
                found = self._globals.get((id(target[0]), attr))
                return ([found] if found is not None else []), inner
        several = self._named.get(attr, [])
        if owner is not None and base != "self":
            several = [each for each in several if each.scope == STATE]
        elif owner is not None:
            several = [
                k for k in several if k.owner is not None and owner in self.project.lineage(k.owner)
            ]
        elif attr in VAGUE:
            return [], inner
        return [each for each in several if each.scope != GLOBAL], inner

    def _whole(self, func: Func, root: str) -> Kept | None:
        if root[:1] == "@":
            name = root[1:]
            found = self._globals.get((id(func.module), name))
            if found is None:
                target = self.project.imported(func.module, name)
                if target is not None:
                    found = self._globals.get((id(target[0]), target[1]))
            return found
        if root[:1] == "^":
            return self._closures.get((id(func.module), root))
        return None

    def _gather(self, func: Func) -> None:
        """
        Note what *func* does to containers.
        """
        names = self._named
        fact = func.fact
        touched = any(self.resolve(func, path)[0] for path, _ in fact.touches)
        if not touched and not any(name in names for name in fact.calls):
            return
        for seen in walk(fact.block()):
            self._note(func, seen)

    def _note(self, func: Func, seen: Seen) -> None:
        _, path, name, line, _, _, arguments, _ = seen.event
        several, inner = self.resolve(func, path)
        for kept in several:
            if (
                name in {"=", "=filter"}
                and not inner
                and (kept.line == line or _initial(kept, func, seen))
            ):
                continue
            # Of several that may be meant, each may be emptied; none is said to grow.
            if len(several) > 1 and (name in GROW or name == "[]"):
                continue
            if kept.scope == CLOSURE and kept.maker is None:
                continue
            kept.ops.append(Op(func, name, seen.event, seen.frames, inner))
        for each in arguments:
            self._passed(func, seen, name, each)

    def _passed(self, func: Func, seen: Seen, name: str, argument: str) -> None:
        text = (
            argument.partition("=")[2]
            if "=" in argument[:24] and argument[0] not in "=~"
            else argument
        )
        if text[:1] in ("~", "=", "%", ""):
            return
        base, _, last = text.rpartition(".")
        if last in SHRINK or last in READ:
            several, inner = self.resolve(func, base)
            for kept in several:
                kept.ops.append(Op(func, last, seen.event, seen.frames, inner, via=name))
            if several:
                return
        several, inner = self.resolve(func, text)
        for kept in several:
            if not inner:
                kept.escapes.append(Op(func, name, seen.event, seen.frames, inner))

    def _bind(self, kept: Kept, op: Op) -> None:
        """
        Note what is done to a container by a function of ours that is given it.
        """
        called = op.event[1].rpartition(".")[2].lstrip("@") if op.name == "()" else op.name
        targets = self.project.named.get(called, ())
        if len(targets) != 1:
            return
        target = targets[0]
        parameters = [name for name, _ in target.fact.parameters]
        if target.fact.cls and parameters[:1] == ["self"]:
            parameters = parameters[1:]
        for name, argument in zip(parameters, op.event[6], strict=False):
            several, inner = self.resolve(op.func, argument.rpartition("=")[2])
            if kept not in several or inner:
                continue
            paths = {f"${name}"} | {f"%{a}" for p, a in target.fact.parameters if p == name}
            if any(path.partition(".")[0] in paths for path, _ in target.fact.touches):
                for seen in walk(target.fact.block()):
                    head, _, rest = seen.event[1].partition(".")
                    if head in paths and rest[:1] in {"", "*"}:
                        kept.ops.append(
                            Op(target, seen.event[2], seen.event, seen.frames, bool(rest))
                        )

    def closures(self) -> Iterable[Kept]:
        """
        Return the local variables of functions whose inner functions write to them.
        """
        for kept in self._closures.values():
            inside = [op.func for op in kept.writes() if op.func is not kept.maker]
            if inside:
                yield kept


def _initial(kept: Kept, func: Func, seen: Seen) -> bool:
    """
    Tell whether a rebind is how the container comes to be: in a constructor, or where there is none.
    """
    if seen.event[2] == "=" and func.name in {
        "__init__",
        "__new__",
        "__post_init__",
        "__set_name__",
    }:
        return kept.scope == ATTRIBUTE
    if func.fact.qualname == MODULE:
        return True
    test = seen.within("if")
    if test is not None and seen.event[2] == "=":
        path = seen.event[1]
        names = path.rpartition(".")[2].lstrip("@").rpartition(">")[2]
        return names in test.text or "hasattr" in test.text or "None" in test.text
    return False
