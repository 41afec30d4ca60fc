"""
What each kind of expression does: the handlers of `Expressions`.
"""

from __future__ import annotations

import ast

from sessionstate.audit._events import (
    AWAIT,
    HANDLERS,
    LATER,
    YIELD,
    Expressions,
)
from sessionstate.audit._nodes import constructed, dotted, written

HEAP = {"heappush": "append", "heappop": "heappop", "insort": "append"}
DUNDER = {"__setitem__": "[]=", "__delitem__": "del[]", "__getitem__": "[]"}


def _name(on: Expressions, node: ast.Name) -> str:
    return on.look_up(node.id)


def _attribute(on: Expressions, node: ast.Attribute) -> str:
    path = on.visit(node.value) or "?"
    if node.attr == "__class__" and path == "self":
        return path
    if "|" in path:
        return "|".join(f"{one}.{node.attr}" for one in path.split("|"))
    return f"{path}.{node.attr}"


def _subscript(on: Expressions, node: ast.Subscript) -> str:
    path = on.visit(node.value)
    if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
        return f"{path or '?'}.[{node.slice.value}]"
    if isinstance(node.slice, ast.Name) and node.slice.id.isupper():
        return f"{path or '?'}.[{node.slice.id}]"  # an `AppKey`, or the name of a constant
    if isinstance(node.slice, ast.Slice):
        on.visit(node.slice.lower)
        on.visit(node.slice.upper)
        return path
    on.visit(node.slice)
    if not path:
        return ""
    on.op(path, "[]", node, on.key(node.slice))
    return "|".join(f"{one}.*" for one in path.split("|"))


def described(on: Expressions, node: ast.expr) -> str:
    """
    Return what an argument is: a path, ``=kind`` of a new container, or ``~key`` of anything else.
    """
    if kind := constructed(node):
        on.visit(node)
        return f"={kind}"
    path = on.visit(node)
    if isinstance(node, ast.Constant):
        return f"~c:{written(node)}"[:40]
    return path or f"~{on.key(node)}"


def made_by(node: ast.expr) -> str:
    """
    Return what a value is made by: a kind of container, or the text of a call.
    """
    if kind := constructed(node):
        return f"={kind}"
    return dotted(node)[:60]


def _call(on: Expressions, node: ast.Call) -> str:
    func = node.func
    if isinstance(func, ast.Attribute):
        path, name = on.visit(func.value) or "?", func.attr
    elif isinstance(func, ast.Name):
        if func.id == "getattr" and (several := _by_name(on, node)):
            return several
        if func.id in {"super", "type"} and on.look_up("self") == "self":
            return "self"
        path, name = on.look_up(func.id), "()"
    else:
        path, name = on.visit(func) or "?", "()"
    arguments = [described(on, each) for each in node.args]
    arguments += [f"{k.arg or '**'}={described(on, k.value)}" for k in node.keywords]
    on.calls.add(name if name != "()" else path.rpartition(".")[2].lstrip("@$^").rpartition(">")[2])
    key = on.key(node.args[0]) if node.args else ""
    value = made_by(node.args[:2][-1]) if node.args else ""
    word = path[1:] if name == "()" else name
    if word in HEAP and node.args and isinstance(node.args[0], ast.Name | ast.Attribute):
        item = on.key(node.args[1]) if len(node.args) > 1 else ""
        on.op(arguments[0], HEAP[word], node, item)
    on.op(path, DUNDER.get(name, name), node, key, tuple(arguments), value=value)
    if name in {"get", "pop", "setdefault"}:
        return f"{path}.*"
    if name in {"values", "items", "keys", "copy", "popleft", "popitem"}:
        return ""
    made = path if name == "()" else f"{path}.{name}"
    last = made.rpartition(".")[2].lstrip("@")
    return f"%{made.lstrip('@')}" if last[:1].isupper() else ""


def _by_name(on: Expressions, node: ast.Call) -> str:
    """
    Return what ``getattr(thing, name)`` may be, where the names are known.
    """
    if len(node.args) < 2:  # noqa: PLR2004
        return ""
    thing, name = node.args[0], node.args[1]
    names: tuple[str, ...] = ()
    if isinstance(name, ast.Constant) and isinstance(name.value, str):
        names = (name.value,)
    elif isinstance(name, ast.Name):
        names = on.texts.get(name.id, ())
    path = on.visit(thing)
    return "|".join(f"{path or '?'}.{each}" for each in names)


def _await(on: Expressions, node: ast.Await) -> str:
    path = on.visit(node.value)
    on.out.append((AWAIT, node.lineno, path))
    return path


def _yield(on: Expressions, node: ast.Yield | ast.YieldFrom) -> str:
    on.visit(node.value)
    on.yields = True
    on.out.append((YIELD, node.lineno))
    return ""


def _lambda(on: Expressions, node: ast.Lambda) -> str:
    inner = Expressions(f"{on.qualname}.<lambda>", on)
    for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
        inner.paths[each.arg] = f"${each.arg}"
        inner.origins[each.arg] = f"p:{each.arg}"
    inner.visit(node.body)
    on.calls |= inner.calls
    if inner.out:
        on.out.append((LATER, node.lineno, tuple(inner.out)))
    return ""


def _comprehension(
    on: Expressions, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
) -> str:
    kept = dict(on.paths), dict(on.origins)
    for each in node.generators:
        on.iterate(each.target, each.iter)
        if each.is_async:
            on.out.append((AWAIT, node.lineno))
        for test in each.ifs:
            on.visit(test)
    if isinstance(node, ast.DictComp):
        on.visit(node.key)
        on.visit(node.value)
    else:
        on.visit(node.elt)
    on.paths, on.origins = kept
    return ""


def _named(on: Expressions, node: ast.NamedExpr) -> str:
    path = on.visit(node.value)
    on.bind(node.target, path, on.key(node.value))
    return path


def _compare(on: Expressions, node: ast.Compare) -> str:
    on.visit(node.left)
    for operator, right in zip(node.ops, node.comparators, strict=True):
        path = on.visit(right)
        if path and isinstance(operator, ast.In | ast.NotIn):
            on.op(path, "in", node, on.key(node.left))
    return ""


def _either(on: Expressions, node: ast.BoolOp) -> str:
    paths = [on.visit(each) for each in node.values]
    return next((path for path in paths if path), "")


def _if(on: Expressions, node: ast.IfExp) -> str:
    on.visit(node.test)
    return on.visit(node.body) or on.visit(node.orelse)


def _constant(_: Expressions, __: ast.Constant) -> str:
    return ""


def _starred(on: Expressions, node: ast.Starred) -> str:
    return on.visit(node.value)


HANDLERS.update(
    {
        ast.Name: _name,
        ast.Attribute: _attribute,
        ast.Subscript: _subscript,
        ast.Call: _call,
        ast.Await: _await,
        ast.Yield: _yield,
        ast.YieldFrom: _yield,
        ast.Lambda: _lambda,
        ast.ListComp: _comprehension,
        ast.SetComp: _comprehension,
        ast.GeneratorExp: _comprehension,
        ast.DictComp: _comprehension,
        ast.NamedExpr: _named,
        ast.Compare: _compare,
        ast.BoolOp: _either,
        ast.IfExp: _if,
        ast.Constant: _constant,
        ast.Starred: _starred,
    }
)
