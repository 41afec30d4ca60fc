"""
The ways out of a function, and on which of them something is still held.
"""

from __future__ import annotations

import pytest

from sessionstate.audit._events import OP, Event, called
from sessionstate.audit._flow import Effect, Way, Ways, awaits, flattened
from tests.audit.lowered import method


def effect(event: Event) -> Effect:
    """
    Take where something called ``take`` is called, and give back where ``give`` is.
    """
    known = {"take": Effect.TAKE, "give": Effect.GIVE}
    return known.get(called(event), Effect.NONE) if event[0] == OP else Effect.NONE


def agents(path: str) -> bool:
    """
    Tell whether a path is that of what is watched.
    """
    return path.startswith("self.agents")


def fails(event: Event) -> bool:
    """
    Tell whether an event calls what is known to raise.
    """
    return called(event) == "check"


def about_key(text: str) -> bool:
    """
    Tell whether a test asks for the key alone.
    """
    return text == "key"


def walked(body: str) -> tuple[Ways, tuple[Way, ...]]:
    """
    Walk a method, the first line of whose body is line 3.
    """
    ways = Ways(effect, agents, fails, about_key)
    return ways, ways.of(method(body, "key").block())


def every(body: str) -> list[str]:
    """
    Return each way out of a body that begins at line 1, those on which nothing is held too.
    """
    return [
        f"{'weak ' * way.weak}{way.kind} {way.line - 2}{'' if way.held else ' free'}"
        for way in walked(body)[1]
    ]


def missed(body: str) -> list[str]:
    """
    Return the ways out of a body that begins at line 1 on which something is still held.
    """
    return [way for way in every(body) if not way.endswith("free")]


class TestStraight:
    def test_the_end(self) -> None:
        """
        What is not given back is held past the end of the function.
        """
        assert every("take()") == ["end 1"]

    def test_given_back(self) -> None:
        """
        What is given back is not held past the end.
        """
        assert every("take()\ngive()") == ["end 2 free"]

    def test_nothing_happens(self) -> None:
        """
        A function without statements ends, at no line.
        """
        assert Ways(effect).of(()) == (Way("end", 0, held=False),)

    def test_held_from_the_start(self) -> None:
        """
        A walk may begin with something held.
        """
        block = method("work()").block()
        assert [way.held for way in Ways(effect).of(block, held=True)] == [True, True]

    def test_what_was_met(self) -> None:
        """
        A walk tells whether it met what takes and what gives back.
        """
        ways = walked("take()")[0]
        assert (ways.taken, ways.given) == (True, False)
        ways = walked("give()")[0]
        assert (ways.taken, ways.given) == (False, True)

    def test_call(self) -> None:
        """
        Whatever is called may raise, if weakly.
        """
        assert missed("take()\nwork()\ngive()") == ["weak exception 2"]

    def test_method(self) -> None:
        """
        Whatever method is called may raise, if weakly.
        """
        assert missed("take()\nself.work()\ngive()") == ["weak exception 2"]

    @pytest.mark.parametrize("call", ["len(key)", "self.log.info(key)", "self.seen.add(key)"])
    def test_safe_call(self, call: str) -> None:
        """
        A call that does not fail in practice is no way out.
        """
        assert missed(f"take()\n{call}\ngive()") == []

    def test_known_to_raise(self) -> None:
        """
        A call of what raises an error of its own is a way out that counts.
        """
        assert missed("take()\ncheck()\ngive()") == ["exception 2"]

    def test_await(self) -> None:
        """
        Whatever is awaited may be cancelled, and may fail.
        """
        assert missed("take()\nawait key\ngive()") == ["cancelled 2", "exception 2"]

    def test_await_of_what_takes(self) -> None:
        """
        What fails while it takes gives back what it took by itself.
        """
        assert missed("await take()\ngive()") == []

    def test_second_await(self) -> None:
        """
        Only the first await after a call that takes is that call's own.
        """
        assert missed("(await take(), await key)\ngive()") == ["cancelled 1", "exception 1"]

    def test_yield(self) -> None:
        """
        Whoever goes over a generator may stop, and a context manager's body may fail.
        """
        assert missed("take()\nyield key\ngive()") == ["exception 2"]

    def test_return(self) -> None:
        """
        A return before it is given back misses it.
        """
        assert missed("take()\nif self.x:\n    return\ngive()") == ["return 3"]

    def test_return_gives(self) -> None:
        """
        What a return calls happens before it returns.
        """
        assert every("take()\nreturn give()") == ["return 2 free"]

    def test_raise(self) -> None:
        """
        A raise is a way out, and says of which type.
        """
        assert walked("take()\nraise errors.Full")[1] == (Way("raise", 4, held=True, type="Full"),)

    def test_after_the_end(self) -> None:
        """
        What stands behind a return never comes.
        """
        assert every("return\nwork()") == ["return 1 free"]

    def test_last_line(self) -> None:
        """
        The end is at the last line, however deep it is nested.
        """
        body = """
            take()
            with self.lock:
                while self.x:
                    try:
                        pass
                    finally:
                        if key:
                            len(key)
        """
        assert missed(body) == ["end 8"]

    def test_with_named_as_a_statement(self) -> None:
        """
        The name of what is entered is not taken for a statement.
        """
        assert missed("take()\nwith L:\n    len(key)") == ["end 3"]

    def test_lambda(self) -> None:
        """
        What a lambda does is not done where it is written.
        """
        assert every("self.later(lambda: give())\ntake()") == ["weak exception 1 free", "end 2"]


