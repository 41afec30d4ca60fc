"""
The catalogue of rules: what each is called, and what it says in one line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Rule:
    """
    One rule, or one of its sub-codes.
    """

    code: str
    name: str
    summary: str


RULES: Final = {
    rule.code: rule
    for rule in (
        Rule("SS001", "never-removed", "grows by a session's key, and nothing is ever removed"),
        Rule("SS002", "not-on-every-exit", "removed, but not on every way out"),
        Rule("SS002a", "only-by-event", "removed only when an event or one disconnect says so"),
        Rule("SS002b", "not-in-finally", "removed after what may fail or be cancelled"),
        Rule("SS002c", "finally-with-condition", "removed in a finally, behind another condition"),
        Rule("SS002d", "removal-never-called", "the function that removes it has no caller"),
        Rule("SS002e", "only-on-command", "removed only when a user asks for it"),
        Rule("SS002f", "empty-inner-left", "the inner collection is emptied, its key stays"),
        Rule("SS002g", "only-on-read", "expired entries go only when they are read again"),
        Rule("SS003", "cached-by-session", "a cache decorator keeps a session's arguments"),
        Rule("SS004", "listener-not-removed", "a listener outlives the session that it serves"),
        Rule("SS004b", "listener-removed-by-event", "a listener goes only when an event comes"),
        Rule("SS005", "process-not-ended", "a child process is not ended on every way out"),
        Rule("SS005a", "process-never-killed", "a time-out leaves the child process running"),
        Rule("SS005b", "process-killed-on-timeout-only", "a cancellation leaves the process"),
        Rule("SS005c", "process-not-reaped", "a child process is killed and not waited for"),
        Rule("SS006", "task-not-owned", "a task is dropped, or stays in its collection"),
        Rule("SS007", "seen-without-expiry", "what was seen is remembered without a time limit"),
        Rule("SS008", "list-as-lru", "a list is searched and rebuilt on each access"),
        Rule("SS009", "lock-per-key", "a lock for each key that was ever seen"),
        Rule("SS010", "ttl-without-sweeper", "entries have a time to live, and nothing sweeps"),
    )
}


def rule_of(code: str) -> str:
    """
    Return the rule that *code* belongs to: ``SS002`` of ``SS002b``.
    """
    return code[:5]
