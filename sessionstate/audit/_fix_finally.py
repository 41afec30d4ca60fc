"""
SS002b: a removal that a failure or a cancellation jumps over moves into a ``finally``.

Write and removal stand in the same block, or the removal ends a ``try`` that follows the write.
Left as it is: what is not in a function; a removal whose container or key is bound anew in
between, or is more than names, attributes and items; a generator, unless it is a context manager;
and whatever looks as if the entry were to stay, which is a ``break``, a ``return`` of something
true or of the entry, a way out with a comment, or a handler after which the container is used.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import libcst as cst

from sessionstate.audit._findings import Finding
from sessionstate.audit._fix_shapes import (
    Entry,
    bound,
    called,
    is_called,
    is_pure,
    leaving,
    mentions,
    own,
    parts,
    removed,
    waits,
    written,
)
from sessionstate.audit._fix_source import TRIES, Source, Spot, Statement

UNDOES: Final = {
    "[]": frozenset({"pop", "del"}),
    "add": frozenset({"discard", "remove"}),
    "append": frozenset({"remove"}),
}
TAKES_OUT: Final = frozenset({"clear", "discard", "pop", "popitem", "remove"})
MANAGERS: Final = frozenset({"contextmanager", "asynccontextmanager"})
FOR_TOOLS: Final = ("noqa", "type:", "pragma", "pylint", "pyright", "nosec", "fmt:")


@dataclass(frozen=True, slots=True)
class Pair:
    """
    A write, and the removal that undoes it.
    """

    name: str
    write: cst.SimpleStatementLine
    removal: cst.SimpleStatementLine
    put: Entry
    taken: Entry


def remove_in_finally(source: Source, finding: Finding) -> bool:
    """
    Move the removals of *finding* to where nothing jumps over them; tell whether any moved.
    """
    return sum(_move(source, pair) for pair in _pairs(source, finding)) > 0


def _pairs(source: Source, finding: Finding) -> Iterator[Pair]:
    name = finding.container.rpartition(".")[2]
    writes = [place.line for place in finding.writes if place.path == finding.path]
    removals = [place.line for place in finding.removals if place.path == finding.path]
    for first, last in product(dict.fromkeys([finding.line, *writes]), dict.fromkeys(removals)):
        # Found anew for each pair: the one before may have moved it.
        write, removal = source.at(first), source.at(last)
        if write and removal:
            put = written(source.trees(write)[0], name)
            taken = removed(source.trees(removal)[0], name)
            if put and taken and taken.how in UNDOES[put.how] and put.where == taken.where:
                yield Pair(name, write, removal, put, taken)


def _move(source: Source, pair: Pair) -> bool:
    start, end = source.spot(pair.write), source.spot(pair.removal)
    if not is_pure(pair.taken.key):
        return False
    if start.block is end.block:
        return _wrap(source, pair, start, end)
    if end.path[-2] in start.statements[start.index + 1 : start.index + 2]:
        return _end_try(source, pair, start, end)
    return _join(source, pair, start, end)


def _wrap(source: Source, pair: Pair, start: Spot, end: Spot) -> bool:
    """
    Put a ``try`` around what is between write and removal, or use the one that is there.
    """
    statements = start.statements
    between = statements[start.index + 1 : end.index]
    if not between or not _is_safe(source, pair, start, between):
        return False
    final = _final(source, pair, start, between)
    guarded: Statement
    match between:
        case [cst.Try(finalbody=None) | cst.TryStar(finalbody=None) as only]:
            guarded = only.with_changes(finalbody=final)
        case _:
            first, *others = between
            blank, kept = _cut(first.leading_lines)
            begins = first.with_changes(leading_lines=kept)
            source.renew(first, begins)
            body = cst.IndentedBlock(body=[begins, *others], indent=start.block.indent)
            guarded = cst.Try(body=body, finalbody=final, leading_lines=blank)
    source.put(start, [*statements[: start.index + 1], guarded, *statements[end.index + 1 :]])
    return True


def _end_try(source: Source, pair: Pair, start: Spot, end: Spot) -> bool:
    """
    Give the ``try`` after the write, which the removal ends, a ``finally`` for it.
    """
    guarded = end.path[-2]
    statements = end.statements
    rest = source.trees(*statements[end.index + 1 :])
    if (
        not isinstance(guarded, TRIES)
        or end.block is not guarded.body
        or guarded.finalbody
        or guarded.orelse
        or end.index == 0
        or not all(_only_returns(each) for each in rest)
        or any(_comments(source.code(handler)) for handler in guarded.handlers)
    ):
        return False
    undone = guarded.with_changes(body=end.block.with_changes(body=statements[: end.index]))
    del statements[end.index]
    ended = guarded.with_changes(body=end.block.with_changes(body=statements))
    handlers = [each for handler in guarded.handlers for each in handler.body.body]
    if not _is_safe(source, pair, start, [undone]) or any(
        mentions(tree, pair.name) and removed(tree, pair.name) is None
        for node in (*handlers, *start.following())
        if node is not guarded
        for tree in source.trees(node)
    ):
        return False
    final = _final(source, pair, start, [ended])
    ended = ended.with_changes(finalbody=final)
    source.put(start, [ended if each is guarded else each for each in start.statements])
    return True


def _join(source: Source, pair: Pair, start: Spot, end: Spot) -> bool:
    """
    Let the removal join others, which end a ``try`` that the write stands in.
    """
    guarded = end.statements[end.index - 1] if end.index else None
    if not isinstance(guarded, TRIES) or not guarded.finalbody or start.block is not guarded.body:
        return False
    others = guarded.finalbody.body
    tolerant = pair.taken.how == "discard" or pair.taken.value is not None
    if (
        not tolerant
        or not isinstance(others, cst.IndentedBlock)
        or guarded.handlers
        or not all(_removes(each) for each in source.trees(*others.body))
        or not _is_safe(source, pair, start, start.statements[start.index + 1 :])
    ):
        return False
    last = pair.removal.with_changes(leading_lines=_cut(pair.removal.leading_lines)[1])
    source.renew(pair.removal, last)
    body = others.with_changes(body=[*others.body, last])
    joined = guarded.with_changes(finalbody=guarded.finalbody.with_changes(body=body))
    statements = end.statements
    statements[end.index - 1 : end.index + 1] = [joined]
    source.put(end, statements)
    return True


def _is_safe(source: Source, pair: Pair, start: Spot, between: Sequence[Statement]) -> bool:
    trees = source.trees(*between)
    yields = any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own(*trees))
    if yields and not _is_manager(source, start.function):
        return False
    if bound(trees) & parts(pair.taken.container, pair.taken.key):
        return False
    return not any(_hands_over(source, pair, statement) for statement in between)


def _is_manager(source: Source, function: cst.FunctionDef) -> bool:
    return any(
        source.code(decorator.decorator).rpartition(".")[2] in MANAGERS
        for decorator in function.decorators
    )


def _hands_over(source: Source, pair: Pair, statement: Statement) -> bool:
    """
    Tell whether *statement* may leave with the entry still there, and mean it.
    """
    code = source.code(statement)
    tree = ast.parse(code)
    return any(
        isinstance(way, ast.Break) or _gives(way, pair) or _is_explained(way, tree, code)
        for way in leaving(tree.body)
    )


def _is_explained(way: ast.stmt, tree: ast.Module, code: str) -> bool:
    """
    Tell whether there is a comment at *way*, or from the head of what it stands in.
    """
    first = next(
        (
            node.lineno
            for node in ast.walk(tree)
            if isinstance(node, ast.stmt | ast.ExceptHandler) and way in ast.iter_child_nodes(node)
        ),
        way.lineno,
    )
    lines = code.splitlines()
    while first > 1 and lines[first - 2].lstrip().startswith("#"):
        first -= 1
    return any(first <= line <= (way.end_lineno or first) for line in _comments(code))


def _comments(code: str) -> list[int]:
    """
    Return the lines of *code* with a comment that is for people.
    """
    return [
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(code).readline)
        if token.type == tokenize.COMMENT
        and not token.string.lstrip("# ").lower().startswith(FOR_TOOLS)
    ]


def _gives(way: ast.stmt, pair: Pair) -> bool:
    """
    Tell whether *way* returns something true, or something of the entry.
    """
    match way:
        case ast.Return(value=ast.Constant(value=value)):
            return bool(value)
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Await):
            given = {node.id for node in ast.walk(value) if isinstance(node, ast.Name)}
            return bool(given & _names_of(pair.put)) or mentions(value, pair.name)
        case _:
            return False


def _names_of(entry: Entry) -> set[str]:
    assert entry.value is not None
    nodes = [*ast.walk(entry.key), *ast.walk(entry.value)]
    functions = {
        part for node in nodes if isinstance(node, ast.Call) for part in ast.walk(node.func)
    }
    names = {node.id for node in nodes if isinstance(node, ast.Name) and node not in functions}
    return names - {"self", "cls"}


def _only_returns(statement: ast.stmt) -> bool:
    """
    Tell whether *statement* returns what the removal cannot change.
    """
    match statement:
        case ast.Return(value=None | ast.Name() | ast.Constant()):
            return True
        case _:
            return False


def _removes(statement: ast.stmt) -> bool:
    """
    Tell whether *statement* is a removal that cannot wait, of whatever it be.
    """
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner, attr="pop" | "discard"))):
            return removed(statement, called(owner)) is not None
        case ast.Delete(targets=[ast.Subscript(value=owner)]):
            return removed(statement, called(owner)) is not None
        case _:
            return False


def _final(source: Source, pair: Pair, spot: Spot, between: Sequence[Statement]) -> cst.Finally:
    """
    Return the ``finally`` with the removal, which tolerates absence if another may come first.

    Another may, in what is between, or while that waits: an error of the removal would take the
    place of the one that is on its way.
    """
    removal = pair.removal.with_changes(leading_lines=_cut(pair.removal.leading_lines)[1])
    last: Statement = removal
    trees = source.trees(*between)
    nodes = [node for tree in trees for node in ast.walk(tree)]
    if waits(*trees) or any(_takes_out(node, pair.name) for node in nodes):
        last = _tolerant(source, pair, spot, removal)
    source.renew(pair.removal, last)
    return cst.Finally(body=cst.IndentedBlock(body=[last], indent=spot.block.indent))


def _takes_out(node: ast.AST, name: str) -> bool:
    """
    Tell whether *node* takes anything out of what is called *name*.
    """
    match node:
        case ast.Call(func=ast.Attribute(value=owner, attr=attr)) if attr in TAKES_OUT:
            return is_called(owner, name)
        case ast.Subscript(value=owner, ctx=ast.Del()):
            return is_called(owner, name)
        case _:
            return False


def _tolerant(
    source: Source, pair: Pair, spot: Spot, removal: cst.SimpleStatementLine
) -> Statement:
    """
    Return the removal in the form that takes it that there is nothing to remove.
    """
    container, key = ast.unparse(pair.taken.container), ast.unparse(pair.taken.key)
    if pair.taken.how == "discard" or pair.taken.value is not None:
        return removal
    if pair.put.how == "append":
        text = f"if {key} in {container}:\n\t{container}.remove({key})\n"
    elif pair.put.how == "add":
        text = f"{container}.discard({key})\n"
    else:
        text = f"{container}.pop({key}, None)\n"
    made = source.made(spot, text)
    if isinstance(made, cst.SimpleStatementLine):
        made = made.with_changes(trailing_whitespace=removal.trailing_whitespace)
    return made.with_changes(leading_lines=removal.leading_lines)


def _cut(lines: Sequence[cst.EmptyLine]) -> tuple[list[cst.EmptyLine], list[cst.EmptyLine]]:
    """
    Split the blank lines before a comment from the rest.
    """
    count = next((i for i, line in enumerate(lines) if line.comment), len(lines))
    return [*lines[:count]], [*lines[count:]]
