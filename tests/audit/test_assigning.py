"""
What an assignment puts where.
"""

from __future__ import annotations

import pytest

from tests.audit.lowered import done, events, facts, method


class TestNames:
    @pytest.mark.parametrize(
        ("source", "path"),
        [
            ("agents = {}", "@agents"),
            ("class Server:\n    agents = {}", "self.agents"),
            ("def f():\n    agents = {}", "^f>agents"),
            ("def f():\n    global agents\n    agents = {}", "@agents"),
            ("class A:\n    def f(self):\n        agents = {}", "^A/f>agents"),
        ],
    )
    def test_own(self, source: str, path: str) -> None:
        """
        A container belongs to where its name lives: module, class or function.
        """
        made = [each for function in facts(source).functions for each in function.makes]
        assert [each[:2] for each in made] == [(path, "dict")]

    def test_plain_local(self) -> None:
        """
        A local name of anything else is no event.
        """
        assert done("x = 1") == []

    def test_owned(self) -> None:
        """
        It is noted which local name gets what somebody must end.
        """
        event = events("task = asyncio.create_task(self.beat())")[-1]
        assert (event[1], event[2], event[7]) == ("$task", "let", "asyncio.create_task()")

    def test_several(self) -> None:
        """
        Names unpacked from as many values get one each.
        """
        assert done("self.a, self.b = {}, []") == ["self.a =", "self.b ="]
        assert [each[6] for each in events("self.a, self.b = {}, []")] == [
            ("", "dict"),
            ("", "list"),
        ]

    def test_unpacked(self) -> None:
        """
        Of names unpacked from one value nothing is known.
        """
        assert [each[6] for each in events("[self.a, *self.b] = given", "given")] == [
            ("", ""),
            ("", ""),
        ]


class TestTargets:
    @pytest.mark.parametrize(
        ("body", "happened"),
        [
            ("self.a = {}", ["self.a ="]),
            ("self.app['a'] = {}", ["self.app.[a] ="]),
            ("self.app[A] = {}", ["self.app.[A] ="]),
            ("self.app[A] = 1", ["self.app []="]),
            ("make()['a'] = {}", ["@make ()", "?.[a] ="]),
            ("make()[A] = {}", ["@make ()", "?.[A] ="]),
            ("make()[1] = 1", ["@make ()", "? []="]),
            ("make()[:] = 1", ["@make ()", "? [:]="]),
            ("self.a[given] = 1", ["self.a []="]),
            ("self.a[:] = []", ["self.a [:]="]),
        ],
    )
    def test_target(self, body: str, happened: list[str]) -> None:
        """
        A constant key is a place of its own, any other is an entry.
        """
        assert done(body, "given") == happened

    def test_nested(self) -> None:
        """
        Containers in a literal under constant keys are containers of their own.
        """
        made = method("self.a = {'rooms': {}, 'n': 1, **given, 1: []}", "given").makes
        assert [each[:2] for each in made] == [("self.a.[rooms]", "dict"), ("self.a", "dict")]


class TestRebinds:
    @pytest.mark.parametrize(
        ("value", "how"),
        [
            ("{}", "="),
            ("{k: v for k, v in self.a.items() if v}", "=filter"),
            ("self.a[1:]", "=filter"),
            ("{**self.a, id: 1}", "[]="),
            ("[*self.a, id]", "[]="),
            ("{*self.a, id}", "[]="),
            ("self.a + [id]", "[]="),
            ("self.a | {id: 1}", "[]="),
            ("{**self.b, id: 1}", "="),
            ("{**self.a}", "="),
            ("self.b + [id]", "="),
        ],
    )
    def test_anew(self, value: str, how: str) -> None:
        """
        What is made anew from itself is filtered or added to, else it is begun again.
        """
        assert done(f"self.a = {value}", "id")[-1] == f"self.a {how}"

    def test_key(self) -> None:
        """
        What is added has a key like any other entry.
        """
        assert events("self.a = {**self.a, id: 1}", "id")[-1][5] == "p:id"
        assert events("self.a = self.a + [id]", "id")[-1][5] == "t:p:id"
