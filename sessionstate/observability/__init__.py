"""
What happens to sessions, for logs, metrics and traces.

This module needs nothing but sessionstate; `sessionstate.observability.otel` and
`sessionstate.observability.prometheus` need the extra of their name.
"""

from __future__ import annotations

from sessionstate._redaction import Redact, hashed

from ._attachment import Attachment
from ._lines import redact_logs
from ._logs import log_events
from ._requests import RequestCounter

__all__ = ["Attachment", "Redact", "RequestCounter", "hashed", "log_events", "redact_logs"]

for _name in ("Attachment", "RequestCounter", "hashed", "log_events", "redact_logs"):
    globals()[_name].__module__ = __name__
del _name  # pyright: ignore[reportPossiblyUnboundVariable]
