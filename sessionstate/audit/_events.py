"""
Expressions, reduced to events in the order in which they happen.

An event is a tuple, so that it is small, can be marshalled and compared:

``(OP, path, name, line, column, key, arguments, value)``
    A method call, or what an operator does as one: ``agents[id] = x`` is ``[]=`` of ``agents``. A
    call of a plain function is ``()`` of that function.
``(AWAIT, line, path)``, ``(YIELD, line)``
    Where the function may be suspended.
``(LATER, line, events)``
    A lambda: its events happen when it is called.

A *path* says what is meant, as far as one file can tell:

``self.x``         an attribute of the instance, or of its class
``@name``          a name of this module, whether made or imported here
``^function>name`` a local variable of an enclosing function, or of this one
``%Name``          some instance of ``Name``
``$name``          an argument, or a local variable of which nothing else is known
``?``              anything

followed by ``.attribute``, ``.[key]`` for a constant key, or ``.*`` for any one value. Two paths
that may both be meant are joined by ``|``.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, Final

from sessionstate.audit._nodes import dotted, written
from sessionstate.audit._vocabulary import RANDOM

OP: Final = "o"
AWAIT: Final = "w"
YIELD: Final = "y"
LATER: Final = "l"

Event = tuple[Any, ...]

LONGEST_KEY: Final = 60
FRESH: Final = frozenset({"id", "hash"})
WRAPS: Final = frozenset(
    {
        *("str", "int", "tuple", "bytes", "cast", "repr", "frozenset", "float"),
        *("lower", "strip", "upper", "decode", "encode"),
    }
)
PICKS: Final = frozenset({"get", "hex", "format", "hexdigest"})


def called(event: Event) -> str:
    """
    Return the last name of what an event calls.
    """
    name = event[1].rpartition(".")[2] if event[2] == "()" else event[2]
    return str(name).lstrip("@$%^").rpartition(">")[2]


class Expressions:
    """
    Walks expressions of one function and appends what happens to `out`.
    """

    def __init__(self, qualname: str, outer: Expressions | None) -> None:
        self.qualname = qualname
        self.local = qualname.replace(".", "/")  # a dot would begin an attribute
        self.outer = outer
        self.paths: dict[str, str] = {}
        """What each local name stands for."""
        self.origins: dict[str, str] = {}
        """Where the value of each local name comes from, as `key` writes it."""
        self.texts: dict[str, tuple[str, ...]] = {}
        """Local names that are one of several constant strings."""
        self.out: list[Event] = []
        self.calls: set[str] = set()
        self.yields = False
        self.raises = False

    def look_up(self, name: str) -> str:
        """
        Return the path that *name* stands for here.
        """
        scope: Expressions | None = self
        while scope is not None:
            path = scope.paths.get(name)
            if path is not None:
                # A local variable of an enclosing function is known by that function.
                if scope is not self and path[0] == "$":
                    return f"^{scope.local}>{path[1:]}"
                return path
            scope = scope.outer
        return f"@{name}"

    def op(
        self,
        path: str,
        name: str,
        node: ast.expr | ast.stmt,
        key: str = "",
        arguments: tuple[str, ...] = (),
        *,
        value: str = "",
    ) -> None:
        """
        Append an operation on each container that *path* may mean.
        """
        line, column = node.lineno, node.col_offset + 1
        for one in path.split("|"):
            self.out.append((OP, one, name, line, column, key, arguments, value))

    def visit(self, node: ast.expr | None) -> str:
        """
        Walk *node*, and return the path that it is.
        """
        if node is None:
            return ""
        handler = HANDLERS.get(type(node))
        if handler is not None:
            return handler(self, node)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.visit(child)
        return ""

    def key(self, node: ast.expr | None, depth: int = 0) -> str:
        """
        Say where a key comes from: an origin, a colon, and its text.

        Origins: ``c`` constant, ``b`` bounded, ``u`` unique, ``p`` parameter, ``a`` attribute,
        ``r`` result of a call, ``v`` local variable, ``k`` key of a container, ``t`` several.
        """
        if depth > 4 or node is None:  # noqa: PLR2004
            return ""
        match node:
            case ast.Constant(value=str(text)):
                return f"c:{text}"[:LONGEST_KEY]
            case ast.Constant():
                return f"c:{written(node)}"[:LONGEST_KEY]
            case ast.Name(id=name):
                return self._origin_of(name)
            case ast.Attribute():
                return f"a:{dotted(node)}"[:LONGEST_KEY]
            case ast.Await(value=value) | ast.NamedExpr(value=value) | ast.Starred(value=value):
                return self.key(value, depth + 1)
            case ast.Call():
                return self._result(node, depth)
            case (
                ast.Tuple(elts=parts)
                | ast.List(elts=parts)
                | ast.Set(elts=parts)
                | ast.JoinedStr(values=parts)
            ):
                return "t:" + "+".join(filter(None, (self.key(p, depth + 1) for p in parts[:6])))
            case ast.FormattedValue(value=value):
                return self.key(value, depth + 1)
            case ast.Dict(keys=keys):
                given = (self.key(k, depth + 1) for k in keys[:6] if k is not None)
                return "t:" + "+".join(filter(None, given))
            case ast.BinOp(left=left, right=right):
                return f"t:{self.key(left, depth + 1)}+{self.key(right, depth + 1)}"
            case ast.BoolOp(values=values):
                return "t:" + "+".join(filter(None, (self.key(v, depth + 1) for v in values)))
            case ast.IfExp(body=body):
                return self.key(body, depth + 1)
            case ast.Subscript(value=value, slice=ast.Constant(value=str(text))):
                return f"a:{dotted(value)}.{text}"[:LONGEST_KEY]
            case ast.Subscript(value=value):
                return f"a:{dotted(value)}"[:LONGEST_KEY]
            case _:
                return "r:"

    def _result(self, node: ast.Call, depth: int) -> str:
        """
        Say where the result of a call comes from, as `key` does.
        """
        func, args = node.func, node.args
        on = func.value if isinstance(func, ast.Attribute) else None
        name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
        if name == "type":
            return "b:type"
        if name == "next":
            first = args[0] if args else None
            oldest = isinstance(first, ast.Call) and getattr(first.func, "id", "") == "iter"
            return "u:next(iter)" if oldest else "u:next()"
        if name in FRESH or RANDOM.search(name):
            return f"u:{dotted(node)}"[:LONGEST_KEY]
        if name in WRAPS and (args or on is not None):
            return self.key(args[-1] if args else on, depth + 1)
        if on is not None and name in PICKS:
            return f"a:{dotted(on)}.{_constant(args)}"[:LONGEST_KEY]
        return f"r:{dotted(node)}"[:LONGEST_KEY]

    def _origin_of(self, name: str) -> str:
        scope: Expressions | None = self
        while scope is not None:
            if name in scope.origins:
                return scope.origins[name]
            scope = scope.outer
        return f"v:{name}"

    def bind(self, target: ast.expr, path: str, origin: str) -> None:
        """
        Let the names in *target* stand for *path*.
        """
        match target:
            case ast.Name(id=name):
                kept = self.paths.get(name, "")
                if kept.startswith("@"):  # declared global
                    return
                self.paths[name] = path or f"${name}"
                self.origins[name] = origin if origin[:1] in "ucbk" else f"v:{name}<{origin}"[:200]
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for part in parts:
                    self.bind(part, "", origin if origin[:1] in "bk" else "v:")
            case ast.Starred(value=value):
                self.bind(value, "", origin)
            case _:
                pass

    def iterate(self, target: ast.expr, source: ast.expr) -> str:
        """
        Walk what a loop goes over, bind its *target*, and return the path of what is gone over.
        """
        path = self.visit(source)
        while isinstance(source, ast.Call) and source.args and _borrowing(source):
            source = source.args[0]
        if isinstance(source, ast.Tuple | ast.List):
            literals = tuple(
                e.value
                for e in source.elts
                if isinstance(e, ast.Constant) and isinstance(e.value, str)
            )
            if literals and isinstance(target, ast.Name):
                self.texts[target.id] = literals
            several = [p for e in source.elts if (p := self.path_only(e)) and p[0] not in "?%"]
            self.bind(target, "|".join(several), "b:literal" if literals else "v:")
            return ""
        view = ""
        if isinstance(source, ast.Call) and isinstance(source.func, ast.Attribute):
            view = (
                source.func.attr if source.func.attr in {"items", "values", "keys", "copy"} else ""
            )
            if view:
                path = self.path_only(source.func.value)
        elif isinstance(source, ast.Name | ast.Attribute | ast.Subscript):
            path = self.path_only(source)
        if path and path[0] != "%":
            self.op(path, "iter", source)
        inner = f"{path}.*" if path else ""
        if view == "items" and isinstance(target, ast.Tuple) and len(target.elts) == 2:  # noqa: PLR2004
            self.bind(target.elts[0], "", f"k:{path}")
            self.bind(target.elts[1], inner, f"k:{path}")
        elif view == "values":
            self.bind(target, inner, "v:")
        else:
            bounded = isinstance(source, ast.Name) and source.id.isupper()
            origin = f"k:{path}" if path else "v:"
            self.bind(target, inner, "b:constant" if bounded or _counts(source) else origin)
        return path

    def path_only(self, node: ast.expr) -> str:
        """
        Return the path that *node* is, without saying what happens meanwhile.
        """
        kept, self.out = self.out, []
        try:
            return self.visit(node)
        finally:
            self.out = kept


def _constant(args: list[ast.expr]) -> str:
    if args and isinstance(args[0], ast.Constant):
        return str(args[0].value)
    return ""


def _borrowing(call: ast.Call) -> bool:
    name = getattr(call.func, "id", "")
    return name in {
        "list",
        "tuple",
        "sorted",
        "set",
        "dict",
        "reversed",
        "enumerate",
        "iter",
        "map",
    }


def _counts(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "range"


HANDLERS: Final[dict[type[ast.expr], Callable[[Expressions, Any], str]]] = {}
"""Filled by `_calls`, which knows each kind of expression."""
