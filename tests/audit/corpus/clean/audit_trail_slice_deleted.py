"""
After each append the head of the list is cut off, so that five hundred rows remain at most.
"""

import datetime as dt

from flask import Flask, g, jsonify, request

KEEP = 500
app = Flask(__name__)
trail = []  # clean: del trail[:-KEEP] after each append


def note(session_id, verb):
    trail.append((dt.datetime.now(dt.timezone.utc), session_id, verb))
    del trail[:-KEEP]


@app.before_request
def who():
    g.session_id = request.cookies.get("sid", "anonymous")


@app.after_request
def remember(response):
    note(g.session_id, f"{request.method} {request.path} -> {response.status_code}")
    return response


@app.get("/trail")
def show():
    return jsonify([{"at": at.isoformat(), "who": sid, "what": verb} for at, sid, verb in trail])
