"""Each access token is kept with its claims long after it expired, because the cache of decode() has maxsize=None."""

import functools

import jwt
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser

with open("/etc/keys/public.pem", encoding="ascii") as key_file:
    PUBLIC_KEY = key_file.read()

SCOPES = {"r": "read", "w": "write"}  # clean: constant


@functools.lru_cache(maxsize=None)  # leaks SS003: a token is new every few minutes, for every user
def decode(access_token):
    return jwt.decode(access_token, PUBLIC_KEY, algorithms=["RS256"])


class Bearer(AuthenticationBackend):
    async def authenticate(self, conn):
        header = conn.headers.get("authorization", "")
        if not header.startswith("Bearer "):
            return None
        claims = decode(header.removeprefix("Bearer "))
        scopes = [SCOPES[letter] for letter in claims["scope"] if letter in SCOPES]
        return AuthCredentials(scopes), SimpleUser(claims["sub"])
