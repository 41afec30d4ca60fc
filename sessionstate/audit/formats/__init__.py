"""
What a report looks like: for a person, a program, code scanning, a workflow, or a comment.
"""

from __future__ import annotations

from ._github import as_github
from ._inventory import inventory_as_json, inventory_as_text, inventory_lines
from ._json import as_json, statistics_as_json
from ._markdown import as_markdown
from ._sarif import as_sarif
from ._shown import LineAt, clean, source_lines
from ._text import Line, as_text, statistics_as_text, text_lines
from ._words import counted, summary

__all__ = [
    "Line",
    "LineAt",
    "as_github",
    "as_json",
    "as_markdown",
    "as_sarif",
    "as_text",
    "clean",
    "counted",
    "inventory_as_json",
    "inventory_as_text",
    "inventory_lines",
    "source_lines",
    "statistics_as_json",
    "statistics_as_text",
    "summary",
    "text_lines",
]
