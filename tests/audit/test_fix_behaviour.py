"""
What is fixed does what it did, and leaks no more.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from textwrap import dedent, indent
from types import CodeType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.audit.fixing import after_fix

Serve = Callable[..., Coroutine[Any, Any, Any]]


def function(code: str, **names: Any) -> Serve:
    """
    Return the function ``serve`` of *code*.
    """
    space: dict[str, Any] = {"asyncio": asyncio, **names}
    exec(compile(code, "app.py", "exec"), space)  # noqa: S102 - it is what is tested
    serve: Serve = space["serve"]
    return serve


async def cancelled(work: Coroutine[Any, Any, Any]) -> None:
    """
    Start *work*, let it come to its first wait, cancel it, and wait for its end.
    """
    task = asyncio.create_task(work)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


ENTRIES = {
    "dict": ("{}", "kept[key] = 1", "kept.pop(key, None)"),
    "del": ("{}", "kept[key] = 1", "del kept[key]"),
    "set": ("set()", "kept.add(key)", "kept.discard(key)"),
    "remove": ("set()", "kept.add(key)", "kept.remove(key)"),
    "list": ("[]", "kept.append(key)", "kept.remove(key)"),
}
BODIES = {
    "wait": "{put}\nawait wait()\n{take}",
    "try": "{put}\ntry:\n    await wait()\nexcept OSError:\n    pass\n{take}",
    "end": "{put}\ntry:\n    await wait()\n    {take}\nexcept OSError:\n    pass",
    "early": "{put}\nif await wait():\n    return\n{take}",
    "twice": "{put}\nif not key:\n    {take}\n    raise OSError\nawait wait()\n{take}",
}


class TestEntry:
    @pytest.mark.parametrize("failure", [None, OSError, ValueError, True])
    @pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
    @pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
    async def test_goes_on_every_way_out(
        self, entry: tuple[str, str, str], body: str, failure: Any
    ) -> None:
        """
        A cancellation, a failure or an early return leaves an entry, and leaves none once fixed.
        """
        made, put, take = entry
        before = f"async def serve(kept, key):\n{indent(body.format(put=put, take=take), '    ')}\n"
        after = after_fix("SS002b", "kept", before, writes=[put], removals=[take])
        left = []
        for code in (before, after):
            kept = eval(made)  # noqa: S307 - one of three words above
            wait = self.waits(failure)
            if failure is None:
                await cancelled(function(code, wait=wait)(kept, "k"))
            else:
                serve = function(code, wait=wait)(kept, "k")
                await asyncio.gather(serve, return_exceptions=True)
            left.append(len(kept))
        goes_on = failure is True and body is not BODIES["early"]
        caught = failure is OSError and body is BODIES["try"]
        assert left == [0 if goes_on or caught else 1, 0]

    def waits(self, failure: Any) -> Callable[[], Coroutine[Any, Any, Any]]:
        """
        Return something that waits for ever, fails, or says yes.
        """

        async def wait() -> bool:
            if failure is None:
                await asyncio.get_running_loop().create_future()
            if failure is True:
                return True
            raise failure

        return wait


class TestTwoOfOneKey:
    @pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
    @pytest.mark.parametrize("first_ends", [True, False], ids=["ends", "cancelled"])
    async def test_a_cancellation_stays_one(
        self, entry: tuple[str, str, str], first_ends: bool
    ) -> None:
        """
        What the first removed is no error in the second, whose cancellation comes out of it.
        """
        made, put, take = entry
        before = f"async def serve(kept, key, wait):\n    {put}\n    await wait\n    {take}\n"
        after = after_fix("SS002b", "kept", before, writes=[put], removals=[take])
        assert after != before
        left = []
        for code in (before, after):
            kept = eval(made)  # noqa: S307 - one of three words above
            serve = function(code)
            waits = [asyncio.get_running_loop().create_future() for _ in range(2)]
            first, second = (asyncio.create_task(serve(kept, "k", wait)) for wait in waits)
            await asyncio.sleep(0)
            assert set(kept) == {"k"}
            if first_ends:
                waits[0].set_result(None)
                assert await first is None
            else:
                first.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await first
            second.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await second
            assert second.cancelled()
            assert caught.value.__context__ is None
            left.append(len(kept))
        # Of a map or a set, the first that ends removes the entry of both.
        leaks = 2 - first_ends if made == "[]" else 1 - first_ends
        assert left == [leaks, 0]


STEPS = st.recursive(
    st.sampled_from(
        [
            "await gate()",
            "told.append(1)",
            "if await gate():\n    return",
            "if await gate():\n    return None",
            "if await gate():\n    raise OSError",
            "if await gate():\n    told.append(3)\n    {take}\n    raise KeyError",
            "for turn in range(2):\n    if turn:\n        continue\n    await gate()",
            "while True:\n    told.append(4)\n    break",
        ]
    ),
    lambda steps: st.builds(
        lambda shape, step: shape.replace("@", indent(step, "    ").strip()),
        st.sampled_from(
            [
                "try:\n    @\nexcept OSError:\n    told.append(5)",
                "try:\n    @\nfinally:\n    told.append(6)",
                "try:\n    @\nexcept ValueError:\n    await gate()\nelse:\n    told.append(7)",
                "if await gate():\n    @",
                "for turn in range(2):\n    @",
            ]
        ),
        steps,
    ),
    max_leaves=3,
)


class Gate:
    """
    Something to wait for, whose answer the driver gives.
    """

    def __await__(self) -> Generator[None, Any, Any]:
        return (yield)


@dataclass
class Run:
    """
    What became of one call.
    """

    outcome: object
    told: list[int]
    kept: list[str]
    gates: int = field(compare=False)


def run(code: CodeType, made: str, at: int, action: object) -> Run:
    """
    Call the function; answer the wait number *at* with *action*, and others with no.
    """
    told: list[int] = []
    kept = eval(made)  # noqa: S307 - one of three words above
    space: dict[str, Any] = {"gate": Gate, "told": told}
    exec(code, space)  # noqa: S102 - it is what is tested
    work = space["serve"](kept, "k")
    gates = 0
    try:
        work.send(None)
        while True:
            gates += 1
            if gates - 1 != at:
                work.send(False)
            elif isinstance(action, type):
                work.throw(action())
            else:
                work.send(action)
    except StopIteration as end:
        return Run(end.value, told, list(kept), gates)
    except BaseException as error:
        return Run(type(error), told, list(kept), gates)


class TestSame:
    @given(
        steps=st.lists(STEPS, min_size=1, max_size=4),
        entry=st.sampled_from(sorted(ENTRIES)),
        last=st.sampled_from(["return 5", "told.append(8)", "await gate()"]),
    )
    @settings(max_examples=150, deadline=None)
    def test_but_for_the_entry(self, steps: list[str], entry: str, last: str) -> None:
        """
        Whatever fails wherever, the fixed function returns, raises and tells what it did before.
        """
        made, put, take = ENTRIES[entry]
        body = "\n".join([put, *steps, take, last]).replace("{take}", take)
        before = f"async def serve(kept, key):\n{indent(body, '    ')}\n"
        after = after_fix("SS002b", "kept", before, writes=[put], removals=[take])
        assert after != before
        old, new = (compile(each, "app.py", "exec") for each in (before, after))
        gates = run(old, made, -1, False).gates
        for at in range(gates):
            for action in (True, OSError, ValueError, asyncio.CancelledError):
                was, now = run(old, made, at, action), run(new, made, at, action)
                assert now.kept == []
                assert (now.outcome, now.told) == (was.outcome, was.told)


class TestTask:
    @pytest.mark.parametrize("fails", [False, True])
    async def test_leaves_the_set_when_it_is_done(self, fails: bool) -> None:
        """
        A task that ends, however it does, stays in the set, and goes once that is fixed.
        """
        write = "kept.add(asyncio.create_task(work()))"
        before = f"async def serve(kept, work):\n    {write}\n"
        after = after_fix("SS006", "kept", before, writes=[write])

        async def work() -> None:
            if fails:
                raise asyncio.CancelledError

        left = []
        for code in (before, after):
            kept: set[asyncio.Task[None]] = set()
            await function(code)(kept, work)
            assert len(kept) == 1
            await asyncio.gather(*kept, return_exceptions=True)
            await asyncio.sleep(0)
            left.append(len(kept))
        assert left == [1, 0]


class TestInner:
    async def test_key_goes_with_its_last_item(self) -> None:
        """
        An empty inner collection stays, and goes once that is fixed; one with items stays.
        """
        take = "rooms[room].discard(user)"
        before = f"async def serve(rooms, room, user):\n    if room in rooms:\n        {take}\n"
        after = after_fix("SS002f", "rooms", before, removals=[take])
        left = []
        for code in (before, after):
            rooms = {"a": {1, 2}, "b": {1}}
            for room in ("a", "b", "b", "c"):
                await function(code)(rooms, room, 1)
            left.append(rooms)
        assert left == [{"a": {2}, "b": set()}, {"a": {2}}]


class TestChild:
    @pytest.mark.real_loop
    async def test_is_reaped(self) -> None:
        """
        A process that is killed is over when the function that killed it is.
        """
        before = dedent("""
            async def serve(program):
                proc = await asyncio.create_subprocess_exec(*program)
                try:
                    await asyncio.wait_for(proc.communicate(), 0.01)
                except TimeoutError:
                    proc.kill()
                return proc
        """)
        after = after_fix("SS005c", "proc", before, removals=["proc.kill()"])
        program = [sys.executable, "-c", "import time; time.sleep(60)"]
        over = []
        for code in (before, after):
            proc = await function(code)(program)
            over.append(proc.returncode is not None)
            await proc.wait()
        assert over == [False, True]
