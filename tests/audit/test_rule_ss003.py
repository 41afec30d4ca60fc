"""
A cache decorator keeps a session's arguments.
"""

from __future__ import annotations

from pathlib import Path

from sessionstate.audit._caches import findings
from sessionstate.audit._findings import Confidence, Severity
from sessionstate.audit._settings import Settings
from tests.audit.small import doubted, found, project


class TestParameters:
    def test_request_is_kept(self, tmp_path: Path) -> None:
        """
        A cache without a limit over a request is a leak, and surely one.
        """
        source = """
            import functools

            @functools.cache
            def user_of(request):
                return request.headers["user"]
        """
        (one,) = findings(project(tmp_path, server=source))
        assert (one.container, one.confidence, one.severity, one.line) == (
            "user_of",
            Confidence.HIGH,
            Severity.ERROR,
            4,
        )

    def test_session_id_is_kept(self, tmp_path: Path) -> None:
        """
        An identity of a session is a key of which there are ever more.
        """
        source = """
            from functools import lru_cache

            @lru_cache(maxsize=None)
            def preferences(session_id: str):
                return {}

            class Store:
                @staticmethod
                @lru_cache(None)
                def load(user_id: str):
                    return {}
        """
        assert found(findings, tmp_path, source) == ["SS003 preferences", "SS003 Store.load"]

    def test_names_of_code_are_few(self, tmp_path: Path) -> None:
        """
        A name, a path, a type or an operation is no session.
        """
        source = """
            from functools import cache

            @cache
            def loader(name, key, path, file, op): ...

            @cache
            def settings(): ...
        """
        assert not list(findings(project(tmp_path, server=source)))

    def test_another_cache(self, tmp_path: Path) -> None:
        """
        A decorator that is merely called cache is somebody else's to judge.
        """
        source = """
            from django.views import cache

            @cache
            def page(request): ...
        """
        assert not list(findings(project(tmp_path, server=source)))

    def test_limit_makes_it_a_suggestion(self, tmp_path: Path) -> None:
        """
        With a maxsize the last few sessions are kept, and no more.
        """
        source = """
            from functools import lru_cache

            @lru_cache
            def preferences(session_id): ...
        """
        (one,) = findings(project(tmp_path, server=source))
        assert (one.severity, one.confidence) == (Severity.INFO, Confidence.LOW)

    def test_settings_say_which_keys(self, tmp_path: Path) -> None:
        """
        Keys are added and taken away by the settings.
        """
        source = """
            from functools import cache

            @cache
            def one(chat_ref): ...

            @cache
            def other(user_id): ...
        """
        settings = Settings(session_keys=("chat_ref",), bounded_keys=("user_id",))
        assert found(findings, tmp_path, source, settings) == ["SS003 one"]


class TestMethods:
    def test_object_for_each_session(self, tmp_path: Path) -> None:
        """
        A cache of a method keeps each object that the method was called on.
        """
        source = """
            import functools

            class ChatSession:
                @functools.cache
                def tools(self, model): ...
        """
        assert found(findings, tmp_path, source) == ["SS003 ChatSession.tools"]

    def test_object_made_in_a_function(self, tmp_path: Path) -> None:
        """
        A class that is made on the way, in a coroutine function, has many objects.
        """
        source = """
            import functools

            class RepoClient:
                @functools.cache
                def files(self, branch): ...

            async def review(request):
                client = RepoClient()
                return client.files("main")
        """
        assert found(findings, tmp_path, source) == ["SS003 RepoClient.files"]

    def test_object_made_at_import(self, tmp_path: Path) -> None:
        """
        An object that lives as long as the program may be kept as long.
        """
        source = """
            import functools

            class Catalogue:
                @functools.cache
                def entry(self, page): ...

            catalogue = Catalogue()
        """
        assert not list(findings(project(tmp_path, server=source)))

    def test_manager_without_arguments(self, tmp_path: Path) -> None:
        """
        Of a manager there is one, and a method without arguments has one result.
        """
        source = """
            import functools

            class ModelManager:
                @functools.cache
                def names(self): ...
        """
        assert not list(findings(project(tmp_path, server=source)))

    def test_classes_and_members(self, tmp_path: Path) -> None:
        """
        What is kept of a class method is the class, of an enum its members.
        """
        source = """
            import enum
            import functools

            class Colour(enum.Enum):
                @functools.cache
                def code(self): ...

            class Session:
                @classmethod
                @functools.cache
                def fields(cls): ...

                @functools.cached_property
                def tools(self): ...
        """
        assert not list(findings(project(tmp_path, server=source)))

    def test_who_makes_it_is_unknown(self, tmp_path: Path) -> None:
        """
        A class that nobody makes here, or that is a value, is doubtful.
        """
        source = """
            import functools

            class Grid:
                @functools.cache
                def cells(self, row): ...

            class Query:
                def __hash__(self): return 1

                @functools.cache
                def rows(self): ...
        """
        assert found(findings, tmp_path, source) == []
        assert doubted(findings, tmp_path, source) == ["SS003 Grid.cells", "SS003 Query.rows"]

    def test_more_doubts(self, tmp_path: Path) -> None:
        """
        What sets up runs once, and a manager's arguments may be few.
        """
        source = """
            import functools

            @functools.cache
            def setup(session_id): ...

            class ModelManager:
                @functools.cache
                def model(self, name): ...
        """
        assert found(findings, tmp_path, source) == []
        assert doubted(findings, tmp_path, source) == ["SS003 setup", "SS003 ModelManager.model"]

    def test_class_with_a_short_name(self, tmp_path: Path) -> None:
        """
        A class whose name says that there are many counts without its makers.
        """
        source = """
            import functools

            class Transaction:
                @functools.cache
                def rows(self): ...
        """
        assert found(findings, tmp_path, source) == ["SS003 Transaction.rows"]

    def test_line_of_the_decorator(self, tmp_path: Path) -> None:
        """
        The finding is at the decorator, where that can be seen.
        """
        source = """
            import functools

            class Query:
                @property
                @functools.cache
                def rows(self): ...

            class Plain:
                @(functools
                  .cache)
                def user(self, session_id): ...
        """
        lines = [each.line for each in findings(project(tmp_path, server=source))]
        assert lines == [6, 12]

    def test_decorator_of_many_lines(self, tmp_path: Path) -> None:
        """
        A decorator that takes up more lines than are looked at is told at the definition.
        """
        source = """
            from functools import lru_cache

            @lru_cache(
                # 1
                # 2
                # 3
                # 4
                # 5
                # 6
                maxsize=None,
            )
            def user(session_id): ...
        """
        (one,) = findings(project(tmp_path, server=source))
        assert one.line == 13
