"""The page for whoever has no mouse, sees no colour, or hears it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.dashboard.pretend import Pretend

if TYPE_CHECKING:
    from tests.dashboard.browser import Scheme, Show, Tab

sync_api = pytest.importorskip("playwright.sync_api", reason="a browser is driven by playwright")
expect = sync_api.expect

pytest_plugins = ["tests.dashboard.browser"]
pytestmark = pytest.mark.real_loop

AXE = "axe-core@4"
RULES = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.map(({ id, help, nodes }) =>
    `${id}: ${help}: ${nodes.slice(0, 3).map((node) => node.target.join(" ")).join(", ")}`);
}"""


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """
    Give the rules that pages are checked by, from the registry of npm.
    """
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("axe-core comes from npm, which is not installed")
    folder = tmp_path_factory.mktemp("axe")
    try:
        done = subprocess.run(
            [npm, "pack", "--silent", AXE],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"axe-core could not be had from npm: {error}")
    with tarfile.open(folder / done.stdout.split()[-1]) as archive:
        file = archive.extractfile("package/axe.min.js")
        assert file is not None
        return file.read().decode()


def ready(tab: Tab) -> None:
    """
    Wait until the page shows its first update and its table.
    """
    expect(tab.page.locator("#connection-word")).to_have_text("live")
    expect(tab.page.locator("#table tbody tr").first).to_be_attached()


def check(tab: Tab, axe: str) -> None:
    """
    Fail if a rule is broken.
    """
    tab.page.evaluate(axe)
    assert tab.page.evaluate(RULES) == []


class TestRules:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("width", [1280, 360])
    def test_the_page(self, show: Show, axe: str, scheme: Scheme, width: int) -> None:
        """
        The page breaks no rule, in either theme and on a phone, with an alarm and all tables open.
        """
        source = Pretend(leaks=True)
        tab = show(source, scheme=scheme, width=width)
        tab.expected = re.compile("503")
        ready(tab)
        tab.page.get_by_text("Minute by minute").click()
        source.blocked = {"seconds": 3.2, "stack": ["app/login.py:31 in check"]}
        source.tick()
        expect(tab.page.locator("#banner-blocked")).to_be_visible()
        check(tab, axe)

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_one_session(self, show: Show, axe: str, scheme: Scheme) -> None:
        """
        The panel of a session breaks no rule, with its question open.
        """
        tab = show(scheme=scheme, path="#session=4")
        tab.page.get_by_role("button", name="Close this session").click()
        for summary in tab.page.locator("#detail details details summary").all():
            summary.click()
        check(tab, axe)

    def test_nothing_yet(self, show: Show, axe: str) -> None:
        """
        The page breaks no rule while it is empty.
        """
        tab = show(Pretend(size=0))
        expect(tab.page.locator("#showing")).to_have_text("No session is live.")
        check(tab, axe)

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_the_form(self, show: Show, axe: str, scheme: Scheme) -> None:
        """
        The form for the token breaks no rule, and neither does its answer to a wrong one.
        """
        tab = show(signed_in=False, scheme=scheme, width=360)
        tab.expected = re.compile("401")
        check(tab, axe)
        tab.page.get_by_label("Token").fill("wrong")
        tab.page.keyboard.press("Enter")
        expect(tab.page.get_by_role("alert")).to_have_text("The token is wrong.")
        check(tab, axe)
        assert not tab.page.evaluate("document.documentElement.scrollWidth > innerWidth")


class TestKeyboard:
    def test_skipping(self, show: Show) -> None:
        """
        The first thing that Tab reaches skips to the figures, the second to the sessions.
        """
        tab = show()
        ready(tab)
        tab.page.keyboard.press("Tab")
        first = tab.page.get_by_role("link", name="Skip to the figures")
        expect(first).to_be_focused()
        expect(first).to_be_in_viewport()
        tab.page.keyboard.press("Tab")
        tab.page.keyboard.press("Enter")
        expect(tab.page.locator("#sessions")).to_be_focused()
        expect(tab.page.locator("#sessions-title")).to_be_in_viewport()

    def test_the_focus_is_seen(self, show: Show) -> None:
        """
        Whatever Tab reaches shows that it has the focus.
        """
        tab = show()
        ready(tab)
        outlines: set[str] = set()
        for _ in range(24):
            tab.page.keyboard.press("Tab")
            outlines.add(
                tab.page.evaluate("""() => {
                  const node = document.activeElement;
                  const shown = node.matches("input[type=radio]") ? node.parentElement : node;
                  return getComputedStyle(shown).outlineStyle;
                }""")
            )
        assert outlines == {"solid"}


class TestWords:
    def test_parts_have_names(self, show: Show) -> None:
        """
        A screen reader finds the parts of the page by their names, and its headings in order.
        """
        tab = show()
        ready(tab)
        for name in (
            "Figures",
            "Memory and sessions",
            "What may leak",
            "Why sessions end",
            "Next deadlines",
            "Maps and resources",
            "Sessions",
        ):
            region = tab.page.get_by_role("region", name=name, exact=True)
            expect(region.first).to_be_visible()
        levels = tab.page.evaluate(
            "[...document.querySelectorAll('h1, h2, h3')].map((node) => Number(node.tagName[1]))"
        )
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))

    def test_drawings_have_words(self, show: Show) -> None:
        """
        Whatever is drawn says in words what it shows.
        """
        tab = show(Pretend(leaks=True))
        ready(tab)
        bars = tab.page.get_by_role("img", name=re.compile("^Ends in the last hour: .* completed"))
        expect(bars).to_be_visible()
        curve = tab.page.get_by_role("img", name=re.compile("88: from 182 to 241"))
        expect(curve).to_be_visible()
        memory = tab.page.get_by_role("figure", name=re.compile(r"^Memory \(RSS\) now \d+ MB"))
        expect(memory).to_be_visible()

    def test_no_motion(self, show: Show) -> None:
        """
        Who wants no motion gets none.
        """
        tab = show()
        tab.page.emulate_media(reduced_motion="reduce")
        moving = tab.page.evaluate("""[...document.querySelectorAll("*")].filter((node) => {
          const style = getComputedStyle(node);
          return style.animationName !== "none" || style.transitionDuration !== "0s";
        }).length""")
        tab.page.emulate_media(reduced_motion="no-preference")
        assert moving == 0


@pytest.mark.skipif(
    "SESSIONSTATE_SCREENSHOTS" not in os.environ, reason="set SESSIONSTATE_SCREENSHOTS to have them"
)
class TestPictures:
    FOLDER = Path(__file__).parents[2] / "docs" / "images"

    @pytest.mark.parametrize(
        ("name", "scheme", "width", "path"),
        [
            ("dashboard-light", "light", 1280, ""),
            ("dashboard-dark", "dark", 1280, ""),
            ("dashboard-phone", "dark", 360, ""),
            ("dashboard-session", "light", 1280, "#session=4"),
        ],
    )
    def test_taken(self, show: Show, name: str, scheme: Scheme, width: int, path: str) -> None:
        """
        The pictures of the documentation are what the page looks like, and small.
        """
        tab = show(Pretend(leaks=True), scheme=scheme, width=width, path=path)
        ready(tab)
        tab.page.set_viewport_size({"width": width, "height": 740})
        if path:
            expect(tab.page.locator("#detail .facts")).to_be_visible()
        self.FOLDER.mkdir(exist_ok=True)
        picture = tab.page.screenshot(path=self.FOLDER / f"{name}.png")
        assert len(picture) < 150_000
