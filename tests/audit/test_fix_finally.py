"""
A removal moves to where nothing jumps over it.
"""

from __future__ import annotations

from textwrap import dedent, indent

import pytest

from tests.audit.fixing import after_fix

PUT, POP = "self.open[key] = chat", "self.open.pop(key, None)"


def fixed(
    body: str,
    *,
    write: str = PUT,
    removal: str = POP,
    head: str = "async def serve(self, key, chat):",
) -> str:
    """
    Return what is made of the body of a function; an empty text if it is left alone.
    """
    code = f"{head}\n{indent(dedent(body).strip(), '    ')}\n"
    after = after_fix("SS002b", "Chats.open", code, writes=[write], removals=[removal])
    return "" if after == code else dedent(after.partition(f"{head}\n")[2])


def text(code: str) -> str:
    """
    Return what a test expects.
    """
    return dedent(code).lstrip("\n")


class TestAround:
    def test_a_try_begins_behind_the_write(self) -> None:
        """
        The removal moves into a finally; what follows it stays behind; comments come along.
        """
        before = """
            self.open[key] = chat  # ours

            # talk
            await chat.run(1,2)  # long
            log("done",
                key)

            # and now
            self.open.pop(key, None)  # over

            # the rest
            return 1
        """
        assert fixed(before) == text("""
            self.open[key] = chat  # ours

            try:
                # talk
                await chat.run(1,2)  # long
                log("done",
                    key)
            finally:
                # and now
                self.open.pop(key, None)  # over

            # the rest
            return 1
        """)

    @pytest.mark.parametrize(
        ("write", "removal"),
        [
            ("self.open[key] = chat", "del self.open[key]"),
            ("self.open[key] = chat", "self.open.pop(key)"),
            ("self.open[id(key), 'a'] = chat", "del self.open[(id(key), 'a')]"),
            ("self.open[f'{chat.id}-{str(key)}'] = chat", "del self.open[f'{chat.id}-{str(key)}']"),
            ("self.open.add(chat)", "self.open.discard(chat)"),
            ("self.open.add(chat)", "self.open.remove(chat)"),
            ("self.open.append(chat)", "self.open.remove(chat)"),
            ("open[key['a']] = chat", "open.pop(key['a'])"),
            ("app.state.open[0] = chat", "app.state.open.pop(0, None)"),
        ],
    )
    def test_each_shape_of_write_and_removal(self, write: str, removal: str) -> None:
        """
        Entries of maps, sets and lists move alike, and the removal stays as it was written.
        """
        body = f"{write}\nawait chat.run()\n{removal}"
        assert fixed(body, write=write, removal=removal) == (
            f"{write}\ntry:\n    await chat.run()\nfinally:\n    {removal}\n"
        )

    @pytest.mark.parametrize("star", ["", "*"])
    def test_a_try_that_is_there_is_used(self, star: str) -> None:
        """
        A try that is all there is between write and removal gets the finally.
        """
        body = f"""
            self.open[key] = chat
            try:
                await chat.run()
            except{star} OSError:
                log()
            else:
                log(1)

            self.open.pop(key, None)
        """
        assert fixed(body) == text(f"""
            self.open[key] = chat
            try:
                await chat.run()
            except{star} OSError:
                log()
            else:
                log(1)
            finally:
                self.open.pop(key, None)
        """)

    def test_a_try_with_a_finally_is_enclosed(self) -> None:
        """
        What fails in a finally that is there does not jump over the removal either.
        """
        body = f"{PUT}\ntry:\n    await chat.run()\nfinally:\n    await chat.end()\n{POP}"
        assert fixed(body) == text("""
            self.open[key] = chat
            try:
                try:
                    await chat.run()
                finally:
                    await chat.end()
            finally:
                self.open.pop(key, None)
        """)

    def test_tabs_and_other_indents_stay(self) -> None:
        """
        A new block is indented as the one that it is in.
        """
        code = "def f():\n\tif 1:\n\t  c[k] = v\n\t  g('''\na''')\n\t  del c[k]\n"
        result = after_fix("SS002b", "c", code, writes=["c[k] = v"], removals=["del c[k]"])
        assert result == (
            "def f():\n\tif 1:\n\t  c[k] = v\n\t  try:\n\t    g('''\na''')\n"
            "\t  finally:\n\t    del c[k]\n"
        )


