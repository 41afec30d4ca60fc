"""
The types of SessionMap and SessionVar; checked by mypy and pyright, never run.
"""

from collections.abc import Iterator, MutableMapping
from typing import assert_type

from sessionstate import Session, SessionMap, SessionVar, Supervisor


class Agent:
    """A value that is nothing special."""


def maps(supervisor: Supervisor, s: Session) -> None:
    """A map gives back what was put in, by id and by session."""
    agents = SessionMap[Agent]("agents")
    assert_type(agents, SessionMap[Agent])
    assert_type(SessionMap[int]("counts", supervisor=supervisor, adopt=True), SessionMap[int])

    agents["a"] = Agent()
    agents[s] = Agent()
    assert_type(agents["a"], Agent)
    assert_type(agents[s], Agent)
    assert_type(agents.get("a"), Agent | None)
    assert_type(agents.get("a", None), Agent | None)
    assert_type(agents.get("a", 0), Agent | int)
    assert_type(agents.get(s), Agent | None)
    assert_type(agents.peek("a"), Agent | None)
    assert_type(agents.peek("a", 0), Agent | int)
    assert_type(agents.peek(s), Agent | None)
    assert_type(agents.setdefault("a", Agent()), Agent)
    assert_type(agents.setdefault(s, Agent()), Agent)
    assert_type(agents.pop("a"), Agent)
    assert_type(agents.pop("a", None), Agent | None)
    assert_type(agents.pop(s), Agent)
    assert_type(len(agents), int)
    assert_type(iter(agents), Iterator[str])
    assert_type(list(agents.values()), list[Agent])
    assert_type(list(agents.items()), list[tuple[str, Agent]])
    assert_type("a" in agents, bool)
    del agents["a"]
    del agents[s]


def was_a_dict() -> None:
    """Code that took the dict takes the map."""

    def takes(agents: MutableMapping[str, Agent]) -> None:
        agents["a"] = Agent()

    takes(SessionMap[Agent]("agents"))
    takes({})


def variables(s: Session) -> None:
    """A variable knows its type from its declaration, its default or its factory."""
    tool_ids = SessionVar[dict[str, str]]("tool_ids", factory=dict)
    assert_type(tool_ids, SessionVar[dict[str, str]])
    assert_type(tool_ids.get(), dict[str, str])
    assert_type(tool_ids.get(s), dict[str, str])
    tool_ids.set({"t1": "read_file"})
    tool_ids.set({}, s)
    tool_ids.reset()
    tool_ids.reset(s)

    assert_type(SessionVar("turns", default=0).get(), int)
    assert_type(SessionVar("agent", factory=Agent).get(), Agent)
    assert_type(SessionVar[str]("name").get(), str)
    assert_type(SessionVar[str | None]("name", default=None).get(), str | None)


def refused(s: Session) -> None:
    """What is wrong is found before it runs."""
    agents = SessionMap[Agent]("agents")
    agents["a"] = 1  # type: ignore[assignment]
    agents[1] = Agent()  # type: ignore[index]
    SessionMap[Agent](1)  # type: ignore[arg-type]
    names = SessionVar[str]("name")
    names.set(1)  # type: ignore[arg-type]
    names.get("a")  # type: ignore[arg-type]
    names.set("ada", "a")  # type: ignore[arg-type]
    s.vars = {}  # type: ignore[misc]
