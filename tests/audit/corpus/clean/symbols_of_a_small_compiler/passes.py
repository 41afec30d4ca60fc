"""
Two passes: the first declares, the second resolves.
"""
import ast

from symbols import SymbolTable


def declare(tree):
    table = SymbolTable()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            table.declare(node.name, "function")
    return table


def resolve(tree, table):
    calls = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            calls[node.func.id] = table.find(node.func.id)
    return calls
