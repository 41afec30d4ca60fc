"""The table of sessions in a real browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.dashboard.pretend import Pretend

if TYPE_CHECKING:
    from tests.dashboard.browser import Show, Tab

sync_api = pytest.importorskip("playwright.sync_api", reason="a browser is driven by playwright")
expect = sync_api.expect

pytest_plugins = ["tests.dashboard.browser"]
pytestmark = pytest.mark.real_loop

FOCUSED = "document.activeElement.closest('tr')?.dataset.incarnation"


def shown(tab: Tab) -> list[str]:
    """
    Return the ids in the table, from above.
    """
    return tab.page.locator("#table tbody .id").all_inner_texts()


def by_age(source: Pretend) -> list[str]:
    """
    Return the ids of all sessions, the oldest first.
    """
    return [row["id"] for row in sorted(source.rows, key=lambda row: -row["age"])]


class TestOrder:
    def test_sorts(self, show: Show, pretend: Pretend) -> None:
        """
        A click on a heading sorts by it, another one turns the order, and both are announced.
        """
        tab = show()
        age = tab.page.get_by_role("columnheader", name="Age")
        expect(age).to_have_attribute("aria-sort", "descending")
        expect(tab.page.locator("#table tbody tr")).to_have_count(100)
        assert shown(tab) == by_age(pretend)[:100]
        age.get_by_role("button").click()
        expect(age).to_have_attribute("aria-sort", "ascending")
        expect(tab.page.locator("#table tbody .id").first).to_have_text(by_age(pretend)[-1])
        assert shown(tab) == by_age(pretend)[::-1][:100]
        deadline = tab.page.get_by_role("columnheader", name="Deadline")
        deadline.get_by_role("button").press("Enter")
        expect(deadline).to_have_attribute("aria-sort", "ascending")
        expect(age).to_have_attribute("aria-sort", "none")
        expect(tab.page.locator("#table tbody tr").first).to_contain_text("overdue")
        assert (
            tab.page.get_by_role("columnheader", name="Holders").get_attribute("aria-sort") is None
        )

    def test_each_column(self, show: Show, pretend: Pretend) -> None:
        """
        Every order that the server knows has a heading.
        """
        tab = show()
        for title in ("Idle", "Deadline", "Entries", "Resources", "Weight", "Age"):
            head = tab.page.locator("#table").get_by_role("columnheader", name=title)
            head.get_by_role("button").click()
            expect(head).to_have_attribute("aria-sort", re.compile("ending"))
            expect(tab.page.locator("#table table")).not_to_have_attribute("aria-busy", "")
        assert {query.sort for query in pretend.asked} == {
            "age",
            "idle",
            "deadline",
            "entries",
            "resources",
            "weight",
        }


class TestSearch:
    def test_while_it_is_typed(self, show: Show, pretend: Pretend) -> None:
        """
        What is typed is searched for once it rests, and what was found is told.
        """
        tab = show()
        expect(tab.page.locator("#showing")).to_have_text("Showing 1 to 100 of 250 live sessions.")
        tab.page.get_by_role("searchbox").press_sequentially("chat-00017", delay=5)
        expect(tab.page.locator("#table tbody tr")).to_have_count(1)
        words = "Showing 1 to 1 of 1 that match, of 250 live sessions."
        expect(tab.page.locator("#showing")).to_have_text(words)
        expect(tab.page.locator("#said")).to_contain_text(words)
        assert [query.search for query in pretend.asked if query.search] == ["chat-00017"]

    def test_nothing_found(self, show: Show) -> None:
        """
        A search that finds nothing says so.
        """
        tab = show()
        tab.page.get_by_role("searchbox").fill("nobody")
        expect(tab.page.locator("#showing")).to_have_text("None of 250 live sessions matches.")
        expect(tab.page.locator("#table table")).to_be_hidden()

    def test_state(self, show: Show, pretend: Pretend) -> None:
        """
        The table can be narrowed down to sessions of one state.
        """
        tab = show()
        tab.page.get_by_label("State").select_option("closing")
        closing = [row["id"] for row in pretend.rows if row["state"] == "closing"]
        expect(tab.page.locator("#table tbody tr")).to_have_count(len(closing))
        assert set(shown(tab)) == set(closing)


class TestPages:
    def test_leafing(self, show: Show, pretend: Pretend) -> None:
        """
        Pages are leafed through by buttons, which keep the focus at either end.
        """
        tab = show()
        place = tab.page.locator(".place")
        expect(place).to_have_text("Page 1 of 3")
        following = tab.page.get_by_role("button", name="Next")
        following.click()
        expect(place).to_have_text("Page 2 of 3")
        assert shown(tab) == by_age(pretend)[100:200]
        following.click()
        expect(place).to_have_text("Page 3 of 3")
        expect(tab.page.locator("#table tbody tr")).to_have_count(50)
        expect(following).to_have_attribute("aria-disabled", "true")
        expect(following).to_be_focused()
        tab.page.get_by_role("button", name="First").click()
        expect(place).to_have_text("Page 1 of 3")

    def test_a_page_that_is_gone(self, show: Show, pretend: Pretend) -> None:
        """
        When the last page empties, the one before it is shown.
        """
        tab = show()
        tab.page.get_by_role("button", name="Last").click()
        expect(tab.page.locator(".place")).to_have_text("Page 3 of 3")
        pretend.gone.update(range(1, 151))
        pretend.tick()
        expect(tab.page.locator(".place")).to_have_text("Page 1 of 1")
        expect(tab.page.locator("#pager")).to_be_hidden()

    def test_a_hundred_thousand(self, show: Show) -> None:
        """
        With 100,000 sessions the page holds a hundred, and the last ones are one click away.
        """
        tab = show(Pretend(size=100_000))
        expect(tab.page.locator(".place")).to_have_text("Page 1 of 1,000")
        assert tab.page.locator("#table tbody tr").count() == 100
        tab.page.get_by_role("button", name="Last").click()
        expect(tab.page.locator(".place")).to_have_text("Page 1,000 of 1,000")
        assert tab.page.locator("#table tbody tr").count() == 100


class TestRefresh:
    def test_focus_and_scroll_stay(self, show: Show, pretend: Pretend) -> None:
        """
        An update moves, adds and removes rows around the one that has the focus.
        """
        tab = show()
        link = tab.page.locator("#table tbody tr").nth(5).locator("a")
        expect(link).to_be_visible()
        link.focus()
        focused = tab.page.evaluate(FOCUSED)
        before = tab.page.evaluate("scrollY")
        oldest = sorted(pretend.rows, key=lambda row: -row["age"])
        oldest[60]["age"] = 2e6
        oldest[3]["age"] = 1.0
        oldest[8]["age"] = 3e6
        pretend.gone.add(oldest[4]["incarnation"])
        pretend.tick()
        expect(tab.page.locator("#table tbody .id").first).to_have_text(oldest[8]["id"])
        live = [name for name in by_age(pretend) if name != oldest[4]["id"]]
        assert shown(tab) == live[:100]
        assert tab.page.evaluate(FOCUSED) == focused
        assert tab.page.evaluate("scrollY") == before

    def test_the_focus_is_handed_on(self, show: Show, pretend: Pretend) -> None:
        """
        When the row that has the focus goes, its successor has it.
        """
        tab = show()
        rows = tab.page.locator("#table tbody tr")
        expect(rows).to_have_count(100)
        names = shown(tab)
        rows.nth(5).locator("a").focus()
        pretend.gone.add(int(tab.page.evaluate(FOCUSED)))
        pretend.tick()
        expect(rows.nth(5).locator(".id")).to_have_text(names[6])
        expect(rows.nth(5).locator("a")).to_be_focused()

    def test_a_selection_stays(self, show: Show, pretend: Pretend) -> None:
        """
        While something in the table is selected, its rows keep their places.
        """
        tab = show()
        rows = tab.page.locator("#table tbody tr")
        expect(rows).to_have_count(100)
        names = shown(tab)
        rows.nth(2).locator(".id").select_text()
        oldest = sorted(pretend.rows, key=lambda row: -row["age"])
        oldest[60]["age"] = 2e6
        oldest[0]["entries"] = 4711
        pretend.tick()
        expect(rows.first.locator("[data-title=Entries]")).to_have_text("4,711")
        assert shown(tab) == names
        assert tab.page.evaluate("getSelection().toString()") == names[2]
        tab.page.evaluate("getSelection().removeAllRanges()")
        pretend.tick()
        expect(rows.first.locator(".id")).to_have_text(oldest[60]["id"])

    def test_nodes_are_kept(self, show: Show, pretend: Pretend) -> None:
        """
        An update that changes nothing but times makes no new node.
        """
        tab = show()
        expect(tab.page.locator("#table tbody tr")).to_have_count(100)
        tab.page.evaluate("""() => {
          globalThis.made = [];
          new MutationObserver((all) => {
            for (const one of all) {
              const fresh = [...one.addedNodes].filter((node) => node.nodeType === 1);
              made.push(...fresh.map((node) => node.className || node.tagName));
            }
          }).observe(document.querySelector("main"), { childList: true, subtree: true });
        }""")
        asked = len(pretend.asked)
        oldest = max(pretend.rows, key=lambda row: row["age"])
        oldest["entries"] = 4711
        pretend.tick()
        first = tab.page.locator("#table tbody tr").first
        expect(first.locator("[data-title=Entries]")).to_have_text("4,711")
        assert len(pretend.asked) > asked
        assert tab.page.evaluate("made") == []

    def test_not_up_to_date(self, show: Show, pretend: Pretend) -> None:
        """
        While the loop is blocked the table stays, and says that it is old.
        """
        tab = show()
        tab.expected = re.compile("503")
        expect(tab.page.locator("#table tbody tr")).to_have_count(100)
        pretend.blocked = {"seconds": 4.0, "stack": []}
        pretend.tick()
        expect(tab.page.locator("#showing")).to_have_text(
            "Not up to date: the event loop has not answered for 4.0 s."
        )
        assert len(shown(tab)) == 100
