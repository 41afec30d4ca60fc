from __future__ import annotations

import subprocess
import sys
from typing import Any, cast

import pytest

from sessionstate import SessionOpened
from sessionstate._redaction import FAILED, redaction, without_ids
from sessionstate.observability import hashed

LONG = "3f2c9a7e-chat-of-somebody"


class TestRedaction:
    @pytest.mark.parametrize("redact", [None, "short"])
    def test_short(self, redact: Any) -> None:
        """
        By default the first 8 characters are shown; an id of no more than that is no secret.
        """
        shown = redaction(redact)
        assert [shown(id) for id in (LONG, "12345678", "123456789")] == [
            "3f2c9a7e…",
            "12345678",
            "12345678…",
        ]

    def test_hash(self) -> None:
        """
        A hash is the same for the same id, another for another, and has nothing of the id.
        """
        shown = redaction("hash")
        assert shown(LONG) == redaction("hash")(LONG)
        assert shown(LONG) != shown(f"{LONG}x")
        assert len(shown(LONG)) == 16
        assert LONG[:4] not in shown(LONG)

    def test_hash_of_another_process(self) -> None:
        """
        Without the key nobody can try ids: the hash of an id is another one in another process.
        """
        code = f"from sessionstate._redaction import redaction; print(redaction('hash')({LONG!r}))"
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert run.stdout.strip() != redaction("hash")(LONG)

    def test_hash_by_a_given_key(self) -> None:
        """
        Processes that share a key show an id alike, even one that no encoding has.
        """
        assert redaction(hashed(b"k"))(LONG) == hashed(b"k")(LONG) != hashed(b"other")(LONG)
        assert len(hashed(b"k")("\udcff")) == 16

    def test_none(self) -> None:
        """
        Who wants to see ids sees them.
        """
        assert redaction("none")(LONG) == LONG

    def test_function(self) -> None:
        """
        A function of one's own is asked.
        """
        assert redaction(str.upper)("abc") == "ABC"

    @pytest.mark.parametrize("redact", [int, list, print])
    def test_function_fails(self, redact: Any) -> None:
        """
        A function that fails, or returns no text, shows nothing of the id.
        """
        assert redaction(redact)(LONG) == FAILED

    def test_of_no_such_name(self) -> None:
        """
        A misspelled name is refused, instead of showing every id.
        """
        with pytest.raises(ValueError, match="redact must be 'short', 'hash', 'none' or a func"):
            redaction(cast("Any", "shrt"))

    @pytest.mark.parametrize(
        ("key", "error", "message"),
        [
            (b"", ValueError, "a key has 1 to 64 bytes, not 0"),
            (b"x" * 65, ValueError, "a key has 1 to 64 bytes, not 65"),
            ("secret", TypeError, "a key is bytes, not str"),
        ],
    )
    def test_key_of_the_wrong_kind(self, key: Any, error: type[Exception], message: str) -> None:
        """
        A key that would hide nothing, or that the hash cannot take, is refused.
        """
        with pytest.raises(error, match=message):
            hashed(key)


class TestText:
    def test_every_form_of_an_id(self) -> None:
        """
        In a text the id goes as it is and as `repr` writes it, but not out of a longer word.
        """
        id = "it's\na-chat"
        text = f"{id}: {id!r}, not {id}s"
        assert without_ids(text, lambda _: "X", id) == f'X: "X", not {id}s'

    def test_ids_of_others(self) -> None:
        """
        Other sessions are named in our own messages, and go out of these too.
        """
        text = f"session '{LONG}' is a child of <Session \"it's {LONG}\" open>"
        assert without_ids(text, redaction("short")) == (
            "session '3f2c9a7e…' is a child of <Session \"it's 3f2…\" open>"
        )

    def test_events(self) -> None:
        """
        An event that is shown in a message shows no more of its id than the message.
        """
        event = SessionOpened(LONG, 1, 0.0)
        assert without_ids(repr(event), redaction("short")) == (
            "SessionOpened(id='3f2c9a7e…', incarnation=1, at=0.0, took=0.0)"
        )

    def test_what_only_looks_like_an_id(self) -> None:
        """
        A text that is no literal stays.
        """
        text = r"session '\x' ended"
        assert without_ids(text, lambda _: "X") == text

    def test_nothing_to_hide(self) -> None:
        """
        A text is not touched where ids are shown whole.
        """
        text = f"session '{LONG}'"
        assert without_ids(text, redaction("none"), LONG) == text
