"""
The page of each rule: what it means, where it was seen, what to write instead.
"""

from __future__ import annotations

import re
from importlib.resources import files

from sessionstate.audit._rules import RULES, rule_of


def page_of(code: str) -> str:
    """
    Return the page of a rule as Markdown; of a sub-code, what of its rule's page is about it.
    """
    file = files("sessionstate.audit") / "rules" / f"{rule_of(code)}.md"
    if not file.is_file():
        return f"# {code}: {RULES[code].name}\n\n{RULES[code].summary.capitalize()}.\n"
    page = file.read_text(encoding="utf-8")
    if code == rule_of(code):
        return page
    sections = re.split(r"^(?=## )", page, flags=re.MULTILINE)
    kept = [each for each in sections if not _about_another(each, code)]
    return "".join(kept)


def _about_another(section: str, code: str) -> bool:
    about = re.match(r"## (SS\d+\w*)", section)
    return about is not None and about[1] != code
