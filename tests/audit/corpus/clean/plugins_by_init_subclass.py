"""
Subclasses enter themselves in the table when they are defined.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar


class Exporter(ABC):
    registry: ClassVar[dict[str, type[Exporter]]] = {}  # clean: one row for each subclass
    session_format: ClassVar[str]

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        Exporter.registry[cls.session_format] = cls

    @abstractmethod
    def render(self, messages: list[str]) -> str: ...


class Markdown(Exporter):
    session_format = "md"

    def render(self, messages: list[str]) -> str:
        return "\n\n".join(f"> {m}" for m in messages)


class Plain(Exporter):
    session_format = "txt"

    def render(self, messages: list[str]) -> str:
        return "\n".join(messages)


def export(session, fmt: str) -> str:
    return Exporter.registry[fmt]().render(session.messages)
