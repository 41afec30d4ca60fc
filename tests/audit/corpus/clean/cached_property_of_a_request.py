"""
A cached property is kept in the instance, and the instance is kept for one request.
"""
import json
from functools import cached_property

from werkzeug.wrappers import Request, Response


class ApiRequest(Request):
    @cached_property  # clean: stored in the request itself
    def items_by_id(self):
        return {row["id"]: row for row in json.loads(self.get_data())}

    @cached_property  # clean: stored in the request itself
    def session_id(self):
        return self.cookies.get("sid") or self.headers.get("X-Session", "none")


def application(environ, start_response):
    request = ApiRequest(environ)
    body = f"{request.session_id}: {len(request.items_by_id)} items\n"
    return Response(body)(environ, start_response)
