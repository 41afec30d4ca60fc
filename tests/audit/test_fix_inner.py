"""
A key goes with the last item of its inner collection.
"""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent, indent

import pytest

from sessionstate.audit._findings import Place
from sessionstate.audit._fix_rules import fixed as fixed_by
from tests.audit.fixing import after_fix, finding

TAKE = "self.rooms[room].discard(ws)"
SETDEFAULT = "self.rooms.setdefault(room, set()).add(ws)"
CODE = """
from collections import defaultdict

class Hub:
    def __init__(self):
        self.rooms{made}

    async def leave(self, room, ws):
{leave}

    {head}
{others}
"""


def fixed(
    leave: str = TAKE,
    others: str = "pass",
    *,
    made: str = " = defaultdict(set)",
    take: str = TAKE,
    head: str = "async def other(self, room, ws):",
) -> str:
    """
    Return what is made of the method ``leave``; an empty text if it is left alone.
    """
    code = CODE.format(
        made=made,
        leave=indent(dedent(leave), " " * 8),
        others=indent(dedent(others), " " * 8),
        head=head,
    )
    after = after_fix("SS002f", "Hub.rooms", code, removals=[take])
    if after == code:
        return ""
    return dedent(after.partition("leave(self, room, ws):\n")[2].partition(f"\n    {head}")[0])


class TestEmpty:
    @pytest.mark.parametrize(
        "take",
        [
            TAKE,
            "self.rooms[room].remove(ws)",
            "self.rooms[room].pop(ws, None)",
            "self.rooms[(room.id, 1)].pop()",
        ],
    )
    def test_the_key_goes_with_the_last_item(self, take: str) -> None:
        """
        What removes an item is followed by a removal of the key, if none is left.
        """
        inner = take.rpartition(".")[0].replace("[(room.id, 1)]", "[room.id, 1]")
        assert fixed(f"{take}  # out\nawait ws.end()", take=take) == (
            f"{take}  # out\nif not {inner}:\n    del {inner}\nawait ws.end()\n"
        )

    def test_tabs_stay(self) -> None:
        """
        What is inserted is indented as the file is.
        """
        code = "rooms = defaultdict(set)\ndef f(r, w):\n\trooms[r].discard(w)\n"
        after = after_fix("SS002f", "rooms", code, removals=["rooms[r].discard(w)"])
        assert after == f"{code}\tif not rooms[r]:\n\t\tdel rooms[r]\n"

    @pytest.mark.parametrize("made", [": dict[str, set] = defaultdict(set)", " = {}"])
    def test_the_place_of_definition_counts(self, made: str) -> None:
        """
        A defaultdict is one by its definition here, or by what the audit says of it.
        """
        code = CODE.format(made=made, leave=indent(TAKE, " " * 8), others="", head="")
        found = finding("SS002f", "Hub.rooms", code, removals=[TAKE])
        assert bool(fixed_by(code, [found])[1]) == ("defaultdict" in made)
        defined = Place("hub.py", 1, 1, "rooms = defaultdict(set)")
        assert fixed_by(code, [replace(found, defined=defined)])[1]

    def test_of_two_definitions_each_counts(self) -> None:
        """
        A container that is a plain dict at times is one.
        """
        take = "rooms[r].discard(w)"
        code = f"rooms = defaultdict(set)\ndef f(r, w):\n    {take}\ndef g():\n    rooms = {{}}\n"
        assert after_fix("SS002f", "rooms", code, removals=[take]) == code

    def test_what_is_not_defined_here_may_be_a_plain_dict(self) -> None:
        """
        A container of unknown kind is one that fails where a key is missing.
        """
        code = "def f(r, w):\n    rooms[r].discard(w)\n"
        assert after_fix("SS002f", "rooms", code, removals=["rooms[r].discard(w)"]) == code


