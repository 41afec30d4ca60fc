"""
Removals that stay where they are, as the entry may be meant to stay.
"""

from __future__ import annotations

from textwrap import indent

import pytest

from tests.audit.fixing import after_fix
from tests.audit.test_fix_finally import POP, PUT, fixed


class TestOnPurpose:
    @pytest.mark.parametrize(
        "way",
        [
            "if ok:\n    return chat",
            "if ok:\n    return key",
            "if ok:\n    return self.open",
            "if ok:\n    return Wrapper(chat)",
            "if ok:\n    return True",
            "if ok:\n    # it stays\n    return",
            "if ok:\n    return  # it stays",
            "# it stays\nif ok:\n    return",
            "try:\n    log()\nexcept E:\n    # it stays\n    return",
            "# it stays\nreturn",
            "for x in y:\n    if ok:\n        return chat",
        ],
    )
    def test_a_way_out_that_keeps_the_entry(self, way: str) -> None:
        """
        Nothing is fixed where the entry is handed over, or a comment stands at the way out.
        """
        assert not fixed(f"{PUT}\nawait chat.run()\n{way}\n{POP}")

    @pytest.mark.parametrize("way", ["break", "continue  # stays"])
    def test_leaving_a_loop_may_keep_it(self, way: str) -> None:
        """
        To break off a search is to have found; a comment tells what else is meant.
        """
        assert not fixed(f"while 1:\n    {PUT}\n    if ok:\n        {way}\n    log()\n    {POP}")
        inner = f"for x in y:\n    pass\nelse:\n    {way}"
        inner = indent(inner, "    ")
        assert not fixed(f"while 1:\n    {PUT}\n{inner}\n    log()\n    {POP}")

    @pytest.mark.parametrize(
        "way",
        [
            "if ok:\n    return",
            "if ok:\n    return None",
            "if ok:\n    return False  # noqa: X",
            "if ok:\n    return await chat",
            "if ok:\n    return make(self)",
            "for x in y:\n    # next\n    if x:\n        continue\n    break",
            "def f():\n    return chat  # it stays",
            "raise OSError  # it stays",
        ],
    )
    def test_other_ways_out_are_leaks(self, way: str) -> None:
        """
        A way out with nothing in its hands leads through the finally.
        """
        assert fixed(f"{PUT}\nawait chat.run()\n{way}\n{POP}")

    def test_going_on_is_a_way_out(self) -> None:
        """
        The next turn of a loop begins without the entry.
        """
        assert fixed(f"while 1:\n    {PUT}\n    if ok:\n        continue\n    log()\n    {POP}")

    def test_what_an_entry_is_made_by_is_not_the_entry(self) -> None:
        """
        A function that made the value may be named where something else is returned.
        """
        put = "self.open[key] = make(1)"
        body = f"{put}\nif ok:\n    return make(2)\n{POP}"
        assert fixed(body, write=put)


class TestLeftAlone:
    @pytest.mark.parametrize(
        "between",
        [
            "key = 2",
            "self = 2",
            "self.open = {}",
            "del key",
            "for key in x:\n    pass",
            "with x as key:\n    pass",
            "import key.x",
            "from x import y as key",
            "def key():\n    pass",
            "async def key():\n    pass",
            "class key:\n    pass",
            "def f():\n    nonlocal key",
            "log(key := 2)",
            "try:\n    log()\nexcept E as key:\n    pass",
            "match x:\n    case key:\n        pass",
            "match x:\n    case [*key]:\n        pass",
            "match x:\n    case {**key}:\n        pass",
            "match x:\n    case {1: _}:\n        pass\nkey += 1",
        ],
    )
    def test_what_names_the_entry_is_bound_anew(self, between: str) -> None:
        """
        A removal keeps the meaning that it had where it stood.
        """
        body = f"key = 1\n{PUT}\n{between}\nlog()\n{POP}"
        head = "def outer(key):\n  def serve(self, chat):"
        code = f"{head}\n{indent(body, '    ')}\n"
        assert after_fix("SS002b", "open", code, writes=[PUT], removals=[POP]) == code

    @pytest.mark.parametrize(
        ("write", "removal"),
        [
            ("self.open[key()] = chat", "self.open.pop(key(), None)"),
            ("self.open[key] = chat", "self.open.pop(key, chat)"),
            ("self.open[key] = chat", "self.open.pop(other, None)"),
            ("self.open[key] = chat", "old = self.open.pop(key, None)"),
            ("self.open[key] = chat", "self.open.discard(key)"),
            ("self.open.append(key)", "self.open.pop(key)"),
            ("self.open.setdefault(key, chat)", "self.open.pop(key)"),
            ("self.rooms[key].add(chat)", "self.rooms[key].discard(chat)"),
            ("self.open[key] = chat; log()", "self.open.pop(key)"),
            ("self.get().open[key] = chat", "self.get().open.pop(key)"),
            ("self.open[key] += 1", "del self.open[key]"),
            ("if key: self.open[key] = chat", "del self.open[key]"),
        ],
    )
    def test_other_shapes(self, write: str, removal: str) -> None:
        """
        Write and removal are of one entry, plain, and looked up without a call.
        """
        assert not fixed(f"{write}\nlog()\n{removal}", write=write, removal=removal)

    def test_suites_on_one_line_are_kept(self) -> None:
        """
        A handler or a condition that is written on one line stays on it.
        """
        body = f"{PUT}\ntry: await chat.run()\nexcept OSError: log()\n{POP}"
        assert fixed(body) == (
            f"{PUT}\ntry: await chat.run()\nexcept OSError: log()\nfinally:\n    {POP}\n"
        )
        body = f"{PUT}\nif key: return\nlog()\n{POP}"
        assert "    if key: return\n    log()\nfinally:\n" in fixed(body)
        body = f"{PUT}\ntry:\n    await chat.run()\n    {POP}\nexcept OSError: log()"
        assert fixed(body).endswith(f"except OSError: log()\nfinally:\n    {POP}\n")

    def test_nothing_in_between(self) -> None:
        """
        Where nothing can jump, nothing is moved.
        """
        assert not fixed(f"{PUT}\n{POP}")

    def test_the_removal_comes_first(self) -> None:
        """
        A removal above the write makes room for it, and is not its end.
        """
        assert not fixed(f"{POP}\nlog()\n{PUT}\nlog()")

    def test_a_generator_is_no_context(self) -> None:
        """
        A finally of a generator runs when somebody closes it, if ever.
        """
        body = f"{PUT}\nyield chat\n{POP}"
        assert not fixed(body)
        assert not fixed(body, head="@functools.wraps(f)\nasync def serve(self, key, chat):")
        head = "@contextlib.asynccontextmanager\nasync def serve(self, key, chat):"
        assert fixed(body, head=head) == (f"{PUT}\ntry:\n    yield chat\nfinally:\n    {POP}\n")
