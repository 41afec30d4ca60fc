from __future__ import annotations

import os
from pathlib import Path

import pytest
from textual.widgets import Input

from tests.top.data import HOSTILE, row
from tests.top.made_up import MadeUp
from tests.top.watching import gone, watching

pytestmark = pytest.mark.real_loop
PICTURE = Path(__file__).parents[2] / "docs" / "images" / "top.svg"


class TestFigures:
    async def test_they_follow_the_stream(self, server: MadeUp) -> None:
        """
        An update changes figures and curves; what is wrong has a sign beside its colour.
        """
        async with watching(server) as view:
            await view.sees("live █▇▆▅▄▂▁█", "most 139")
            await view.sees("connected", "chat-server", "250", "62 %", "118 MiB", "2 ms", "24,310")
            assert "!" not in view.text
            server.push(
                tiles={"live": 1234, "orphans": 3, "loop_delay": 1.7, "stuck": 2, "rss": 2**30}
            )
            await view.sees("1,234", "3!", "1.7 s!", "stuck", "2!", "1.0 GiB", "update 2")


class TestPanes:
    async def test_each_has_a_number(self, server: MadeUp) -> None:
        """
        1 to 5 show sessions, leaks, deadlines, reasons and maps, in words.
        """
        async with watching(server) as view:
            await view.press("2")
            await view.sees("LEAK", "app.handlers.histories", "412.5", "inconclusive", "5.2 KiB")
            await view.press("3")
            await view.sees("late", "expired", "the next to end")
            await view.press("4")
            await view.sees("546 ended", "resource_failed", "14 %", "automatic", "asked for", "█")
            await view.press("5")
            await view.sees("agents", "map", "1,830", "3!", "counted 3.2 s ago")
            await view.press("1")
            await view.sees("12 of 12", "chat-0001")

    async def test_nothing_to_show(self, server: MadeUp) -> None:
        """
        A pane without rows says what that means.
        """
        server.push(suspects=[], deadlines=[], counted=[], counted_ago=None, minutes=[], reasons={})
        server.rows = []
        async with watching(server) as view:
            await view.sees("0 of 0, page 1/1")
            await view.press("enter", "c", "2")
            await view.sees("nothing is suspected")
            await view.press("3", "enter", "c")
            await view.sees("no session has a deadline")
            await view.press("4")
            await view.sees("0 ended")
            await view.press("5")
            await view.sees("being counted for the first time")

    async def test_a_deadline_leads_to_its_session(self, server: MadeUp) -> None:
        """
        Enter in the deadlines shows the session under the cursor.
        """
        async with watching(server) as view:
            await view.press("3", "down", "down")
            await view.open("chat-0003", "ORPHAN: its client is gone")
            await view.press("escape")
            await view.sees("the next to end")


class TestSessions:
    async def test_sorting(self, crowded: MadeUp) -> None:
        """
        The keys s and r, and clicks, sort by each column, which is said in words and arrows.
        """
        async with watching(crowded) as view:
            await view.sees("by age, most first", "age▼")
            assert view.ids[0] == "chat-0001"
            await view.press("r")
            await view.sees("by age, least first", "age▲")
            await view.until(lambda: view.ids[0] == "chat-0250")
            await view.press("s")
            await view.sees("by idle, least first", "idle▲")
            for column in ("deadline", "entries", "resources", "weight", "age"):
                await view.press("s")
                await view.sees(f"by {column},")
            await view.press("r")
            # So does a click on a column's name, and a second one turns it round.
            table = view.sessions.table
            x = view.text.splitlines()[table.region.y].index("idle")
            await view.pilot.click(table, offset=(x, 0))
            await view.sees("by idle, most first", "idle▼")
            await view.pilot.click(table, offset=(x, 0))
            await view.sees("by idle, least first", "idle▲")
            await view.pilot.click(table, offset=(3, 0))
            await view.sees("by idle, least first")

    async def test_filter_and_pages(self, crowded: MadeUp) -> None:
        """
        The key f goes through the states; n and p turn pages of a hundred, and stop at the ends.
        """
        async with watching(crowded) as view:
            for words in ("62 of 250, page 1/1, open", "126 of 250, page 1/2, idle", "closing,"):
                await view.press("f")
                await view.sees(words)
            await view.press("f")
            await view.sees("250 of 250, page 1/3, all states")
            await view.press("p")
            await view.sees("page 1/3")
            await view.press("n")
            await view.sees("page 2/3")
            await view.until(lambda: view.ids[0] == "chat-0101")
            await view.press("n")
            await view.sees("page 3/3")
            await view.press("n")
            await view.until(lambda: len(view.ids) == 50)
            await view.press("p")
            await view.sees("page 2/3")
            await view.until(lambda: len(view.ids) == 100)

    async def test_search(self, crowded: MadeUp) -> None:
        """
        / searches while it is typed; Enter keeps the search, Escape forgets it.
        """
        async with watching(crowded) as view:
            await view.press("slash", *"CHAT-024", "q")
            await view.sees("search: CHAT-024q", "0 of 250")
            await view.press("backspace")
            await view.until(lambda: len(view.ids) == 10)
            await view.press("enter")
            await view.until(lambda: not isinstance(view.top.focused, Input))
            crowded.push()
            await view.sees("update 2", "10 of 250", "Forget search")
            await view.press("escape")
            await view.sees("250 of 250")
            await view.until(lambda: "Forget search" not in view.text)
            await view.press("slash", "enter")
            await view.until(lambda: not view.sessions.is_searching)
            await view.until(lambda: view.top.focused is view.sessions.table)

    async def test_the_cursor_stays_on_its_session(self, server: MadeUp) -> None:
        """
        When sessions come and go, the cursor goes with the one it was on.
        """
        async with watching(server) as view:
            await view.press("down", "down", "down")
            assert view.sessions.chosen == (4, "chat-0004")
            server.rows = server.rows[1:]
            server.push()
            await view.until(lambda: view.ids[0] == "chat-0002")
            assert view.sessions.chosen == (4, "chat-0004")
            assert view.sessions.table.cursor_row == 2
            server.rows = server.rows[:2]
            server.push()
            await view.until(lambda: len(view.ids) == 2)
            assert view.sessions.chosen == (3, "chat-0003")


