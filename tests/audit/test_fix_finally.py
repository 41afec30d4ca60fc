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


SHAPES = [
    ("self.open[key] = chat", "del self.open[key]", "self.open.pop(key, None)"),
    ("self.open[key] = chat", "self.open.pop(key)", "self.open.pop(key, None)"),
    (
        "self.open[id(key), 'a'] = chat",
        "del self.open[(id(key), 'a')]",
        "self.open.pop((id(key), 'a'), None)",
    ),
    (
        "self.open[f'{chat.id}-{str(key)}'] = chat",
        "del self.open[f'{chat.id}-{str(key)}']",
        "self.open.pop(f'{chat.id}-{str(key)}', None)",
    ),
    ("self.open.add(chat)", "self.open.discard(chat)", "self.open.discard(chat)"),
    ("self.open.add(chat)", "self.open.remove(chat)", "self.open.discard(chat)"),
    (
        "self.open.append(chat)",
        "self.open.remove(chat)",
        "if chat in self.open:\n        self.open.remove(chat)",
    ),
    ("open[key['a']] = chat", "open.pop(key['a'])", "open.pop(key['a'], None)"),
    ("app.state.open[0] = chat", "app.state.open.pop(0, None)", "app.state.open.pop(0, None)"),
]


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

    @pytest.mark.parametrize(("write", "removal", "tolerant"), SHAPES)
    def test_each_shape_of_write_and_removal(self, write: str, removal: str, tolerant: str) -> None:
        """
        Entries of maps, sets and lists move alike; after a wait, absence is tolerated.
        """
        body = f"{write}\nawait chat.run()\n{removal}"
        assert fixed(body, write=write, removal=removal) == (
            f"{write}\ntry:\n    await chat.run()\nfinally:\n    {tolerant}\n"
        )

    @pytest.mark.parametrize(("write", "removal", "tolerant"), SHAPES)
    @pytest.mark.parametrize("head", ["async def f(self, key, chat):", "def f(self, key, chat):"])
    def test_without_a_wait_the_removal_stays_as_it_was_written(
        self, write: str, removal: str, tolerant: str, head: str
    ) -> None:
        """
        Where no other runs in between, that the entry is missing is still an error.
        """
        body = f"{write}\nchat.run()\n{removal}"
        assert fixed(body, write=write, removal=removal, head=head) == (
            f"{write}\ntry:\n    chat.run()\nfinally:\n    {removal}\n"
        )

    @pytest.mark.parametrize(
        ("between", "waits"),
        [
            ("log(await chat.run())", True),
            ("if chat:\n    await chat.run()", True),
            ("async for word in chat:\n    log(word)", True),
            ("async with chat:\n    log()", True),
            ("log([word async for word in chat])", True),
            ("yield chat", True),
            ("for word in chat:\n    log(word)", False),
            ("with chat:\n    log()", False),
            ("async def run():\n    await chat.run()\nlog(run)", False),
        ],
    )
    def test_each_kind_of_wait(self, between: str, waits: bool) -> None:
        """
        Others run while an await, an async for, an async with or a yield waits, and only then.
        """
        removal = "del self.open[key]"
        head = "@asynccontextmanager\nasync def serve(self, key, chat):"
        assert fixed(f"{PUT}\n{between}\n{removal}", removal=removal, head=head) == (
            f"{PUT}\ntry:\n{indent(between, '    ')}\nfinally:\n    {POP if waits else removal}\n"
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


WORK = [("await g()", "a.pop(k, None)"), ("g()", "del a[k]")]


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

    @pytest.mark.parametrize(("work", "taken"), WORK)
    def test_in_the_order_of_a_stack_each_has_its_try(self, work: str, taken: str) -> None:
        """
        What is written last and removed first is within.
        """
        body = f"a[k] = v\nb[k] = v\n{work}\nb.pop(k, None)\ndel a[k]"
        assert self.both(body) == text(f"""
            a[k] = v
            try:
                b[k] = v
                try:
                    {work}
                finally:
                    b.pop(k, None)
            finally:
                {taken}
        """)

    @pytest.mark.parametrize(("work", "taken"), WORK)
    def test_in_the_order_of_a_queue_they_share_one(self, work: str, taken: str) -> None:
        """
        Removals in the order of the writes stay in that order, in one finally.
        """
        body = f"a[k] = v\nb[k] = v\n{work}\ndel a[k]\n\nb.pop(k, None)\nreturn 1"
        assert self.both(body) == text(f"""
            a[k] = v
            try:
                b[k] = v
                {work}
            finally:
                {taken}
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
            (
                "try:\n    b[k] = v\n    g()\nexcept E:\n    g()\nfinally:\n    del a[k]\n"
                "b.pop(k, None)"
            ),
            "try:\n    b[k] = v\n    k = g()\nfinally:\n    del a[k]\nb.pop(k, None)",
            "try:\n    b[k] = v\n    g()\nexcept E:\n    g()\nb.pop(k, None)",
            "try:\n    g()\nfinally:\n    b[k] = v\nb.pop(k, None)",
            "try:\n    b[k] = v\n    g()\nfinally: del a[k]\nb.pop(k, None)",
            (
                "try:\n    g()\nexcept E:\n    pass\nelse:\n    b[k] = v\nfinally:\n    del a[k]\n"
                "b.pop(k, None)"
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
