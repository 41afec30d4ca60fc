"""What is shown of a session's id, where ids must not be shown whole."""

from __future__ import annotations

import re
import secrets
from ast import literal_eval
from collections.abc import Callable
from functools import partial
from hashlib import blake2b
from typing import Final, Literal

Redact = Literal["short", "hash", "none"] | Callable[[str], str]
"""What is shown of an id: a name, or a function of one's own."""

SHOWN: Final = 8
"""Characters of an id that "short" shows."""
DIGEST: Final = 8  # bytes: two ids among a million have the same one once in 37 million times
LONGEST_KEY: Final = blake2b.MAX_KEY_SIZE
FAILED: Final = "<not redacted>"
"""What is shown when the function of one's own fails."""

_NAMED: Final = re.compile(r"""(\b[Ss]ession |\bid=)('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")

_key = secrets.token_bytes(32)


def redaction(redact: Redact | None = None) -> Callable[[str], str]:
    """
    Return the function that makes of an id what is shown of it, and which never raises.

    Args:
        redact: ``"short"``, the default: its first 8 characters and an ellipsis; an id of no more
            than that is shown whole. ``"hash"``: a keyed hash, the same in all of this process and
            in no other. ``"none"``: the id. Or a function of the id, such as `hashed`.

    Raises:
        ValueError: If there is no redaction of this name.
    """
    if redact is None or redact == "short":
        return _short
    if redact == "hash":
        return partial(_hash, _key)
    if redact == "none":
        return str
    if not callable(redact):
        raise ValueError(  # noqa: TRY004 - most likely a name that there is not
            f"redact must be 'short', 'hash', 'none' or a function of the id, not {redact!r}"
        )
    return partial(_guarded, redact)


def hashed(key: bytes) -> Callable[[str], str]:
    """
    Return a function for ``redact=``, by which processes that share *key* show an id alike.

    Args:
        key: 1 to 64 bytes that only those know who may tell which id was meant.

    .. versionadded:: 0.1
    """
    given: object = key
    if not isinstance(given, bytes | bytearray):
        raise TypeError(f"a key is bytes, not {type(given).__name__}: key.encode() makes them")
    if not 0 < len(key) <= LONGEST_KEY:
        raise ValueError(
            f"a key has 1 to {LONGEST_KEY} bytes, not {len(key)}: secrets.token_bytes(32) makes one"
        )
    return partial(_hash, bytes(key))


def without_ids(text: str, redact: Callable[[str], str], id: str | None = None) -> str:
    """
    Return *text* with what is shown of *id* wherever it is named, and of others where we name them.

    Our own messages, and what is raised, say ``session 'the-id'``, and events ``id='the-id'``.
    """
    if redact is str:
        return text
    text = _NAMED.sub(lambda match: f"{match[1]}{_again(match[2], redact)}", text)
    if id is not None:
        shown = redact(id)
        # As it is, and as `repr` writes it; but not inside of a longer word, which is no id.
        for form in dict.fromkeys((repr(id)[1:-1], id)):
            text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", lambda _: shown, text)
    return text


def _again(literal: str, redact: Callable[[str], str]) -> str:
    try:
        id: object = literal_eval(literal)
    except (SyntaxError, ValueError):  # it only looked like one
        return literal
    return repr(redact(str(id)))


def _short(id: str) -> str:
    return id if len(id) <= SHOWN else f"{id[:SHOWN]}…"


def _hash(key: bytes, id: str) -> str:
    return blake2b(id.encode("utf-8", "surrogatepass"), digest_size=DIGEST, key=key).hexdigest()


def _guarded(redact: Callable[[str], str], id: str) -> str:
    """Ask a function that is not ours: what it fails at must neither be lost nor be shown."""
    try:
        shown: object = redact(id)
    except Exception:
        return FAILED
    return shown if isinstance(shown, str) else FAILED
