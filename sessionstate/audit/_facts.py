"""
What one file tells, in a form that is small, can be stored, and needs no other file.
"""

from __future__ import annotations

import ast
import marshal
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from sessionstate.audit._events import LATER, OP, Event, Expressions
from sessionstate.audit._lowering import Block, Lowering
from sessionstate.audit._nodes import annotated, dotted
from sessionstate.audit._vocabulary import COUNT, GROW, SHRINK

FORMAT: Final = 1
"""Counts up whenever stored facts would no longer be understood."""

ASYNC: Final = 1
YIELDS: Final = 2
STATIC: Final = 4
RAISES: Final = 8
"""It raises an error of its own."""

MODULE: Final = "<module>"
PLAIN: Final = frozenset({"~", "=", ""})
"""How an argument begins that is no path."""

NOTED: Final = GROW | SHRINK | {COUNT, "=", "=filter", "[:]=", "del", "[]"}


Make = tuple[str, str, int, int, str]


class Function(NamedTuple):
    """
    A function, a class body (named as the class) or a module's own statements.
    """

    qualname: str
    cls: str
    """The class whose instance is ``self``, or an empty string."""
    line: int
    flags: int
    decorators: tuple[str, ...]
    parameters: tuple[tuple[str, str], ...]
    """Each with the first name of its annotation."""
    calls: tuple[str, ...]
    """The last names of what it calls, passes on or looks up."""
    touches: tuple[tuple[str, str], ...]
    """Each path with what is done to it, as far as that may be a container."""
    makes: tuple[Make, ...]
    """Each path that is set to a container or an instance: path, kind, line, column, instance."""
    code: bytes
    """Its block, marshalled."""

    @property
    def name(self) -> str:
        """
        Its name, without what it is defined in.
        """
        return self.qualname.rpartition(".")[2]

    def block(self) -> Block:
        """
        Return what it does.
        """
        block: Block = marshal.loads(self.code)  # noqa: S302 - made here, or read from a checked cache
        return block


class Class(NamedTuple):
    """
    A class.
    """

    qualname: str
    line: int
    bases: tuple[str, ...]
    decorators: tuple[str, ...]


@dataclass(slots=True)
class Facts:
    """
    What one file tells.
    """

    lines: int
    imports: dict[str, str]
    classes: tuple[Class, ...]
    functions: tuple[Function, ...]

    def stored(self) -> bytes:
        """
        Return it as bytes.
        """
        classes = tuple(tuple(each) for each in self.classes)
        functions = tuple(tuple(each) for each in self.functions)
        return marshal.dumps((self.lines, self.imports, classes, functions))  # type: ignore[arg-type]

    @classmethod
    def read(cls, stored: bytes) -> Facts:
        """
        Make it anew from what `stored` returned.
        """
        lines, imports, classes, functions = marshal.loads(stored)  # noqa: S302 - as above
        return cls(
            lines, imports, tuple(map(Class._make, classes)), tuple(map(Function._make, functions))
        )


def facts_of(source: str | bytes, path: str) -> Facts:
    """
    Read one file's facts.

    Raises:
        SyntaxError: If it cannot be parsed.
        RecursionError: If it is nested too deeply.
    """
    tree = ast.parse(source, path)
    ends = source.count("\n") if isinstance(source, str) else source.count(b"\n")
    return Collector().collect(tree, ends + 1)


class Head(NamedTuple):
    """
    What a definition says before its body.
    """

    line: int
    flags: int = 0
    decorators: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()


