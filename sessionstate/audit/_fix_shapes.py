"""
What statements do, told from their syntax trees.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

SCOPES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
PURE: Final = (ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.Tuple)
PURE_PARTS: Final = (*PURE, ast.JoinedStr, ast.FormattedValue, ast.expr_context)
WAITS: Final = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield, ast.YieldFrom)
COPIES: Final = frozenset({"list", "tuple", "set", "frozenset", "sorted"})
ALL_OF: Final = COPIES | {"enumerate", "iter", "reversed"}
VIEWS: Final = frozenset({"values", "items", "keys", "copy"})


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One entry that a statement puts into a container, or takes out of it.
    """

    how: str
    """``[]``, or the method's name; ``del``."""
    container: ast.expr
    key: ast.expr
    value: ast.expr | None = None

    @property
    def where(self) -> str:
        """
        Container and key, as what is to be equal.
        """
        return f"{ast.unparse(self.container)}[{ast.unparse(self.key)}]"


def written(statement: ast.stmt, name: str) -> Entry | None:
    """
    Return the entry that *statement* puts into what is called *name*.
    """
    match statement:
        case ast.Assign(targets=[ast.Subscript(value=owner, slice=key)], value=value) if is_called(
            owner, name
        ):
            return Entry("[]", owner, key, value)
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(value=owner, attr="add" | "append" as how),
                args=[key],
                keywords=[],
            )
        ) if is_called(owner, name):
            return Entry(how, owner, key, key)
        case _:
            return None


def removed(statement: ast.stmt, name: str) -> Entry | None:
    """
    Return the entry that *statement* takes out of what is called *name*, and does nothing else.
    """
    match statement:
        case ast.Delete(targets=[ast.Subscript(value=owner, slice=key)]) if is_called(owner, name):
            return Entry("del", owner, key)
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(value=owner, attr="discard" | "remove" as how), args=[key]
            )
        ) if is_called(owner, name):
            return Entry(how, owner, key)
        case ast.Expr(
            value=ast.Call(func=ast.Attribute(value=owner, attr="pop"), args=[key, *default])
        ) if is_called(owner, name) and all(isinstance(each, ast.Constant) for each in default):
            return Entry("pop", owner, key, *default)
        case _:
            return None


def is_called(expression: ast.expr, name: str) -> bool:
    """
    Tell whether *expression* is a name or attribute that ends in *name*, of names all the way.
    """
    match expression:
        case ast.Name(id=found):
            return found == name
        case ast.Attribute(value=owner, attr=found):
            return found == name and all(
                isinstance(part, ast.Name | ast.Attribute | ast.expr_context)
                for part in ast.walk(owner)
            )
        case _:
            return False


def mentions(node: ast.AST, name: str) -> bool:
    """
    Tell whether what is called *name* occurs in *node*.
    """
    return any(isinstance(part, ast.expr) and is_called(part, name) for part in ast.walk(node))


def called(expression: ast.expr) -> str:
    """
    Return what *expression* ends in: ``sleep`` of ``asyncio.sleep``.
    """
    return ast.unparse(expression).rpartition(".")[2]


def is_pure(expression: ast.expr) -> bool:
    """
    Tell whether *expression* can be looked at twice, and is the same then.
    """
    for part in ast.walk(expression):
        match part:
            case ast.Call(func=ast.Name(id="id" | "str"), keywords=[]):
                pass
            case _ if not isinstance(part, PURE_PARTS):
                return False
            case _:
                pass
    return True


def parts(*expressions: ast.expr) -> set[str]:
    """
    Return what can be rebound in *expressions*: names, attributes, items.
    """
    return {
        ast.unparse(part)
        for expression in expressions
        for part in ast.walk(expression)
        if isinstance(part, ast.Name | ast.Attribute | ast.Subscript)
    }


def own(*nodes: ast.AST) -> Iterator[ast.AST]:
    """
    Yield what is below *nodes* and of the same function.
    """
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, SCOPES):
            waiting += ast.iter_child_nodes(node)


def bound(statements: Iterable[ast.stmt]) -> set[str]:
    """
    Return what *statements* bind, or declare as bound elsewhere.
    """
    nodes = list(statements)
    found = {name for node in own(*nodes) for name in _binds(node)}
    for node in (each for statement in nodes for each in ast.walk(statement)):
        if isinstance(node, ast.Global | ast.Nonlocal):
            found.update(node.names)
    return found


def _binds(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name() | ast.Attribute() | ast.Subscript():
            if not isinstance(node.ctx, ast.Load):
                yield ast.unparse(node)
        case (ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef()) | (
            ast.ExceptHandler() | ast.MatchAs() | ast.MatchStar()
        ):
            yield node.name or ""
        case ast.MatchMapping():
            yield node.rest or ""
        case ast.alias():
            yield (node.asname or node.name).partition(".")[0]
        case _:
            pass


def leaving(nodes: Iterable[ast.AST], *, looped: bool = False) -> Iterator[ast.stmt]:
    """
    Yield the ``return``, ``break`` and ``continue`` that lead out of *nodes*.
    """
    for node in nodes:
        match node:
            case ast.Return():
                yield node
            case ast.Break() | ast.Continue():
                if not looped:
                    yield node
            case ast.For() | ast.AsyncFor() | ast.While():
                yield from leaving(node.body, looped=True)
                yield from leaving(node.orelse, looped=looped)
            case _ if not isinstance(node, SCOPES):
                yield from leaving(ast.iter_child_nodes(node), looped=looped)
            case _:
                pass


def functions(tree: ast.AST) -> Iterator[Function]:
    """
    Yield every function in *tree*.
    """
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node


def waits(*nodes: ast.AST) -> bool:
    """
    Tell whether others run before *nodes* are done.
    """
    return any(
        isinstance(node, WAITS) or (isinstance(node, ast.comprehension) and bool(node.is_async))
        for node in own(*nodes)
    )


def copied(expression: ast.expr) -> ast.expr:
    """
    Return what *expression* is a copy or view of; itself if it is none.
    """
    match expression:
        case ast.Call(func=ast.Name(id=name), args=[inner]) if name in ALL_OF:
            return copied(inner)
        case ast.Call(func=ast.Attribute(value=inner, attr=name), args=[]) if name in VIEWS:
            return copied(inner)
        case _:
            return expression


def loops(tree: ast.AST, name: str) -> Iterator[tuple[ast.expr, list[ast.AST]]]:
    """
    Yield what is looped over and the loop's body, for each loop over what is called *name*.
    """
    for node in ast.walk(tree):
        match node:
            case ast.For(iter=source, body=body) if is_called(copied(source), name):
                yield source, [*body]
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                for each in node.generators:
                    if is_called(copied(each.iter), name):
                        yield each.iter, [*ast.iter_child_nodes(node)]
            case _:
                pass


def is_copy(source: ast.expr) -> bool:
    """
    Tell whether a loop over *source* goes over a copy, so that the original may change.
    """
    match source:
        case ast.Call(func=ast.Name(id=name), args=[inner]):
            return name in COPIES or is_copy(inner)
        case ast.Call(func=ast.Attribute(value=inner, attr=name)):
            return name == "copy" or is_copy(inner)
        case _:
            return False


def may_change_under_loop(tree: ast.AST, name: str) -> bool:
    """
    Tell whether somebody waits within a loop over what is called *name*.
    """
    return any(not is_copy(source) and waits(*body) for source, body in loops(tree, name))
