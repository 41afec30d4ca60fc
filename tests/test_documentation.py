"""
Every Python block of the README and of docs/ runs, in virtual time where that can be had.

The blocks of one page share a namespace and run in order. A ``text`` block straight after one is
what it prints. A block inside an HTML comment prepares what the reader need not see.
"""

import ast
import asyncio
import contextlib
import inspect
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import sessionstate
from sessionstate import audit, dashboard, observability, testing
from sessionstate.testing import VirtualClock

ROOT = Path(__file__).parent.parent
PAGES = sorted(str(page.relative_to(ROOT)) for page in ROOT.glob("docs/**/*.md"))
PAGES = ["README.md", *(page for page in PAGES if "_build" not in page)]
PAGES += sorted(str(page.relative_to(ROOT)) for page in ROOT.glob("sessionstate/audit/rules/*.md"))
NEEDED = {
    "aiohttp.md": ("aiohttp",),
    "live-page.md": ("fastapi", "httpx", "sse_starlette", "uvicorn"),
    "fastapi.md": ("fastapi", "httpx", "uvicorn", "websockets"),
    "monitoring.md": ("opentelemetry.sdk", "prometheus_client"),
    "tutorial.md": ("sse_starlette", "uvicorn"),
    "servers.md": ("uvicorn",),
}
"""What the blocks of some pages import that only an extra brings."""

FENCE = re.compile(
    r"^```python\n(?P<code>.*?)^```$(?:\n+^```text\n(?P<shown>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """
    One block of code, where it begins, and what it says that it prints.
    """

    line: int
    code: str
    shown: str | None


def blocks(page: str) -> Iterator[Block]:
    """
    Yield the Python blocks of *page*, in order.
    """
    text = (ROOT / page).read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start("code")) + 1
        yield Block(line, match["code"], match["shown"])


def execute(runner: asyncio.Runner, block: Block, page: str, names: dict[str, Any]) -> str:
    """
    Run *block* in *names*, on the runner's loop where it awaits, and return what it printed.
    """
    printed = io.StringIO()
    # The empty lines put the page's own line numbers into a traceback.
    source = "\n" * (block.line - 1) + block.code
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile(source, str(ROOT / page), "exec", flags=flags, dont_inherit=True)
    with contextlib.redirect_stdout(printed):
        running = eval(code, names)  # noqa: S307 - it is our own documentation
        if inspect.iscoroutine(running):
            runner.run(running)
    return printed.getvalue()


@pytest.mark.parametrize("page", [page for page in PAGES if any(blocks(page))])
def test_code_of_a_page_runs_and_prints_what_it_shows(
    page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A reader who pastes the blocks of a page one after the other sees what the page shows.
    """
    for module in NEEDED.get(Path(page).name, ()):
        pytest.importorskip(module)
    # On Windows only the Proactor loop starts processes, and it has no virtual time.
    real = sys.platform == "win32" and Path(page).name == "processes.md"
    for module in () if real else (asyncio, sessionstate):
        monkeypatch.setattr(module, "run", lambda main: VirtualClock().run(main))
    names: dict[str, Any] = {"__name__": "__main__"}
    factory = None if real else VirtualClock().new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        for block in blocks(page):
            printed = execute(runner, block, page, names)
            if block.shown is not None:
                assert printed == block.shown, f"{page}:{block.line} prints something else"


def test_readme_shows_code_by_its_fifteenth_line() -> None:
    """
    Who opens the README sees code, and right below it what the code prints.
    """
    first = next(blocks("README.md"))
    assert first.line <= 15
    assert first.shown


def test_readme_commands_are_the_ones_that_are_checked() -> None:
    """
    The check before every change runs the README's test command as the README writes it.
    """
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    commands = [line for line in readme if line.startswith("python3 -m pip install nox && ")]
    assert [command.split()[-1] for command in commands] == ["demo", "tests"]
    assert commands[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_every_server_shown_has_a_stall_timeout() -> None:
    """
    No page teaches a server that a client on a half-open socket could hold for ever.
    """
    for page in PAGES:
        for block in blocks(page):
            if "async for" in block.code or "start_server" in block.code:
                assert "stall_timeout=" in block.code, f"{page}:{block.line}"


def test_every_public_name_is_in_the_reference() -> None:
    """
    What can be imported can be looked up.
    """
    otel, prometheus = (
        pytest.importorskip(f"sessionstate.observability.{name}", exc_type=ImportError)
        for name in ("otel", "prometheus")
    )
    reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    described = set(re.findall(r"^\.\. auto\w+:: (\w+)$", reference, re.MULTILINE))
    faces = (sessionstate, testing, audit, observability, otel, prometheus, dashboard)
    public = {name for face in faces for name in face.__all__}
    assert described == public - {"Redact"}  # which is told of in words
