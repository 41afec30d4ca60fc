from __future__ import annotations

from typing import Any

import pytest
from textual.widgets import Tree

from sessionstate._cli.top._dialogs import Confirm
from tests.top.made_up import MadeUp
from tests.top.watching import Watching, watching

pytestmark = pytest.mark.real_loop


async def asked(view: Watching) -> None:
    """
    Wait for the question.
    """
    await view.until(lambda: isinstance(view.top.screen, Confirm))


class TestOneSession:
    async def test_all_of_it(self, server: MadeUp) -> None:
        """
        Enter shows values by type and size, tasks and holders with their stacks, and events.
        """
        async with watching(server, size=(90, 50)) as view:
            await view.press("down")
            await view.open(
                "chat-0002",
                "idle, life 2, ends in 29 m 34 s, as idle",
                "agents, app.Agent, 1.4 KiB",
                "stream [red]markup[/red]",
                "at app/handlers.py:71 in stream",
                "git clone, process 4321",
                "inside at app/handlers.py:42 in chat",
                "events (2, the last first)",
                "parent",
            )
            await view.press("escape")
            await view.until(lambda: view.top.screen is view.main)
            assert view.sessions.chosen == (2, "chat-0002")

    async def test_to_a_child_and_back(self, server: MadeUp) -> None:
        """
        Enter on a child shows it, and Escape returns.
        """
        async with watching(server, size=(90, 50)) as view:
            view.sessions.table.move_cursor(row=9)
            await view.open("chat-0010", "children (2)", "chat-0011, open (Enter: show it)")
            parent = view.opened
            tree = parent._tree
            line = next(at for at in range(tree.last_line + 1) if "chat-0011" in _label(tree, at))
            tree.cursor_line = line
            await view.open()
            await view.until(lambda: view.opened is not parent and view.opened.incarnation == 11)
            await view.sees("life 11")
            await view.press("escape")
            await view.until(lambda: view.top.screen is parent)

    async def test_it_follows(self, server: MadeUp) -> None:
        """
        An update changes what is shown; what was folded stays folded, and the end is said.
        """
        async with watching(server, size=(90, 50)) as view:
            view.sessions.table.move_cursor(row=9)
            await view.open("children (2)", "stream [red]")
            tree = view.opened._tree
            line = next(at for at in range(tree.last_line + 1) if "task (1)" in _label(tree, at))
            tree.cursor_line = line
            await view.press("space")
            await view.until(lambda: "stream [red]" not in view.text)
            server.rows[9]["children"] = 1
            server.rows[9]["idle"] = 5.0
            server.push()
            await view.sees("child (1)", "used 5.0 s ago", "task (1)")
            assert "stream [red]" not in view.text
            assert "task (1)" in _label(tree, tree.cursor_line)
            del server.rows[9]
            server.push()
            await view.sees("GONE: this session has ended", "child (1)")
            asked_before = len(server.asked)
            server.push()
            await view.until(lambda: view.top.overview["number"] == 4)
            assert len(server.asked) == asked_before

    async def test_one_that_cannot_be_shown(self, server: MadeUp) -> None:
        """
        A blocked loop is said where the session would be, until there is an answer; so is its end.
        """
        async with watching(server) as view:
            server.blocked = {"seconds": 7.0, "stack": []}
            await view.press("enter")
            await view.sees("not up to date: the event loop has not answered for 7.0 s")
            server.blocked = None
            server.push()
            await view.sees("life 1,")
            await view.press("escape")
            del server.rows[0]
            await view.press("enter")
            await view.sees("chat-0001", "GONE")


class TestClosing:
    async def test_it_is_confirmed_first(self, server: MadeUp) -> None:
        """
        The key c asks with the id and the life; y closes, and what happened is said.
        """
        async with watching(server) as view:
            await view.press("down", "c")
            await asked(view)
            await view.sees("Close this session?", "chat-0002", "life 2")
            await view.press("y")
            await view.sees("chat-0002 is being closed, as deleted", "11 of 11")
            assert server.closed == [2]
            # From its own screen as well.
            await view.open("chat-0003")
            await view.press("c")
            await asked(view)
            await view.press("y")
            await view.until(lambda: server.closed == [2, 3])
            server.push()
            await view.sees("GONE")

    async def test_no(self, server: MadeUp) -> None:
        """
        Whatever else is pressed leaves it alone.
        """
        async with watching(server) as view:
            for key in ("n", "escape", "q"):
                await view.press("c")
                await asked(view)
                await view.press("x", "enter", key)
                await view.until(lambda: view.top.screen is view.main)
            assert not any("close" in url for url in server.asked)

    async def test_not_allowed(self, server: MadeUp) -> None:
        """
        Where the server does not allow it, c says so and asks nothing.
        """
        server.push(allow_close=False)
        async with watching(server) as view:
            await view.press("c")
            await view.sees("does not allow closing", "allow_close=True")
            assert view.top.screen is view.main
            assert not any("close" in url for url in server.asked)

    async def test_what_the_server_says(self, server: MadeUp) -> None:
        """
        A session that ended meanwhile, and a refusal, are said in words.
        """
        async with watching(server) as view:
            await view.press("c")
            await asked(view)
            del server.rows[0]
            await view.press("y")
            await view.sees("chat-0001 was not closed: it had ended already")
            await view.until(lambda: view.sessions.chosen == (2, "chat-0002"))
            await view.press("c")
            await asked(view)
            server.now["allow_close"] = False
            await view.press("y")
            await view.sees("chat-0002 was not closed:", "403: closing is off")


def _label(tree: Tree[Any], line: int) -> str:
    node = tree.get_node_at_line(line)
    return "" if node is None else str(node.label)