TRIED = """
    take()
    try:
        await key
    except {0}:
        give()
        raise
    give()
"""


class TestExcept:
    @pytest.mark.parametrize(
        ("types", "left"),
        [
            ("ValueError", ["cancelled 3", "exception 3"]),
            ("(ValueError, KeyError)", ["cancelled 3", "exception 3"]),
            ("Exception", ["cancelled 3"]),
            ("BaseException", []),
            ("asyncio.CancelledError", ["exception 3"]),
            ("anyio.get_cancelled_exc_class()", ["exception 3"]),
            ("(Exception, asyncio.CancelledError)", []),
        ],
    )
    def test_types(self, types: str, left: list[str]) -> None:
        """
        An except helps on the ways that are of its types, and a cancellation is no Exception.
        """
        assert missed(TRIED.format(types)) == left

    def test_bare(self) -> None:
        """
        A bare except catches everything.
        """
        assert missed(TRIED.replace(" {0}", "")) == []

    @pytest.mark.parametrize(
        ("raised", "caught", "left"),
        [
            ("ValueError", "ValueError", []),
            ("ValueError", "Exception", []),
            ("ValueError", "KeyError", ["raise 3"]),
            ("Full", "Exception", []),
            ("Full", "Refused", ["raise 3"]),
            ("asyncio.CancelledError", "Exception", ["raise 3"]),
            ("asyncio.CancelledError", "asyncio.CancelledError", []),
        ],
    )
    def test_raised(self, raised: str, caught: str, left: list[str]) -> None:
        """
        What is raised inside is caught by its name, by a base, or perhaps by what is not known.
        """
        body = f"take()\ntry:\n    raise {raised}\nexcept {caught}:\n    give()"
        assert missed(body) == left

    def test_perhaps_its_base(self) -> None:
        """
        An error of which nothing is known may be caught by any type, so that its handler runs.
        """
        body = "take()\ntry:\n    raise Full\nexcept Refused:\n    give()\n    self.x()"
        assert "weak exception 6 free" in every(body)

    def test_never_caught(self) -> None:
        """
        A handler of what cannot come does not run.
        """
        assert every("try:\n    len(key)\nexcept OSError:\n    take()") == ["end 2 free"]

    def test_reraised(self) -> None:
        """
        A bare raise in a handler may be of any type.
        """
        body = """
            take()
            try:
                try:
                    work()
                except Exception:
                    raise
            except ValueError:
                give()
                return
            give()
        """
        assert missed(body) == ["raise 6"]

    def test_return_is_not_caught(self) -> None:
        """
        No except catches a return.
        """
        body = "take()\ntry:\n    return\nexcept BaseException:\n    give()"
        assert missed(body) == ["return 3"]

    def test_else(self) -> None:
        """
        An else runs where nothing was raised.
        """
        body = "take()\ntry:\n    len(key)\nexcept Exception:\n    return\nelse:\n    give()"
        assert every(body) == ["end 7 free"]

    def test_else_is_not_tried(self) -> None:
        """
        What an else raises is not caught by the handlers beside it.
        """
        body = (
            "take()\ntry:\n    len(key)\nexcept Exception:\n    give()\nelse:\n    work()\ngive()"
        )
        assert missed(body) == ["weak exception 7"]

    def test_else_is_not_reached(self) -> None:
        """
        An else does not run where the body returns.
        """
        body = "try:\n    return\nexcept Exception:\n    pass\nelse:\n    take()"
        assert every(body) == ["return 2 free"]

    def test_group(self) -> None:
        """
        An `except*` is read as an except.
        """
        body = "take()\ntry:\n    work()\nexcept* Exception:\n    give()\nelse:\n    give()"
        assert missed(body) == []


