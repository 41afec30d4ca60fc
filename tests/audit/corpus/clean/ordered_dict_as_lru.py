"""
A read moves its row to the end, and a write that makes the map too long drops the first row.
"""
from collections import OrderedDict


class EmbeddingCache:
    MAX_ROWS = 4096

    def __init__(self, encoder):
        self.encoder = encoder
        self.rows = OrderedDict()  # clean: popitem(last=False) above MAX_ROWS

    def vector(self, message_id, text):
        if message_id in self.rows:
            self.rows.move_to_end(message_id)
            return self.rows[message_id]
        vec = self.encoder.encode(text)
        self.rows[message_id] = vec
        if len(self.rows) > self.MAX_ROWS:
            self.rows.popitem(last=False)
        return vec


class Searcher:
    def __init__(self, encoder, index):
        self.cache = EmbeddingCache(encoder)
        self.index = index

    def similar(self, message):
        return self.index.nearest(self.cache.vector(message.id, message.text), k=5)
