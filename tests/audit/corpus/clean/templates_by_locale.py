"""
Compiled templates are kept by name and locale, both taken from fixed lists.
"""
import string
from pathlib import Path

LOCALES = ("en", "sv")
NAMES = ("welcome", "reset", "bye")
_compiled: dict[tuple[str, str], string.Template] = {}  # clean: at most six keys


def template(name: str, locale: str) -> string.Template:
    key = (NAMES[NAMES.index(name)], locale if locale in LOCALES else "en")
    try:
        return _compiled[key]
    except KeyError:
        text = Path("mails", *key[::-1]).with_suffix(".txt").read_text()
        _compiled[key] = string.Template(text)
        return _compiled[key]


def mail_for(user, name):
    return template(name, user.locale).substitute(user_id=user.id, name=user.name)
