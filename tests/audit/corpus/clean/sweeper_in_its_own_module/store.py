"""
The uploads that nobody finishes are deleted by the task in sweeper.py, which main.py starts.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass
class PartialUpload:
    parts: list[bytes] = field(default_factory=list)
    touched: float = field(default_factory=time.monotonic)


class UploadStore:
    def __init__(self) -> None:
        self.partial: dict[str, PartialUpload] = {}  # clean: sweeper.py, started by main.py

    def add(self, upload_id: str, part: bytes) -> int:
        upload = self.partial.setdefault(upload_id, PartialUpload())
        upload.parts.append(part)
        upload.touched = time.monotonic()
        return len(upload.parts)

    def finish(self, upload_id: str) -> bytes:
        return b"".join(self.partial.pop(upload_id).parts)


uploads = UploadStore()