class Collector:
    """
    Walks the functions and classes of one file, the outer before the inner.
    """

    def __init__(self) -> None:
        self._functions: list[Function] = []
        self._classes: list[Class] = []
        self._imports: dict[str, str] = {}

    def collect(self, tree: ast.Module, lines: int) -> Facts:
        """
        Return the facts of a parsed file.
        """
        on = Lowering(MODULE, None, "module", "")
        self._finish(on, tree.body, Head(1))
        return Facts(lines, self._imports, tuple(self._classes), tuple(self._functions))

    def _finish(self, on: Lowering, body: list[ast.stmt], head: Head) -> None:
        block = on.block(body)
        self._imports.update(on.imports)
        touches: dict[tuple[str, str], None] = {}
        makes: list[Make] = []
        _note(on.happened, touches, makes, on.calls)
        self._functions.append(
            Function(
                on.qualname,
                on.cls,
                head.line,
                head.flags | (YIELDS if on.yields else 0) | (RAISES if on.raises else 0),
                head.decorators,
                head.parameters,
                tuple(sorted(on.calls)),
                tuple(touches),
                tuple(makes),
                marshal.dumps(block),
            )
        )
        for node, cls in on.inner:
            if isinstance(node, ast.ClassDef):
                self._class(node, on)
            else:
                self._function(node, on, cls)

    def _class(self, node: ast.ClassDef, outer: Lowering) -> None:
        qualname = _within(outer, node.name)
        bases = tuple(
            dotted(base.value if isinstance(base, ast.Subscript) else base) for base in node.bases
        )
        decorators = tuple(dotted(each) for each in node.decorator_list)
        self._classes.append(Class(qualname, node.lineno, bases, decorators))
        on = Lowering(qualname, outer, "class", qualname)
        self._finish(on, node.body, Head(node.lineno, 0, decorators))

    def _function(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, outer: Lowering, cls: str
    ) -> None:
        # What a method sees of its class's names it sees through `self`.
        seen: Expressions | None = outer
        while isinstance(seen, Lowering) and seen.kind in {"class", "module"}:
            seen = seen.outer
        on = Lowering(_within(outer, node.name), seen, "function", cls)
        decorators = tuple(map(_decorator, node.decorator_list))
        static = "staticmethod" in decorators
        given = (*node.args.posonlyargs, *node.args.args)
        for each in (*given, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg):
            if each is not None:
                name = annotated(each.annotation)
                known = name[:1].isupper() and name not in {"Any", "None", "Callable"}
                on.paths[each.arg] = f"%{name}" if known else f"${each.arg}"
                on.origins[each.arg] = f"p:{each.arg}|{name}" if name else f"p:{each.arg}"
        if outer.kind == "class" and not static and given:
            on.paths[given[0].arg] = "self"
        flags = ASYNC if isinstance(node, ast.AsyncFunctionDef) else 0
        parameters = tuple(
            (each.arg, annotated(each.annotation)) for each in (*given, *node.args.kwonlyargs)
        )
        head = Head(node.lineno, flags | (STATIC if static else 0), decorators, parameters)
        self._finish(on, node.body, head)


def _within(outer: Lowering, name: str) -> str:
    return name if outer.qualname == MODULE else f"{outer.qualname}.{name}"


def _decorator(node: ast.expr) -> str:
    text = dotted(node)
    if isinstance(node, ast.Call):
        for each in node.args[:1]:
            if isinstance(each, ast.Constant):
                text += f" {each.value!s}"
        for keyword in node.keywords:
            if keyword.arg in {"methods", "method", "maxsize"}:
                text += f" {keyword.arg}={ast.unparse(keyword.value)}"
    return text or "?"


def _note(
    events: Iterable[Event],
    touches: dict[tuple[str, str], None],
    makes: list[Make],
    calls: set[str],
) -> None:
    """
    Gather which paths are touched, which are made, and by name what is passed on.
    """
    for event in events:
        if event[0] == LATER:
            _note(event[2], touches, makes, calls)
        if event[0] != OP:
            continue
        _, path, name, line, column, _, arguments, _ = event
        if name in NOTED:
            touches[path, name] = None
            if name == "=" and (arguments[1] or arguments[0][:1] == "%"):
                makes.append((path, arguments[1], line, column, arguments[0]))
                continue
        for each in arguments:
            if each[:1] in PLAIN:
                continue
            base, _, last = each.rpartition(".")
            if last:
                calls.add(last.rpartition("=")[2].lstrip("@$^%").rpartition(">")[2])
                if last in SHRINK:
                    touches[base.rpartition("=")[2], last] = None
