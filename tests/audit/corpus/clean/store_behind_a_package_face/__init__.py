"""
A store of carts.
"""

from ._store import CARTS as carts
from ._store import Cart

__all__ = ["Cart", "carts"]
