"""
A server of made-up data for each test of the view.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("httpx")
pytest.importorskip("starlette")
pytest.importorskip("textual")
pytest.importorskip("uvicorn")

from tests.top.made_up import MadeUp, serving


@pytest.fixture
def server() -> Iterator[MadeUp]:
    """
    Give a server of made-up data, with a dozen sessions.
    """
    with serving(12) as served:
        yield served


@pytest.fixture
def crowded() -> Iterator[MadeUp]:
    """
    Give a server of made-up data, with 250 sessions: three pages.
    """
    with serving(250) as served:
        yield served
