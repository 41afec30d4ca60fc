"""
What errors and reasons say.
"""

from __future__ import annotations

import pytest

from sessionstate import (
    CloseReason,
    SessionClosed,
    SessionError,
    SessionNotFound,
    Supervisor,
    SupervisorClosed,
    SupervisorFull,
)
from sessionstate.testing import VirtualClock


class TestErrors:
    def test_have_one_base(self) -> None:
        """
        Each error of the library is a `SessionError`, and also the builtin that it is like.
        """
        assert issubclass(SessionClosed, SessionError)
        assert issubclass(SessionNotFound, SessionError)
        assert issubclass(SessionNotFound, KeyError)
        assert issubclass(SupervisorFull, SessionError)
        assert issubclass(SupervisorClosed, SessionError)

    async def test_say_what_happened_and_what_to_write(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        `SessionClosed` says which life ended, when and why, and how to open it again.
        """
        lives = []
        for number in range(1, 24):
            opened = await supervisor.open("a")
            opened.close_soon()
            lives.append((number, opened))
        await clock.advance(2)
        texts = []
        for _, opened in lives:
            with pytest.raises(SessionClosed) as caught:
                opened.extend(1)
            assert caught.value.session is opened
            texts.append(str(caught.value))
        said = "ended 2 s ago: completed; open it again with supervisor.session('a')"
        for number, nth in {1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 21: "21st"}.items():
            assert texts[number - 1] == f"session 'a' ({nth} life) {said}"

    def test_reasons_tell_who_asked(self) -> None:
        """
        A reason tells whether the session ended although nobody asked for it.
        """
        asked = {"completed", "failed", "cancelled", "deleted", "parent", "shutdown"}
        assert {reason.value for reason in CloseReason if not reason.automatic} == asked