class TestFinally:
    def test_every_way(self) -> None:
        """
        A finally gives back on every way out: past the end, by return, error and cancellation.
        """
        body = """
            take()
            try:
                if self.x:
                    return
                if self.y:
                    raise ValueError
                work()
                await key
            finally:
                give()
        """
        assert missed(body) == []

    def test_await_in_it(self) -> None:
        """
        What is awaited in a finally before it is given back may be cancelled.
        """
        body = "take()\ntry:\n    len(key)\nfinally:\n    await key\n    give()"
        assert missed(body) == ["cancelled 5", "exception 5"]

    def test_return_in_it(self) -> None:
        """
        A return in a finally swallows what was on its way.
        """
        body = "take()\ntry:\n    work()\nfinally:\n    return\ngive()"
        assert every(body) == ["return 5"]

    def test_raise_in_it(self) -> None:
        """
        A raise in a finally takes the place of what was on its way.
        """
        assert every("take()\ntry:\n    work()\nfinally:\n    raise Full") == ["raise 5"]

    def test_after_an_endless_body(self) -> None:
        """
        Past a finally nothing comes if nothing came past its body.
        """
        body = "take()\ntry:\n    return\nfinally:\n    len(key)\nwork()"
        assert every(body) == ["return 3"]

    def test_with_except(self) -> None:
        """
        A finally runs behind the handlers beside it.
        """
        body = "take()\ntry:\n    work()\nexcept ValueError:\n    give()\nfinally:\n    work()"
        assert missed(body) == [
            "weak exception 7",
            "weak exception 3",
            "end 7",
        ]

    def test_nested(self) -> None:
        """
        The outer finally helps where the inner one does not.
        """
        body = """
            take()
            try:
                try:
                    await key
                finally:
                    await key
            finally:
                give()
        """
        assert missed(body) == []

    def test_taken_inside(self) -> None:
        """
        What is taken in the body is given back by its finally; before it, by nobody.
        """
        body = "take()\nawait key\ntry:\n    take()\n    await key\nfinally:\n    give()"
        assert missed(body) == ["cancelled 2", "exception 2"]


class TestLoops:
    def test_forever(self) -> None:
        """
        Past a loop without end nothing comes.
        """
        assert every("while True:\n    take()") == []

    def test_forever_with_break(self) -> None:
        """
        A break is the way past a loop without end.
        """
        body = "take()\nwhile True:\n    if self.x:\n        break\ngive()\n"
        assert every(body) == ["end 5 free"]

    def test_break_while_held(self) -> None:
        """
        What is held at a break is held behind the loop.
        """
        assert missed("while True:\n    take()\n    break") == ["end 3"]

    def test_second_round(self) -> None:
        """
        What a round took is held in the next one.
        """
        assert missed("for each in key:\n    work()\n    take()") == ["weak exception 2", "end 3"]

    def test_perhaps_no_round(self) -> None:
        """
        A loop may have no round, in which nothing is given back.
        """
        assert missed("take()\nfor each in key:\n    give()") == ["end 3"]

    def test_continue(self) -> None:
        """
        A continue skips what stands behind it, in the next round and behind the loop too.
        """
        body = "for each in key:\n    take()\n    if self.x:\n        continue\n    give()"
        assert missed(body) == ["end 5"]

    def test_else(self) -> None:
        """
        The else of a loop runs where there was no break.
        """
        body = "for each in key:\n    take()\n    break\nelse:\n    return\ngive()"
        assert every(body) == ["return 5 free", "end 6 free"]

    def test_else_after_break_only(self) -> None:
        """
        Without rounds that come to their end, the else runs as the loop was begun.
        """
        body = "take()\nwhile self.x:\n    break\nelse:\n    give()"
        assert missed(body) == ["end 5"]

    def test_way_out_inside(self) -> None:
        """
        A way out of the function from within a loop is one.
        """
        assert "return 3" in missed("while self.x:\n    take()\n    return")

    def test_async_for(self) -> None:
        """
        Each round of an asynchronous loop is awaited.
        """
        body = "take()\nasync for each in key:\n    pass\ngive()"
        assert missed(body) == ["cancelled 2", "exception 2"]