class TestAnotherRemoval:
    @pytest.mark.parametrize(
        ("write", "removal", "tolerant"),
        [
            (PUT, "del self.open[key]", "self.open.pop(key, None)"),
            (PUT, "self.open.pop(key)", "self.open.pop(key, None)"),
            (PUT, POP, POP),
            ("self.open.add(key)", "self.open.remove(key)", "self.open.discard(key)"),
            ("self.open.add(key)", "self.open.discard(key)", "self.open.discard(key)"),
        ],
    )
    def test_absence_is_tolerated(self, write: str, removal: str, tolerant: str) -> None:
        """
        Where the entry may be gone by then, the removal takes it.
        """
        body = f"{write}\nif chat:\n    {removal}\n    raise OSError\n{removal}  # end"
        assert fixed(body, write=write, removal=removal) == (
            f"{write}\ntry:\n    if chat:\n        {removal}\n        raise OSError\n"
            f"finally:\n    {tolerant}  # end\n"
        )

    @pytest.mark.parametrize(
        "other",
        [
            "self.open.clear()",
            "chat = self.open.pop(key)",
            "del self.open[chat]",
            "log(self.open.popitem())",
        ],
    )
    def test_whatever_takes_out_may_have_taken_it(self, other: str) -> None:
        """
        Another removal counts wherever it stands, and whichever entry it takes.
        """
        body = f"{PUT}\nif chat:\n    {other}\ndel self.open[key]"
        assert fixed(body, removal="del self.open[key]").endswith(f"finally:\n    {POP}\n")

    def test_what_takes_out_of_another_does_not_count(self) -> None:
        """
        Another container may be emptied.
        """
        removal = "del self.open[key]"
        body = f"{PUT}\nself.others.clear()\ndel self.others[key]\n{removal}"
        assert fixed(body, removal=removal).endswith(f"finally:\n    {removal}\n")

    def test_a_list_is_asked(self) -> None:
        """
        A list has no removal that takes absence, so it is asked.
        """
        put, taken = "self.open.append(chat)", "self.open.remove(chat)"
        body = f"{put}\nif key:\n    {taken}\n    raise OSError\n# end\n{taken}"
        assert fixed(body, write=put, removal=taken).endswith(
            "finally:\n    # end\n    if chat in self.open:\n        self.open.remove(chat)\n"
        )


class TestEndOfTry:
    BODY = """
        self.open[key] = chat
        try:
            await chat.run()

            self.open.pop(key, None)
        except OSError:
            log()
    """

    def test_the_try_gets_a_finally(self) -> None:
        """
        A removal at the end of a try, whose handlers miss it, moves into its finally.
        """
        assert fixed(self.BODY) == text("""
            self.open[key] = chat
            try:
                await chat.run()
            except OSError:
                log()
            finally:
                self.open.pop(key, None)
        """)

    @pytest.mark.parametrize("ending", ["return", "return key", "return 3"])
    def test_a_plain_return_may_follow(self, ending: str) -> None:
        """
        What is returned behind the removal is the same before it.
        """
        body = self.BODY.replace("None)", f"None)\n            {ending}")
        assert f"await chat.run()\n    {ending}\nexcept" in fixed(body)

    @pytest.mark.parametrize(
        "body",
        [
            BODY.replace("None)", "None)\n            return await chat.end()"),
            BODY.replace("None)", "None)\n            log()"),
            BODY.replace("None)", "None)\n            return len(self.open)"),
            BODY + "    else:\n            log()",
            BODY + "    finally:\n            log()",
            BODY.replace("log()", "log()  # to be tried again"),
            BODY.replace("log()", "self.again(self.open[key])"),
            BODY + "    self.again(self.open)",
            BODY.replace("            await chat.run()\n", ""),
            BODY.replace("try:", "log()\n        try:"),
            BODY.replace("await chat.run()", "key = await chat.run()"),
        ],
    )
    def test_otherwise_it_is_left_alone(self, body: str) -> None:
        """
        Nothing may run between removal and end, nor look at the container afterwards.
        """
        assert not fixed(body)

    def test_a_handler_may_remove_as_well(self) -> None:
        """
        A handler that removes does no more than the finally will.
        """
        after = fixed(self.BODY.replace("log()", POP))
        assert after.endswith(f"except OSError:\n    {POP}\nfinally:\n    {POP}\n")

    def test_a_handler_does_not_end_a_try(self) -> None:
        """
        A removal in a handler alone stays where it is.
        """
        assert not fixed(f"{PUT}\ntry:\n    log()\nexcept OSError:\n    log()\n    {POP}")

    def test_a_condition_ends_no_try(self) -> None:
        """
        A removal in another block is on condition.
        """
        assert not fixed(f"{PUT}\nif key:\n    log()\n    {POP}")
        assert not fixed(f"if key:\n    {PUT}\nlog()\n{POP}")
        assert not fixed(f"if key:\n    {PUT}\n{POP}")
        assert not fixed(f"if chat:\n    {POP}\n{PUT}")


