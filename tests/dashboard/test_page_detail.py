"""One session in the panel over the page, in a real browser."""

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


def opened(tab: Tab) -> None:
    """
    Wait until the panel shows a session.
    """
    expect(tab.page.locator("#detail .facts")).to_be_visible()


class TestOpening:
    def test_by_click(self, show: Show) -> None:
        """
        A click anywhere in a row opens its session, and the address says which.
        """
        tab = show()
        row = tab.page.locator("#table tbody tr").nth(3)
        row.locator("[data-title=Age]").click()
        opened(tab)
        expect(tab.page.locator("#detail-title")).to_have_text(row.locator(".id").inner_text())
        number = row.get_attribute("data-incarnation")
        expect(tab.page).to_have_url(f"{tab.url}#session={number}")

    def test_by_keyboard(self, show: Show) -> None:
        """
        Enter opens the session that has the focus, Escape closes it, and the focus returns.
        """
        tab = show()
        link = tab.page.locator("#table tbody tr a").nth(2)
        link.press("Enter")
        opened(tab)
        expect(tab.page.locator("#detail-title")).to_be_focused()
        tab.page.keyboard.press("Escape")
        expect(tab.page.locator("#detail")).to_be_hidden()
        expect(tab.page).to_have_url(tab.url)
        expect(link).to_be_focused()

    def test_by_address(self, show: Show, pretend: Pretend) -> None:
        """
        An address with a session opens it, and going back closes it.
        """
        tab = show()
        tab.page.goto(f"{tab.url}#session=17")
        opened(tab)
        expect(tab.page.locator("#detail-title")).to_have_text(pretend.rows[16]["id"])
        tab.page.reload()
        opened(tab)
        tab.page.get_by_role("button", name="Back").click()
        expect(tab.page.locator("#detail")).to_be_hidden()

    def test_none_such(self, show: Show) -> None:
        """
        A session that does not exist is said to be gone.
        """
        tab = show(path="#session=99999")
        tab.expected = re.compile("404")
        expect(tab.page.locator("#detail .why")).to_contain_text("There is no such session")
        expect(tab.page.get_by_role("button", name="Close this session")).to_be_hidden()

    def test_no_session_at_all(self, show: Show) -> None:
        """
        An address that names no session opens nothing.
        """
        tab = show(path="#session=x1")
        expect(tab.page.locator("#connection-word")).to_have_text("live")
        expect(tab.page.locator("#detail")).to_be_hidden()


class TestContent:
    @pytest.mark.parametrize(
        ("facts", "words"),
        [
            ({"state": "idle", "holders": []}, "Nobody is inside; it ends in 15 min, as idle"),
            ({"expires_in": -8.0}, "it was to end 8 s ago"),
            ({"expires_in": None, "reason": None}, "it has no deadline"),
            ({"orphan": "its task is done"}, "It should be gone: its task is done."),
            ({"state": "closing", "reason": "deleted"}, "It is ending, as deleted"),
            ({"state": "closed", "reason": "idle"}, "It ended, as idle (nobody used it"),
        ],
    )
    def test_why_it_is_there(
        self, show: Show, pretend: Pretend, facts: dict[str, object], words: str
    ) -> None:
        """
        The first sentence tells why the session is still there.
        """
        pretend.details[3] = {"state": "idle", "reason": "idle", "expires_in": 900.0} | facts
        tab = show(path="#session=3")
        expect(tab.page.locator("#detail .why")).to_contain_text(words)

    def test_the_tree(self, show: Show) -> None:
        """
        What a session owns is a tree by kind, opened and shut by keyboard; a task has its stack.
        """
        tab = show(path="#session=4")
        kinds = tab.page.locator("#detail .tree > li > details > summary")
        expect(kinds).to_have_count(5)
        assert kinds.all_inner_texts() == [
            "values in maps and variables 3",
            "task 2",
            "context 1",
            "process 1",
            "callback 1",
        ]
        slots = tab.page.locator("#detail .tree > li").first
        expect(slots).to_contain_text("transcripts list, 7.87 kB")
        kinds.first.press("Enter")
        expect(slots.get_by_text("transcripts")).to_be_hidden()
        pump = tab.page.locator("#detail .tree details details", has_text="pump")
        expect(pump.get_by_text("app/chat.py:77 in pump")).to_be_hidden()
        pump.locator("summary").press("Enter")
        expect(pump.get_by_text("app/chat.py:77 in pump")).to_be_visible()
        expect(tab.page.locator("#detail .tree")).to_contain_text("pid 40172")

    def test_updates_leave_it_open(self, show: Show, pretend: Pretend) -> None:
        """
        An update changes what is shown, and opens or shuts nothing.
        """
        tab = show(path="#session=4")
        opened(tab)
        pump = tab.page.locator("#detail .tree details details", has_text="pump")
        pump.locator("summary").press("Enter")
        pretend.details[4] = {"group": "somebody else"}
        pretend.tick()
        expect(tab.page.locator("#detail .facts")).to_contain_text("somebody else")
        expect(pump.get_by_text("app/chat.py:77 in pump")).to_be_visible()
        expect(pump.locator("summary")).to_be_focused()

    def test_a_thousand_resources(self, show: Show, pretend: Pretend) -> None:
        """
        A long list is shut at first, and what is not shown is counted.
        """
        one: dict[str, object] = {
            "kind": "callback",
            "type": None,
            "size": None,
            "pid": None,
            "stack": [],
        }
        pretend.details[4] = {
            "resources": [{**one, "name": f"callback {number}"} for number in range(1000)],
            "more_resources": 234,
        }
        tab = show(path="#session=4")
        tree = tab.page.locator("#detail .tree")
        expect(tree.locator("summary")).to_have_text("callback 1,000")
        assert tree.locator("li li").count() == 0
        tree.locator("summary").click()
        expect(tree.locator("li li")).to_have_count(1000)
        expect(tab.page.get_by_text("and 234 others, which are not shown")).to_be_visible()

    def test_relatives(self, show: Show, pretend: Pretend) -> None:
        """
        Parent and children are links to their own panels.
        """
        tab = show(path="#session=4")
        family = tab.page.locator("#detail section", has_text="Parent and children")
        expect(family.locator("li")).to_have_count(3)
        family.locator("a").last.click()
        expect(tab.page.locator("#detail-title")).to_have_text(pretend.rows[5]["id"])
        expect(tab.page.locator("#detail-title")).to_be_focused()
        tab.page.go_back()
        expect(tab.page.locator("#detail-title")).to_have_text(pretend.rows[3]["id"])

    def test_it_ends_meanwhile(self, show: Show, pretend: Pretend) -> None:
        """
        A session that ends while it is looked at stays, and is said to have ended.
        """
        tab = show(path="#session=4")
        tab.expected = re.compile("404")
        opened(tab)
        pretend.gone.add(4)
        pretend.tick()
        expect(tab.page.locator("#detail")).to_contain_text("It has ended. What is below is how it")
        expect(tab.page.locator("#detail .facts")).to_be_visible()
        expect(tab.page.get_by_role("button", name="Close this session")).to_be_hidden()

    def test_blocked_meanwhile(self, show: Show, pretend: Pretend) -> None:
        """
        What cannot be asked for while the loop is blocked is said to be old.
        """
        tab = show(path="#session=4")
        tab.expected = re.compile("503")
        opened(tab)
        pretend.blocked = {"seconds": 4.0, "stack": []}
        pretend.tick()
        expect(tab.page.locator("#detail")).to_contain_text(
            "Not up to date: the event loop has not"
        )


