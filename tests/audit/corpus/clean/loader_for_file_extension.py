"""
A loader is imported at its first use, and extensions without a loader are refused before.
"""
import importlib
from pathlib import PurePath

MODULE_OF = {".csv": "loaders.csv", ".xlsx": "loaders.excel", ".parquet": "loaders.parquet"}


class Uploads:
    _loaders = {}  # clean: keyed by a supported file extension

    def loader(self, filename):
        ext = PurePath(filename).suffix.lower()
        if ext not in MODULE_OF:
            raise ValueError(f"cannot read {filename!r}: use one of {', '.join(MODULE_OF)}")
        if ext not in self._loaders:
            self._loaders[ext] = importlib.import_module(MODULE_OF[ext]).load
        return self._loaders[ext]

    def accept(self, upload_id, filename, stream):
        rows = self.loader(filename)(stream)
        return {"upload_id": upload_id, "rows": len(rows)}


uploads = Uploads()
