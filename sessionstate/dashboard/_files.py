"""The files of the page: read once, and sent with what lets a browser keep them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

FOLDER: Final = Path(__file__).parent / "static"
TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
"""What is sent; everything else in the folder is not."""
PLACEHOLDER: Final = re.compile(r"\{\{([a-z_]+)\}\}")
LINKED: Final = {"favicon.svg": "icon", "dashboard.css": "stylesheet"}
"""Of the files, what the form for the token looks like."""
LOGIN: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
{links}
</head>
<body class="login">
<main>
<h1>{title}</h1>
{said}
<form method="post" action="login">
<p><label for="token">Token, as the program printed it</label></p>
<p><input id="token" name="token" type="password" autocomplete="current-password" required
 autofocus> <button>Sign in</button></p>
</form>
</main>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class File:
    """
    One file as it is sent.
    """

    body: bytes
    media_type: str
    tag: str


class Files:
    """
    What the folder of the page holds.
    """

    def __init__(self, folder: Path, title: str) -> None:
        self._title = title
        self._shell = (folder / "index.html").read_text(encoding="utf-8")
        self._files: dict[str, File] = {}
        for path in sorted(folder.iterdir()):
            if media_type := TYPES.get(path.suffix):
                body = path.read_bytes()
                tag = f'"{sha256(body).hexdigest()[:32]}"'
                self._files[path.name] = File(body, media_type, tag)

    def send(self, request: Request) -> Response:
        """
        Send a file, or say that the browser's copy is still right.
        """
        file = self._files.get(request.path_params["name"])
        if file is None:
            raise HTTPException(404, "the page has no such file")
        headers = {"etag": file.tag, "cache-control": "no-cache"}
        known = [tag.strip().removeprefix("W/") for tag in _tags(request)]
        if file.tag in known or "*" in known:
            return Response(status_code=304, headers=headers)
        return Response(file.body, 200, headers, file.media_type)

    def page(self, *, csrf: str, allow_close: bool, sign_out: bool) -> Response:
        """
        Return the page, which asks for the rest by itself.

        Whatever it has to know stands in attributes: nothing of it is script.
        """
        values = {"csrf": csrf, "title": self._title}
        said = {
            "title": self._title,
            "allow-close": str(allow_close).lower(),
            "sign-out": str(sign_out).lower(),
        }
        attributes = " ".join(f'data-{name}="{escape(value)}"' for name, value in said.items())
        html = PLACEHOLDER.sub(lambda found: escape(values[found[1]]), self._shell)
        html = html.replace("<body", f"<body {attributes}", 1)
        return HTMLResponse(html)

    def login(self, said: str = "", status: int = 200) -> Response:
        """
        Return the form that asks for the token, and needs no script.
        """
        links = "\n".join(
            f'<link rel="{relation}" href="static/{name}">'
            for name, relation in LINKED.items()
            if name in self._files
        )
        said = f'<p role="alert">{escape(said)}</p>' if said else ""
        html = LOGIN.format(title=escape(self._title), links=links, said=said)
        return HTMLResponse(html, status)


def _tags(request: Request) -> list[str]:
    return request.headers.get("if-none-match", "").split(",")
