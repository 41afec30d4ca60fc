"""
The containers that outlive a call, and everything that is done to them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from sessionstate.audit._contexts import Frame, Seen, operations, walk
from sessionstate.audit._events import Event
from sessionstate.audit._facts import MODULE, Make
from sessionstate.audit._instances import VAGUE, Instances
from sessionstate.audit._project import Func, Module, Project, Type
from sessionstate.audit._vocabulary import COUNT, GROW, READ, SHRINK

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
    ops: list[Op] = field(default_factory=list[Op])
    escapes: list[Op] = field(default_factory=list[Op])
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
            made = self.creates or (op.name == COUNT and self.kind == "Counter")
            if not op.inner and (op.name in GROW or (op.name in {"[]", COUNT} and made)):
                yield op

    def removals(self) -> Iterator[Op]:
        """
        Yield what takes an entry out.
        """
        for op in self.ops:
            constant = op.name in {"pop", "del[]"} and op.key.startswith("c:")
            if not op.inner and op.name in REMOVES and not (constant and self.kind in KEYED):
                yield op

    @property
    def creates(self) -> bool:
        """
        Whether reading creates.
        """
        return self.kind.startswith("defaultdict")


REQUESTED: Final = re.compile(
    r"^[@$%](g|request|req|websocket|ws|Request|WebSocket|HTTPConnection|_?request_ctx|ctx|local|_local"
    r"|thread_local|threadlocal|state)$|^[$%@](request|Request|req|conn|WebSocket|websocket)\."
)
"""What hangs on these goes with a request, or with a thread."""
KEYED: Final = frozenset({"dict", "OrderedDict", "defaultdict", "set"})
REMOVES: Final = SHRINK | {"=", "=filter", "[:]=", "del"}

Meant = tuple[tuple[Kept, ...], bool]
"""The containers that a path may be, and whether a value in them is meant."""
NOTHING: Final[Meant] = ((), False)

ROOTS: Final = frozenset({"@", "^"})
"""How a path begins that may be a container by itself."""
PLAIN: Final = frozenset({"~", "=", ""})
"""How an argument begins that is no container."""


def _made(func: Func, make: Make, name: str, scope: str, owner: Type | None = None) -> Kept:
    _, kind, line, column, _ = make
    maker = func if scope == CLOSURE else None
    return Kept(name, kind, scope, func.module, line, column, owner, maker)


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
        self.instances = Instances(project)
        self._resolved: dict[tuple[int, str, str], Meant] = {}
        self._never: set[str] = set()
        """Paths that are no container, wherever they are met: most."""
        self._plain: set[str] = set()
        """The same of arguments."""
        for func in project.functions:
            self._define(func)
        self._names = frozenset(self._named)
        for func in project.functions:
            self._gather(func)
        for kept in self.all:
            for op in kept.escapes:
                self._bind(kept, op)

    def _define(self, func: Func) -> None:
        for make in func.fact.makes:
            path, kind, _, _, value = make
            if value[:1] == "%":
                self.instances.learn(func, path, value)
            if not kind or path[0] == "$" or ".*" in path:
                continue
            root, _, rest = path.partition(".")
            if root == "self" and rest and "." not in rest:
                self._attribute(func, rest, make)
            elif root[0] == "^" and not rest:
                kept = _made(func, make, root.rpartition(">")[2], CLOSURE)
                self._closures.setdefault((id(func.module), root), kept)
            elif root[0] == "@" and not rest:
                if (id(func.module), root[1:]) not in self._globals:
                    kept = self._add(_made(func, make, root[1:], GLOBAL))
                    self._globals[id(func.module), root[1:]] = kept
            elif rest and self.instances.of(func, path.rpartition(".")[0]) is None:
                self._state(func, make)

    def _attribute(self, func: Func, attr: str, make: Make) -> None:
        owner = self.project.type_of(func)
        assert owner is not None  # there is no `self` outside of a class
        lineage = self.project.lineage(owner)
        if not any((id(each), attr) in self._attributes for each in lineage):
            kept = _made(func, make, f"{owner.name}.{attr}", ATTRIBUTE, owner)
            self._attributes[id(owner), attr] = self._add(kept)

    def _state(self, func: Func, make: Make) -> None:
        """
        Note a container that hangs on something of which the class is not known, as ``app.state``.
        """
        base, _, attr = make[0].rpartition(".")
        if base[0] == "^" or REQUESTED.search(base):
            return  # it hangs on a local variable, and goes with it
        if any(each.scope == STATE for each in self._named.get(attr, ())):
            return
        shown = base.lstrip("@$%").rpartition(">")[2]
        name = f"{shown}{attr}" if attr[0] == "[" else f"{shown}.{attr}"
        kept = _made(func, make, name.replace("self.", ""), STATE)
        if base.startswith("self"):
            kept.owner = self.project.type_of(func)
        self._add(kept, attr)

    def _add(self, kept: Kept, attr: str = "") -> Kept:
        self.all.append(kept)
        self._named[attr or kept.attribute].append(kept)
        return kept

    def resolve(self, func: Func, path: str) -> Meant:
        """
        Return the containers that *path* may be, and whether a value in them is meant.
        """
        if path in self._never:
            return NOTHING
        head, star, _ = path.partition(".*")
        base, _, attr = head.rpartition(".")
        if attr not in self._named if base else head[:1] not in ROOTS:
            self._never.add(path)
            return NOTHING
        asked = (id(func.module), func.fact.cls, path)
        found = self._resolved.get(asked)
        if found is None:
            several = self._hanging(func, base, attr) if base else self._whole(func, head)
            found = self._resolved[asked] = (tuple(several), bool(star)) if several else NOTHING
        return found

    def _hanging(self, func: Func, base: str, attr: str) -> list[Kept]:
        """
        Return the containers that *attr* of *base* may be.
        """
        owner = self.instances.of(func, base)
        if owner is not None:
            for each in self.project.lineage(owner):
                found = self._attributes.get((id(each), attr))
                if found is not None:
                    return [found]
        if base[:1] == "@" and "." not in base:
            target = self.project.imported(func.module, base[1:])
            if target is not None and not target[1]:
                found = self._globals.get((id(target[0]), attr))
                return [found] if found is not None else []
        several = self._named[attr]
        if owner is not None and base != "self":
            several = [each for each in several if each.scope == STATE]
        elif owner is not None:
            several = [
                k for k in several if k.owner is not None and owner in self.project.lineage(k.owner)
            ]
        elif attr in VAGUE:
            return []
        return [each for each in several if each.scope != GLOBAL]

    def _whole(self, func: Func, root: str) -> list[Kept]:
        """
        Return the container that a name alone is.
        """
        found = self._closures.get((id(func.module), root))
        if found is None:
            found = self._globals.get((id(func.module), root[1:]))
        if found is None:
            target = self.project.imported(func.module, root[1:])
            if target is not None:
                found = self._globals.get((id(target[0]), target[1]))
        return [found] if found is not None else []

    def _gather(self, func: Func) -> None:
        """
        Note what *func* does to containers.
        """
        fact = func.fact
        if self._names.isdisjoint(fact.calls) and not any(
            self.resolve(func, path)[0] for path, _ in fact.touches
        ):
            return
        block = fact.block()
        # Most events are about something else: only of the others it matters what they stand in.
        met = {id(event) for event in operations(block) if self._concerns(func, event)}
        if met:
            for seen in walk(block):
                if id(seen.event) in met:
                    self._note(func, seen)

    def _concerns(self, func: Func, event: Event) -> bool:
        """
        Tell whether an event is about a container.
        """
        if event[1] not in self._never and self.resolve(func, event[1])[0]:
            return True
        arguments = event[6]
        return not self._plain.issuperset(arguments) and any(
            self._passed(func, each)[1][0] for each in arguments
        )

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
            kept.ops.append(Op(func, name, seen.event, seen.frames, inner))
        for argument in arguments:
            method, (several, inner) = self._passed(func, argument)
            for kept in several:
                op = Op(
                    func, method or name, seen.event, seen.frames, inner, name if method else ""
                )
                if method:
                    kept.ops.append(op)
                elif not inner:
                    kept.escapes.append(op)

    def _passed(self, func: Func, argument: str) -> tuple[str, Meant]:
        """
        Return the containers that an argument may be, or whose method of that name it is.
        """
        text = argument
        if "=" in argument[:24] and argument[0] not in "=~":
            text = argument.partition("=")[2]
        if text[:1] in PLAIN:
            self._plain.add(argument)
            return "", NOTHING
        base, _, last = text.rpartition(".")
        method = last in SHRINK or last in READ
        if method:
            meant = self.resolve(func, base)
            if meant[0]:
                return last, meant
        meant = self.resolve(func, text)
        if text in self._never and (not method or base in self._never):
            self._plain.add(argument)
        return "", meant

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
    Tell whether a rebind is how the container comes to be: in a constructor, or if there is none.
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
