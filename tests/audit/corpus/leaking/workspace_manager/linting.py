"""The checks, and where their outcome goes."""

from workspace_manager import manager as m

LIMITS = {"line": 110, "file": 5000}  # clean: constants


def check(uri):
    text = m.documents.texts.get(uri, "")
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > LIMITS["line"]:
            found.append(f"{number}: too long")
    m.documents.report(uri, found)
