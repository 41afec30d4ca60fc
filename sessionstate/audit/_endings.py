"""
What ends a child process, in one function: the calls that kill it, and those that wait for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from sessionstate.audit._events import AWAIT, OP, Event, called
from sessionstate.audit._lowering import DO, Block, Statement
from sessionstate.audit._project import Project
from sessionstate.audit._servers import every, later, mentions

KILLS: Final = frozenset({"kill", "terminate", "send_signal", "aclose", "killpg"})
REAPS: Final = frozenset({"wait", "communicate"})
ENDS: Final = re.compile(
    r"(kill|terminat|stop|clean|end_|reap|shut|close|abort|destroy|ensure_dead|wait_or|finish|dispose)",
    re.IGNORECASE,
)
STATE: Final = re.compile(r"returncode|poll|is_alive|alive|is_running|running|pid|exit_?code")
DONE: Final[Event] = (AWAIT, -1)
"""An event of our own: the process has ended."""


class Watch:
    """
    Knows one process in one function by its paths.
    """

    def __init__(self, project: Project, paths: Iterable[str]) -> None:
        self._project = project
        self.paths = frozenset(paths)
        self._methods = frozenset(f"{path}.{name}" for path in self.paths for name in KILLS)
        self._pids = frozenset(f"{path}.pid" for path in self.paths)
        self.names = frozenset(path.rpartition(">")[2].lstrip("$@^%") for path in self.paths)

    def kills(self, event: Event) -> bool:
        """
        Tell whether *event* ends the process, or sees to it that somebody does.
        """
        if event[0] != OP:
            return any(self.kills(each) for each in later((event,)))
        name = called(event)
        if event[1] in self.paths and event[2] in KILLS:
            return True
        if name == "killpg" or mentions(event, self._methods):
            return True
        if mentions(event, self._pids) and (ENDS.search(name) or name == "Process"):
            return True
        return mentions(event, self.paths) and self._ends(name)

    def _ends(self, name: str) -> bool:
        if ENDS.search(name):
            return True
        ours = self._project.named.get(name, ())
        return any(KILLS.intersection(each.fact.calls) for each in ours)

    def reaps(self, event: Event) -> bool:
        """
        Tell whether *event* waits for the process to end.
        """
        if event[0] != OP:
            return False
        if event[1] in self.paths and event[2] in REAPS:
            return True
        return mentions(event, self.paths) and (
            self._ends(called(event)) or "wait" in called(event)
        )

    def stores(self, event: Event) -> str:
        """
        Return the path that *event* keeps the process under, if it does.
        """
        if event[0] != OP or not mentions(event, self.paths):
            return ""
        if event[2] in {"=", "[]=", "append", "add", "setdefault", "insert"} and not event[
            1
        ].startswith("$"):
            return str(event[1])
        return ""

    def hands_on(self, event: Event) -> bool:
        """
        Tell whether *event* gives the process to somebody else, who may end it.
        """
        if event[0] != OP:
            return any(mentions(each, self.paths) for each in later((event,)))
        if event[2] == "return" and event[1] in self.paths:
            return True
        if event[2] == "let" or not mentions(event, self.paths):
            return False
        name = called(event)
        return name not in HARMLESS and not self._ends(name)


HARMLESS: Final = frozenset(
    {"print", "debug", "info", "warning", "error", "exception", "repr", "str", "isinstance", "cast"}
)


def rewritten(block: Block, watch: Watch) -> Block:
    """
    Return *block* with `DONE` wherever the process has ended for sure.
    """
    return tuple(_rewrite(each, watch) for each in block)


def _rewrite(statement: Statement, watch: Watch) -> Statement:
    tag, line = statement[:2]
    match tag:
        case "E" | "R" | "X":
            return (tag, line, _marked(statement[2], watch), *statement[3:])
        case "I":
            _, _, events, guards, about, then, otherwise = statement
            then, otherwise = rewritten(then, watch), rewritten(otherwise, watch)
            asks = STATE.search(about) or watch.names.intersection(about.split())
            if asks and (_ending(then, watch) or _ending(otherwise, watch)):
                # Where it is not killed, it has ended already.
                then, otherwise = (*then, _done(line)), (*otherwise, _done(line))
            return (tag, line, _marked(events, watch), guards, about, then, otherwise)
        case "L":
            _, _, events, forever, over, body, otherwise = statement
            marked = _marked(events, watch)
            return (
                tag,
                line,
                marked,
                forever,
                over,
                rewritten(body, watch),
                rewritten(otherwise, watch),
            )
        case "T":
            _, _, body, handlers, otherwise, final = statement
            changed = tuple((types, at, rewritten(part, watch)) for types, at, part in handlers)
            final = rewritten(final, watch)
            return (
                tag,
                line,
                rewritten(body, watch),
                changed,
                rewritten(otherwise, watch),
                final,
            )
        case "W":
            entered = tuple(
                (text, (DONE, *events) if text.strip() in watch.names else _marked(events, watch))
                for text, events in statement[2]
            )
            return (tag, line, entered, rewritten(statement[3], watch))
        case _:
            return statement


def _done(line: int) -> Statement:
    return (DO, line, (DONE,))


def _ending(block: Block, watch: Watch) -> bool:
    return any(event == DONE or watch.kills(event) for event in every(block))


def _marked(events: tuple[Event, ...], watch: Watch) -> tuple[Event, ...]:
    """
    Put `DONE` after each await of a wait for the process.
    """
    marked: list[Event] = []
    waiting = False
    for index, event in enumerate(events):
        marked.append(event)
        if event[0] == AWAIT and waiting:
            marked.append(DONE)
            waiting = False
        elif event[0] == OP and event[1] in watch.paths and event[2] in REAPS:
            waiting = any(each[0] == AWAIT for each in events[index:])
            if not waiting:
                marked.append(DONE)
    return tuple(marked)
