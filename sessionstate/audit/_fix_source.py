"""
A module that is edited: the trees are libcst's, so what is not touched stays as it was typed.

Nodes cannot change; an edit makes a new module in which only the way down to the edited block is
new. A statement is found by its line in the file that was audited, however much moved since.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Final, TypeAlias, cast

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

Statement: TypeAlias = cst.SimpleStatementLine | cst.BaseCompoundStatement

SUITES: Final = ("body", "handlers", "orelse", "finalbody", "cases")
TRIES: Final = (cst.Try, cst.TryStar)


class Spot:
    """
    Where a statement stands: its block, the way down to it, and the function around it.
    """

    __slots__ = ("block", "function", "index", "path")

    def __init__(self, path: Sequence[cst.CSTNode], statement: cst.SimpleStatementLine) -> None:
        *_, block = path
        function = _owner(path)
        assert isinstance(block, cst.IndentedBlock)
        assert isinstance(function, cst.FunctionDef)
        self.path = path
        self.block = block
        self.function = function
        self.index = next(i for i, other in enumerate(block.body) if other is statement)

    def following(self) -> Iterator[cst.CSTNode]:
        """
        Yield the statements that may run after this one in the same call, loops left aside.
        """
        yield from self.block.body[self.index + 1 :]
        inside: cst.CSTNode = self.block
        for node in takewhile(lambda node: node is not self.function, reversed(self.path[:-1])):
            if isinstance(node, cst.IndentedBlock):
                index = next(i for i, other in enumerate(node.body) if other is inside)
                yield from node.body[index + 1 :]
            elif isinstance(node, TRIES):
                others = (node.orelse if inside is node.body else None, node.finalbody)
                for other in others:
                    if other and other is not inside:
                        yield from other.body.body
            inside = node

    @property
    def statements(self) -> list[Statement]:
        """
        The statements of the block.
        """
        return [each for each in self.block.body if isinstance(each, Statement)]


class Source:
    """
    The text of a module, and its statements by the lines that an audit told.
    """

    def __init__(self, text: str) -> None:
        wrapper = MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
        self._module = wrapper.module
        self._statements: dict[int, cst.SimpleStatementLine] = {}
        for node, span in wrapper.resolve(PositionProvider).items():
            if isinstance(node, cst.SimpleStatementLine):
                lines = range(span.start.line, span.end.line + 1)
                self._statements.update(dict.fromkeys(lines, node))

    @property
    def text(self) -> str:
        """
        The module as it is now.
        """
        return self._module.code

    @property
    def tree(self) -> ast.Module:
        """
        The module as it is now, as a syntax tree.
        """
        return ast.parse(self._module.code)

    def at(self, line: int) -> cst.SimpleStatementLine | None:
        """
        Return the statement that stood on *line*, alone and in a function.
        """
        statement = self._statements.get(line)
        if statement is None or len(statement.body) != 1:
            return None
        owner = _owner(next(_ways(self._module, statement)))
        return statement if isinstance(owner, cst.FunctionDef) else None

    def spot(self, statement: cst.SimpleStatementLine) -> Spot:
        """
        Tell where *statement* is now.
        """
        return Spot(next(_ways(self._module, statement)), statement)

    def trees(self, *nodes: cst.CSTNode) -> list[ast.stmt]:
        """
        Return statements as syntax trees.
        """
        return [each for node in nodes for each in ast.parse(self.code(node)).body]

    def code(self, node: cst.CSTNode) -> str:
        """
        Return what *node* is typed as.
        """
        return self._module.code_for_node(node)

    def made(self, spot: Spot, text: str) -> Statement:
        """
        Return *text* as a statement for *spot*; a tab in it stands for one more level.
        """
        indent = spot.block.indent or self._module.default_indent
        config = self._module.config_for_parsing
        return cst.parse_statement(text.replace("\t", indent), config=config)

    def put(self, spot: Spot, body: Sequence[Statement]) -> None:
        """
        Make *body* the statements of the block of *spot*.
        """
        module = self._module.visit(_Swap(spot, body))
        assert isinstance(module, cst.Module)
        self._module = module

    def renew(self, old: cst.CSTNode, new: cst.CSTNode) -> None:
        """
        Take *new* for what stood where *old* did; a block is not found by its line.
        """
        for line in [line for line, each in self._statements.items() if each is old]:
            if isinstance(new, cst.SimpleStatementLine):
                self._statements[line] = new
            else:
                del self._statements[line]


class _Swap(cst.CSTTransformer):
    """
    Gives one block another body, and keeps every node that is not above it.
    """

    def __init__(self, spot: Spot, body: Sequence[Statement]) -> None:
        super().__init__()
        self._above = {id(node) for node in spot.path[:-1]}
        self._block = spot.block
        self._body = body

    def on_visit(self, node: cst.CSTNode) -> bool:
        return id(node) in self._above

    def leave_IndentedBlock(  # noqa: N802 - libcst calls it by this name
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.BaseSuite:
        if original_node is self._block:
            return updated_node.with_changes(body=self._body)
        return updated_node


def _owner(path: Sequence[cst.CSTNode]) -> cst.CSTNode | None:
    """
    Return the innermost function or class on *path*.
    """
    return next(
        (node for node in reversed(path) if isinstance(node, cst.FunctionDef | cst.ClassDef)), None
    )


def _ways(node: cst.CSTNode, target: cst.CSTNode) -> Iterator[tuple[cst.CSTNode, ...]]:
    """
    Yield the way from *node* down to what holds *target*.
    """
    for child in _below(node):
        if child is target:
            yield (node,)
        elif not isinstance(child, cst.SimpleStatementLine):
            for way in _ways(child, target):
                yield (node, *way)


def _below(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    for name in SUITES:
        value: object = getattr(node, name, None)
        for child in cast("Sequence[object]", value) if isinstance(value, Sequence) else (value,):
            if isinstance(child, cst.CSTNode):
                yield child