class TestKeys:
    async def test_help_lists_them(self, server: MadeUp) -> None:
        """
        ? lists all keys, at once and over everything.
        """
        async with watching(server) as view:
            await view.press("question_mark")
            await view.sees("Keys", "search ids, groups and places", "quit; so does Ctrl+C")
            await view.press("escape")
            await view.until(lambda: view.top.screen is view.main)

    @pytest.mark.parametrize("keys", [("slash", "ctrl+c"), ("enter", "q")])
    async def test_quit(self, server: MadeUp, keys: tuple[str, ...]) -> None:
        """
        Quitting is possible from anywhere; the server has no stream then.
        """
        async with watching(server) as view:
            await view.press(*keys)
            await view.until(lambda: not view.top.is_running)
        assert not view.top.return_code
        await gone(server)


class TestScreen:
    async def test_hostile_ids_tear_nothing(self, server: MadeUp) -> None:
        """
        Ids with escapes, markup, wide or endless text are text: lines keep their widths, at each.
        """
        server.rows = [row(at, id_) for at, id_ in enumerate(HOSTILE, 1)]
        for each, id_ in zip(server.now["deadlines"], HOSTILE, strict=False):
            each["id"] = id_
        server.now["supervisor"] = HOSTILE[1]
        server.now["counted"][0]["name"] = HOSTILE[0]
        server.now["suspects"][0]["name"] = HOSTILE[2]
        server.now["reasons"] = dict.fromkeys(HOSTILE, 3)

        async with watching(server, size=(80, 24)) as view:

            def check(width: int, height: int) -> None:
                strips = view.top.screen._compositor.render_strips()
                assert [strip.cell_length for strip in strips] == [width] * height
                assert all(strip.text.isprintable() for strip in strips)

            await view.sees("[red]markup[/red]", "\\x1b[31mescape", "\\ud800 alone")
            for pane in "2345":
                await view.press(pane)
                check(80, 24)
            for width, height in ((60, 20), (24, 8), (130, 30)):
                await view.press("1")
                await view.pilot.resize_terminal(width, height)
                await view.until(lambda height=height: len(view.text.splitlines()) == height)
                check(width, height)
                await view.press("down")
                await view.open()
                check(width, height)
                await view.press("c")
                check(width, height)
                await view.press("n", "escape")
            await view.sees("weight", "resources")
            assert view.sessions.chosen == (4, HOSTILE[3])

    @pytest.mark.skipif(
        "SESSIONSTATE_SCREENSHOTS" not in os.environ, reason="SESSIONSTATE_SCREENSHOTS is not set"
    )
    async def test_screenshot(self, crowded: MadeUp) -> None:
        """
        The picture in the documentation is what the view draws.
        """
        async with watching(crowded, size=(110, 32)) as view:
            view.main.head._where = "http://127.0.0.1:8123/"
            crowded.push()
            await view.sees("update 2", "8123", "Search")
            drawn = view.top.export_screenshot()
            assert "chat-0001" in drawn
            PICTURE.parent.mkdir(exist_ok=True)
            PICTURE.write_text(drawn, encoding="utf-8")
