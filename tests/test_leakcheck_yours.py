"""
What the leak check blames: the reader's own lines before those of libraries, and never its own.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import sessionstate
from sessionstate.testing import LeakReport, LeakRow, Verdict, leakcheck
from sessionstate.testing._sampling import GIVEN, LOOPS, is_library, order
from tests.leak_checks import check, row

pytestmark = pytest.mark.virtual_time


def site(name: str, slope: float, where: str = "", verdict: Verdict = Verdict.LEAK) -> LeakRow:
    """
    Return the row of a line.
    """
    return LeakRow(name, "site", "bytes", slope, 0, 0, 0, verdict, (), where=where)


class TestOrder:
    def test_yours_come_first(self) -> None:
        """
        First come lines of the program that leak, then what they call, then what may not leak.
        """
        library = f"{asyncio.__file__}:3"
        rows = [
            LeakRow("asyncio tasks", "invariant", "tasks", 1, 0, 0, 0, Verdict.LEAK, ()),
            site("/app/chat.py:14", 2000.0),
            site("/app/chat.py:12", 1000.0),
            site(library, 5000.0, where="/app/chat.py:16"),
            site("/app/chat.py:11", 900.0, verdict=Verdict.BOUNDED),
            site(library, 9000.0),
            site(library, 8000.0, where="/app/chat.py:17", verdict=Verdict.BOUNDED),
            LeakRow("memory allocated", "total", "bytes", 1, 0, 0, 0, Verdict.LEAK, ()),
        ]
        assert sorted([*rows[3:], *rows[:3]], key=order) == rows

    @pytest.mark.parametrize(
        ("file", "library"),
        [
            (asyncio.__file__, True),
            (pytest.__file__, True),
            (sessionstate.__file__, True),
            ("<frozen abc>", True),
            (str(Path("/other/lib/python3.11/site-packages/pyee/base.py")), True),
            (str(Path("/usr/lib/python3/dist-packages/pyee/base.py")), True),
            (f"{Path(sessionstate.__file__).parent}_chat/app.py", False),
            (__file__, False),
        ],
    )
    def test_what_is_a_library(self, file: str, library: bool) -> None:
        """
        What came with Python, was installed, or is sessionstate's own is nobody's to mend.
        """
        assert is_library(file) is library
        assert is_library(f"{file}:3") is library


class TestServer:
    @pytest.mark.real_loop
    def test_a_server_names_the_line_to_mend(self) -> None:
        """
        On a real socket server it is the program's line that is named, not those of asyncio.
        """
        users: dict[str, object] = {}

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            name = (await reader.readline()).decode()
            users[name] = {"writer": writer, "log": []}
            with suppress(ConnectionError):
                writer.write(b"ok\n")
                await reader.read()
            writer.close()

        async def main() -> LeakReport:
            async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
                address = server.sockets[0].getsockname()

                async def request(number: int) -> None:
                    reader, writer = await asyncio.open_connection(*address)
                    writer.write(f"user-{number}\n".encode())
                    assert await reader.readline() == b"ok\n"
                    writer.close()
                    await writer.wait_closed()

                return await leakcheck(request, rounds=30, requests=10)

        report = asyncio.run(main())
        assert report.verdict is Verdict.LEAK
        sites = [each for each in report.rows if each.kind == "site"]
        assert sites[0].name.startswith(f"{__file__}:")
        assert 'users[name] = {"writer": writer, "log": []}' in {each.example for each in sites[:3]}
        assert max(sites, key=lambda each: each.slope) is not sites[0]
        assert "from your own code most +" in report.text().splitlines()[0]
        callers = {each.where for each in sites if each.where}
        assert all(each.startswith(f"{__file__}:") for each in callers)
        assert f"{__file__}:{line_of('report = asyncio.run(main())')}" not in callers


def line_of(source: str) -> int:
    """
    Return the number of the first line of this file that says *source*.
    """
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.strip() == source)


class TestKit:
    def leaks(self, report: LeakReport) -> LeakRow:
        """
        Return the first site; none is a line of the kit.
        """
        sites = [each for each in report.rows if each.kind == "site"]
        kit = str(Path(sessionstate.__file__).parent / "testing")
        assert not [each for each in sites if each.name.startswith(kit)]
        return sites[0]

    def test_the_number(self) -> None:
        """
        The number of a request that is kept is told as that, and counts.
        """
        numbers: list[int] = []

        async def request(number: int) -> None:
            numbers.append(number)

        report = check(request, rounds=30, requests=100)
        leak = self.leaks(report)
        assert (leak.name, leak.verdict, leak.example) == (GIVEN, Verdict.LEAK, "")
        assert leak.slope == pytest.approx(32_000, rel=0.1)
        assert row(report, "memory allocated").slope > leak.slope
        assert f" in {GIVEN}; would" in report.text()

    def test_the_task(self) -> None:
        """
        So is its task.
        """
        tasks: list[Any] = []

        async def request() -> None:
            tasks.append(asyncio.current_task())

        assert self.leaks(check(request, rounds=30, requests=20)).name == GIVEN

    def test_tasks_of_the_loop(self) -> None:
        """
        A task that the program makes is told with the line that makes it, not the loop's.
        """
        tasks: list[Any] = []

        async def request() -> None:
            tasks.append(asyncio.create_task(asyncio.sleep(0)))

        leak = self.leaks(check(request, rounds=30, requests=20))
        line = line_of("tasks.append(asyncio.create_task(asyncio.sleep(0)))")
        assert (leak.name, leak.where) == (LOOPS, f"{__file__}:{line}")

    @pytest.mark.real_loop
    def test_nobody_called_the_loop(self) -> None:
        """
        Who runs the loop is not named as who called what the loop runs.
        """
        kept: list[Any] = []

        async def request() -> None:
            def keep() -> None:
                kept.append(bytes(9000))
                made.set_result(None)

            loop = asyncio.get_running_loop()
            made = loop.create_future()
            loop.call_soon(keep)
            await made

        report = asyncio.run(leakcheck(request, rounds=30, requests=3))
        worst = next(each for each in report.rows if each.kind == "site")
        assert (worst.example, worst.where) == ("kept.append(bytes(9000))", "")
