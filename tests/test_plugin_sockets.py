"""
What the plugin says of sockets that a test's loop would take along with it.
"""

from __future__ import annotations

import pytest

from tests.plugin_runs import Run, run, text

__all__ = ["run"]


@pytest.mark.parametrize(
    "opens",
    [
        "asyncio.start_server(print, *at)",
        "asyncio.get_running_loop().create_datagram_endpoint(asyncio.DatagramProtocol, at)",
    ],
    ids=["server", "datagrams"],
)
def test_what_is_open_as_its_loop_is_closed(run: Run, opens: str) -> None:
    """
    A socket that only the closing of the loop closes was left, at the line that opened it.
    """
    result = run(
        f"""
        async def test_leaves():
            at = "127.0.0.1", 0
            await {opens}
        """,
        "--sessionstate=strict",
        "-Wignore",  # the interpreter says so too, once it is too late
    )
    result.assert_outcomes(passed=1, errors=1)
    assert "file descriptor" in text(result)
    assert "test_it.py:11" in text(result)


def test_what_a_loop_is_made_of(run: Run) -> None:
    """
    A socket that was closed in time was not left, nor were those by which a loop wakes itself.
    """
    run(
        """
        async def test_closes():
            server = await asyncio.start_server(lambda _, w: w.close(), "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            await reader.read()
            writer.close()
            await writer.wait_closed()
            server.close()
            await server.wait_closed()

        async def test_other_loop():
            await asyncio.to_thread(lambda: asyncio.run(asyncio.sleep(0)))
        """,
        "--sessionstate=strict",
    ).assert_outcomes(passed=2)