class TestTwo:
    def both(self, body: str) -> str:
        """
        Return what is made of a function that has two entries, by two findings.
        """
        head = "async def f():\n"
        code = head + indent(dedent(body).strip(), "    ") + "\n"
        for name in [name for name in "ab" if f" {name}[k] = v" in code]:
            code = after_fix(
                "SS002b",
                name,
                code,
                writes=[f"{name}[k] = v"],
                removals=[f"{name}.pop(k, None)", f"del {name}[k]"],
            )
        return dedent(code.removeprefix(head))

    def test_in_the_order_of_a_stack_each_has_its_try(self) -> None:
        """
        What is written last and removed first is within.
        """
        body = "a[k] = v\nb[k] = v\nawait g()\nb.pop(k, None)\ndel a[k]"
        assert self.both(body) == text("""
            a[k] = v
            try:
                b[k] = v
                try:
                    await g()
                finally:
                    b.pop(k, None)
            finally:
                del a[k]
        """)

    def test_in_the_order_of_a_queue_they_share_one(self) -> None:
        """
        Removals in the order of the writes stay in that order, in one finally.
        """
        body = "a[k] = v\nb[k] = v\nawait g()\ndel a[k]\n\nb.pop(k, None)\nreturn 1"
        assert self.both(body) == text("""
            a[k] = v
            try:
                b[k] = v
                await g()
            finally:
                del a[k]
                b.pop(k, None)
            return 1
        """)

    @pytest.mark.parametrize(
        "body",
        [
            "a[k] = v\nb[k] = v\nawait g()\na.pop(k, None)\ndel b[k]",
            "try:\n    b[k] = v\n    g()\nfinally:\n    g()\nb.pop(k, None)",
            "try:\n    b[k] = v\n    g()\nfinally:\n    del a[k], c[k]\nb.pop(k, None)",
            "try:\n    b[k] = v\n    g()\nfinally:\n    a = 1\nb.pop(k, None)",
            "try:\n    b[k] = v\n    g()\nfinally:\n    a.pop(k, g())\nb.pop(k, None)",
            "try:\n    b[k] = v\n    g()\nexcept E:\n    g()\nfinally:\n    del a[k]\nb.pop(k, None)",
            "try:\n    b[k] = v\n    k = g()\nfinally:\n    del a[k]\nb.pop(k, None)",
            "try:\n    b[k] = v\n    g()\nexcept E:\n    g()\nb.pop(k, None)",
            "try:\n    g()\nfinally:\n    b[k] = v\nb.pop(k, None)",
            "try:\n    g()\nelse:\n    b[k] = v\nfinally:\n    del a[k]\nb.pop(k, None)".replace(
                "else", "except E:\n    pass\nelse"
            ),
        ],
    )
    def test_they_share_none_that_does_more(self, body: str) -> None:
        """
        A removal joins others only if it tolerates absence, and they cannot fail or wait.
        """
        assert self.both(body).endswith(("\nb.pop(k, None)\n", "\ndel b[k]\n"))

    def test_two_writes_of_one_removal(self) -> None:
        """
        A removal that has moved for one write is not looked for where it was.
        """
        body = f"{PUT}\n{PUT}\nawait chat.run()\n{POP}"
        assert fixed(body) == text("""
            self.open[key] = chat
            try:
                self.open[key] = chat
                await chat.run()
            finally:
                self.open.pop(key, None)
        """)
        put, taken = "self.open.append(key)", "self.open.remove(key)"
        body = f"{put}\n{put}\nif chat:\n    {taken}\n{taken}"
        assert fixed(body, write=put, removal=taken).count("try:") == 1


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
