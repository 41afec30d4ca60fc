from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sessionstate.observability import RequestCounter

if TYPE_CHECKING:
    from sessionstate import Supervisor


class TestRequestCounter:
    async def test_counts_requests(self, supervisor: Supervisor) -> None:
        """
        Each request and each websocket counts once, a lifespan does not, and all are passed on.
        """
        seen: list[tuple[Any, ...]] = []

        async def app(*args: Any) -> None:
            seen.append(args)

        async def receive() -> dict[str, Any]:
            return {}

        async def send(message: Any) -> None:
            """
            Send nothing.
            """

        counter = RequestCounter(app, supervisor)
        for kind in ("lifespan", "http", "http", "websocket"):
            await counter({"type": kind}, receive, send)
        assert supervisor.requests == 3
        assert [scope["type"] for scope, _, _ in seen] == ["lifespan", "http", "http", "websocket"]
        assert all(rest == [receive, send] for _, *rest in seen)

    async def test_counts_requests_that_fail(self, supervisor: Supervisor) -> None:
        """
        A request counts though the application fails at it, and its error goes on.
        """

        async def app(*args: Any) -> None:
            raise LookupError

        async def receive() -> dict[str, Any]:
            return {}

        counter = RequestCounter(app, supervisor)
        with pytest.raises(LookupError):
            await counter({"type": "http"}, receive, app)
        assert supervisor.requests == 1

    async def test_no_supervisor(self) -> None:
        """
        What is no supervisor is refused when the application is made, not at its first request.
        """

        async def app(*args: Any) -> None:
            raise LookupError

        wrong: Any = None
        with pytest.raises(TypeError, match=r"not None: write RequestCounter\(app, supervisor\)"):
            RequestCounter(app, wrong)
