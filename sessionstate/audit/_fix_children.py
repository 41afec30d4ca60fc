"""
SS005c: a child process that is killed is waited for, so that it is no zombie.

The call ``kill`` is followed by ``await process.wait()``. Left as it is: a function that is not
async; a process that asyncio did not start, or may not have; a ``kill`` with a ``wait`` or
``communicate`` somewhere after it.
"""

from __future__ import annotations

import ast
from typing import Final

from sessionstate.audit._findings import Finding
from sessionstate.audit._fix_shapes import is_pure
from sessionstate.audit._fix_source import Source

STARTS: Final = frozenset({"create_subprocess_exec", "create_subprocess_shell"})
REAPS: Final = frozenset({"wait", "communicate"})


def wait_for_it(source: Source, finding: Finding) -> bool:
    """
    Wait for the process after each ``kill`` of *finding*; tell whether there was any to follow.
    """
    places = [*finding.removals, *finding.writes]
    lines = [place.line for place in places if place.path == finding.path]
    return sum(_wait(source, line) for line in dict.fromkeys([*lines, finding.line])) > 0


def _wait(source: Source, line: int) -> bool:
    statement = source.at(line)
    process = _killed(source.trees(statement)[0]) if statement else None
    if statement is None or process is None or not is_pure(process):
        return False
    spot = source.spot(statement)
    if spot.function.asynchronous is None:
        return False
    text = ast.unparse(process)
    later = [tree for node in spot.following() for tree in source.trees(node)]
    if any(_reaps(node, text) for tree in later for node in ast.walk(tree)):
        return False
    known = source.trees(spot.function) if isinstance(process, ast.Name) else source.tree.body
    if not _is_started(known, text, _starts(source.tree)):
        return False
    statements = spot.statements
    statements.insert(spot.index + 1, source.made(spot, f"await {text}.wait()\n"))
    source.put(spot, statements)
    return True


def _killed(statement: ast.stmt) -> ast.expr | None:
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=process, attr="kill"), args=[])):
            return process
        case _:
            return None


def _reaps(node: ast.AST, process: str) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=owner, attr=attr)):
            return attr in REAPS and ast.unparse(owner) == process
        case _:
            return False


def _starts(tree: ast.Module) -> set[str]:
    """
    Return what asyncio's two functions are called in *tree*.
    """
    found = {f"asyncio.{name}" for name in STARTS}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in {"asyncio", "asyncio.subprocess"}:
            found.update(each.asname or each.name for each in node.names if each.name in STARTS)
    return found


def _is_started(known: list[ast.stmt], process: str, starts: set[str]) -> bool:
    """
    Tell whether *process* is only ever what asyncio started, or None.
    """
    nodes = [node for statement in known for node in ast.walk(statement)]
    stores = [
        node
        for node in nodes
        if isinstance(node, ast.Name | ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and ast.unparse(node) == process
    ]
    values = [value for node in nodes for value in _values(node, process)]
    started = [value for value in values if _starts_one(value, starts)]
    nothing = [value for value in values if isinstance(value, ast.Constant) and value.value is None]
    return bool(started) and len(started) + len(nothing) == len(stores)


def _values(node: ast.AST, process: str) -> list[ast.expr]:
    match node:
        case ast.Assign(targets=[target], value=value) if ast.unparse(target) == process:
            return [value]
        case ast.AnnAssign(target=target, value=ast.expr() as value) if (
            ast.unparse(target) == process
        ):
            return [value]
        case _:
            return []


def _starts_one(value: ast.expr, starts: set[str]) -> bool:
    return isinstance(value, ast.Await) and any(
        isinstance(part, ast.Call) and ast.unparse(part.func) in starts for part in ast.walk(value)
    )
