"""
SS002f: a key goes with the last item of its inner collection.

The removal of an item is followed by ``if not C[k]: del C[k]``. Left as it is, if somebody may
count on the key: the function uses the container again; the container is no ``defaultdict`` and is
read without asking first whether the key is there; or an inner collection is held while waiting,
and put something in after that.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final, TypeGuard

import libcst as cst

from sessionstate.audit._findings import Finding
from sessionstate.audit._fix_shapes import (
    Function,
    called,
    copied,
    functions,
    is_called,
    is_copy,
    is_pure,
    may_change_under_loop,
    mentions,
    waits,
)
from sessionstate.audit._fix_source import Source

GROWS: Final = frozenset(
    {"add", "append", "appendleft", "extend", "insert", "setdefault", "update"}
)
MISSES: Final = frozenset({"KeyError", "LookupError", "Exception"})


def remove_what_is_empty(source: Source, finding: Finding) -> bool:
    """
    Remove the key after each removal of an item; tell whether there was any to follow.
    """
    places = [*finding.removals, *finding.writes]
    lines = [place.line for place in places if place.path == finding.path]
    return sum(_remove(source, line, finding) for line in dict.fromkeys([*lines, finding.line])) > 0


def _remove(source: Source, line: int, finding: Finding) -> bool:
    name = finding.container.rpartition(".")[2]
    statement = source.at(line)
    inner = _emptied(source.trees(statement)[0], name) if statement else None
    if statement is None or inner is None or not is_pure(inner.slice):
        return False
    spot = source.spot(statement)
    tree = source.tree
    if any(mentions(each, name) for node in spot.following() for each in source.trees(node)):
        return False
    if any(_goes_over(source, node, name) for node in spot.path):
        return False
    if may_change_under_loop(tree, name) or any(_holds_on(each, name) for each in functions(tree)):
        return False
    if not _is_defaultdict(tree, name, finding) and not all(
        _asks_first(each, name) for each in functions(tree)
    ):
        return False
    statements = spot.statements
    text = ast.unparse(inner)
    made = source.made(spot, f"if not {text}:\n\tdel {text}\n")
    statements.insert(spot.index + 1, made)
    source.put(spot, statements)
    return True


def _emptied(statement: ast.stmt, name: str) -> ast.Subscript | None:
    """
    Return ``C[k]`` of ``C[k].discard(x)``, its like, or None.
    """
    match statement:
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(
                    value=ast.Subscript() as inner, attr="discard" | "remove" | "pop"
                )
            )
        ) if is_called(inner.value, name):
            return inner
        case _:
            return None


def _reads(function: Function, name: str) -> Iterator[ast.Subscript]:
    for node in ast.walk(function):
        match node:
            case ast.Subscript(value=owner, ctx=ast.Load()) if is_called(owner, name):
                yield node
            case _:
                pass


def _goes_over(source: Source, node: cst.CSTNode, name: str) -> bool:
    """
    Tell whether *node* is a loop over the container itself, which must not change in it.
    """
    if not isinstance(node, cst.For):
        return False
    [over] = source.trees(cst.Expr(node.iter))
    assert isinstance(over, ast.Expr)
    return is_called(copied(over.value), name) and not is_copy(over.value)


def _is_defaultdict(tree: ast.Module, name: str, finding: Finding) -> bool:
    if finding.defined and "defaultdict" in finding.defined.text:
        return True
    made = [ast.unparse(value) for node in ast.walk(tree) for value in _given(node, name)]
    return bool(made) and all("defaultdict" in text for text in made)


def _given(node: ast.AST, name: str) -> list[ast.expr]:
    match node:
        case ast.Assign(targets=[target], value=value) if is_called(target, name):
            return [value]
        case ast.AnnAssign(target=target, value=ast.expr() as value) if is_called(target, name):
            return [value]
        case _:
            return []


def _asks_first(function: Function, name: str) -> bool:
    """
    Tell whether *function* knows, each time it reads, that the key is there.
    """
    asked = min((node.lineno for node in ast.walk(function) if _asks(node, name)), default=None)
    return all(asked is not None and asked <= node.lineno for node in _reads(function, name))


def _asks(node: ast.AST, name: str) -> TypeGuard[ast.stmt | ast.expr]:
    match node:
        case (
            ast.Subscript(value=owner, ctx=ast.Store())
            | ast.Call(func=ast.Attribute(value=owner, attr="get" | "setdefault"))
            | ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[owner])
        ):
            return is_called(owner, name)
        case ast.For(iter=over):
            return is_called(copied(over), name)
        case ast.Try(handlers=handlers):
            return any(_takes(handler.type) for handler in handlers)
        case ast.With(items=[ast.withitem(context_expr=ast.Call(func=function, args=caught))]):
            return called(function) == "suppress" and any(_takes(each) for each in caught)
        case _:
            return False


def _takes(kind: ast.expr | None) -> bool:
    """
    Tell whether an ``except`` of *kind* takes a key that is missing.
    """
    return kind is None or any(
        isinstance(part, ast.expr) and called(part) in MISSES for part in ast.walk(kind)
    )


def _holds_on(function: Function, name: str) -> bool:
    """
    Tell whether *function* keeps an inner collection, and may put something in when it waited.
    """
    waited = waits(*function.body)
    held: set[str] = set()
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=targets, value=value) if _is_inner(value, name):
                if any(isinstance(target, ast.Attribute) for target in targets):
                    return True
                held.update(ast.unparse(target) for target in targets)
            case ast.NamedExpr(target=target, value=value) if _is_inner(value, name):
                held.add(target.id)
            case _:
                pass
    return waited and any(_grows(node) in held for node in ast.walk(function))


def _is_inner(value: ast.expr, name: str) -> bool:
    match value:
        case ast.Subscript(value=owner):
            return is_called(owner, name)
        case ast.Call(func=ast.Attribute(value=owner, attr="get" | "setdefault")):
            return is_called(owner, name)
        case _:
            return False


def _grows(node: ast.AST) -> str:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=found), attr=attr)) if attr in GROWS:
            return found
        case ast.Subscript(value=ast.Name(id=found), ctx=ast.Store()):
            return found
        case _:
            return ""
