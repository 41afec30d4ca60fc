"""
A real browser without a window, and the tab that tests look at.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import urlsplit

import pytest

from tests.dashboard.page_servers import TOKEN, Serving, Switch, pretended
from tests.dashboard.pretend import Pretend

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

    from sessionstate.dashboard._source import Source

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 10_000
"""Milliseconds until the browser is given up."""
Scheme = Literal["dark", "light"]


@contextmanager
def started_browser() -> Iterator[Browser]:
    """
    Run a Chromium that is installed; skip the test if there is none.
    """
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="a browser is driven by playwright: pip install playwright"
    )
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser is installed: none of {', '.join(NAMES)} was found")
    sync_api.expect.set_options(timeout=PATIENCE)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        try:
            yield browser
        finally:
            browser.close()


class Tab:
    """
    A page that is looked at, with all that a browser has to complain about it.

    Args:
        page: As playwright gives it.
        url: Where the dashboard is.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self.strangers: list[str] = []
        self.expected: re.Pattern[str] | None = None
        self._listeners: dict[str, Callable[[Any], None]] = {
            "console": self._note,
            "pageerror": lambda error: self.complaints.append(str(error)),
            "request": self._asked,
        }
        for event, listener in self._listeners.items():
            page.on(event, listener)  # type: ignore[call-overload]

    @property
    def signed_out(self) -> bool:
        """
        Whether the cookie is missing that lets one in; a browser does not tell ports apart.
        """
        port = urlsplit(self.url).port
        cookies = self.page.context.cookies(self.url)
        return all(cookie.get("name") != f"sessionstate_{port}" for cookie in cookies)

    def sign_in(self) -> None:
        """
        Have the cookie that lets one in.
        """
        answer = self.page.context.request.post(
            f"{self.url}login", form={"token": TOKEN}, headers={"Origin": self.url.rstrip("/")}
        )
        assert answer.ok, answer.status_text

    def leave(self) -> None:
        """
        Look at something else.
        """
        self.page.unroute_all()
        self.page.goto("about:blank")
        for event, listener in self._listeners.items():
            self.page.remove_listener(event, listener)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} {message.location['url']}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.url, "data:", "about:")):
            self.strangers.append(request.url)

    def check(self) -> None:
        """
        Fail if anything but the *expected* was complained about, or asked of somebody else.
        """
        found = [
            complaint
            for complaint in self.complaints
            if self.expected is None or not self.expected.search(complaint)
        ]
        assert not found, f"the browser complained: {found}"
        assert not self.strangers, f"other servers were asked: {self.strangers}"


class Show(Protocol):
    """
    What the `show` fixture gives.
    """

    def __call__(
        self,
        source: Source | None = None,
        *,
        path: str = "",
        width: int = 1280,
        scheme: Scheme = "light",
        signed_in: bool = True,
        url: str | None = None,
    ) -> Tab:
        """
        Show *source*, or what is served at *url*, in the tab that all tests of a module share.
        """
        ...


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """
    Give one browser to a whole module.
    """
    for name in ("uvicorn", "sse_starlette"):
        pytest.importorskip(name, reason="the page needs its extra: sessionstate[dashboard]")
    with started_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def stage(chromium: Browser) -> Iterator[tuple[Switch, str, Page]]:
    """
    Give one server and one tab to a whole module: to start them takes longer than most tests.
    """
    switch = Switch()
    with Serving(lambda: pretended(switch)) as serving:
        context = chromium.new_context()
        context.set_default_timeout(PATIENCE)
        yield switch, serving.page.url, context.new_page()
        context.close()


@pytest.fixture
def pretend() -> Pretend:
    """
    Give 250 sessions that are all right.
    """
    return Pretend()


@pytest.fixture
def show(stage: tuple[Switch, str, Page], pretend: Pretend) -> Iterator[Show]:
    """
    Give a function that shows a page, of which nothing may have been complained about in the end.
    """
    switch, home, page = stage
    tabs: list[Tab] = []

    def show(
        source: Source | None = None,
        *,
        path: str = "",
        width: int = 1280,
        scheme: Scheme = "light",
        signed_in: bool = True,
        url: str | None = None,
    ) -> Tab:
        switch.now = source or pretend
        tab = Tab(page, url or home)
        tabs.append(tab)
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)
        if not signed_in:
            page.context.clear_cookies()
        elif tab.signed_out:
            tab.sign_in()
        page.goto(tab.url + path)
        return tab

    yield show
    for tab in tabs:
        if page.url.startswith(tab.url):
            page.evaluate("localStorage.clear()")
            tab.leave()
    for tab in tabs:
        tab.check()
