"""
A visitor is made for one source text and thrown away with the report about it.
"""

from __future__ import annotations

import ast

from fastapi import FastAPI

app = FastAPI()


class NameUse(ast.NodeVisitor):
    def __init__(self) -> None:
        self.bound: dict[str, int] = {}  # clean: one visitor for each text
        self.used: set[str] = set()  # clean: one visitor for each text

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.bound[node.id] = node.lineno
        else:
            self.used.add(node.id)
        self.generic_visit(node)


@app.post("/lint/{session_id}")
async def lint(session_id: str, source: str) -> dict[str, object]:
    visitor = NameUse()
    visitor.visit(ast.parse(source))
    unused = {name: line for name, line in visitor.bound.items() if name not in visitor.used}
    return {"session_id": session_id, "unused": unused}