class TestWith:
    @pytest.mark.parametrize(
        ("types", "left"),
        [
            ("Exception", ["cancelled 3"]),
            ("BaseException", []),
            ("KeyError", ["cancelled 3", "exception 3"]),
            ("asyncio.CancelledError", ["exception 3"]),
            ("Exception, asyncio.CancelledError", []),
        ],
    )
    @pytest.mark.parametrize("name", ["suppress", "contextlib.suppress"])
    def test_suppress(self, name: str, types: str, left: list[str]) -> None:
        """
        What is suppressed is no way out of the function, but one past the block.
        """
        assert missed(f"take()\nwith {name}({types}):\n    await key\ngive()") == left

    def test_goes_on_after_suppressed(self) -> None:
        """
        What is suppressed before it is given back is held behind the block.
        """
        body = "take()\nwith suppress(Exception):\n    work()\n    give()\n    return"
        assert missed(body) == ["end 5"]

    def test_gives_at_exit(self) -> None:
        """
        What a context manager took it gives back when it is left.
        """
        body = "with take():\n    await key\n    if self.x:\n        return"
        assert missed(body) == []

    def test_taken_before(self) -> None:
        """
        A context manager does not give back what was taken before it.
        """
        assert missed("take()\nwith take():\n    return") == ["return 3"]

    def test_entered_never_left(self) -> None:
        """
        Past a context manager nothing comes if its body does not come to its end.
        """
        assert every("with take():\n    return") == ["return 2 free"]

    def test_async_with(self) -> None:
        """
        Entering an asynchronous context manager may be cancelled.
        """
        body = "take()\nasync with key:\n    give()"
        assert missed(body) == ["cancelled 2", "exception 2"]


class TestTests:
    @pytest.mark.parametrize(
        "test",
        [
            "key in self.agents",
            "not (key not in self.agents)",
            "self.agents.get(key) is self",
            "self.agents.get(key) == self",
            "self.agents[key] is not None",
            "(agent := self.agents.get(key))",
            "self.agents",
            "key",
        ],
    )
    def test_asks_for_the_entry(self, test: str) -> None:
        """
        A removal behind a test of whether there is an entry, or whether it is mine, is one.
        """
        assert missed(f"take()\nif {test}:\n    give()") == []

    @pytest.mark.parametrize("test", ["self.open", "key in self.rooms", "self.x and key"])
    def test_asks_for_something_else(self, test: str) -> None:
        """
        A removal behind a test of something else may not run.
        """
        assert missed(f"take()\nif {test}:\n    give()") == ["end 3"]

    @pytest.mark.parametrize("test", ["key not in self.agents", "not self.agents"])
    def test_leaves_if_absent(self, test: str) -> None:
        """
        Where there is no entry, nothing is held.
        """
        assert missed(f"take()\nif {test}:\n    return\ngive()") == []

    def test_both_branches(self) -> None:
        """
        What both branches give back is given back.
        """
        assert missed("take()\nif self.x:\n    give()\nelse:\n    give()") == []

    def test_counted(self) -> None:
        """
        Of a count, one branch takes again and the other gives back: that is by design.
        """
        assert missed("take()\nif self.x:\n    take()\nelse:\n    give()") == []

    @pytest.mark.parametrize("test", ["not self.take(key)", "not await self.take(key)"])
    def test_refused(self, test: str) -> None:
        """
        Where what takes says no, nothing is taken.
        """
        assert missed(f"if {test}:\n    return\ngive()") == []

    def test_granted(self) -> None:
        """
        Where what takes says yes, it is taken; behind its else, it is not.
        """
        assert missed("if self.take(key):\n    give()\nelse:\n    return") == []
        assert missed("if self.take(key):\n    return") == ["return 2"]

    def test_match(self) -> None:
        """
        The cases of a match are branches.
        """
        body = "take()\nmatch key:\n    case 1:\n        give()\n    case _:\n        return"
        assert missed(body) == ["return 6", "end 6"]


class TestFlattened:
    def test_all(self) -> None:
        """
        Each event comes in the order of the source, those of lambdas and handlers too.
        """
        body = """
            try:
                one()
            except OSError:
                two(lambda: three())
        """
        assert [called(each) for each in flattened(method(body).block())] == [
            "one",
            "three",
            "two",
        ]


class TestAwaits:
    @pytest.mark.parametrize(
        ("body", "named"),
        [
            ("await self.task", ["self.task"]),
            ("await asyncio.wait(self.task)", ["self.task"]),
            ("await self.send(self.task)", []),
            ("if self.x:\n    await key", ["$key"]),
        ],
    )
    def test_named(self, body: str, named: list[str]) -> None:
        """
        Each await names what is awaited, itself or as an argument of what is called.
        """
        found = list(awaits(method(body, "key").block()))
        assert [list(each[2:]) for each in found] == [named]
