"""
What one file tells, in a form that is small, can be stored, and needs no other file.
"""

from __future__ import annotations

import ast
import marshal
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sessionstate.audit._events import Expressions, annotated, dotted
from sessionstate.audit._lowering import Block, Lowering
from sessionstate.audit._vocabulary import GROW, SHRINK

FORMAT: Final = 1
"""Counts up whenever stored facts would no longer be understood."""

ASYNC: Final = 1
YIELDS: Final = 2
STATIC: Final = 4
RAISES: Final = 8
"""It raises an error of its own."""

MODULE: Final = "<module>"
NOTED: Final = GROW | SHRINK | {"=", "=filter", "[:]=", "del", "[]"}


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
    makes: tuple[tuple[str, str, int, int, str], ...]
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
        return marshal.loads(self.code)  # noqa: S302 - made here, or read from a checked cache


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
        classes, functions = map(tuple, self.classes), map(tuple, self.functions)
        return marshal.dumps((self.lines, self.imports, tuple(classes), tuple(functions)))

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
    return Collector().collect(tree, source.count("\n" if isinstance(source, str) else b"\n") + 1)  # type: ignore[arg-type]


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
        self._finish(on, on.block(tree.body), 1, 0, (), ())
        return Facts(lines, self._imports, tuple(self._classes), tuple(self._functions))

    def _finish(
        self,
        on: Lowering,
        block: Block,
        line: int,
        flags: int,
        decorators: tuple[str, ...],
        parameters: tuple[tuple[str, str], ...],
    ) -> None:
        self._imports.update(on.imports)
        flags |= (YIELDS if on.yields else 0) | (RAISES if on.raises else 0)
        touches: dict[tuple[str, str], None] = {}
        makes: list[tuple[str, str, int, int, str]] = []
        calls = on.calls
        _note(block, touches, makes, calls)
        self._functions.append(
            Function(
                on.qualname,
                on.cls,
                line,
                flags,
                decorators,
                parameters,
                tuple(sorted(calls)),
                tuple(touches),
                tuple(makes),
                marshal.dumps(block),
            )
        )
        for node, cls in on.inner:
            if isinstance(node, ast.ClassDef):
                self._class(node, on)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self._function(node, on, cls)

    def _class(self, node: ast.ClassDef, outer: Lowering) -> None:
        qualname = _within(outer, node.name)
        bases = tuple(
            dotted(base.value if isinstance(base, ast.Subscript) else base) for base in node.bases
        )
        decorators = tuple(dotted(each) for each in node.decorator_list)
        self._classes.append(Class(qualname, node.lineno, bases, decorators))
        on = Lowering(qualname, outer, "class", qualname)
        self._finish(on, on.block(node.body), node.lineno, 0, decorators, ())

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
        method = isinstance(outer, Lowering) and outer.kind == "class" and not static
        if method and given:
            on.paths[given[0].arg] = "self"
        flags = ASYNC if isinstance(node, ast.AsyncFunctionDef) else 0
        parameters = tuple(
            (each.arg, annotated(each.annotation)) for each in (*given, *node.args.kwonlyargs)
        )
        body = on.block(node.body)
        self._finish(
            on, body, node.lineno, flags | (STATIC if static else 0), decorators, parameters
        )


def _within(outer: Lowering, name: str) -> str:
    return name if outer.qualname == MODULE else f"{outer.qualname}.{name}"


def _decorator(node: ast.expr) -> str:
    text = dotted(node)
    if isinstance(node, ast.Call):
        for each in node.args[:1]:
            if isinstance(each, ast.Constant):
                text += f" {each.value}"
        for keyword in node.keywords:
            if keyword.arg in {"methods", "method", "maxsize"}:
                text += f" {keyword.arg}={ast.unparse(keyword.value)}"
    elif text == "":
        text = "?"
    return text


def _note(
    block: Any,
    touches: dict[tuple[str, str], None],
    makes: list[tuple[str, str, int, int, str]],
    calls: set[str],
) -> None:
    """
    Gather which paths a block touches, which it makes, and by name what it passes on.
    """
    for item in block:
        if type(item) is not tuple or not item:
            continue
        if item[0] == "o" and len(item) == 8:  # noqa: PLR2004 - an event
            _, path, name, line, column, _, arguments, _ = item
            if name in NOTED:
                touches[path, name] = None
                if name == "=" and (arguments[1] or arguments[0][:1] == "%"):
                    makes.append((path, arguments[1], line, column, arguments[0]))
                    continue
            for each in arguments:
                last = each.rpartition(".")[2] if each[:1] not in ("~", "=", "") else ""
                if last:
                    calls.add(last.rpartition("=")[2].lstrip("@$^%").rpartition(">")[2])
                    if last in SHRINK:
                        touches[each.rpartition(".")[0].rpartition("=")[2], last] = None
        else:
            _note(item, touches, makes, calls)
