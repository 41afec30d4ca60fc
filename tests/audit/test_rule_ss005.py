"""
A child process is not ended on every way out.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sessionstate.audit._findings import Confidence
from sessionstate.audit._spawning import findings
from tests.audit.small import doubted, found, project

RUN = """
    import asyncio
    import os
    import subprocess

    async def run(command):
        process = await asyncio.create_subprocess_exec(*command)
        {0}
"""


def run(*lines: str) -> str:
    """
    Return a coroutine function that starts a process, with these lines after that.
    """
    return RUN.format("\n        ".join(lines))


class TestSubcodes:
    def test_cancellation(self, tmp_path: Path) -> None:
        """
        A wait for a process that is cancelled leaves it running.
        """
        (one,) = findings(project(tmp_path, server=run("await process.communicate()")))
        assert (one.code, one.container, one.confidence) == ("SS005", "process", Confidence.MEDIUM)
        assert [each.message for each in one.exits] == ["leaks if cancelled at line 8"]

    @pytest.mark.parametrize(
        "lines",
        [
            ["await asyncio.wait_for(process.communicate(), 5)"],
            ["async with asyncio.timeout(5):", "    await process.wait()"],
        ],
    )
    def test_time_out_without_kill(self, tmp_path: Path, lines: list[str]) -> None:
        """
        A time-out ends the wait, and the process goes on.
        """
        (one,) = findings(project(tmp_path, server=run(*lines)))
        assert (one.code, one.confidence) == ("SS005a", Confidence.HIGH)

    @pytest.mark.parametrize("error", ["asyncio.TimeoutError", "TimeoutError", "Exception"])
    def test_killed_in_except(self, tmp_path: Path, error: str) -> None:
        """
        A cancellation passes by any except that does not name it.
        """
        source = run(
            "try:",
            "    await asyncio.wait_for(process.communicate(), 5)",
            f"except {error}:",
            "    process.kill()",
            "    await process.wait()",
        )
        assert found(findings, tmp_path, source) == ["SS005b process"]

    def test_killed_and_not_waited_for(self, tmp_path: Path) -> None:
        """
        What is killed wants to be waited for.
        """
        source = run("try:", "    await serve()", "finally:", "    process.kill()")
        assert found(findings, tmp_path, source) == ["SS005c process"]

    def test_time_out_of_a_plain_function(self, tmp_path: Path) -> None:
        """
        The time-out of `Popen.communicate` does not kill either.
        """
        source = """
            import subprocess

            def convert(path):
                child = subprocess.Popen(["convert", path])
                try:
                    child.communicate(timeout=10)
                except subprocess.TimeoutExpired:
                    return None
        """
        assert found(findings, tmp_path, source) == ["SS005a child"]


class TestFine:
    @pytest.mark.parametrize(
        "end",
        [
            ["process.kill()", "await process.wait()"],
            ["if process.returncode is None:", "    process.terminate()", "await process.wait()"],
            ["with suppress(ProcessLookupError):", "    process.kill()", "await process.wait()"],
            ["await kill_tree(process)"],
            ["os.killpg(process.pid, 9)", "await process.wait()"],
        ],
    )
    def test_killed_in_finally(self, tmp_path: Path, end: list[str]) -> None:
        """
        A finally that kills and waits ends it on every way out.
        """
        lines = ["try:", "    await process.communicate()", "finally:", *(f"    {e}" for e in end)]
        assert not list(findings(project(tmp_path, server=run(*lines))))

    def test_any_exception_is_caught(self, tmp_path: Path) -> None:
        """
        An except of each exception there is does as well as a finally.
        """
        source = run(
            "try:",
            "    await process.communicate()",
            "except BaseException:",
            "    process.kill()",
            "    await process.wait()",
            "    raise",
        )
        assert not list(findings(project(tmp_path, server=source)))

    def test_handed_on(self, tmp_path: Path) -> None:
        """
        A process that is returned, or given to an object or an exit stack, is theirs.
        """
        source = """
            import asyncio

            async def start():
                process = await asyncio.create_subprocess_exec("server")
                await ready()
                return process

            async def wrap():
                process = await asyncio.create_subprocess_exec("server")
                await ready()
                return Server(process)

            async def push(stack):
                process = await asyncio.create_subprocess_exec("server")
                stack.callback(process.kill)
                await process.wait()
        """
        assert not list(findings(project(tmp_path, server=source)))

    def test_context_manager(self, tmp_path: Path) -> None:
        """
        A process that is entered is ended where it is left.
        """
        source = """
            import anyio

            async def run():
                async with await anyio.open_process("server") as process:
                    await process.wait()

            async def later():
                process = await anyio.open_process("server")
                async with process:
                    await process.wait()
        """
        assert not list(findings(project(tmp_path, server=source)))

    def test_run_and_scripts(self, tmp_path: Path) -> None:
        """
        `subprocess.run` ends its child; a script, or a command that ends at once, is doubtful.
        """
        assert not list(
            findings(
                project(tmp_path, m="import subprocess\ndef f(): subprocess.run(['a'], timeout=3)")
            )
        )
        script = "import argparse\n" + "\n".join(
            line[4:] for line in run("await process.wait()").splitlines()
        )
        assert doubted(findings, tmp_path, script) == ["SS005 process"]
        quick = run("await process.wait()").replace("*command", "'java', '--version'")
        assert doubted(findings, tmp_path, quick) == ["SS005 process"]

    def test_daemon(self, tmp_path: Path) -> None:
        """
        What is detached on purpose is meant to stay.
        """
        source = """
            import subprocess

            async def start_daemon(request):
                subprocess.Popen(["server"], start_new_session=True)
                daemon = subprocess.Popen(["server"])
                await ready()
        """
        assert not list(findings(project(tmp_path, server=source)))


class TestKept:
    KEPT = """
        import asyncio

        class Servers:
            async def start(self, name):
                process = await asyncio.create_subprocess_exec(name)
                self.running[name] = process

            async def stop(self, name):
                process = self.running.pop(name)
                {0}
    """

    def test_ended_nowhere(self, tmp_path: Path) -> None:
        """
        A map whose processes are forgotten and not ended leaks them.
        """
        source = self.KEPT.format("await self.farewell(name)")
        assert found(findings, tmp_path, source) == ["SS005 Servers.running"]

    def test_killed_and_not_waited_for(self, tmp_path: Path) -> None:
        """
        A map whose processes are killed and not waited for leaves zombies.
        """
        source = self.KEPT.format("process.kill()")
        assert found(findings, tmp_path, source) == ["SS005c Servers.running"]

    def test_ended_elsewhere(self, tmp_path: Path) -> None:
        """
        A map whose processes are ended where they are taken out is fine, also in another module.
        """
        source = self.KEPT.format("process.kill(); await process.wait()")
        assert not list(findings(project(tmp_path, server=source)))
        other = """
            async def stop_all(servers):
                for process in list(servers.running.values()):
                    process.terminate()
                    await process.wait()
        """
        source = self.KEPT.format("pass")
        assert found(findings, tmp_path, source, ends=other) == []

    def test_attribute(self, tmp_path: Path) -> None:
        """
        An attribute is judged as a map is.
        """
        source = """
            import asyncio

            class Server:
                async def start(self):
                    self.process = await asyncio.create_subprocess_exec("server")
        """
        assert found(findings, tmp_path, source) == ["SS005 Server.process"]
        ended = (
            source
            + """
                async def stop(self):
                    process, self.process = self.process, None
                    process.terminate()
                    await process.wait()
        """
        )
        assert not list(findings(project(tmp_path, server=ended)))

    def test_ended_by_a_helper(self, tmp_path: Path) -> None:
        """
        A helper that is given the process, or its number, and whose name says so ends it.
        """
        for line in ("await end_tree(process)", "await kill_tree(pid=process.pid)"):
            source = self.KEPT.format(line)
            assert found(findings, tmp_path, source) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (["subprocess.Popen(['server'])", "await ready()"], ["SS005 Popen"]),
        (["child = open_socket('server')", "await ready()"], []),
        (
            [
                "child = await asyncio.create_subprocess_exec('server')",
                "def stop():",
                "    child.kill()",
                "server.on_stop(stop)",
                "await ready()",
            ],
            [],
        ),
        (
            [
                "child = await asyncio.create_subprocess_exec('server')",
                "server.on_stop(lambda: child.kill())",
                "await child.wait()",
            ],
            [],
        ),
        (
            [
                "child = await asyncio.create_subprocess_exec('server')",
                "while True:",
                "    match await child.stdout.readline():",
                "        case b'':",
                "            break",
                "await child.wait()",
            ],
            ["SS005 child"],
        ),
    ],
)
def test_more_shapes(tmp_path: Path, body: list[str], said: list[str]) -> None:
    """
    A handle that is dropped is doubtful; a function within, or a lambda, may end a process.
    """
    lines = ["import asyncio, subprocess", "async def run(server):", *(f"    {x}" for x in body)]
    source = "\n".join(lines)
    assert found(findings, tmp_path, source) + doubted(findings, tmp_path, source) == said


def test_plain_functions(tmp_path: Path) -> None:
    """
    A plain function is not cancelled: what it misses there is a wait, or another error.
    """
    source = """
        import subprocess

        def killed(path):
            child = subprocess.Popen(["convert", path])
            try:
                child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                child.kill()

        def waited(path):
            child = subprocess.Popen(["convert", path])
            try:
                child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

        def fine(path):
            child = subprocess.Popen(["convert", path])
            child.communicate()
    """
    codes = [(each.code, each.confidence) for each in findings(project(tmp_path, server=source))]
    assert codes == [("SS005c", Confidence.MEDIUM), ("SS005b", Confidence.LOW)]


def test_by_its_number(tmp_path: Path) -> None:
    """
    A function that is given the number of the process, and whose name says so, ends it.
    """
    lines = ["try:", "    await process.communicate()", "finally:", "    end_tree(process.pid)"]
    assert not list(findings(project(tmp_path, server=run(*lines))))


def test_other_homes(tmp_path: Path) -> None:
    """
    What is merely called Popen is something else, and so is what only reads the same name.
    """
    source = """
        from mine import Popen

        async def run():
            child = Popen("server")
            await ready()
    """
    assert not list(findings(project(tmp_path, server=source)))
    kept = """
        import asyncio

        class Server:
            async def start(self):
                self.process = await asyncio.create_subprocess_exec("server")

            def report(self):
                print(self.process, self.other)

            def stop(self):
                self.other.kill()
                log(self.process_name)
    """
    assert found(findings, tmp_path, kept) == ["SS005 Server.process"]
