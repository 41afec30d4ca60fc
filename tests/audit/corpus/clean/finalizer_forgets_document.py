"""
A finaliser on each document pops its row as soon as the document is collected.
"""

import itertools
import weakref

_serial = itertools.count(1)
_titles = {}  # clean: weakref.finalize pops the row


class Document:
    def __init__(self, title):
        self.doc_id = next(_serial)
        _titles[self.doc_id] = title
        weakref.finalize(self, _titles.pop, self.doc_id, None)

    def rename(self, title):
        _titles[self.doc_id] = title


def open_titles():
    return sorted(_titles.values())


def on_open(params):
    doc = Document(params["title"])
    return {"id": doc.doc_id, "open": open_titles()}
