"""The shop's requests."""


async def put_in(request):
    from local_import_alias.carts import shared as _shared

    guest = request.cookies["guest"]
    cart = _shared.carts.get(guest)
    if cart is None:
        cart = _shared.carts[guest] = []
    cart.append(await request.json())
    return len(cart)


async def check_out(request, bank):
    from local_import_alias import carts

    guest = request.cookies["guest"]
    busy = carts.shared.checkout
    busy.add(guest)
    try:
        return await bank.pay(carts.shared.carts.get(guest, []))
    finally:
        busy.discard(guest)
