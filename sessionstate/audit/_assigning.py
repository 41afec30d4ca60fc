"""
Assignments: whether a name becomes a container of its own, or stands for what is known already.
"""

from __future__ import annotations

import ast

from sessionstate.audit._calls import made_by
from sessionstate.audit._events import OP, Expressions, called
from sessionstate.audit._nodes import constructed
from sessionstate.audit._vocabulary import OWNED


class Assignments(Expressions):
    """
    Says what is put where in one function, class body or module.
    """

    def __init__(self, qualname: str, outer: Expressions | None, kind: str) -> None:
        super().__init__(qualname, outer)
        self.kind = kind
        """``module``, ``class`` or ``function``."""

    def _own(self, name: str) -> str:
        """
        Return the path of a container that is made under *name* here.
        """
        if self.kind == "module" or self.paths.get(name, "").startswith("@"):
            return f"@{name}"
        return f"self.{name}" if self.kind == "class" else f"^{self.local}>{name}"

    def assign(self, target: ast.expr, value: ast.expr | None, path: str, kind: str) -> None:
        """
        Let *target* be *value*, whose path and kind of container are known.
        """
        text = made_by(value) if value is not None else ""
        match target:
            case ast.Name(id=name):
                own = self._own(name)
                if self.kind != "function" or own[0] == "@" or kind:
                    self._rebind(own, target, kind, path, value)
                    if self.kind == "function":
                        self.paths[name] = own
                else:
                    self.bind(target, path, self.key(value) if value is not None else "v:")
                    if any(event[0] == OP and called(event) in OWNED for event in self.out):
                        self.op(f"${name}", "let", target, "", (path,), value=text)
            case ast.Attribute():
                self._rebind(self.path_only(target), target, kind, path, value)
            case ast.Subscript(slice=ast.Constant(value=str(text_key))):
                base = self.visit(target.value)
                self._rebind(f"{base or '?'}.[{text_key}]", target, kind, path, value)
            case ast.Subscript(slice=ast.Name(id=name)) if name.isupper() and kind:
                base = self.visit(target.value)
                self._rebind(f"{base or '?'}.[{name}]", target, kind, path, value)
            case ast.Subscript(slice=ast.Slice()):
                self.op(self.visit(target.value) or "?", "[:]=", target)
            case ast.Subscript():
                base = self.visit(target.value) or "?"
                self.visit(target.slice)
                self.op(base, "[]=", target, self.key(target.slice), (path,), value=text)
            case ast.Starred():
                self.assign(target.value, None, "", "")
            case _:
                assert isinstance(target, ast.Tuple | ast.List)
                values = value.elts if isinstance(value, ast.Tuple | ast.List) else []
                for i, part in enumerate(target.elts):
                    each = values[i] if len(values) == len(target.elts) else None
                    inner = self.path_only(each) if each is not None else ""
                    self.assign(part, each, inner, constructed(each))

    def _rebind(
        self, path: str, node: ast.expr, kind: str, value: str, made: ast.expr | None
    ) -> None:
        if isinstance(made, ast.Dict):
            self._nested(path, made)
        if made is not None and (added := self._adds_to(path, made)):
            self.op(path, "[]=", node, added)
            return
        used = any(event[0] == OP and event[1] == path for event in self.out)
        sliced = isinstance(made, ast.Subscript) and value == path
        how = "=filter" if used or sliced else "="
        text = made_by(made) if made is not None else ""
        self.op(path, how, node, self.key(made), (value, kind), value=text)

    def _nested(self, path: str, made: ast.Dict) -> None:
        """
        Note the containers that a literal holds under constant keys.
        """
        for key, value in zip(made.keys, made.values, strict=True):
            kind = constructed(value)
            if kind and isinstance(key, ast.Constant) and isinstance(key.value, str):
                self.op(f"{path}.[{key.value}]", "=", value, "", ("", kind))

    def _adds_to(self, path: str, made: ast.expr) -> str:
        """
        Return the key that is put in where a container is made anew from itself and more.
        """
        match made:
            case ast.Dict(keys=keys, values=values):
                spread = [v for k, v in zip(keys, values, strict=True) if k is None]
                added = [k for k in keys if k is not None]
            case ast.List(elts=parts) | ast.Set(elts=parts):
                spread = [each.value for each in parts if isinstance(each, ast.Starred)]
                added = [each for each in parts if not isinstance(each, ast.Starred)]
            case ast.BinOp(left=left, op=ast.BitOr() | ast.Add(), right=right):
                spread, added = [left], [right]
            case _:
                return ""
        again = any(self.path_only(each) == path for each in spread)
        return self.key(added[0]) if again and added else ""
