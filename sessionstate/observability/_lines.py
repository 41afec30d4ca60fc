"""Log records: the facts beside the sentence, ids as they may be shown, and not too many."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from traceback import format_exception
from typing import Final

from sessionstate._redaction import Redact, redaction, without_ids

from ._attachment import Attachment

LIBRARY: Final = "sessionstate"


class Lines:
    """
    Writes lines, and so many of one kind at most until `more` tells how many there were besides.
    """

    def __init__(self, logger: logging.Logger, redact: Callable[[str], str], burst: int) -> None:
        self.shown = redact
        self._logger = logger
        self._burst = burst
        self._written: Counter[str] = Counter()

    def wants(self, level: int) -> bool:
        """Tell whether lines of *level* go anywhere."""
        return self._logger.isEnabledFor(level)

    def write(
        self,
        level: int,
        text: str,
        facts: dict[str, object],
        error: BaseException | None = None,
        id: str | None = None,
    ) -> None:
        """Write one line, with *facts* as attributes of its record."""
        logger = self._logger
        if not logger.isEnabledFor(level):
            return
        record = logger.makeRecord(
            logger.name, level, __file__, 0, text, (), None, "log_events", facts
        )
        if error is not None:
            # The handlers would format the error themselves, ids and all.
            record.exc_text = without_ids(traceback(error), self.shown, id)
        logger.handle(record)

    def take(self, kind: str) -> bool:
        """Tell whether one more line of this *kind* may be written; if not, it is counted."""
        self._written[kind] += 1
        return self._written[kind] <= self._burst

    def more(self) -> dict[str, int]:
        """Return how many of each kind were not written, and begin to count anew."""
        written, self._written = self._written, Counter()
        return {kind: n - self._burst for kind, n in written.items() if n > self._burst}


def counted(number: int, what: str) -> str:
    """Return how many there are of *what*."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def traceback(error: BaseException) -> str:
    """Return what a handler would print of *error*."""
    return "".join(format_exception(error)).rstrip("\n")


class Redacting(logging.Filter):
    """
    Rewrites the library's own records: ids as they may be shown, the first one as an attribute.
    """

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._shown = redact

    def filter(self, record: logging.LogRecord) -> bool:
        """
        Rewrite *record*, and let it pass.
        """
        if hasattr(record, "session_id"):  # one of `log_events`
            return True
        first: list[str] = []

        def shown(id: str) -> str:
            first.append(self._shown(id))
            return first[-1]

        record.msg, record.args = without_ids(record.getMessage(), shown), None
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = without_ids(traceback(record.exc_info[1]), shown)
            record.exc_info = None
        if first:
            record.session_id = first[0]
        return True


def redact_logs(redact: Redact | None = None) -> Attachment:
    """
    Show no more of session ids in the library's own log lines than *redact* lets through.

    Where such a line, or the traceback of an error of ours beside it, says ``session 'the-id'``,
    the id is replaced; the first one is the record's ``session_id``. What an application puts into
    its own errors is its own to redact.

    Args:
        redact: ``"short"``, ``"hash"``, ``"none"``, or a function of the id; see `log_events`.

    Returns:
        A handle with ``cancel()``.

    .. versionadded:: 0.1
    """
    rewrite = Redacting(redaction(redact))
    # A filter of a logger is not asked about the records of those below it.
    loggers = [logging.getLogger(name) for name in (LIBRARY, f"{LIBRARY}.dashboard")]
    for logger in loggers:
        logger.addFilter(rewrite)

    def cancel() -> None:
        for logger in loggers:
            logger.removeFilter(rewrite)

    return Attachment(cancel)
