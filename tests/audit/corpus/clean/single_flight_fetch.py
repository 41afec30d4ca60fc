"""
The first caller makes the shared future and deletes it in its own finally.
"""
import asyncio

_flights = {}  # clean: the leader pops in finally


async def single_flight(key, fetch):
    flight = _flights.get(key)
    if flight is not None:
        return await asyncio.shield(flight)
    flight = _flights[key] = asyncio.get_running_loop().create_future()
    try:
        value = await fetch(key)
    except BaseException as error:
        flight.set_exception(error if isinstance(error, Exception) else ConnectionError("leader left"))
        flight.exception()
        raise
    else:
        flight.set_result(value)
        return value
    finally:
        _flights.pop(key, None)


async def avatar(request, images):
    user_id = request.match_info["user_id"]
    return await single_flight(user_id, images.fetch)
