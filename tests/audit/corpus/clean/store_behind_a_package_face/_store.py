"""
The face of the package exports the map under another name, by which checkout.py expires the rows.
"""

import time


class Cart:
    def __init__(self):
        self.lines = []
        self.until = time.time() + 1800


CARTS = {}  # clean: checkout.add() deletes the expired at each write
