"""
How a function that removes comes to run: through its callers, or by whoever hands it on.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from textwrap import dedent

import pytest

from tests.audit.outcomes import best

DROP = """
    import asyncio, atexit, functools

    sessions = {}

    def drop(session_id):
        sessions.pop(session_id, None)

    def opened(session_id, websocket):
        sessions[session_id] = websocket
"""
CLEAR = DROP.replace("pop(session_id, None)", "clear()")
OPENED = DROP.replace("sessions.pop(session_id, None)", "pass")
SERVE = """
    async def serve(session_id, websocket):
        opened(session_id, websocket)
        try:
            await run()
        finally:
            {0}
"""


def with_drop(*more: str, head: str = DROP) -> str:
    """
    Return a server that has a function which removes, with *more*.
    """
    return "\n".join(dedent(each) for each in (head, *more))


def room(lines: str) -> str:
    """
    Return a context manager that does *lines* as it is left.
    """
    inner = lines.replace("\n", "\n        ")
    return f"class Room:\n    async def __aexit__(self, exc_type, *_):\n        {inner}\n"


class TestCallers:
    def test_two_callers(self, tmp_path: Path) -> None:
        """
        A removal is as good as the finally in which its caller's caller calls it.
        """
        release = "def release(session_id):\n    drop(session_id)\n"
        source = with_drop(release, SERVE.format("release(session_id)"))
        assert best(tmp_path, source) == "SURE: removed on every way out"

    def test_three_callers(self, tmp_path: Path) -> None:
        """
        The same goes for one more function between the two.
        """
        between = (
            "def release(session_id):\n    drop(session_id)\n\n"
            "def finish(session_id):\n    release(session_id)\n"
        )
        source = with_drop(between, SERVE.format("finish(session_id)"))
        assert best(tmp_path, source) == "SURE: a finally removes it"

    def test_from_afar(self, tmp_path: Path) -> None:
        """
        A removal that is called through many functions is somebody's business.
        """
        names = ["drop", *"abcdef"]
        more = [f"def {b}(x):\n    {a}(x)\n" for a, b in itertools.pairwise(names)]
        assert best(tmp_path, with_drop(*more)) == "CALLED: called from afar"

    def test_many(self, tmp_path: Path) -> None:
        """
        A removal that is called in many places is somebody's business.
        """
        more = [f"def call{i}(x):\n    drop(x)\n" for i in range(26)]
        assert best(tmp_path, with_drop(*more)) == "CALLED: called in many places"

    def test_each_other(self, tmp_path: Path) -> None:
        """
        Functions that call each other are asked once.
        """
        more = (
            "def a(x):\n    drop(x)\n    b(x)\n\ndef b(x):\n    a(x)\n\n"
            "def on_gone(x):\n    a(x)\n    b(x)\n"
        )
        assert best(tmp_path, with_drop(more)) == "EVENT: only when on_gone() is called"

    @pytest.mark.parametrize(
        ("more", "expected"),
        [
            ("drop('x')", "CALLED: called at import"),
            ("def shrink(x):\n    if len(sessions) > 9:\n        drop(x)",
             "SURE: its size is limited"),
            ("async def session_closed(x):\n    drop(x)",
             "EVENT: only when session_closed() is called"),
            ("class Room:\n    def __exit__(self, *_):\n        drop(self.session_id)",
             "SURE: __exit__ removes it"),
            (("async def _end(x, websocket):\n    try:\n        await run()\n    finally:\n"
             "        if websocket.failed:\n            drop(x)"),
             "GUARDED: in a finally, behind another condition"),
            ("async def _end(x):\n    try:\n        await run()\n    finally:\n        drop(x)",
             "DEAD: nobody calls _end()"),
        ],
    )  # fmt: skip
    def test_one_caller(self, tmp_path: Path, more: str, expected: str) -> None:
        """
        A removal is as good as its caller.
        """
        assert best(tmp_path, with_drop(more)) == expected

    def test_tests_call_nothing(self, tmp_path: Path) -> None:
        """
        What only a test calls is called by nobody.
        """
        others = {"tests.test_server": "from server import drop, opened\n\nopened(1)\ndrop(1)\n"}
        assert best(tmp_path, with_drop(), **others) == "DEAD: nobody calls drop()"

    def test_a_base_class(self, tmp_path: Path) -> None:
        """
        A method of a base class is called through ``self``.
        """
        more = """
            class Base:
                def forget_it(self, session_id):
                    sessions.pop(session_id, None)

            class Child(Base):
                async def serve(self, session_id, websocket):
                    opened(session_id, websocket)
                    try:
                        await run()
                    finally:
                        self.forget_it(session_id)
        """
        assert best(tmp_path, with_drop(more)) == "SURE: removed on every way out"

    def test_behind_a_condition(self, tmp_path: Path) -> None:
        """
        A finally calls for nothing if what it calls asks for something else first.
        """
        source = """
            sessions = {}

            def drop(session_id, websocket):
                if websocket.closed:
                    sessions.pop(session_id, None)

            async def serve(session_id, websocket):
                sessions[session_id] = websocket
                try:
                    await run()
                finally:
                    drop(session_id, websocket)
        """
        assert best(tmp_path, source) == "GUARDED: behind a condition in drop()"

    @pytest.mark.parametrize("write", ["opened(x, websocket)", "sessions[x] = websocket"])
    def test_a_rollback_is_no_removal(self, tmp_path: Path, write: str) -> None:
        """
        What undoes an entry that did not come to be says nothing of those that did.
        """
        more = f"""
            async def serve(x, websocket):
                {write}
                try:
                    await websocket.accept()
                except OSError:
                    drop(x)
                    raise
        """
        assert best(tmp_path, with_drop(more)) == "nothing"


class TestExits:
    @pytest.mark.parametrize(
        ("lines", "expected"),
        [
            ("sessions.pop(self.session_id)", "SURE: __aexit__ removes it"),
            ("if exc_type is None:\n    sessions.pop(self.session_id)",
             "GUARDED: in __aexit__, behind a condition"),
            ("await self.flush()\nsessions.pop(self.session_id)", "LATE: after what may fail"),
            ("sessions.clear()", "SHUTDOWN: only __aexit__() empties it"),
        ],
    )  # fmt: skip
    def test_exit_methods(self, tmp_path: Path, lines: str, expected: str) -> None:
        """
        A context manager removes its entry surely, if nothing stands before it.
        """
        assert best(tmp_path, with_drop(room(lines), head=OPENED)) == expected

    @pytest.mark.parametrize(
        ("head", "lines", "expected"),
        [
            (DROP, "drop(self.session_id)", "SURE: __aexit__ removes it"),
            (DROP, "await self.flush()\ndrop(self.session_id)", "LATE: after what may fail"),
            (CLEAR, "drop(1)", "SHUTDOWN: only the end of __aexit__() empties it"),
        ],
    )
    def test_what_they_call(self, tmp_path: Path, head: str, lines: str, expected: str) -> None:
        """
        The same goes for what a context manager calls.
        """
        assert best(tmp_path, with_drop(room(lines), head=head)) == expected

    def test_entering_may_fail(self, tmp_path: Path) -> None:
        """
        What ``__aenter__`` puts in stays if it fails afterwards: there is no exit then.
        """
        more = """
            class Room:
                async def __aenter__(self):
                    sessions[self.session_id] = self
                    await self.begin()

                async def __aexit__(self, *_):
                    sessions.pop(self.session_id)
        """
        expected = "STRAIGHT: in __aexit__, which __aenter__ may not reach"
        assert best(tmp_path, with_drop(more, head=OPENED)) == expected

    @pytest.mark.parametrize(
        ("lines", "expected"),
        [
            ("drop(x)", "SURE: room removes it"),
            ("await x.aclose()\n        drop(x)", "LATE: after what may fail"),
        ],
    )
    def test_generators(self, tmp_path: Path, lines: str, expected: str) -> None:
        """
        The finally of a context manager's generator runs on every way out of its body.
        """
        more = f"async def room(x):\n    try:\n        yield\n    finally:\n        {lines}\n"
        assert best(tmp_path, with_drop(more)) == expected

    def test_late_in_its_own_finally(self, tmp_path: Path) -> None:
        """
        A finally that waits before it removes may be cancelled there.
        """
        more = (
            "async def room(x):\n    try:\n        yield\n    finally:\n        await x.aclose()\n"
        )
        source = with_drop(f"{more}        sessions.pop(x)\n", head=OPENED)
        assert best(tmp_path, source) == "LATE: after what may fail"

    @pytest.mark.parametrize(
        ("head", "middle"), [("async def main():", "await run()"), ("def lifespan(app):", "yield")]
    )
    def test_the_end_of_the_program(self, tmp_path: Path, head: str, middle: str) -> None:
        """
        What empties everything at the end of the program is nothing for a session.
        """
        more = f"{head}\n    try:\n        {middle}\n    finally:\n        drop(1)\n"
        assert best(tmp_path, with_drop(more, head=CLEAR)).startswith("SHUTDOWN: only the end of")

    def test_a_finally_that_empties(self, tmp_path: Path) -> None:
        """
        What empties everything at the end of something else is as good as that.
        """
        more = "async def batch():\n    try:\n        await run()\n    finally:\n        drop(1)\n"
        assert best(tmp_path, with_drop(more, head=CLEAR)) == "SURE: a finally removes it"


class TestHandedOn:
    @pytest.mark.parametrize(
        ("lines", "expected"),
        [
            ("task = asyncio.create_task(run())\ntask.add_done_callback(lambda _: drop(x))",
             "SURE: a callback removes it"),
            ("asyncio.create_task(run()).add_done_callback(functools.partial(drop, x))",
             "CALLED: called as the program starts"),
            ("websocket.task.add_done_callback(drop)", "SURE: handed to add_done_callback"),
            ("asyncio.create_task(drop)", "SURE: handed to create_task"),
            ("atexit.register(drop, x)", "SHUTDOWN: only when the program ends"),
            ("app.add_shutdown_hook(drop)", "SHUTDOWN: only when the program ends"),
            ("websocket.on('gone', drop)", "EVENT: only when on() tells"),
            ("listen('gone', drop)", "CALLED: only when listen() tells"),
            ("app.add_route('/gone', drop)", "EVENT: only when add_route() is asked for it"),
            ("websocket.whatever(drop)", "CALLED: handed to whatever"),
        ],
    )  # fmt: skip
    def test_to_what(self, tmp_path: Path, lines: str, expected: str) -> None:
        """
        A function that is handed on runs when what it is handed to says so.
        """
        inner = lines.replace("\n", "\n    ")
        more = f"def listen(name, x): ...\n\nasync def serve(x, websocket, app):\n    {inner}\n"
        assert best(tmp_path, with_drop(more)) == expected

    def test_to_a_thread(self, tmp_path: Path) -> None:
        """
        What a thread runs there and then is called there.
        """
        source = with_drop(SERVE.format("await asyncio.to_thread(drop, session_id)"))
        assert best(tmp_path, source) == "SURE: a finally removes it"

    def test_a_function_inside(self, tmp_path: Path) -> None:
        """
        A function inside of another is handed on as any other.
        """
        more = """
            def handle(x, task):
                def gone(_):
                    sessions.pop(x, None)
                task.add_done_callback(gone)
        """
        assert best(tmp_path, with_drop(more, head=OPENED)) == "SURE: handed to add_done_callback"

    def test_a_loop_that_sweeps(self, tmp_path: Path) -> None:
        """
        What empties everything in an endless loop is as good as the task that runs it.
        """
        more = """
            async def sweep():
                while True:
                    await asyncio.sleep(60)
                    drop(1)

            async def main():
                await sweep()
        """
        expected = "CALLED: called as the program starts"
        assert best(tmp_path, with_drop(more, head=CLEAR)) == expected


class TestRoots:
    @pytest.mark.parametrize(
        ("more", "expected"),
        [
            ("def finish(x):\n    drop(x)", "CALLED: whoever uses finish()"),
            ("def sweep_all(x):\n    drop(x)", "DEAD: nobody calls sweep_all()"),
            ("@traced\ndef finish(x):\n    drop(x)\n\ndef other(x):\n    finish(x)",
             "CALLED: whoever uses other()"),
            ("def make():\n    def dropper(x):\n        drop(x)\n    return dropper",
             "CALLED: whoever uses dropper()"),
        ],
    )  # fmt: skip
    def test_what_leads_to_a_removal(self, tmp_path: Path, more: str, expected: str) -> None:
        """
        It is somebody's business to call what calls the removal, unless it is a sweep.
        """
        assert best(tmp_path, with_drop(more)) == expected

    def test_what_is_handed_out(self, tmp_path: Path) -> None:
        """
        A function that is returned is somebody's to call.
        """
        source = (
            "sessions = {}\n\ndef opened(sid, x):\n    sessions[sid] = x\n\nopened(1, 2)\n\n"
            "def make():\n    def dropper(sid):\n        sessions.pop(sid)\n    return dropper\n"
        )
        assert best(tmp_path, source) == "CALLED: whoever uses dropper()"

    @pytest.mark.parametrize("adder", ["@app.get('/x')\ndef opened", "def on_opened"])
    def test_an_adder_that_runs(self, tmp_path: Path, adder: str) -> None:
        """
        Nobody calls a removal though what puts in is known to run: it was forgotten.
        """
        source = (
            f"sessions = {{}}\n\n{adder}(sid, x):\n    sessions[sid] = x\n\n"
            "def finish(sid):\n    sessions.pop(sid)\n"
        )
        assert best(tmp_path, source) == "DEAD: nobody calls finish()"

    @pytest.mark.parametrize(
        ("function", "expected"),
        [
            ("def shutdown():", "SHUTDOWN: only shutdown() empties it"),
            ("@app.on_event('shutdown')\nasync def bye():", "SHUTDOWN: only bye() empties it"),
            ("@traced\ndef receive():", "CALLED: called by a framework"),
            ("@app.get('/x')\ndef show():", "CALLED: called by a framework"),
        ],
    )
    def test_what_empties_everything(self, tmp_path: Path, function: str, expected: str) -> None:
        """
        What empties everything when the program ends is told apart from what does so before.
        """
        assert best(tmp_path, with_drop(f"{function}\n    drop(1)\n", head=CLEAR)) == expected
