"""
Where things came from is noted without anybody's feeling it, and only while somebody checks.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from typing import Any
from unittest import mock

import pytest

from sessionstate import Supervisor
from sessionstate._resources import Callback
from sessionstate.testing import _origins, no_leaks
from sessionstate.testing._origins import DEPTH, SOCKET, Notes, Origins, origins

depth = sys.get_coroutine_origin_tracking_depth


def inits() -> list[object]:
    """
    Return all that is patched.
    """
    kinds = (Supervisor, *_origins.OWN, subprocess.Popen, socket.socket)
    return [vars(kind)["__init__"] for kind in kinds]


class TestPatches:
    def test_none_is_left(self) -> None:
        """
        Nothing is patched but while somebody checks, however many do.
        """
        plain, before = inits(), depth()
        notes = Origins()
        notes.begin(others=False)
        assert Callback.__init__ not in plain
        assert inits()[-2:] == plain[-2:]
        assert depth() == before
        notes.begin(others=True)
        assert not set(inits()) & set(plain)
        assert depth() == max(before, DEPTH)
        notes.end()
        assert not set(inits()) & set(plain)
        notes.end()
        assert inits() == plain
        assert depth() == before

    def test_with_the_first_supervisor(self) -> None:
        """
        What is others' is noted from the first supervisor on, unless it is from the beginning.
        """
        plain, before = inits(), depth()
        notes = Origins()
        notes.begin(others=False)
        Supervisor(default=False)
        Supervisor(default=False)
        assert not set(inits()) & set(plain)
        assert depth() == max(before, DEPTH)
        notes.end()
        assert inits() == plain
        assert depth() == before

    def test_what_a_test_replaces(self) -> None:
        """
        What stands in the place of `subprocess.Popen` or `socket.socket` is left alone.
        """
        plain = inits()
        with mock.patch("subprocess.Popen") as process, mock.patch("socket.socket"):
            with no_leaks():
                subprocess.Popen("it")
            process.assert_called_once_with("it")
        assert inits() == plain

    @pytest.mark.parametrize("others", [False, True])
    def test_half_a_beginning(self, monkeypatch: pytest.MonkeyPatch, *, others: bool) -> None:
        """
        Where something cannot be patched nothing is, and others that check go on.
        """
        plain, before = inits(), depth()
        monkeypatch.setattr(_origins, "SOCKET" if others else "OWN", mock.MagicMock())
        if not others:
            monkeypatch.setattr(_origins, "OWN", [Callback, mock.MagicMock()])
        notes = Origins()
        with pytest.raises(AttributeError):
            notes.begin(others=others)
        monkeypatch.undo()
        assert inits() == plain
        assert depth() == before
        notes.begin(others=False)
        monkeypatch.setattr(_origins, "SOCKET", mock.MagicMock())
        with pytest.raises(AttributeError):
            notes.begin(others=True)
        monkeypatch.undo()
        assert Callback.__init__ not in plain
        notes.end()
        assert inits() == plain

    def test_what_others_patch_meanwhile(self) -> None:
        """
        A patch of somebody else's stays, and works; ours goes, at the latest after theirs.
        """
        plain = SOCKET.__init__
        calls: list[socket.socket] = []
        notes = Origins()
        notes.begin(others=True)
        ours = SOCKET.__init__

        def theirs(made: socket.socket, *args: Any, **kwargs: Any) -> None:
            calls.append(made)
            ours(made, *args, **kwargs)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SOCKET, "__init__", theirs)
            notes.end()
            assert SOCKET.__init__ is theirs
            SOCKET().close()
            assert notes._opened.items() == []
            notes.begin(others=True)
            made = SOCKET()
            assert [each for each, _ in notes._opened.items()] == [made]
            made.close()
            notes.end()
            assert SOCKET.__init__ is theirs
            notes.begin(others=True)
        assert SOCKET.__init__ is ours
        notes.end()
        assert SOCKET.__init__ is plain
        assert notes._patches == []
        assert len(calls) == 2


class TestNotes:
    def test_identity(self) -> None:
        """
        Things are told apart that are equal and cannot be hashed; what is gone is forgotten.
        """

        class Same(socket.socket):
            __hash__ = None  # type: ignore[assignment]

            def __eq__(self, other: object) -> bool:
                return True

            def fileno(self) -> int:
                raise OSError("mine")

        with no_leaks(), Same() as one, Same() as other:
            known = origins.of_sockets()
            for each in (one, other):
                where, _ = known[SOCKET.fileno(each)]
                assert where is not None
                assert where.startswith(__file__)
        notes: Notes[socket.socket, int] = Notes()
        notes.add(one, 1)
        notes.add(other, 2)
        assert [note for _, note in notes.items()] == [1, 2]
        del one, each
        assert [note for _, note in notes.items()] == [2]

    def test_note_that_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A note that cannot be taken is no error of who makes something.
        """
        maker = mock.Mock(side_effect=LookupError)
        with no_leaks():
            monkeypatch.setattr(_origins, "_maker", maker)
            socket.socket().close()
        maker.assert_called_once()

    def test_made_meanwhile(self) -> None:
        """
        Things may be made, as by other threads, while those that are known are looked at.
        """
        notes: Notes[socket.socket, int] = Notes()
        with no_leaks(), socket.socket() as one, socket.socket() as other:

            def making() -> socket.socket:
                notes.add(other, 2)
                return one

            notes._notes[0] = making, 1  # type: ignore[assignment]
            assert [note for _, note in notes.items()] == [1]
            assert [note for _, note in notes.items()] == [1, 2]


