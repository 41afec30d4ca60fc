"""
Where the server is, and what it wants to be shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final
from urllib.parse import parse_qs, urlsplit, urlunsplit

EXAMPLE: Final = "http://127.0.0.1:8123/"
HIGHEST_VISIBLE: Final = 0x7E


@dataclass(frozen=True)
class Address:
    """
    The page's URL without what is secret, and the token apart.
    """

    url: str
    """Ends with a slash, has no query."""
    token: str | None = field(default=None, repr=False)

    @property
    def is_local(self) -> bool:
        """
        Tell whether it is this machine.
        """
        host = urlsplit(self.url).hostname or ""
        if host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return False


def address(text: str) -> Address:
    """
    Read the URL of a page, as its server printed it.

    Raises:
        ValueError: If it is none.
    """
    if "://" not in text:
        raise ValueError(f"it has no scheme: write http://{_without_query(text) or EXAMPLE[7:]}")
    try:
        parts = urlsplit(text.strip())
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"it is no URL ({error}): write one as {EXAMPLE}") from error
    if parts.scheme not in {"http", "https"}:
        raise ValueError(f"its scheme is {parts.scheme!r}: write one as {EXAMPLE}")
    if not parts.hostname:
        raise ValueError(f"it names no host: write one as {EXAMPLE}")
    if "@" in parts.netloc:
        raise ValueError("it has a user or password: the page knows only its token")
    if not (parts.netloc + parts.path).isprintable() or " " in parts.netloc + parts.path:
        raise ValueError(f"it has a character that no URL has: write one as {EXAMPLE}")
    tokens = parse_qs(parts.query).get("token", [])
    if len(tokens) > 1:
        raise ValueError("it has more than one token")
    path = parts.path if parts.path.endswith("/") else parts.path + "/"
    url = urlunsplit((parts.scheme, parts.netloc, path, "", ""))
    return Address(url, checked_token(tokens[0]) if tokens else None)


def checked_token(token: str) -> str:
    """
    Return *token* without the space around it, if it can be sent.

    Raises:
        ValueError: If it cannot be in a header.
    """
    token = token.strip()
    if not token or not all(" " < character <= chr(HIGHEST_VISIBLE) for character in token):
        raise ValueError("the token is empty, or has characters that cannot be sent in a header")
    return token


def _without_query(text: str) -> str:
    return text.partition("?")[0].strip()
