"""
A list is searched and rebuilt on each access.
"""

from __future__ import annotations

from pathlib import Path

from sessionstate.audit._findings import Confidence, Severity
from sessionstate.audit._lists import findings
from tests.audit.small import doubted, found, project

CACHE = """
    class Cache:
        def __init__(self):
            self._data = {{}}
            self._order = []

        def get(self, key):
            {0}
            return self._data[key]
"""


def cache(*lines: str) -> str:
    """
    Return a cache with these lines in its look-up.
    """
    return CACHE.format("\n            ".join(lines))


def test_moved_to_the_end(tmp_path: Path) -> None:
    """
    A key that is removed from a list and appended again on a look-up is looked for in all of it.
    """
    source = cache("self._order.remove(key)", "self._order.append(key)")
    (one,) = findings(project(tmp_path, server=source))
    assert (one.code, one.container) == ("SS008", "Cache._order")
    assert (one.severity, one.confidence) == (Severity.WARNING, Confidence.HIGH)


def test_moved_to_the_front(tmp_path: Path) -> None:
    """
    The front is as far as the end.
    """
    source = cache("self._order.remove(key)", "self._order.insert(0, key)")
    assert found(findings, tmp_path, source) == ["SS008 Cache._order"]


def test_built_anew(tmp_path: Path) -> None:
    """
    A list that is built anew without the key is a copy for each look-up.
    """
    source = cache("self._order = [k for k in self._order if k != key]", "self._order.append(key)")
    assert found(findings, tmp_path, source) == ["SS008 Cache._order"]


def test_order_of_a_module(tmp_path: Path) -> None:
    """
    What is told by the name of the list need not be told by the function's.
    """
    source = """
        recently_used = []

        def put(key):
            if key in recently_used:
                recently_used.remove(key)
            recently_used.append(key)
    """
    assert found(findings, tmp_path, source) == ["SS008 recently_used"]


def test_other_things_are_moved(tmp_path: Path) -> None:
    """
    One thing taken out and another put in is no order of use, nor are things moved on request.
    """
    source = """
        class Window:
            def raise_tab(self, tab):
                self.tabs.remove(tab)
                self.tabs.append(tab)

            def replace(self, old, new):
                self.order.remove(old)
                self.order.append(new)

            def get(self, key):
                self.seen.remove(key)
                self.seen.insert(3, key)

            def get_order(self, first):
                order = list(self.tabs)
                order.remove(first)
                order.insert(0, first)
                return order
    """
    assert found(findings, tmp_path, source) == []


def test_ordered_dict(tmp_path: Path) -> None:
    """
    A dict that keeps its order does it in one step.
    """
    source = cache("self._data.move_to_end(key)")
    assert not list(findings(project(tmp_path, server=source)))


def test_put_in_front(tmp_path: Path) -> None:
    """
    To put things in front of a list in a coroutine function is merely slow.
    """
    source = """
        class Feed:
            async def push(self, item):
                self.items.insert(0, item)
    """
    (one,) = findings(project(tmp_path, server=source))
    assert (one.severity, one.confidence) == (Severity.INFO, Confidence.LOW)
    assert doubted(findings, tmp_path, source) == ["SS008 Feed.items"]


def test_entry_moved_to_the_front(tmp_path: Path) -> None:
    """
    A list whose entries move to the front when they are used moves all the others.
    """
    source = """
        warm = []

        async def adapter_for(tenant):
            for i, each in enumerate(warm):
                if each.name == tenant:
                    warm.insert(0, warm.pop(i))
    """
    (one,) = findings(project(tmp_path, server=source))
    assert (one.container, one.confidence) == ("warm", Confidence.MEDIUM)
    assert one.defined is not None
    assert one.defined.line == 2


def test_one_finding_for_a_list(tmp_path: Path) -> None:
    """
    A list that is searched in several functions is found once, where it is surest.
    """
    source = """
        class Cache:
            def put(self, key):
                self._order.remove(key)
                self._order.append(key)

            def get(self, key):
                self._order.remove(key)
                self._order.append(key)

            def drop(self, key):
                order = []
                order.insert(0, key)
                self._order.remove(key)
                self._order.append(other)
    """
    (one,) = findings(project(tmp_path, server=source))
    assert (one.line, one.confidence) == (8, Confidence.HIGH)
