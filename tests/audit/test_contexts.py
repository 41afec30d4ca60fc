"""
What an event stands in.
"""

from __future__ import annotations

from sessionstate.audit._contexts import (
    AROUND,
    BODY,
    DEFERRED,
    EXCEPT,
    FINALLY,
    TEST,
    WITHIN,
    Seen,
    operations,
    walk,
)
from sessionstate.audit._events import called
from tests.audit.lowered import method

BODY_OF_ALL = """
    while True:
        if self.y:
            pass
        else:
            break
        if self.x:
            one()
        else:
            two()
    else:
        three()
    try:
        four()
    except (OSError, ValueError):
        five()
    else:
        six()
    finally:
        seven()
    with suppress(KeyError), self.lock:
        self.on(lambda: later(lambda: eight()))
    return nine()
"""


def seen() -> dict[str, Seen]:
    """
    Return each call in a method with everything, by name.
    """
    return {called(each.event): each for each in walk(method(BODY_OF_ALL).block())}


def kinds(name: str) -> list[str]:
    """
    Return what a call stands in, the outermost first.
    """
    return [frame.kind for frame in seen()[name].frames]


class TestWalk:
    def test_order(self) -> None:
        """
        Operations come in the order of the source.
        """
        names = [each for each in seen() if each not in {"suppress", "on", "later"}]
        assert " ".join(names) == "one two three four five six seven eight nine"

    def test_frames(self) -> None:
        """
        Each stands in its loops, tests, tries, handlers and context managers.
        """
        assert {name: kinds(name) for name in seen() if name not in {"suppress", "on"}} == {
            "one": [AROUND, TEST],
            "two": [AROUND, TEST],
            "three": [],
            "four": [BODY],
            "five": [EXCEPT],
            "six": [BODY],
            "seven": [FINALLY],
            "later": [WITHIN, WITHIN, DEFERRED],
            "eight": [WITHIN, WITHIN, DEFERRED, DEFERRED],
            "nine": [],
        }

    def test_details(self) -> None:
        """
        A frame tells what is tested, on which branch, what is caught and what is entered.
        """
        one, two = seen()["one"].frames[1], seen()["two"].frames[1]
        assert (one.text, one.detail[0], two.detail[0]) == ("x self", True, False)
        assert seen()["one"].frames[0].detail is True
        assert seen()["five"].frames[0].text == "OSError ValueError"
        assert seen()["four"].frames[0].text == "finally"
        assert [f.text for f in seen()["later"].frames[:2]] == ["suppress() KeyError", "self.lock"]

    def test_innermost(self) -> None:
        """
        Of several frames of a kind the innermost is asked for.
        """
        frame = seen()["eight"].within(WITHIN)
        assert frame is not None
        assert frame.text == "self.lock"
        assert seen()["nine"].within(WITHIN) is None


class TestOperations:
    def test_same(self) -> None:
        """
        The quick look finds the same operations as the thorough one, in any order.
        """
        block = method(BODY_OF_ALL).block()
        assert sorted(operations(block)) == sorted(each.event for each in walk(block))