class TestClosing:
    def test_only_where_it_is_allowed(self, show: Show, pretend: Pretend) -> None:
        """
        There is no button where sessions may not be closed.
        """
        pretend.allow_close = False
        tab = show(path="#session=4")
        opened(tab)
        expect(tab.page.locator("#connection-word")).to_have_text("live")
        expect(tab.page.get_by_role("button", name="Close this session")).to_be_hidden()

    def test_it_asks_first(self, show: Show, pretend: Pretend) -> None:
        """
        Nothing is closed before the question is answered, and a no leaves all as it was.
        """
        tab = show(path="#session=4")
        begin = tab.page.get_by_role("button", name="Close this session")
        begin.press("Enter")
        no = tab.page.get_by_role("button", name="Keep it")
        expect(no).to_be_focused()
        expect(tab.page.get_by_text("This cannot be undone")).to_be_visible()
        no.press("Enter")
        expect(begin).to_be_focused()
        assert pretend.closed == []

    def test_it_closes(self, show: Show, pretend: Pretend) -> None:
        """
        A yes closes the session, which is said where a screen reader hears it.
        """
        tab = show(path="#session=4")
        tab.expected = re.compile("404")
        tab.page.get_by_role("button", name="Close this session").click()
        tab.page.get_by_role("button", name="Yes, close it").click()
        outcome = tab.page.locator("#detail [aria-live=polite]")
        expect(outcome).to_have_text("Closed: its end is decided, and its clean-up runs.")
        assert [number for number, _ in pretend.closed] == [4]
        expect(tab.page.get_by_role("button", name="Close this session")).to_be_hidden()

    def test_it_was_over(self, show: Show, pretend: Pretend) -> None:
        """
        Who closes what has ended meanwhile is told so.
        """
        tab = show(path="#session=4")
        tab.expected = re.compile("404")
        tab.page.get_by_role("button", name="Close this session").click()
        pretend.closable = False
        tab.page.get_by_role("button", name="Yes, close it").click()
        expect(tab.page.locator("#detail .outcome")).to_have_text(
            "It had ended already, or was about to."
        )

    def test_it_was_refused(self, show: Show, pretend: Pretend) -> None:
        """
        What a server answers that refuses to close is told.
        """
        tab = show(path="#session=4")
        tab.expected = re.compile("403")
        opened(tab)
        tab.page.evaluate("document.querySelector('meta[name=csrf-token]').content = 'wrong'")
        tab.page.get_by_role("button", name="Close this session").click()
        tab.page.get_by_role("button", name="Yes, close it").click()
        expect(tab.page.locator("#detail .outcome")).to_contain_text("It was not closed: ")
        assert pretend.closed == []
