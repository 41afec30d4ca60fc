"""
Server-sent events, as the HTML standard parses them.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 64 * 2**20
"""Characters of one event: a history of a month has a tenth of it."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """
    One event of a stream.
    """

    name: str
    data: str


class TooLongError(ValueError):
    """
    A line or an event has no end.
    """


class ServerEvents:
    """
    Takes a stream apart, wherever its bytes were cut.

    Lines end with LF, CR or both, and with nothing else: the line separators of Unicode, which
    `str.splitlines` knows, are data. An event that the end of the stream cut off is none.
    """

    __slots__ = ("_data", "_decoder", "_line", "_name", "_size", "_skip_lf", "_started")

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._started = False
        self._skip_lf = False
        self._line: list[str] = []
        self._name = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[ServerEvent]:
        """
        Yield the events that *chunk* completes.

        Raises:
            TooLongError: If one has more than `LONGEST` characters.
        """
        text = self._decoder.decode(chunk)
        if text and not self._started:
            self._started = True
            text = text.removeprefix("\ufeff")
        self._size += len(text)
        if self._size > LONGEST + len(chunk):
            raise TooLongError(f"an event of more than {LONGEST} characters")
        for line in self._lines(text):
            event = self._take(line)
            if event is not None:
                yield event

    def _lines(self, text: str) -> Iterator[str]:
        if self._skip_lf and text:
            self._skip_lf = False
            text = text.removeprefix("\n")
        if text.endswith("\r"):
            self._skip_lf = True
        *whole, rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        for line in whole:
            yield "".join((*self._line, line))
            self._line.clear()
        if rest:
            self._line.append(rest)

    def _take(self, line: str) -> ServerEvent | None:
        if not line:
            name, data = self._name or "message", self._data
            self._name, self._data, self._size = "", [], 0
            return ServerEvent(name, "\n".join(data)) if data else None
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        return None
