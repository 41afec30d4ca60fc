"""
Listeners in more shapes: who emits, and what takes a listener back.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sessionstate.audit._listening import findings
from sessionstate.audit._settings import Settings
from tests.audit.small import found, project
from tests.audit.test_rule_ss004 import handler


def test_clean_up_registered_late(tmp_path: Path) -> None:
    """
    A clean-up that is registered after waiting for a client is missed if that never comes.
    """
    source = """
        async def page(client):
            await client.connected()
            client.on_delete(forget)

        async def other(client):
            await client.connected(timeout=30)
            client.on_delete(forget)

        async def early(client):
            client.on_delete(forget)
            await client.connected()
    """
    (one,) = findings(project(tmp_path, server=source))
    assert (one.code, one.line, one.exits[0].kind) == ("SS004b", 4, "event")


def test_settings_know_more_pairs(tmp_path: Path) -> None:
    """
    Words that the audit does not know are told by the settings.
    """
    source = """
        from events import radio

        async def handler(websocket):
            radio.tune_in("news", websocket.send)
            await websocket.wait_closed()

        async def careful(websocket):
            radio.tune_in("news", websocket.send)
            try:
                await websocket.wait_closed()
            finally:
                radio.tune_out("news", websocket.send)
    """
    settings = Settings(listener_pairs={"tune_in": "tune_out"})
    assert found(findings, tmp_path, source, settings) == ["SS004 radio"]
    assert found(findings, tmp_path, source) == []


@pytest.mark.parametrize(
    "source",
    [
        """
        async def handler(websocket, bus):
            bus.subscribe_to("news", websocket.send)
            await websocket.wait_closed()
        """,
        """
        bus = object()

        async def handler(websocket):
            bus.on("news", websocket.send)
            await websocket.wait_closed()
        """,
        """
        async def handler(request):
            request.app.bus.on("news", request.tell)
            request.app.bus.on("news", request.send)
            await request.end()
        """,
        """
        from homeassistant.helpers.event import async_track_state_change_event

        class Conversation:
            async def begin(self, hass):
                async_track_state_change_event(hass, ["light"], self.on_change)
        """,
        """
        import bus_of_all

        async def handler(websocket):
            bus_of_all.news_bus.on("news", websocket.send)
            await websocket.wait_closed()
        """,
        """
        class Follower:
            def __init__(self, session, bus):
                self.bus = bus

            def follow(self):
                self.bus.on("news", self.on_news)
        """,
        """
        from blinker import news_signal

        async def handler(websocket):
            news_signal.connect(websocket.send)
            await websocket.wait_closed()
        """,
    ],
)
def test_more_shapes(tmp_path: Path, source: str) -> None:
    """
    Emitters of the module, of the application, of arguments, and signals outlive the session.
    """
    assert len(found(findings, tmp_path, source)) == 1


def test_functions_of_a_module(tmp_path: Path) -> None:
    """
    A module of the project may be an emitter, with functions as its methods.
    """
    feeds = "def add_listener(kind, fn): ...\ndef remove_listener(kind, fn): ...\n"
    source = """
        import feeds

        async def handler(websocket):
            feeds.add_listener("trade", websocket.send)
            await websocket.wait_closed()
    """
    assert found(findings, tmp_path, source, feeds=feeds) == ["SS004 feeds"]


def test_function_within_a_handler(tmp_path: Path) -> None:
    """
    A function within a handler serves the same session.
    """
    source = """
        from events import bus

        async def handler(websocket):
            def listen(news):
                bus.on("news", lambda news: news.append(news))
                bus.on(news, partial(print, news))
            listen("news")
    """
    assert found(findings, tmp_path, source) == ["SS004 bus"]


def test_other_event_is_left(tmp_path: Path) -> None:
    """
    A removal by the name of another event leaves this one.
    """
    source = handler(
        'bus.on("news", websocket.send)',
        "try:",
        "    await websocket.wait_closed()",
        "finally:",
        '    bus.off("weather")',
    )
    assert found(findings, tmp_path, source) == ["SS004 bus"]


def test_partial_with_a_name(tmp_path: Path) -> None:
    """
    A partial that has a name can be taken back by it.
    """
    lines = ["hear = partial(send, websocket)", 'bus.on("news", hear)', "try:"]
    lines += ["    await websocket.wait_closed()", "finally:"]
    assert not list(
        findings(project(tmp_path, server=handler(*lines, '    bus.off("news", hear)')))
    )
    assert found(findings, tmp_path, handler(*lines, "    print()")) == ["SS004 bus"]


def test_handle_in_a_call_of_several_lines(tmp_path: Path) -> None:
    """
    A handle that something takes, in whatever way, is not dropped.
    """
    source = handler("assert bus.listen_to(websocket.send), bus.add_listener(websocket.send)")
    assert not list(findings(project(tmp_path, server=source)))


def test_handle_that_is_tested(tmp_path: Path) -> None:
    """
    Where the result is looked at, it may say that nothing was registered.
    """
    source = handler("if bus.add_listener(websocket.send):", "    await websocket.wait_closed()")
    assert not list(findings(project(tmp_path, server=source)))


def test_class_made_by_a_handler(tmp_path: Path) -> None:
    """
    Of a class that handlers make there is one for each session; of a manager there is one.
    """
    source = """
        from events import bus

        class Follower:
            def follow(self):
                bus.on("news", self.on_news)

            def on_news(self, news): ...

        class FollowManager:
            def follow(self):
                bus.on("news", self.on_news)

            def on_news(self, news): ...

        class Once:
            def follow(self):
                bus.on("news", self.on_news)

            def on_news(self, news): ...

        once = Once()

        async def handler(websocket):
            Follower().follow()
            FollowManager().follow()
    """
    (one,) = findings(project(tmp_path, server=source))
    assert one.line == 6


def test_connected_without_a_clean_up(tmp_path: Path) -> None:
    """
    Who waits for a client and registers nothing is not meant.
    """
    source = """
        async def page(client):
            await client.connected()
            client.show("hello")
    """
    assert not list(findings(project(tmp_path, server=source)))
