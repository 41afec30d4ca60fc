"""Up to 256 renderers stay alive with their pages, because a bounded cache on a method still holds self until it is pushed out."""

import functools
import html


class Renderer:
    def __init__(self, session_id, theme):
        self.session_id = session_id
        self.theme = theme
        self.blocks = {"p": "<p>{}</p>", "h": "<h1>{}</h1>"}  # clean: constant

    @functools.lru_cache(maxsize=256)  # leaks SS003 info: bounded, and keeps self
    def block(self, kind, text):
        return self.blocks[kind].format(html.escape(text))

    def page(self, lines):
        body = "".join(self.block(kind, text) for kind, text in lines)
        return f'<html class="{self.theme}" id="{self.session_id}">{body}</html>'


async def show(request, store):
    renderer = Renderer(request.session["id"], request.session.get("theme", "light"))
    return renderer.page(await store.lines(request.session["id"]))
