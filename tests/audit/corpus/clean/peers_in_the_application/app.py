"""
The map is made with the application, and the handler in another module takes its peer out again.
"""

from aiohttp import web

from peers_handler import signalling


def create_app() -> web.Application:
    app = web.Application()
    app["peers"] = {}  # clean: signalling() pops in finally
    app.router.add_get("/signal/{peer_id}", signalling)
    return app


if __name__ == "__main__":
    web.run_app(create_app(), port=8443)
