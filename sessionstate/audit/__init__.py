"""
Finds what is kept per session and never goes, in code that does not use sessionstate yet.

.. versionadded:: 0.1
"""

from ._audit import audit
from ._findings import (
    Accepted,
    Confidence,
    Container,
    Exit,
    Finding,
    Place,
    Problem,
    Report,
    Severity,
    Verdict,
)
from ._settings import Settings, SettingsError

__all__ = [
    "Accepted",
    "Confidence",
    "Container",
    "Exit",
    "Finding",
    "Place",
    "Problem",
    "Report",
    "Settings",
    "SettingsError",
    "Severity",
    "Verdict",
    "audit",
]

for _name in __all__:  # what users import says that it lives where they import it from
    globals()[_name].__module__ = __name__
del _name  # pyright: ignore[reportPossiblyUnboundVariable]
