"""
Which fix is for which finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import libcst as cst

from sessionstate.audit._findings import Finding
from sessionstate.audit._fix_children import wait_for_it
from sessionstate.audit._fix_finally import remove_in_finally
from sessionstate.audit._fix_inner import remove_what_is_empty
from sessionstate.audit._fix_source import Source
from sessionstate.audit._fix_tasks import discard_when_done

FIXES: Final[dict[str, Callable[[Source, Finding], bool]]] = {
    "SS002b": remove_in_finally,
    "SS002f": remove_what_is_empty,
    "SS005c": wait_for_it,
    "SS006": discard_when_done,
}


def fixed(text: str, findings: Iterable[Finding]) -> tuple[str, tuple[Finding, ...]]:
    """
    Return *text* with what could be put right, and which of *findings* that is.

    Raises:
        ValueError: If libcst cannot keep it as it is, though Python can parse it.
    """
    try:
        source = Source(text)
    except cst.ParserSyntaxError as error:
        raise ValueError(f"libcst cannot parse it: {error.message}") from error
    if source.text != text:  # a form feed before the first line, say
        raise ValueError("libcst would change more of it than what is fixed")
    done = tuple(finding for finding in findings if FIXES[finding.code](source, finding))
    return source.text, done
