"""
A memo of parsed tokens is cleared as a whole as soon as it has 4096 rows.
"""
import base64
import json

_parsed = {}  # clean: cleared at 4096 rows


def claims(token: str) -> dict:
    try:
        return _parsed[token]
    except KeyError:
        pass
    if len(_parsed) >= 4096:
        _parsed.clear()
    payload = token.split(".")[1]
    padded = payload + "=" * (-len(payload) % 4)
    result = _parsed[token] = json.loads(base64.urlsafe_b64decode(padded))
    return result


async def current_user(request):
    header = request.headers["authorization"]
    return claims(header.removeprefix("Bearer "))["sub"]
