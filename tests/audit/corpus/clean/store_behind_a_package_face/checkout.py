"""
What the shop does with carts.
"""

import time

from . import Cart, carts


def _expire():
    now = time.time()
    for cart_id in [c for c, cart in carts.items() if cart.until < now]:
        del carts[cart_id]


def add(request):
    _expire()
    cart_id = request.session["cart_id"]
    if cart_id not in carts:
        carts[cart_id] = Cart()
    carts[cart_id].lines.append(request.json["sku"])
    return len(carts[cart_id].lines)
