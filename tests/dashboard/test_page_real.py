"""The page of a real supervisor, in a real browser."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from sessionstate import CloseReason, SessionMap, Supervisor
from tests.dashboard.page_servers import TOKEN, Serving

if TYPE_CHECKING:
    from sessionstate import Session
    from sessionstate.dashboard import DashboardPage
    from tests.dashboard.browser import Show

sync_api = pytest.importorskip("playwright.sync_api", reason="a browser is driven by playwright")
expect = sync_api.expect

pytest_plugins = ["tests.dashboard.browser"]
pytestmark = pytest.mark.real_loop


class Chats:
    """
    A program with a supervisor and its page, in a loop of its own.
    """

    def __init__(self) -> None:
        self.ended: dict[str, CloseReason] = {}

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[DashboardPage]:
        """
        Run until the page is not wanted any more.
        """
        from sessionstate.dashboard import serve_dashboard

        self.supervisor = Supervisor(name="chats", idle_timeout=900, default=False)
        async with self.supervisor as supervisor:
            self.agents = SessionMap[list[str]]("agents", supervisor=supervisor)
            supervisor.on_close(self._note)
            async with serve_dashboard(
                supervisor, token=TOKEN, allow_close=True, redact="none"
            ) as page:
                yield page

    def _note(self, session: Session, reason: CloseReason) -> None:
        self.ended[session.id] = reason

    async def open(self, name: str) -> None:
        """
        Open a session that owns something.
        """
        session = await self.supervisor.open(name)
        self.agents[session] = ["a secret"]
        session.start_soon(waiting_for_somebody)
        session.callback(len, "")


async def waiting_for_somebody() -> None:
    """
    Wait for ever.
    """
    await asyncio.Event().wait()


@pytest.fixture(scope="module")
def chats() -> Chats:
    """
    Give one program to the whole module.
    """
    return Chats()


@pytest.fixture(scope="module")
def serving(chats: Chats) -> Iterator[Serving]:
    """
    Give its loop.
    """
    pytest.importorskip("uvicorn", reason="the page needs its extra: sessionstate[dashboard]")
    with Serving(chats.serve) as serving:
        yield serving


def test_sessions_appear(show: Show, serving: Serving, chats: Chats) -> None:
    """
    A session that is opened appears in figures and table, and goes when it ends.
    """
    tab = show(url=serving.page.url)
    expect(tab.page.locator("#supervisor")).to_have_text("chats")
    serving.call(chats.open, "first <b>")
    row = tab.page.locator("#table tbody tr", has_text="first <b>")
    expect(row).to_contain_text("14 min")
    expect(tab.page.locator("#tile-live .figure")).to_have_text("1")
    expect(tab.page.locator("#deadlines li")).to_contain_text("first <b>")
    serving.call(chats.supervisor.close, "first <b>")
    expect(row).to_have_count(0)
    expect(tab.page.locator("#reasons .sums")).to_contain_text("deleted")


def test_one_session(show: Show, serving: Serving, chats: Chats) -> None:
    """
    The panel shows what a session owns and where its tasks wait, and no value.
    """
    serving.call(chats.open, "second")
    tab = show(url=serving.page.url)
    tab.page.locator("#table tbody tr", has_text="second").get_by_role("link").click()
    detail = tab.page.locator("#detail")
    expect(detail.locator(".why")).to_contain_text("Nobody is inside; it ends in 14 min, as idle")
    expect(detail.locator(".tree")).to_contain_text(re.compile(r"agents.*list"))
    task = detail.locator(".tree details details", has_text="waiting_for_somebody").first
    task.locator("summary").click()
    expect(task.locator("ol")).to_contain_text("in waiting_for_somebody")
    assert "a secret" not in tab.page.content()


def test_closing(show: Show, serving: Serving, chats: Chats) -> None:
    """
    The button ends the session for good, as deleted.
    """
    serving.call(chats.open, "third")
    tab = show(url=serving.page.url)
    tab.expected = re.compile("404")  # it is gone when it is asked for again
    tab.page.locator("#table tbody tr", has_text="third").get_by_role("link").click()
    tab.page.get_by_role("button", name="Close this session").click()
    tab.page.get_by_role("button", name="Yes, close it").click()
    expect(tab.page.locator("#detail .outcome")).to_contain_text("Closed")
    tab.page.keyboard.press("Escape")
    expect(tab.page.locator("#table tbody tr", has_text="third")).to_have_count(0)
    assert chats.ended["third"] is CloseReason.DELETED


def test_a_blocked_loop(show: Show, serving: Serving, chats: Chats) -> None:
    """
    While the program's loop is blocked the page says so, and where it is.
    """
    tab = show(url=serving.page.url)
    tab.expected = re.compile("503")
    expect(tab.page.locator("#connection-word")).to_have_text("live")
    release = threading.Event()
    serving.loop.call_soon_threadsafe(release.wait)
    try:
        banner = tab.page.locator("#banner-blocked")
        expect(banner).to_contain_text(re.compile(r"has not answered for \d+(\.\d)? s"))
        expect(banner.locator("li").first).to_contain_text("threading.py")
    finally:
        release.set()
    expect(banner).to_be_hidden()


def test_the_report(show: Show, serving: Serving) -> None:
    """
    The link to the report leads to one that the browser shows as it was meant.
    """
    tab = show(url=serving.page.url)
    tab.expected = re.compile("favicon.ico")  # the report has none
    tab.page.get_by_role("link", name="Leak report").click()
    expect(tab.page.get_by_role("heading").first).to_be_visible()
    margin = tab.page.evaluate("getComputedStyle(document.body).margin")
    assert margin == "0px"
