"""
A child process that is killed is waited for.
"""

from __future__ import annotations

from textwrap import dedent, indent

import pytest

from tests.audit.fixing import after_fix

START = "proc = await asyncio.create_subprocess_exec('cat')"
KILL = "proc.kill()"


def fixed(body: str, *, kill: str = KILL, head: str = "async def run(self):") -> str:
    """
    Return what is made of the body of a function; an empty text if it is left alone.
    """
    code = f"import asyncio\n{head}\n{indent(dedent(body).strip(), '    ')}\n"
    after = after_fix("SS005c", "proc", code, removals=[kill])
    return "" if after == code else dedent(after.partition(f"{head}\n")[2])


class TestWait:
    def test_a_wait_follows_the_kill(self) -> None:
        """
        The wait stands where the kill does, before whatever is next.
        """
        body = f"""
            {START}
            try:
                out = await asyncio.wait_for(proc.communicate(), 5)
            except TimeoutError:
                proc.kill()  # too slow
                raise
            return out
        """
        expected = body.replace("# too slow\n", f"# too slow\n{' ' * 16}await proc.wait()\n")
        assert fixed(body) == dedent(expected).lstrip("\n").rstrip(" ")

    def test_each_of_two_kills_is_waited_for(self) -> None:
        """
        Branches that exclude each other are fixed alike.
        """
        body = f"{START}\nif x:\n    {KILL}\nelse:\n    {KILL}"
        wait = "    await proc.wait()\n"
        assert fixed(body) == f"{START}\nif x:\n    {KILL}\n{wait}else:\n    {KILL}\n{wait}"

    @pytest.mark.parametrize(
        "start",
        [
            "proc = await asyncio.create_subprocess_shell('cat')",
            "proc: Process = await asyncio.create_subprocess_exec('cat')",
            "proc = await asyncio.wait_for(asyncio.create_subprocess_exec('cat'), 3)",
            "proc = None\nproc = await asyncio.create_subprocess_exec('cat')",
            "from asyncio import create_subprocess_exec as start\nproc = await start('cat')",
        ],
    )
    def test_each_way_to_start_one(self, start: str) -> None:
        """
        It is asyncio's if asyncio started it, by whichever name.
        """
        assert fixed(f"{start}\n{KILL}") == f"{start}\n{KILL}\nawait proc.wait()\n"

    def test_an_attribute_may_be_set_elsewhere(self) -> None:
        """
        What starts the process of an object is looked for in the whole file.
        """
        code = dedent("""
            class Runner:
                async def start(self):
                    self.proc = await asyncio.create_subprocess_exec("cat")
                async def stop(self):
                    self.proc.kill()
                    self.proc = None
        """)
        after = after_fix("SS005c", "Runner.proc", code, removals=["self.proc.kill()"])
        assert "self.proc.kill()\n        await self.proc.wait()\n" in after

    @pytest.mark.parametrize(
        "body",
        [
            KILL,
            f"proc = Popen('cat')\n{KILL}",
            f"proc = await trio.lowlevel.open_process('cat')\n{KILL}",
            f"from trio import create_subprocess_exec as x\nproc = await x('cat')\n{KILL}",
            f"from asyncio import sleep\nproc = await sleep(3)\n{KILL}",
            f"proc = None\n{KILL}",
            f"{START}\nproc = 3\n{KILL}",
            f"{START}\nfor proc in x:\n    pass\n{KILL}",
            f"proc = asyncio.create_subprocess_exec('cat')\n{KILL}",
        ],
    )
    def test_what_asyncio_may_not_have_started(self, body: str) -> None:
        """
        Other processes have other ways to be waited for.
        """
        assert not fixed(body)

    @pytest.mark.parametrize(
        "body",
        [
            f"{START}\n{KILL}\nawait proc.wait()",
            f"{START}\nif x:\n    {KILL}\nawait asyncio.wait_for(proc.wait(), 3)",
            f"{START}\ntry:\n    {KILL}\nfinally:\n    await proc.communicate()",
        ],
    )
    def test_who_waits_later_waits(self, body: str) -> None:
        """
        One wait is enough, wherever it follows.
        """
        assert not fixed(body)

    def test_who_waits_for_another_does_not(self) -> None:
        """
        A wait for something else is none.
        """
        assert fixed(f"{START}\n{KILL}\nawait other.wait()\nwait()")

    def test_a_function_that_cannot_wait(self) -> None:
        """
        A function that is not async has nothing to wait with.
        """
        code = f"async def f():\n    {START}\n    def g():\n        {KILL}\n    g()\n"
        assert after_fix("SS005c", "proc", code, removals=[KILL]) == code

    @pytest.mark.parametrize("kill", ["proc.terminate()", "find().kill()", "os.kill(proc.pid, 9)"])
    def test_other_shapes(self, kill: str) -> None:
        """
        A process may ignore other signals, and a wait would have no end.
        """
        assert not fixed(f"{START}\n{kill}", kill=kill)
