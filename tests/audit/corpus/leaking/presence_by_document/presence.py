"""Every document keeps an empty presence map, because the editor's exit clears its own line and no more."""

from __future__ import annotations

presence: dict[str, dict[str, dict]] = {}  # leaks SS002f: editor.py deletes the inner key only
colours = ["#c33", "#3c3", "#33c"]  # clean: constant


def others(document_id: str, me: str) -> list[dict]:
    return [p for who, p in presence.get(document_id, {}).items() if who != me]
