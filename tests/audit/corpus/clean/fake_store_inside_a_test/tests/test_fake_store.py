"""
The fake is made anew for each test by a fixture, and a test process ends.
"""
import pytest


class FakeSessionStore:
    def __init__(self):
        self.saved = {}  # clean: one fake for each test
        self.calls = []  # clean: one fake for each test

    async def save(self, session_id, state):
        self.calls.append(("save", session_id))
        self.saved[session_id] = dict(state)

    async def load(self, session_id):
        self.calls.append(("load", session_id))
        return self.saved.get(session_id)


@pytest.fixture
def store():
    return FakeSessionStore()


async def test_what_is_saved_can_be_loaded(store):
    await store.save("s1", {"step": 3})
    assert await store.load("s1") == {"step": 3}


async def test_sessions_do_not_mix(store):
    for n in range(10):
        await store.save(f"s{n}", {"step": n})
    assert (await store.load("s7"))["step"] == 7
    assert len(store.calls) == 11
