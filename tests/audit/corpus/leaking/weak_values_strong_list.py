"""Every session object stays alive, because a list for the admin's page holds it although the table by id is weak."""

import uuid
import weakref


class Session:
    by_id = weakref.WeakValueDictionary()  # clean: the values are weak
    opened = []  # unseen SS001: appended to at each opening, never shortened

    def __init__(self, user):
        self.id = uuid.uuid4().hex
        self.user = user
        self.turns = 0
        Session.by_id[self.id] = self
        Session.opened.append(self)

    @classmethod
    def report(cls):
        return [(s.id, s.user, s.turns) for s in cls.opened[-20:]]


async def websocket_endpoint(ws):
    session = Session(ws.user)
    await ws.send_json({"session": session.id})
    async for text in ws.iter_text():
        session.turns += 1
        await ws.send_text(text[::-1])
