"""
The table belongs to one compilation, and the driver compiles once and exits.
"""


class SymbolTable:
    def __init__(self, parent=None):
        self.parent = parent
        self.slot_of = {}  # clean: one table for each scope of one compilation

    def declare(self, symbol_id, kind):
        if symbol_id in self.slot_of:
            raise SyntaxError(f"{symbol_id} is declared twice")
        self.slot_of[symbol_id] = (len(self.slot_of), kind)

    def find(self, symbol_id):
        if symbol_id in self.slot_of:
            return self.slot_of[symbol_id]
        return self.parent.find(symbol_id) if self.parent else None
