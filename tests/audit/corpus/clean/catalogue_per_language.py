"""
Translations are kept by language, and a language that is not on offer becomes English.
"""

import gettext

from babel import negotiate_locale

LANGUAGES = ["en", "de", "fr", "uk"]
_catalogues: dict[str, gettext.NullTranslations] = {}  # clean: keyed by one of four languages


def catalogue(language: str) -> gettext.NullTranslations:
    if language not in _catalogues:
        _catalogues[language] = gettext.translation("shop", "locale", [language], fallback=True)
    return _catalogues[language]


async def greet(request):
    wanted = request.headers.get("accept-language", "en").split(",")
    language = negotiate_locale(wanted, LANGUAGES, sep="-") or "en"
    _ = catalogue(language).gettext
    return {"session_id": request.cookies.get("sid"), "text": _("Welcome back")}
