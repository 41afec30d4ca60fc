"""The page in a real browser: what it shows of each update."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.dashboard.pretend import Pretend

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.dashboard.browser import Show, Tab

sync_api = pytest.importorskip("playwright.sync_api", reason="a browser is driven by playwright")
expect = sync_api.expect

pytest_plugins = ["tests.dashboard.browser"]
pytestmark = pytest.mark.real_loop

STACK = ["hashlib.py:60 in scrypt", "app/login.py:31 in check", "app/server.py:120 in serve"]

CASES: list[tuple[dict[str, float | None], str, str]] = [
    ({"unbounded": 3}, "live", "3 never end"),
    ({"automatic_share": 0.8}, "share", "look at this"),
    ({"automatic_share": None}, "share", "none ended yet"),
    ({"orphans": None}, "orphans", "not counted yet"),
    ({"loop_delay": 0.3}, "loop", "slow"),
    ({"loop_delay": 2.0}, "loop", "look at this"),
    ({"stuck": 1}, "errors", "look at this"),
    ({"opened_per_minute": None}, "traffic", "not known yet"),
    ({"opened_per_minute": 200.0}, "traffic", "growing"),
    ({"closed_per_minute": 200.0}, "traffic", "shrinking"),
]


def tile(tab: Tab, name: str) -> Locator:
    """
    Return one of the figures on top.
    """
    return tab.page.locator(f"#tile-{name}")


def visible(tab: Tab, *, hidden: bool) -> None:
    """
    Let the page believe that its tab is hidden, or seen again.
    """
    tab.page.evaluate(
        """hidden => {
          Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


class TestTiles:
    def test_they_move(self, show: Show, pretend: Pretend) -> None:
        """
        Each update changes the figures on top.
        """
        tab = show()
        expect(tile(tab, "live")).to_contain_text("250")
        for orphans in (3, 4, 5):
            pretend.tiles["orphans"] = orphans
            pretend.tick()
            expect(tile(tab, "orphans").locator(".figure")).to_have_text(str(orphans))

    def test_each_has_a_word(self, show: Show) -> None:
        """
        What a colour says, a word beside it says too.
        """
        tab = show(Pretend(leaks=True))
        words = tab.page.locator("#tiles .status")
        expect(tile(tab, "memory").locator(".status")).to_have_text("shown, not judged")
        assert words.all_inner_texts() == [
            "ok",
            "in balance",
            "ok",
            "look at this",
            "shown, not judged",
            "ok",
            "look at this",
        ]

    def test_what_deserves_a_look(self, show: Show, pretend: Pretend) -> None:
        """
        A figure that is not as it should be says so; one that is not known yet is no alarm.
        """
        tab = show()
        for figures, name, word in CASES:
            pretend.tiles = figures
            pretend.tick()
            expect(tile(tab, name).locator(".status")).to_have_text(word)


class TestHeadline:
    def test_a_leak_is_named(self, show: Show) -> None:
        """
        The first sentence names what leaks, how fast, and since when.
        """
        tab = show(Pretend(leaks=True))
        title = tab.page.locator("#headline-title")
        expect(title).to_have_text(
            re.compile(
                r"tool_ids leaks: \+118 entries per 1000 requests since .*\(22 min\), and 1 more"
            )
        )
        expect(tab.page).to_have_title("(!) chat-server · sessionstate")

    def test_nothing_leaks(self, show: Show) -> None:
        """
        Without a leak the first sentence says so, and how sessions ended.
        """
        tab = show()
        expect(tab.page.locator("#headline-title")).to_contain_text("No leak known")
        expect(tab.page.locator("#headline-more")).to_contain_text("31 % by a limit")

    def test_news_are_said(self, show: Show, pretend: Pretend) -> None:
        """
        A screen reader is told when something begins to leak, and not at every update.
        """
        tab = show()
        said = tab.page.locator("#said")
        expect(tile(tab, "live")).to_contain_text("250")
        tab.page.evaluate("""() => {
          globalThis.spoken = [];
          new MutationObserver(() => spoken.push(document.getElementById("said").textContent))
            .observe(document.getElementById("said"),
              { childList: true, characterData: true, subtree: true });
        }""")
        for delay in (0.2, 0.3, 0.4):
            pretend.tiles["loop_delay"] = delay
            pretend.tick()
            expect(tile(tab, "loop")).to_contain_text(f"{delay * 1000:.0f} ms")
        assert tab.page.evaluate("spoken") == []
        pretend.leaks = True
        pretend.tick()
        expect(said).to_contain_text("tool_ids leaks")


class TestBanners:
    def test_blocked(self, show: Show, pretend: Pretend) -> None:
        """
        While the loop is blocked a banner says for how long and where, and goes when it answers.
        """
        tab = show()
        tab.expected = re.compile("503")  # the table asked, and was told
        pretend.blocked = {"seconds": 3.2, "stack": STACK}
        pretend.tick()
        banner = tab.page.locator("#banner-blocked")
        expect(banner).to_contain_text("The event loop has not answered for 3.2 s")
        assert banner.locator("li").all_inner_texts() == STACK
        expect(tile(tab, "loop").locator(".status")).to_have_text("blocked")
        expect(tab.page.locator("#said")).to_contain_text("The event loop does not answer.")
        pretend.blocked = None
        pretend.tick()
        expect(banner).to_be_hidden()

    def test_left(self, show: Show, pretend: Pretend) -> None:
        """
        A supervisor that was left is not taken for one that has nothing to do.
        """
        tab = show()
        pretend.running = False
        pretend.tick()
        expect(tab.page.locator("#banner-left")).to_contain_text("The supervisor was left")
        expect(tab.page.locator("#headline-title")).to_have_text("The supervisor was left")

    def test_hidden(self, show: Show, pretend: Pretend) -> None:
        """
        Nothing is asked for while nobody looks, and the newest is shown when somebody does.
        """
        tab = show()
        word = tab.page.locator("#connection-word")
        expect(word).to_have_text("live")
        visible(tab, hidden=True)
        expect(word).to_have_text("paused")
        pretend.tiles["orphans"] = 9
        pretend.tick()
        expect(tile(tab, "orphans").locator(".figure")).to_have_text("0")
        visible(tab, hidden=False)
        expect(word).to_have_text("live")
        expect(tile(tab, "orphans").locator(".figure")).to_have_text("9")


class TestCurves:
    def test_over_requests(self, show: Show, pretend: Pretend) -> None:
        """
        The curves run over time, and over requests when that is chosen; the caption tells both.
        """
        tab = show()
        said = tab.page.locator("#memory-said")
        expect(said).to_contain_text("now 1")
        tab.page.locator("#memory .u-over").hover()
        expect(said).to_contain_text(re.compile(r"\d{4}, \d\d:\d\d:\d\d: 1[78]\d MB"))
        tab.page.get_by_role("radio", name="over requests").click()
        tab.page.locator("#memory .u-over").hover()
        expect(said).to_contain_text(re.compile(r"^6,\d\d\d requests: 1[78]\d MB"))

    def test_they_grow(self, show: Show, pretend: Pretend) -> None:
        """
        An update adds its sample to the curves.
        """
        tab = show()
        expect(tab.page.locator("#live-said")).to_contain_text("0 orphans")
        sample = pretend.history[-1]
        pretend.tick(sample={**sample, "at": pretend.at + 1, "live": 4321, "orphans": None})
        expect(tab.page.locator("#live-said")).to_contain_text(
            "now 4,321 live, orphans not counted; highest 4,321 live"
        )


class TestReasons:
    def test_sums(self, show: Show, pretend: Pretend) -> None:
        """
        Each reason that occurred has its name, its number, its share, and what it means.
        """
        tab = show()
        idle = tab.page.locator("#reasons .sums tr", has_text="nobody used it")
        expect(idle).to_contain_text("idle")
        number = sum(minute["reasons"].get("idle", 0) for minute in pretend.minutes)
        expect(idle.locator("td").first).to_have_text(f"{number:,}")
        expect(tab.page.locator("#reasons .sums tr", has_text="memory ran short")).to_have_count(0)

    def test_as_text(self, show: Show, pretend: Pretend) -> None:
        """
        What the bars show can be read as a table, a row for each minute, the newest first.
        """
        tab = show()
        tab.page.get_by_text("Minute by minute, as a table").click()
        rows = tab.page.locator("#reasons .more tbody tr")
        expect(rows).to_have_count(60)
        newest = sum(pretend.minutes[-1]["reasons"].values())
        expect(rows.first.locator("td").first).to_have_text(str(newest))
        assert tab.page.locator("#reasons .bars g > g").count() == 60


class TestSuspects:
    def test_each(self, show: Show) -> None:
        """
        A suspect has its verdict, its slope with the interval, since when, and its curve.
        """
        tab = show(Pretend(leaks=True))
        first = tab.page.locator("#suspects li").first
        for words in (
            "leak tool_ids",
            "+118 entries / 1000 requests",
            "99 %: +113 to +123",
            "map, now 1,450 entries",
            "for 22 min",
        ):
            expect(first).to_contain_text(words)
        points = first.locator("polyline").get_attribute("points")
        assert points is not None
        assert len(points.split()) == 60
        expect(tab.page.locator("#suspects li").nth(2)).to_contain_text("99 %: at least \u22120.8")

    def test_counted(self, show: Show) -> None:
        """
        Maps and resources are counted, with how long ago, and what should be gone is named.
        """
        tab = show(Pretend(leaks=True))
        expect(tab.page.locator("#counted-ago")).to_have_text("Counted 12 s ago.")
        expect(tab.page.locator("#counted tr", has_text="tool_ids")).to_contain_text(
            "12, look at this"
        )

    def test_report(self, show: Show) -> None:
        """
        The whole report is one click away.
        """
        tab = show()
        tab.expected = re.compile("favicon.ico")  # the report has none
        tab.page.get_by_role("link", name="Full report").click()
        expect(tab.page.get_by_role("heading", name="The report")).to_be_visible()


class TestDeadlines:
    def test_overdue(self, show: Show, pretend: Pretend) -> None:
        """
        A deadline that has passed is called overdue; the others say in how long.
        """
        late = {"incarnation": 1, "id": "late", "seconds": -4.0, "reason": "idle"}
        soon = {"incarnation": 2, "id": "soon", "seconds": 190.0, "reason": "resource_failed"}
        tab = show()
        pretend.tick(deadlines=[late, soon])
        rows = tab.page.locator("#deadlines li")
        expect(rows).to_have_count(2)
        expect(rows.first).to_contain_text("overdue by 4 s")
        expect(rows.last).to_contain_text("in 3 min")
        expect(rows.last).to_contain_text("resource failed")
        assert rows.last.locator("time").get_attribute("title") == "190.0 s"


def test_nothing_yet(show: Show) -> None:
    """
    Before there is anything to show, every part says so in words.
    """
    tab = show(Pretend(size=0))
    page = tab.page
    expect(page.locator("#headline-title")).to_contain_text("nothing was measured")
    expect(page.locator("#headline-more")).to_have_text("No session ended yet.")
    expect(page.locator("#showing")).to_have_text("No session is live.")
    for hint in ("suspects", "reasons", "deadlines"):
        expect(page.locator(f"#{hint}-none")).to_be_visible()
    expect(page.locator("#counted-ago")).to_contain_text("Not counted yet")
    expect(tile(tab, "orphans").locator(".figure")).to_have_text("\u2013")
    text = page.locator("main").inner_text()
    assert not re.search(r"null|undefined|NaN|Infinity", text)
