"""
Before a thumbnail is stored a helper method pops the oldest until there is room for one more.
"""

from __future__ import annotations

from io import BytesIO

from PIL import Image


class Thumbnails:
    LIMIT = 300

    def __init__(self) -> None:
        self._by_upload: dict[str, bytes] = {}  # clean: _make_room pops the oldest

    def of(self, upload_id: str, picture: bytes) -> bytes:
        known = self._by_upload.get(upload_id)
        if known is not None:
            return known
        small = self._shrink(picture)
        self._make_room()
        self._by_upload[upload_id] = small
        return small

    def _make_room(self) -> None:
        while len(self._by_upload) >= self.LIMIT:
            oldest = next(iter(self._by_upload))
            del self._by_upload[oldest]

    @staticmethod
    def _shrink(picture: bytes) -> bytes:
        image = Image.open(BytesIO(picture))
        image.thumbnail((128, 128))
        out = BytesIO()
        image.save(out, "PNG")
        return out.getvalue()


thumbnails = Thumbnails()


def thumbnail_view(request, upload_id: str) -> bytes:
    return thumbnails.of(upload_id, request.body)