class TestDepth:
    def test_threads(self) -> None:
        """
        Coroutines are followed in each thread that checks, and there as before when it ends.
        """
        begun, done = threading.Event(), threading.Event()
        found: list[int] = []

        def check() -> None:
            found.append(depth())
            notes.begin(others=True)
            found.append(depth())
            begun.set()
            done.wait()
            notes.end()
            found.append(depth())

        notes, before = Origins(), depth()
        notes.begin(others=True)
        thread = threading.Thread(target=check, daemon=True)
        thread.start()
        begun.wait()
        notes.end()
        assert depth() == before
        done.set()
        thread.join()
        assert found == [0, DEPTH, 0]

    def test_another_threads_supervisor(self) -> None:
        """
        A thread that does not check is left alone, as nobody would put it back.
        """
        found: list[int] = []

        def make() -> None:
            Supervisor(default=False)
            found.append(depth())

        notes, before = Origins(), depth()
        notes.begin(others=False)
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        assert found == [0]
        assert depth() == before
        notes.end()

    def test_ended_in_another_thread(self) -> None:
        """
        An end in a thread that has not begun changes nothing there, nor what begins after it.
        """
        found: list[int] = []

        def end() -> None:
            notes.end()
            found.append(depth())
            notes.begin(others=True)
            found.append(depth())
            notes.end()
            found.append(depth())

        notes = Origins()
        notes.begin(others=False)
        thread = threading.Thread(target=end)
        thread.start()
        thread.join()
        assert found == [0, DEPTH, 0]
        assert notes._patches == []

    @pytest.mark.real_loop
    def test_debug_loops(self) -> None:
        """
        A loop in debug mode, which follows further, is not hindered, nor followed when it is over.
        """
        before = depth()
        found: list[int] = []
        notes = Origins()

        async def supervise() -> None:
            found.append(depth())
            Supervisor(default=False)
            found.append(depth())

        async def begin() -> None:
            notes.begin(others=True)

        async def end() -> None:
            notes.end()

        notes.begin(others=False)
        asyncio.run(supervise(), debug=True)
        notes.end()
        assert found[0] == found[1] > DEPTH
        assert depth() == before
        asyncio.run(begin(), debug=True)
        asyncio.run(end())
        assert depth() == before

    def test_raised_again(self) -> None:
        """
        What somebody has set meanwhile stays; each supervisor sees to it that enough is kept.
        """
        before = depth()
        notes = Origins()
        notes.begin(others=True)
        sys.set_coroutine_origin_tracking_depth(1)
        Supervisor(default=False)
        assert depth() == DEPTH
        notes.end()
        assert depth() == before
        notes.begin(others=True)
        sys.set_coroutine_origin_tracking_depth(7)
        notes.end()
        assert depth() == 7
        sys.set_coroutine_origin_tracking_depth(before)
