"""
The map comes from a library that bounds it by length and by age.
"""
import secrets

from expiringdict import ExpiringDict
from flask import Flask, abort, request

app = Flask(__name__)
answers = ExpiringDict(max_len=10_000, max_age_seconds=180)  # clean: bounded by length and by age


@app.get("/captcha")
def new_captcha():
    token = secrets.token_urlsafe(16)
    a, b = secrets.randbelow(10), secrets.randbelow(10)
    answers[token] = a + b
    return {"token": token, "question": f"{a} + {b}"}


@app.post("/captcha/<token>")
def check(token):
    if answers.pop(token, None) != int(request.form["answer"]):
        abort(403)
    return {"ok": True}
