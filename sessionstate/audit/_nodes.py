"""
What one expression says of itself: the container that it makes, the class that it names, its text.
"""

from __future__ import annotations

import ast

from sessionstate.audit._vocabulary import MAPS


def constructed(node: ast.expr | None) -> str:
    """
    Return the kind of container that *node* makes, such as ``dict``; else an empty string.
    """
    match node:
        case ast.Dict() | ast.DictComp():
            return "dict"
        case ast.Set() | ast.SetComp():
            return "set"
        case ast.List() | ast.ListComp():
            return "list"
        case ast.Call(func=func):
            return _called(node, func)
        case ast.BoolOp(values=values):
            return next((kind for each in values if (kind := constructed(each))), "")
        case ast.IfExp(body=body, orelse=orelse):
            return constructed(body) or constructed(orelse)
        case _:
            return ""


def _called(node: ast.Call, func: ast.expr) -> str:
    if isinstance(func, ast.Subscript):
        func = func.value
    name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
    if name in {"field", "Field", "PrivateAttr", "ib", "attrib", "Factory"}:
        factory = next(
            (k.value for k in node.keywords if k.arg in {"default_factory", "factory"}), None
        )
        if factory is None and name == "Factory" and node.args:
            factory = node.args[0]
        if isinstance(factory, ast.Lambda):
            return constructed(factory.body)
        made = ast.Call(factory, [], []) if factory is not None else None
        return constructed(made)
    kind = MAPS.get(name, "")
    if kind == "deque" and (len(node.args) > 1 or any(_bounds(k) for k in node.keywords)):
        return "deque(maxlen)"
    if kind == "defaultdict" and node.args:
        inner = node.args[0]
        return f"defaultdict({getattr(inner, 'id', getattr(inner, 'attr', ''))})"
    return kind


def _bounds(keyword: ast.keyword) -> bool:
    none = isinstance(keyword.value, ast.Constant) and keyword.value.value is None
    return keyword.arg == "maxlen" and not none


def annotated(node: ast.expr | None) -> str:
    """
    Return the first name in an annotation that says what a value is: ``Agent`` of ``Agent | None``.
    """
    match node:
        case ast.Name(id=name):
            return "" if name == "None" else name
        case ast.Attribute(attr=attr):
            return attr
        case ast.Constant(value=str(text)):
            try:
                return annotated(ast.parse(text, mode="eval").body)
            except (SyntaxError, ValueError):
                return ""
        case ast.BinOp(left=left, right=right):
            return annotated(left) or annotated(right)
        case ast.Subscript(value=value, slice=inside):
            name = annotated(value)
            if name in {"Optional", "Union", "Annotated", "ClassVar", "Final"}:
                first = inside.elts[0] if isinstance(inside, ast.Tuple) and inside.elts else inside
                return annotated(first)
            return name
        case _:
            return ""


def dotted(node: ast.expr) -> str:
    """
    Return *node* as dotted text, as well as it can be told.
    """
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            return f"{dotted(value)}.{attr}"
        case ast.Call(func=func):
            return f"{dotted(func)}()"
        case ast.Subscript(value=value, slice=ast.Constant(value=str(key))):
            return f"{dotted(value)}.{key}"
        case ast.Subscript(value=value):
            return f"{dotted(value)}[]"
        case ast.Await(value=value):
            return dotted(value)
        case _:
            return ""


def written(node: ast.Constant) -> str:
    """
    Return a constant as it is written.
    """
    try:
        return repr(node.value)
    except ValueError:
        return "a long number"  # the interpreter refuses to write it
