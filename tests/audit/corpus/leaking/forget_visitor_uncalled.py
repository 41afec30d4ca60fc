"""Visitors are remembered for ever, because forget() was written for the log-out page that never came."""

from quart import Quart, request, session

app = Quart(__name__)
app.secret_key = "change me"

_visitors = {}  # leaks SS002d: forget() has no caller
_greeting = {"de": "Guten Tag", "fr": "Bonjour", "en": "Good day"}  # clean: constant


def forget(visitor_id):
    _visitors.pop(visitor_id, None)


def remember(visitor_id, **facts):
    row = _visitors.setdefault(visitor_id, {"pages": 0})
    row.update(facts)
    row["pages"] += 1
    return row


@app.before_request
async def count_page():
    visitor_id = session.get("v") or request.headers.get("x-request-id")
    session["v"] = visitor_id
    remember(visitor_id, last=request.path)


@app.get("/")
async def index():
    lang = request.accept_languages.best_match(list(_greeting)) or "en"
    return f"{_greeting[lang]}, page {_visitors[session['v']]['pages']}"
