"""The page in a real browser: lost connections, hostile ids, themes, and narrow screens."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import sessionstate.dashboard
from tests.dashboard.page_servers import TOKEN, Relay, Serving, pretended
from tests.dashboard.pretend import Pretend
from tests.dashboard.pretend_figures import suspects

if TYPE_CHECKING:
    from sessionstate.dashboard import DashboardPage
    from tests.dashboard.browser import Scheme, Show, Tab

sync_api = pytest.importorskip("playwright.sync_api", reason="a browser is driven by playwright")
expect = sync_api.expect

pytest_plugins = ["tests.dashboard.browser"]
pytestmark = pytest.mark.real_loop

STATIC = Path(sessionstate.dashboard.__file__).parent / "static"
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</a><script>alert(2)</script>",
    "javascript:alert(3)",
    '" onmouseover="alert(4)',
    "{{csrf}}",
    "\u202egnp.exe",
    "&lt;b&gt;",
    "x" * 400,
)
OVERFLOWS = "document.documentElement.scrollWidth > innerWidth"
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
DARK = "rgb(11, 15, 19)"
LIGHT = "rgb(243, 245, 247)"


def ready(tab: Tab) -> None:
    """
    Wait until the page shows its first update and its table.
    """
    expect(tab.page.locator("#connection-word")).to_have_text("live")
    expect(tab.page.locator("#showing")).not_to_have_text("Loading.")


class TestConnection:
    def test_it_recovers(self, show: Show, pretend: Pretend) -> None:
        """
        A lost connection is said, tried again, and made up for once it is back.
        """
        with Serving(lambda: pretended(pretend)) as serving:
            relay = Relay(serving)
            relay.mend()
            try:
                tab = show(url=relay.url)
                tab.expected = re.compile("ERR_")
                ready(tab)
                relay.cut()
                banner = tab.page.locator("#banner-lost")
                expect(banner).to_contain_text("Connection lost, trying again")
                expect(banner).to_contain_text("the server cannot be reached")
                expect(tab.page.locator("#connection-word")).to_have_text("connection lost")
                pretend.tiles["orphans"] = 7
                pretend.tick()
                relay.mend()
                expect(tab.page.locator("#tile-orphans .figure")).to_have_text("7")
                expect(banner).to_be_hidden()
                expect(tab.page.locator("#said")).to_contain_text("Connected again.")
                tab.leave()
            finally:
                relay.cut()

    def test_a_refusal_is_told(self, show: Show, pretend: Pretend) -> None:
        """
        A server that refuses one more stream is quoted.
        """
        tab = show()
        tab.expected = re.compile("503")
        said = "8 streams are open already"
        tab.page.route(
            "**/api/stream", lambda route: route.fulfill(status=503, json={"error": said})
        )
        tab.page.reload()
        expect(tab.page.locator("#banner-lost")).to_contain_text(said)
        tab.page.unroute("**/api/stream")
        expect(tab.page.locator("#banner-lost")).to_be_hidden()

    def test_signed_out(self, show: Show, pretend: Pretend) -> None:
        """
        Whose login ended is led to the form, and from there back.
        """
        tab = show()
        tab.expected = re.compile("401")
        ready(tab)
        tab.page.context.clear_cookies()
        tab.page.locator("#search").fill("chat")
        expect(tab.page).to_have_url(f"{tab.url}login")
        sign_in(tab)
        ready(tab)

    def test_sign_out(self, show: Show) -> None:
        """
        Signing out leads to the form, and the page is not shown any more.
        """
        tab = show()
        tab.page.get_by_role("button", name="Sign out").click()
        expect(tab.page).to_have_url(f"{tab.url}login")
        tab.page.goto(tab.url)
        expect(tab.page).to_have_url(f"{tab.url}login")

    def test_wherever_it_is_mounted(self, show: Show, pretend: Pretend) -> None:
        """
        The page works below any path, and shows no way out where it has no form.
        """
        with Serving(lambda: mounted(pretend)) as serving:
            tab = show(url=serving.page.url, signed_in=False)
            ready(tab)
            expect(tab.page.locator("#leave")).to_be_hidden()
            tab.page.locator("tbody tr a").first.click()
            expect(tab.page.locator("#detail .why")).not_to_have_text("Loading.")
            tab.leave()


def sign_in(tab: Tab) -> None:
    """
    Fill in the form.
    """
    tab.page.get_by_label("Token").fill(TOKEN)
    tab.page.get_by_role("button", name="Sign in").click()


@asynccontextmanager
async def mounted(source: Pretend) -> AsyncIterator[DashboardPage]:
    """
    Serve the page as a part of another app, far below its root.
    """
    from starlette.applications import Starlette
    from starlette.routing import Mount

    from sessionstate.dashboard import DashboardPage
    from sessionstate.dashboard._app import Built, build_app
    from sessionstate.dashboard._auth import AskingGate
    from sessionstate.dashboard._guard import Hosts
    from sessionstate.dashboard._serving import Address, ServerThread, listen

    inner = build_app(
        source,
        AskingGate(lambda request: True),
        title="Chats",
        allow_close=False,
        hosts=Hosts(()),
    )
    outer = Starlette(routes=[Mount("/admin/sessions", inner.app)])
    listener = await listen(Address.of("127.0.0.1", 0, None, ()))
    server = ServerThread(Built(outer, inner.streams), listener)
    try:
        await server.start()
        port = listener.getsockname()[1]
        yield DashboardPage(f"http://127.0.0.1:{port}/admin/sessions/", "")
    finally:
        await server.stop()


class TestHostile:
    def test_ids_are_text(self, show: Show) -> None:
        """
        Whatever an id, a name or a stack says is shown as it is, and never runs or loads anything.
        """
        source = Pretend(leaks=True, ids=HOSTILE)
        for row, text in zip(source.rows, HOSTILE, strict=False):
            row |= {"age": 1e6, "expires_in": 1.0, "group": text, "opened_where": text}
        source.details[1] = {
            "orphan": HOSTILE[0],
            "opened_by": list(HOSTILE),
            "events": [{"at": source.at, "what": HOSTILE[1]}],
            "resources": [
                {"kind": text, "name": text, "type": text, "size": 1, "pid": 1, "stack": [text]}
                for text in HOSTILE
            ],
        }
        source.changes = {
            "supervisor": HOSTILE[1],
            "suspects": [
                {**suspect, "name": text, "unit": text, "kind": text}
                for suspect, text in zip(suspects(source.at, leaks=True) * 2, HOSTILE, strict=True)
            ],
            "counted": [
                {"name": text, "kind": text, "entries": 1, "orphans": 1} for text in HOSTILE
            ],
            "reasons": dict.fromkeys(HOSTILE, 1),
            "minutes": [{"at": source.at, "reasons": dict.fromkeys(HOSTILE, 1)}],
            "blocked": {"seconds": 1.0, "stack": list(HOSTILE)},
        }
        tab = show(source, width=360)
        ready(tab)
        shown = tab.page.locator("#table tbody .id").all_inner_texts()
        assert sorted(shown[: len(HOSTILE)]) == sorted(HOSTILE)
        tab.page.goto(f"{tab.url}#session=1")
        expect(tab.page.locator("#detail-title")).to_have_text(HOSTILE[0])
        expect(tab.page.locator("#detail .tree > li")).to_have_count(len(HOSTILE))
        assert tab.page.locator("img, main script, dialog script, [onerror]").count() == 0
        assert tab.page.locator("a[href^=javascript]").count() == 0
        assert not tab.page.evaluate(OVERFLOWS)
        assert not tab.page.evaluate("detail.scrollWidth > detail.clientWidth")

    def test_nothing_is_parsed(self) -> None:
        """
        No script of the page makes HTML of text, runs text, or names another server.
        """
        scripts = [path for path in STATIC.glob("*.js") if not path.name.startswith("uPlot")]
        forbidden = re.compile(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function"
            r"|createContextualFragment|DOMParser|https?://(?!www\.w3\.org/2000/svg)"
        )
        assert len(scripts) > 10
        for path in scripts:
            text = path.read_text(encoding="utf-8")
            assert not forbidden.search(text), path.name
            assert text.count("\n") < 400, path.name

    def test_nothing_is_inline(self) -> None:
        """
        The page has no script, style or handler inside, so that its policy needs no exception.
        """
        html = (STATIC / "index.html").read_text(encoding="utf-8")
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", html)
        assert not re.search(r"(?:href|src|action)=\"(?:/|\w+:)", html)


class TestThemes:
    @pytest.mark.parametrize(("scheme", "colour"), [("dark", DARK), ("light", LIGHT)])
    def test_as_the_system(self, show: Show, scheme: Scheme, colour: str) -> None:
        """
        The page is as dark as the system unless it is told otherwise.
        """
        tab = show(scheme=scheme)
        assert tab.page.evaluate(BACKGROUND) == colour

    def test_it_is_kept(self, show: Show) -> None:
        """
        A theme that was chosen outlasts the page, whatever the system says.
        """
        tab = show(scheme="light")
        button = tab.page.get_by_role("button", name="Theme")
        button.click()
        expect(button).to_have_text("Theme: dark")
        assert tab.page.evaluate(BACKGROUND) == DARK
        tab.page.reload()
        assert tab.page.evaluate(BACKGROUND) == DARK
        button.click()
        expect(button).to_have_text("Theme: light")
        tab.page.emulate_media(color_scheme="dark")
        assert tab.page.evaluate(BACKGROUND) == LIGHT


@pytest.mark.parametrize("width", [320, 360, 768, 1024])
def test_it_fits(show: Show, width: int) -> None:
    """
    The page never scrolls sideways.
    """
    tab = show(Pretend(leaks=True), width=width)
    ready(tab)
    assert not tab.page.evaluate(OVERFLOWS)
    tab.page.get_by_text("Minute by minute").click()
    expect(tab.page.locator("#reasons .more tbody tr")).to_have_count(60)
    assert not tab.page.evaluate(OVERFLOWS)
