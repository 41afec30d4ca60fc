"""
A task is dropped, or stays in its collection.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from sessionstate.audit._findings import Confidence, Severity
from sessionstate.audit._owning import findings
from tests.audit.small import doubted, found, project

BEAT = """
    import asyncio

    async def beat(websocket):
        while True:
            await asyncio.sleep(10)

    async def handler(websocket):
        {0}
        await websocket.wait_closed()
"""
KEPT = """
    import asyncio

    class Hub:
        def __init__(self):
            self.tasks = set()

        async def dispatch(self, event):
            {0}

        async def handle(self, event): ...

        async def aclose(self):
            {1}
"""


def kept(*lines: str, end: str = "pass") -> str:
    """
    Return a hub with these lines for each event.
    """
    return KEPT.format("\n            ".join(lines), end)


class TestDropped:
    @pytest.mark.parametrize(
        "line",
        [
            "asyncio.create_task(beat(websocket))",
            "asyncio.ensure_future(beat(websocket))",
            "asyncio.get_running_loop().create_task(beat(websocket))",
        ],
    )
    def test_endless(self, tmp_path: Path, line: str) -> None:
        """
        An endless task of a session whose handle is dropped goes on after it.
        """
        assert found(findings, tmp_path, BEAT.format(line)) == ["SS006 beat"]

    def test_delayed_clean_up(self, tmp_path: Path) -> None:
        """
        A clean-up after a while may be collected before.
        """
        source = """
            import asyncio

            async def clear(sid):
                await asyncio.sleep(60)
                forget(sid)

            async def disconnect(sid):
                asyncio.create_task(clear(sid))
        """
        assert found(findings, tmp_path, source) == ["SS006 clear"]

    def test_short_work(self, tmp_path: Path) -> None:
        """
        A task that ends by itself is doubtful.
        """
        source = """
            import asyncio

            async def save(row):
                await database.save(row)

            async def handler(request):
                asyncio.create_task(save(request))
        """
        assert doubted(findings, tmp_path, source) == ["SS006 save"]

    @pytest.mark.parametrize(
        "line",
        [
            "task = asyncio.create_task(beat(websocket))",
            "await asyncio.create_task(beat(websocket))",
            "await asyncio.gather(asyncio.create_task(beat(websocket)))",
            "group.create_task(beat(websocket))",
            "group.start_soon(beat, websocket)",
            "tasks = [asyncio.create_task(beat(websocket))]",
            "asyncio.create_task(beat(websocket)).add_done_callback(print)",
            "return asyncio.create_task(beat(websocket))",
        ],
    )
    def test_somebody_has_it(self, tmp_path: Path, line: str) -> None:
        """
        A task that is bound, awaited, given on or owned by a group is not dropped.
        """
        assert not list(findings(project(tmp_path, server=BEAT.format(line))))


class TestCollections:
    def test_never_removed(self, tmp_path: Path) -> None:
        """
        A set of tasks without its other half keeps each one that is done.
        """
        source = kept("self.tasks.add(asyncio.create_task(self.handle(event)))")
        (one,) = findings(project(tmp_path, server=source))
        assert (one.container, one.severity) == ("Hub.tasks", Severity.ERROR)
        assert one.confidence is Confidence.HIGH
        assert [each.line for each in one.writes] == [9]
        assert one.defined is not None
        assert one.defined.line == 6

    def test_emptied_at_the_end_only(self, tmp_path: Path) -> None:
        """
        A set that is emptied at the shutdown grows until then.
        """
        source = kept(
            "task = asyncio.create_task(self.handle(event))",
            "self.tasks.add(task)",
            end="self.tasks.clear()",
        )
        assert found(findings, tmp_path, source) == ["SS006 Hub.tasks"]

    @pytest.mark.parametrize(
        "line",
        [
            "task.add_done_callback(self.tasks.discard)",
            "task.add_done_callback(lambda task: self.tasks.remove(task))",
            "self.tasks = {each for each in self.tasks if not each.done()}",
            "self.tasks.difference_update(done)",
        ],
    )
    def test_done_ones_go(self, tmp_path: Path, line: str) -> None:
        """
        A collection whose tasks take themselves out, or are swept, is fine.
        """
        source = kept(
            "task = asyncio.create_task(self.handle(event))", "self.tasks.add(task)", line
        )
        assert not list(findings(project(tmp_path, server=source)))

    def test_swept_by_a_new_list(self, tmp_path: Path) -> None:
        """
        A list that is rebound without those that are done is swept.
        """
        source = kept(
            "left = []",
            "for task in self.tasks:",
            "    if not task.done():",
            "        left.append(task)",
            "self.tasks = left",
            "self.tasks.append(asyncio.create_task(self.handle(event)))",
        )
        assert not list(findings(project(tmp_path, server=source)))

    def test_services(self, tmp_path: Path) -> None:
        """
        What runs as long as the program is kept as long: as many as are named in the code.
        """
        source = """
            import asyncio

            services = set()

            async def collect(paths):
                services.add(asyncio.create_task(run_poller()))
                services.add(asyncio.create_task(serve_files(paths)))
        """
        assert found(findings, tmp_path, source) == []
        assert doubted(findings, tmp_path, source) == ["SS006 services"]

    def test_as_many_as_workers(self, tmp_path: Path) -> None:
        """
        Tasks that are started once are as many as there are workers.
        """
        source = """
            import asyncio

            class Pool:
                async def start(self):
                    self.tasks.append(asyncio.create_task(self.watch()))

                async def grow(self, size):
                    for _ in range(size):
                        self.tasks.append(asyncio.create_task(self.work()))
        """
        assert not list(findings(project(tmp_path, server=source)))

    def test_waited_for_by_the_owner(self, tmp_path: Path) -> None:
        """
        Tasks that the owner waits for in the end go with it: they merely stay until then.
        """
        source = kept(
            "self.tasks.add(asyncio.create_task(self.handle(event)))",
            end="await asyncio.gather(*self.tasks)",
        )
        (one,) = findings(project(tmp_path, server=source))
        assert (one.severity, one.confidence) == (Severity.WARNING, Confidence.MEDIUM)

    def test_replaced(self, tmp_path: Path) -> None:
        """
        An endless task whose key comes again is replaced, and goes on.
        """
        source = """
            import asyncio

            class Indicators:
                async def loop(self, chat_id):
                    while True:
                        await asyncio.sleep(4)

                def show(self, chat_id):
                    {0}
                    self.loops[chat_id] = asyncio.create_task(self.loop(chat_id))

                def hide(self, chat_id):
                    self.loops.pop(chat_id).cancel()
        """
        assert found(findings, tmp_path, source.format("pass")) == ["SS006 Indicators.loops"]
        assert (
            found(findings, tmp_path, source.format("self.loops.pop(chat_id, none).cancel()")) == []
        )


def test_attribute_of_a_session(tmp_path: Path) -> None:
    """
    A task that a session keeps and never cancels is doubtful.
    """
    source = """
        import asyncio

        class ChatSession:
            async def start(self):
                self.reader = asyncio.create_task(self.read())

            async def read(self): ...

            async def stop(self):
                {0}
    """
    assert doubted(findings, tmp_path, source.format("pass")) == ["SS006 ChatSession.reader"]
    for end in ("self.reader.cancel()", "await asyncio.wait([self.reader]); stop(self.reader)"):
        assert not list(findings(project(tmp_path, server=source.format(end))))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            """
            from asyncio import create_task

            class Hub:
                def __init__(self, loop):
                    self.loop = loop

                async def follow(self, stream):
                    async for each in stream:
                        print(each)

                async def add(self, stream):
                    create_task(self.follow(stream))
                    self.loop.create_task(self.follow(stream))
            """,
            ["SS006 follow", "SS006 follow"],
        ),
        (
            """
            import asyncio

            class UserSession:
                async def clear(self):
                    await asyncio.sleep(60)
                    self.files.clear()

            async def leave(sockets):
                session = UserSession()
                asyncio.create_task(session.clear())
            """,
            ["SS006 clear"],
        ),
        (
            """
            import asyncio

            class Board:
                async def post(self, user_id, note):
                    self.notes[user_id] = asyncio.create_task(self.save(note))

                async def save(self, note): ...
            """,
            ["SS006 Board.notes"],
        ),
    ],
)
def test_more_shapes(tmp_path: Path, source: str, said: list[str]) -> None:
    """
    Loops of an object, clean-ups of a session and maps by a user's id count as well.
    """
    assert found(findings, tmp_path, source) == said


@pytest.mark.parametrize(
    "source",
    [
        """
        import argparse
        import asyncio

        async def main(session_id):
            asyncio.create_task(work(session_id))
        """,
        """
        import asyncio

        def main(work):
            asyncio.ensure_future(work())
            loop = work.other()
            asyncio.ensure_future(loop)
        """,
        """
        import asyncio

        class Groups:
            async def add(self, event, work):
                self.groups[event].append(asyncio.create_task(work()))
        """,
    ],
)
def test_not_judged(tmp_path: Path, source: str) -> None:
    """
    Scripts, plain functions and collections within collections are left to others.
    """
    assert not list(findings(project(tmp_path, server=source)))


def test_collection_of_a_session(tmp_path: Path) -> None:
    """
    The tasks of an object that lives for a while go with it.
    """
    source = """
        import asyncio

        class Transcript:
            async def add(self, line):
                self.tasks.append(asyncio.create_task(self.save(line)))

            async def clear(self):
                {0}
    """
    assert doubted(findings, tmp_path, source.format("pass")) == ["SS006 Transcript.tasks"]
    assert not list(findings(project(tmp_path, server=source.format("self.tasks.clear()"))))


@pytest.mark.parametrize(
    "handler",
    [
        """
        @app.websocket("/beat")
        async def handler():
            asyncio.create_task(beat())
        """,
        """
        async def handler(websocket):
            async def begin():
                asyncio.create_task(beat())
        """,
    ],
)
def test_functions_of_a_session(tmp_path: Path, handler: str) -> None:
    """
    What a route calls runs for one session, and so does what a handler defines within.
    """
    source = """
        import asyncio

        async def beat():
            while True:
                await asyncio.sleep(10)
    """
    (one,) = findings(project(tmp_path, server=dedent(source) + dedent(handler)))
    assert one.confidence is Confidence.MEDIUM
    assert one.message.endswith("nothing ends it with the session")
    again = dedent(handler).replace("@app.websocket", "@app.task").replace("websocket", "work")
    (one,) = findings(project(tmp_path, server=dedent(source) + again))
    assert one.confidence is Confidence.LOW


def test_once_for_each_function(tmp_path: Path) -> None:
    """
    A function that starts tasks in two ways is judged once, and what a module starts is not.
    """
    source = BEAT.format(
        "asyncio.create_task(beat(websocket)); asyncio.ensure_future(beat(websocket))"
    )
    source = dedent(source) + "\ntasks = []\ntasks.append(asyncio.ensure_future(beat(None)))\n"
    assert found(findings, tmp_path, source) == ["SS006 beat", "SS006 beat"]
