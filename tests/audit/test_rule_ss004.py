"""
A listener outlives the session that it serves.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sessionstate.audit._findings import Severity
from sessionstate.audit._listening import findings
from tests.audit.small import doubted, found, project

HANDLER = """
    from functools import partial
    from events import bus

    async def handler(websocket):
        {0}
"""


def handler(*lines: str) -> str:
    """
    Return a handler of a connection with these lines.
    """
    return HANDLER.format("\n        ".join(lines))


class TestInOneFunction:
    @pytest.mark.parametrize(
        "line",
        [
            'bus.on("news", lambda news: websocket.send(news))',
            'bus.subscribe("news", partial(send, websocket))',
            'bus.add_listener("news", websocket.send)',
            "bus.add_news_callback(handler=websocket.send_json)",
            'unsubscribe = bus.subscribe("news", partial(send, websocket))',
        ],
    )
    def test_nothing_takes_it_back(self, tmp_path: Path, line: str) -> None:
        """
        A handler that refers to the connection keeps it in the bus for ever.
        """
        source = handler(line, "await websocket.wait_closed()")
        assert found(findings, tmp_path, source) == ["SS004 bus"]

    def test_nested_function(self, tmp_path: Path) -> None:
        """
        A function defined within holds what it refers to, and only that.
        """
        source = handler(
            "def hear(news):",
            "    websocket.send(news)",
            "def count(news):",
            "    print(news)",
            'bus.on("news", hear)',
            'bus.on("count", count)',
            "await websocket.wait_closed()",
        )
        (one,) = findings(project(tmp_path, server=source))
        assert (one.line, one.severity) == (10, Severity.ERROR)

    def test_annotated_connection(self, tmp_path: Path) -> None:
        """
        A lambda over an annotated parameter holds it as well.
        """
        source = """
            from fastapi import FastAPI, WebSocket
            from feeds import feed

            app = FastAPI()

            @app.websocket("/prices")
            async def prices(ws: WebSocket):
                feed.on("price", lambda tick: ws.send_json(tick))
                await ws.receive_text()
        """
        assert found(findings, tmp_path, source) == ["SS004 feed"]

    def test_removal_can_be_missed(self, tmp_path: Path) -> None:
        """
        A removal after an await is not reached if that is cancelled.
        """
        source = handler(
            'bus.on("news", websocket.send)',
            "await websocket.wait_closed()",
            'bus.off("news", websocket.send)',
        )
        (one,) = findings(project(tmp_path, server=source))
        assert one.code == "SS004"
        assert [each.message for each in one.exits] == ["leaks if cancelled at line 7"]

    def test_removal_in_one_branch(self, tmp_path: Path) -> None:
        """
        A removal that waits for a message to come is removal by an event.
        """
        source = handler(
            'bus.on("news", websocket.send)',
            "async for message in websocket:",
            '    if message == "bye":',
            '        bus.off("news", websocket.send)',
        )
        assert found(findings, tmp_path, source) == ["SS004b bus"]

    @pytest.mark.parametrize(
        ("on", "off"),
        [
            ('bus.on("news", websocket.send)', 'bus.off("news", websocket.send)'),
            ('off = bus.subscribe("news", websocket.send)', "off()"),
            ('handle = bus.subscribe("news", websocket.send)', "handle.cancel()"),
            ('bus.on("news", websocket.send)', "bus.remove_all_listeners()"),
        ],
    )
    def test_finally(self, tmp_path: Path, on: str, off: str) -> None:
        """
        What is taken back in a finally is taken back.
        """
        source = handler(on, "try:", "    await websocket.wait_closed()", "finally:", f"    {off}")
        assert not list(findings(project(tmp_path, server=source)))

    def test_exit_stack(self, tmp_path: Path) -> None:
        """
        An exit stack that is given the removal calls it, and so does what keeps the handle.
        """
        source = handler(
            "async with AsyncExitStack() as stack:",
            '    bus.on("news", websocket.send)',
            '    stack.callback(bus.off, "news", websocket.send)',
            '    stack.callback(bus.subscribe("other", websocket.send))',
            '    self_handles.append(bus.subscribe("more", websocket.send))',
            "    await websocket.wait_closed()",
        )
        assert not list(findings(project(tmp_path, server=source)))

    def test_another_lambda(self, tmp_path: Path) -> None:
        """
        A second lambda is not the one that was registered.
        """
        source = handler(
            'bus.on("news", lambda news: websocket.send(news))',
            "try:",
            "    await websocket.wait_closed()",
            "finally:",
            '    bus.off("news", lambda news: websocket.send(news))',
        )
        assert found(findings, tmp_path, source) == ["SS004 bus"]


class TestWhoIsNotMeant:
    def test_set_up(self, tmp_path: Path) -> None:
        """
        What is registered at import, by a decorator, or while setting up stays on purpose.
        """
        source = """
            from events import bus

            bus.on("news", lambda news: print(news))

            @bus.on("news")
            def hear(news): ...

            def create_app(session):
                bus.on("news", session.refresh)

            class Manager:
                def __init__(self, bus):
                    bus.on("news", self.on_news)

                def on_news(self, news): ...
        """
        assert not list(findings(project(tmp_path, server=source)))

    def test_emitter_of_the_session(self, tmp_path: Path) -> None:
        """
        An emitter that goes with the session takes its listeners along.
        """
        source = """
            class EditorSession:
                def __init__(self, websocket):
                    self.bus = Bus()
                    self.websocket = websocket

                async def run(self, request):
                    self.bus.on("news", self.on_news)
                    self.websocket.on("message", self.on_news)
                    local = Bus()
                    local.on("news", self.on_news)

                def on_news(self, news): ...
        """
        assert not list(findings(project(tmp_path, server=source)))

    def test_other_meanings(self, tmp_path: Path) -> None:
        """
        To connect to a database and to register a tool is something else.
        """
        source = handler(
            "database.connect(websocket.send)",
            "registry.register(websocket.send)",
            'bus.once("news", websocket.send)',
            "atexit.register(websocket.close)",
        )
        assert not list(findings(project(tmp_path, server=source)))


class TestInClasses:
    SESSION = """
        class ChatSession:
            def __init__(self, bus, sid):
                self.bus = bus

            async def begin(self):
                self.bus.on("news", self.on_news)
                await self.serve()

            def on_news(self, news): ...
    """

    def test_no_removal(self, tmp_path: Path) -> None:
        """
        A bound method of a session keeps the session, in a bus that it was given.
        """
        assert found(findings, tmp_path, self.SESSION) == ["SS004 ChatSession.bus"]

    def test_removal_when_closed(self, tmp_path: Path) -> None:
        """
        A session that takes it back when it is closed is fine.
        """
        source = (
            self.SESSION
            + """
            async def aclose(self):
                self.bus.off("news", self.on_news)
        """
        )
        assert not list(findings(project(tmp_path, server=source)))

    def test_removal_of_another_event(self, tmp_path: Path) -> None:
        """
        The removal of one listener is not that of another.
        """
        source = (
            self.SESSION
            + """
            async def aclose(self):
                self.bus.off("weather", self.on_news_of_weather)
        """
        )
        assert found(findings, tmp_path, source) == ["SS004 ChatSession.bus"]

    def test_removal_by_event(self, tmp_path: Path) -> None:
        """
        Where only an event removes it, what fails before the event leaves it.
        """
        source = (
            self.SESSION
            + """
            def on_close(self):
                self.bus.off("news", self.on_news)
        """
        )
        assert found(findings, tmp_path, source) == ["SS004b ChatSession.bus"]

    def test_removal_by_the_event_owed(self, tmp_path: Path) -> None:
        """
        What is registered when a connection opens may go when it closes.
        """
        source = (
            self.SESSION.replace("begin", "open")
            + """
            def on_close(self):
                self.bus.off("news", self.on_news)
        """
        )
        assert doubted(findings, tmp_path, source) == ["SS004b ChatSession.bus"]

    def test_handle_is_kept(self, tmp_path: Path) -> None:
        """
        Who keeps what takes it back will know what to do with it.
        """
        source = self.SESSION.replace('self.bus.on("', 'self.off = self.bus.on("')
        assert not list(findings(project(tmp_path, server=source)))

    def test_nested_function_of_a_method(self, tmp_path: Path) -> None:
        """
        A function within a method holds what it refers to, as one within a function does.
        """
        source = """
            from events import bus

            class ChatSession:
                async def begin(self, prompt):
                    def hear(news):
                        print(prompt, news)

                    bus.on("news", hear)
                    bus.on("other", lambda news: self.tell(news))
                    await self.serve()
        """
        assert found(findings, tmp_path, source) == ["SS004 bus", "SS004 bus"]
