"""
SS006: a set of tasks that keeps those that are done is told to discard them.

The call ``add`` is followed by ``task.add_done_callback(tasks.discard)``. Left as it is: a task
that nobody keeps, a dict or list of tasks, and a set that somebody uses in a way that would notice
a task gone: that removes by itself, passes the set on, reads the results of its tasks, or waits
within a loop over it.
"""

from __future__ import annotations

import ast
from typing import Final

import libcst as cst

from sessionstate.audit._findings import Finding
from sessionstate.audit._fix_shapes import (
    Entry,
    called,
    is_called,
    is_pure,
    loops,
    may_change_under_loop,
    mentions,
    own,
    written,
)
from sessionstate.audit._fix_source import Source, Spot

MAKERS: Final = frozenset({"create_task", "ensure_future"})
LOOKS_ONLY: Final = frozenset(
    {"len", "bool", "list", "tuple", "set", "frozenset", "sorted", "iter"}
)
LOOKS: Final = (
    *(ast.For, ast.comprehension, ast.If, ast.While, ast.IfExp, ast.Assert, ast.Expr),
    *(ast.Compare, ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.AugAssign, ast.FormattedValue),
)
GATHERERS: Final = frozenset({"gather", "wait", "as_completed"})
NAMES: Final = ("task", "new_task", "added_task", "task_to_keep")


def discard_when_done(source: Source, finding: Finding) -> bool:
    """
    Add a done-callback after each write of *finding*; tell whether there was any to add.
    """
    places = [place.line for place in finding.writes if place.path == finding.path]
    lines = dict.fromkeys([finding.line, *places])
    name = finding.container.rpartition(".")[2]
    return sum(_discard(source, line, name) for line in lines) > 0


def _discard(source: Source, line: int, name: str) -> bool:
    statement = source.at(line)
    entry = written(source.trees(statement)[0], name) if statement else None
    if statement is None or entry is None or entry.how != "add":
        return False
    spot = source.spot(statement)
    [function] = source.trees(spot.function)
    if not _is_task(entry.key, function, source.tree) or _is_missed(source.tree, name):
        return False
    return _follow(source, spot, statement, entry, function)


def _follow(
    source: Source, spot: Spot, statement: cst.SimpleStatementLine, entry: Entry, function: ast.stmt
) -> bool:
    container = ast.unparse(entry.container)
    statements = spot.statements
    added = statement
    first: list[cst.SimpleStatementLine] = []
    match entry.key:
        case ast.NamedExpr(target=ast.Name(id=task)):
            pass
        case ast.Call():
            used = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
            used |= {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
            task = next((each for each in NAMES if each not in used), "")
            if not task:
                return False
            first = [_named(statement, task)]
            added = _adding(statement, task)
        case _:
            task = ast.unparse(entry.key)
    callback = f"{task}.add_done_callback({container}.discard)"
    there = (ast.unparse(node) for node in ast.walk(function) if isinstance(node, ast.Call))
    if callback in there:
        return False
    source.renew(statement, added)
    statements[spot.index : spot.index + 1] = [*first, added, source.made(spot, f"{callback}\n")]
    source.put(spot, statements)
    return True


def _argument(statement: cst.SimpleStatementLine) -> tuple[cst.Expr, cst.Call]:
    [expression] = statement.body
    assert isinstance(expression, cst.Expr)
    assert isinstance(expression.value, cst.Call)
    return expression, expression.value


def _named(statement: cst.SimpleStatementLine, task: str) -> cst.SimpleStatementLine:
    """
    Return the statement that gives the new task a name, typed as it was.
    """
    _, call = _argument(statement)
    target = cst.AssignTarget(cst.Name(task))
    value = cst.Assign(targets=[target], value=call.args[0].value)
    return cst.SimpleStatementLine(body=[value], leading_lines=statement.leading_lines)


def _adding(statement: cst.SimpleStatementLine, task: str) -> cst.SimpleStatementLine:
    """
    Return *statement* with the name in place of the call.
    """
    expression, call = _argument(statement)
    named = cst.Call(func=call.func, args=[cst.Arg(cst.Name(task))])
    return statement.with_changes(body=[expression.with_changes(value=named)], leading_lines=[])


def _makes(expression: ast.expr) -> bool:
    return isinstance(expression, ast.Call) and called(expression.func) in MAKERS


def _is_task(key: ast.expr, function: ast.stmt, tree: ast.Module) -> bool:
    """
    Tell whether *key* is a task for sure: made here, or annotated as one.
    """
    if isinstance(key, ast.NamedExpr):
        return _makes(key.value)
    if not is_pure(key):
        return _makes(key)
    text = ast.unparse(key)
    for node in ast.walk(function if isinstance(key, ast.Name) else tree):
        match node:
            case ast.Assign(targets=[target], value=value) if ast.unparse(target) == text:
                if _makes(value):
                    return True
            case ast.arg(arg=name, annotation=ast.expr() as kind) if name == text:
                return "Task" in ast.unparse(kind)
            case ast.AnnAssign(target=target, annotation=kind) if ast.unparse(target) == text:
                return "Task" in ast.unparse(kind)
            case _:
                pass
    return False


def _is_missed(tree: ast.Module, name: str) -> bool:
    """
    Tell whether somebody in the file would notice that a task is gone from the set.
    """
    if may_change_under_loop(tree, name):
        return True
    if any(_reads_result(node) for _, body in loops(tree, name) for node in own(*body)):
        return True
    # Waiting for all there are, and taking no result, is the same without those that are done.
    farewells = {id(part) for node in ast.walk(tree) for part in _farewell(node)}
    return any(
        id(node) not in farewells and (_takes_results(node, name) or _passes_on(node, name))
        for node in ast.walk(tree)
    )


def _reads_result(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in {"result", "exception"}


def _farewell(node: ast.AST) -> list[ast.AST]:
    match node:
        case ast.Expr(
            value=ast.Await(
                value=ast.Call(
                    func=function,
                    args=args,
                    keywords=[ast.keyword(arg="return_exceptions", value=ast.Constant(value=True))],
                ) as call
            )
        ) if called(function) == "gather":
            return [call, *args]
        case _:
            return []


def _takes_results(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and called(node.func) in GATHERERS and mentions(node, name)


def _passes_on(parent: ast.AST, name: str) -> bool:
    """
    Tell whether the set itself gets to where we do not see what becomes of it.
    """
    used = [
        child
        for child in ast.iter_child_nodes(parent)
        if isinstance(child, ast.Name | ast.Attribute)
        and isinstance(child.ctx, ast.Load)
        and is_called(child, name)
    ]
    match parent:
        case ast.Attribute(attr=attr):
            return bool(used) and attr == "remove"
        case ast.Call(func=function):
            return bool(used) and called(function) not in LOOKS_ONLY
        case _:
            return bool(used) and not isinstance(parent, LOOKS)
