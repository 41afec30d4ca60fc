"""
A job of the scheduler, added and started at import, deletes invitations of yesterday.
"""
from datetime import datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask, request

app = Flask(__name__)
invites = {}  # clean: purge_invites runs each ten minutes


def purge_invites():
    limit = datetime.utcnow() - timedelta(days=1)
    for code, (_, made) in list(invites.items()):
        if made < limit:
            invites.pop(code, None)


scheduler = BackgroundScheduler()
scheduler.add_job(purge_invites, "interval", minutes=10)
scheduler.start()


@app.post("/invites/<code>")
def invite(code):
    invites[code] = (request.json["email"], datetime.utcnow())
    return "", 201


@app.get("/invites/<code>")
def show(code):
    email, _ = invites.get(code, ("", None))
    return {"email": email}
