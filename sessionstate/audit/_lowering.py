"""
Functions, reduced to what a look at their ways out needs.

A block is a tuple of statements; a statement is a tuple that begins with what it is:

``(DO, line, events)``                                    something happens
``(IF, line, events, guards, about, then, otherwise)``    a choice
``(LOOP, line, events, forever, over, body, otherwise)``  a loop
``(TRY, line, body, handlers, otherwise, final)``         each handler: ``(types, line, block)``
``(WITH, line, entered, body)``                           entered: ``(text, events)`` for each
``(RETURN, line, events)``, ``(RAISE, line, events, type)``, ``(BREAK, line)``, ``(CONTINUE, line)``

A guard is ``(present, path)``: the test holds if the container has the entry (True), or if it has
not (False). Statements in which nothing happens are left out.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, Final

from sessionstate.audit._assigning import Assignments
from sessionstate.audit._events import AWAIT, Event, Expressions
from sessionstate.audit._nodes import annotated, constructed, dotted
from sessionstate.audit._vocabulary import COUNT, MAPS

DO: Final = "E"
IF: Final = "I"
LOOP: Final = "L"
TRY: Final = "T"
WITH: Final = "W"
RETURN: Final = "R"
CALLED: Final = "()"
"""Stands for a path in a guard, where what is tested is the answer of a call."""
RAISE: Final = "X"
BREAK: Final = "B"
CONTINUE: Final = "C"

Statement = tuple[Any, ...]
Block = tuple[Statement, ...]

IN_PLACE: Final[dict[type[ast.operator], str]] = {
    ast.Sub: "-=",
    ast.BitAnd: "&=",
    ast.BitOr: "|=",
    ast.Add: "+=[]",
}


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Lowering(Assignments):
    """
    One function, class body or module on its way to a block.
    """

    def __init__(self, qualname: str, outer: Expressions | None, kind: str, cls: str) -> None:
        super().__init__(qualname, outer, kind)
        self.cls = cls
        self.inner: list[tuple[Definition, str]] = []
        """Functions and classes defined within, to be looked at once this one is done."""
        self.imports: dict[str, str] = {}
        self.happened: list[Event] = []
        """Everything, in the order of the source."""

    def events(self) -> tuple[Event, ...]:
        """
        Take what happened since the last call.
        """
        taken, self.out = tuple(self.out), []
        self.happened += taken
        return taken

    def block(self, body: list[ast.stmt]) -> Block:
        """
        Reduce the statements of *body*.
        """
        statements: list[Statement] = []
        for node in body:
            handler = STATEMENTS.get(type(node))
            if handler is not None:
                made = handler(self, node)
                if made is not None:
                    statements.append(made)
        return tuple(statements)

    def done(self, line: int) -> Statement | None:
        """
        Return what happened as one statement.
        """
        return (DO, line, self.events()) if self.out else None


def _expression(on: Lowering, node: ast.Expr) -> Statement | None:
    on.visit(node.value)
    return on.done(node.lineno)


def _assign(on: Lowering, node: ast.Assign) -> Statement | None:
    path, kind = on.visit(node.value), constructed(node.value)
    for target in node.targets:
        on.assign(target, node.value, path, kind)
    return on.done(node.lineno)


def _annotated(on: Lowering, node: ast.AnnAssign) -> Statement | None:
    name = annotated(node.annotation)
    kind = constructed(node.value)
    path = on.visit(node.value)
    empty = node.value is None or (
        isinstance(node.value, ast.Constant) and node.value.value is None
    )
    if not kind and not empty:
        kind = MAPS.get(name, "")
    if name not in MAPS and name and not path.startswith("%"):
        path = f"%{name}"
    if node.value is None and on.kind == "function" and isinstance(node.target, ast.Name):
        return on.done(node.lineno)
    on.assign(node.target, node.value, path, kind)
    return on.done(node.lineno)


def _in_place(on: Lowering, node: ast.AugAssign) -> Statement | None:
    on.visit(node.value)
    if isinstance(node.target, ast.Subscript):
        base = on.visit(node.target.value) or "?"
        if not (
            isinstance(node.target.slice, ast.Constant) and isinstance(node.target.slice.value, str)
        ):
            # Only where a key that is missing counts as 0 does counting put anything in.
            counts = "[]-=" if isinstance(node.op, ast.Sub) else COUNT
            on.op(base, counts, node, on.key(node.target.slice))
    elif (name := IN_PLACE.get(type(node.op))) and (path := on.path_only(node.target)):
        if isinstance(node.target, ast.Name) and path == f"${node.target.id}":
            return on.done(node.lineno)
        on.op(path, name, node, on.key(node.value))
    return on.done(node.lineno)


def _delete(on: Lowering, node: ast.Delete) -> Statement | None:
    for target in node.targets:
        if isinstance(target, ast.Subscript):
            base = on.visit(target.value) or "?"
            on.visit(target.slice)
            whole = isinstance(target.slice, ast.Slice)
            on.op(base, "del[]", target, "s:" if whole else on.key(target.slice))
        elif isinstance(target, ast.Attribute):
            on.op(on.path_only(target), "del", target)
    return on.done(node.lineno)


def _return(on: Lowering, node: ast.Return) -> Statement:
    path = on.visit(node.value)
    if path and isinstance(node.value, ast.Name | ast.Attribute):
        on.op(path, "return", node)
    return (RETURN, node.lineno, on.events())


def _raise(on: Lowering, node: ast.Raise) -> Statement:
    on.visit(node.exc)
    on.raises = on.raises or node.exc is not None
    name = dotted(node.exc).removesuffix("()").rpartition(".")[2] if node.exc is not None else ""
    return (RAISE, node.lineno, on.events(), name)


def _assert(on: Lowering, node: ast.Assert) -> Statement | None:
    on.visit(node.test)
    return on.done(node.lineno)


def _guards(on: Lowering, test: ast.expr) -> tuple[tuple[bool, str], ...]:
    """
    Return which containers a test asks for an entry.
    """
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return tuple((not present, path) for present, path in _guards(on, operand))
        case ast.BoolOp(op=ast.And(), values=values):
            each = [_guards(on, value) for value in values]
            return each[0] if each and all(each) else ()
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            if isinstance(operator, ast.In | ast.NotIn):
                path = on.path_only(right)
                return ((isinstance(operator, ast.In), path),) if path else ()
            path = on.path_only(left) or on.path_only(right)
            if not path or path[0] == "$" or not path.endswith(".*"):
                return ()
            if isinstance(operator, ast.Is | ast.Eq):
                none = isinstance(right, ast.Constant) and right.value is None
                return ((not none, path),)
            if isinstance(operator, ast.IsNot | ast.NotEq):
                none = isinstance(right, ast.Constant) and right.value is None
                return ((none, path),)
            return ((True, path),)
        case (
            ast.Name()
            | ast.Attribute()
            | ast.Call()
            | ast.NamedExpr()
            | ast.Subscript()
            | ast.Await()
        ):
            path = on.path_only(test)
            called = test.value if isinstance(test, ast.Await) else test
            if not path and isinstance(called, ast.Call):
                return ((True, CALLED),)
            return ((True, path),) if path and path[0] not in "%$?" else ()
        case _:
            return ()


def _about(test: ast.expr) -> str:
    """
    Return the names in a test, by which size and time are recognised.
    """
    names = [
        each.id if isinstance(each, ast.Name) else each.attr
        for each in ast.walk(test)
        if isinstance(each, ast.Name | ast.Attribute)
    ]
    return " ".join(names)[:120]


def _if(on: Lowering, node: ast.If) -> Statement | None:
    on.visit(node.test)
    events, guards = on.events(), _guards(on, node.test)
    then, otherwise = on.block(node.body), on.block(node.orelse)
    if not events and not then and not otherwise:
        return None
    return (IF, node.lineno, events, guards, _about(node.test), then, otherwise)


def _for(on: Lowering, node: ast.For | ast.AsyncFor) -> Statement:
    over = on.iterate(node.target, node.iter)
    if isinstance(node, ast.AsyncFor):
        on.out.append((AWAIT, node.lineno))
    events = on.events()
    return (LOOP, node.lineno, events, False, over, on.block(node.body), on.block(node.orelse))


def _while(on: Lowering, node: ast.While) -> Statement:
    on.visit(node.test)
    forever = isinstance(node.test, ast.Constant) and bool(node.test.value)
    events = on.events()
    over = _about(node.test)
    return (LOOP, node.lineno, events, forever, over, on.block(node.body), on.block(node.orelse))


def _try(on: Lowering, node: ast.Try) -> Statement:
    body = on.block(node.body)
    handlers: list[tuple[tuple[str, ...], int, Block]] = []
    for each in node.handlers:
        caught = (
            each.type.elts if isinstance(each.type, ast.Tuple) else [each.type] if each.type else []
        )
        types = tuple(dotted(one).removesuffix("()").rpartition(".")[2] for one in caught)
        if each.name:
            on.paths[each.name] = f"${each.name}"
        handlers.append((types, each.lineno, on.block(each.body)))
    otherwise, final = on.block(node.orelse), on.block(node.finalbody)
    return (TRY, node.lineno, body, tuple(handlers), otherwise, final)


def _with(on: Lowering, node: ast.With | ast.AsyncWith) -> Statement:
    entered: list[tuple[str, tuple[Event, ...]]] = []
    for item in node.items:
        path = on.visit(item.context_expr)
        if item.optional_vars is not None:
            on.assign(item.optional_vars, None, path, "")
            if isinstance(item.optional_vars, ast.Name) and path:
                on.paths[item.optional_vars.id] = path
        if isinstance(node, ast.AsyncWith):
            on.out.append((AWAIT, node.lineno))
        text = dotted(item.context_expr)
        if isinstance(item.context_expr, ast.Call):
            text += "".join(f" {dotted(each)}" for each in item.context_expr.args)
        entered.append((text, on.events()))
    return (WITH, node.lineno, tuple(entered), on.block(node.body))


def _match(on: Lowering, node: ast.Match) -> Statement:
    on.visit(node.subject)
    events = on.events()
    cases: list[tuple[int, tuple[Event, ...], Block]] = []
    for case in node.cases:
        for each in ast.walk(case.pattern):
            if isinstance(each, ast.MatchAs) and each.name:
                on.paths[each.name] = f"${each.name}"
        on.visit(case.guard)
        cases.append((case.pattern.lineno, on.events(), on.block(case.body)))
    chain: Block = ()
    for line, tested, then in reversed(cases):
        chain = ((IF, line, tested, (), "", then, chain),)
    return (IF, node.lineno, events, (), "", chain, ())


def _define(on: Lowering, node: Definition) -> Statement | None:
    for each in node.decorator_list:
        path = on.visit(each)
        if isinstance(each, ast.Name | ast.Attribute) and path:
            base, _, name = path.rpartition(".")
            on.calls.add(name.lstrip("@"))
            on.op(base or path, name if base else "()", each)
    if isinstance(node, ast.ClassDef):
        for kind in node.bases:
            on.visit(kind)
    else:
        for default in (*node.args.defaults, *node.args.kw_defaults):
            on.visit(default)
        if on.kind == "function":
            on.paths[node.name] = f"^{on.local}>{node.name}"
    on.inner.append((node, on.cls))
    return on.done(node.lineno)


def _import(on: Lowering, node: ast.Import) -> None:
    for each in node.names:
        name = each.asname or each.name.partition(".")[0]
        on.imports[name] = each.name if each.asname else name


def _import_from(on: Lowering, node: ast.ImportFrom) -> None:
    for each in node.names:
        on.imports[each.asname or each.name] = f"{'.' * node.level}{node.module or ''}:{each.name}"


def _global(on: Lowering, node: ast.Global) -> None:
    for name in node.names:
        on.paths[name] = f"@{name}"


def _nonlocal(on: Lowering, node: ast.Nonlocal) -> None:
    for name in node.names:
        on.paths[name] = on.outer.look_up(name) if on.outer is not None else f"@{name}"


STATEMENTS: Final[dict[type[ast.stmt], Callable[[Lowering, Any], Statement | None]]] = {
    ast.Expr: _expression,
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _in_place,
    ast.Delete: _delete,
    ast.Return: _return,
    ast.Raise: _raise,
    ast.Assert: _assert,
    ast.If: _if,
    ast.For: _for,
    ast.AsyncFor: _for,
    ast.While: _while,
    ast.Try: _try,
    ast.TryStar: _try,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.Match: _match,
    ast.FunctionDef: _define,
    ast.AsyncFunctionDef: _define,
    ast.ClassDef: _define,
    ast.Import: _import,
    ast.ImportFrom: _import_from,
    ast.Global: _global,
    ast.Nonlocal: _nonlocal,
    ast.Break: lambda _, node: (BREAK, node.lineno),
    ast.Continue: lambda _, node: (CONTINUE, node.lineno),
}