class TestWhoCountsOnTheKey:
    @pytest.mark.parametrize(
        "leave",
        [
            f"{TAKE}\nfor peer in self.rooms[room]:\n    pass",
            f"if ws:\n    {TAKE}\nprint(self.rooms)",
            f"try:\n    {TAKE}\nexcept OSError:\n    pass\nelse:\n    print(self.rooms)",
            f"try:\n    {TAKE}\nfinally:\n    print(self.rooms)",
            f"for room in self.rooms:\n    {TAKE}",
            f"for room, x in self.rooms.items():\n    if x:\n        {TAKE}",
        ],
    )
    def test_a_function_that_goes_on_with_the_container(self, leave: str) -> None:
        """
        The key stays where the function looks at the container again, or loops over it.
        """
        assert not fixed(leave)

    @pytest.mark.parametrize(
        "leave",
        [
            f"if ws:\n    {TAKE}\nelse:\n    print(self.rooms)",
            f"for room in list(self.rooms):\n    {TAKE}",
            f"for room in ws.names:\n    {TAKE}",
            f"try:\n    print()\nexcept OSError:\n    {TAKE}\nelse:\n    print(self.rooms)",
            f"try:\n    print(self.rooms)\nfinally:\n    {TAKE}",
            f"while ws:\n    {TAKE}\n    break",
        ],
    )
    def test_another_branch_does_not_count(self, leave: str) -> None:
        """
        What cannot follow the removal is not in its way.
        """
        assert fixed(leave)

    @pytest.mark.parametrize(
        "others",
        [
            "for room in self.rooms:\n    await ws.send(room)",
            "members = self.rooms[room]\nawait ws.ready()\nmembers.add(ws)",
            "members = self.rooms.get(room)\nawait ws.ready()\nmembers[ws] = 1",
            "if members := self.rooms.setdefault(room, []):\n    await ws\n    members.append(ws)",
            "ws.members = self.rooms[room]",
        ],
    )
    def test_who_holds_on_to_an_inner_collection(self, others: str) -> None:
        """
        The key stays where an item could be put into a collection that is no longer in the map.
        """
        assert not fixed(others=others)

    @pytest.mark.parametrize(
        "others",
        [
            "members = self.rooms[room]\nmembers.add(ws)",
            "members = self.rooms[room]\nawait ws.ready()\nprint(members)",
            "members = self.rooms.copy()\nawait ws.ready()\nmembers.update(ws)",
            "members = self.rooms\nawait ws.ready()\nmembers.update(ws)",
        ],
    )
    def test_who_only_reads_or_does_not_wait(self, others: str) -> None:
        """
        A collection that is used at once, or only read, may go.
        """
        sync = "await" not in others
        head = "def other(self, room, ws):" if sync else "async def other(self, room, ws):"
        assert fixed(others=others, head=head)


class TestPlainDict:
    ASKED = f"if room in self.rooms:\n    {TAKE}"

    @pytest.mark.parametrize(
        "leave",
        [
            ASKED,
            f"if room not in self.rooms:\n    return\n{TAKE}",
            f"if self.rooms.get(room):\n    {TAKE}",
            f"self.rooms.setdefault(room, set())\n{TAKE}",
            f"self.rooms[room] = {{ws}}\n{TAKE}",
            f"for room in tuple(self.rooms):\n    {TAKE}",
            f"try:\n    {TAKE}\nexcept (KeyError, OSError):\n    pass",
            f"try:\n    {TAKE}\nexcept:\n    pass",
            f"with contextlib.suppress(KeyError):\n    {TAKE}",
        ],
    )
    def test_who_asks_first_does_not_miss_the_key(self, leave: str) -> None:
        """
        The key may go from a plain dict if each reader knows whether it is there.
        """
        assert fixed(leave, SETDEFAULT, made=" = {}")
        assert fixed(leave, SETDEFAULT, made=": dict[str, set[object]] = {}")

    @pytest.mark.parametrize(
        ("leave", "others"),
        [
            (TAKE, SETDEFAULT),
            (f"if room in self.others:\n    {TAKE}", SETDEFAULT),
            (f"try:\n    {TAKE}\nexcept OSError:\n    pass", SETDEFAULT),
            (f"with contextlib.suppress(OSError):\n    {TAKE}", SETDEFAULT),
            (f"with open(KeyError):\n    {TAKE}", SETDEFAULT),
            (f"with room:\n    {TAKE}", SETDEFAULT),
            (ASKED, "self.rooms[room].add(ws)"),
            (ASKED, "self.rooms[room].add(ws)\nif room in self.rooms:\n    pass"),
        ],
    )
    def test_who_does_not_ask_would_fail(self, leave: str, others: str) -> None:
        """
        The key stays in a plain dict if some reader takes it for granted.
        """
        assert not fixed(leave, others, made=" = {}")


class TestLeftAlone:
    @pytest.mark.parametrize(
        "take",
        [
            "x = self.rooms[room].pop(ws)",
            "self.rooms[room()].discard(ws)",
            "self.others[room].discard(ws)",
            "self.rooms[room].clear()",
            "del self.rooms[room][ws]",
        ],
    )
    def test_other_shapes(self, take: str) -> None:
        """
        Only a plain removal of one item is followed.
        """
        assert not fixed(take, take=take)
