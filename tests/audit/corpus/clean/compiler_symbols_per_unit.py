"""
A compiler object compiles one unit, and the server makes a new one for each unit.
"""
import itertools


class Compiler:
    def __init__(self):
        self.symbols = {}  # clean: one compiler for each unit
        self.temp = itertools.count()
        self.code = []

    def slot(self, ident):
        if ident not in self.symbols:
            self.symbols[ident] = len(self.symbols)
        return self.symbols[ident]

    def emit(self, op, *operands):
        self.code.append((op, *operands))

    def compile(self, statements):
        for target, source in statements:
            register = next(self.temp)
            self.emit("LOAD", register, self.slot(source))
            self.emit("STORE", self.slot(target), register)
        return self.code


def serve_compile(connection):
    for unit in iter(connection.recv, None):
        connection.send((unit["unit_id"], Compiler().compile(unit["statements"])))
