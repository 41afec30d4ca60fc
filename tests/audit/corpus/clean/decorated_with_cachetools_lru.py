"""
The decorator stores results in an LRU cache that never has more than 256 rows.
"""
import threading

from cachetools import LRUCache, cached
from cachetools.keys import hashkey

_rendered = LRUCache(maxsize=256)  # clean: least recently used goes first


@cached(_rendered, key=lambda thread_id, text: hashkey(thread_id, len(text)), lock=threading.RLock())
def render_thread(thread_id, text):
    lines = []
    for number, line in enumerate(text.splitlines(), start=1):
        lines.append("%4d  %s" % (number, line))
    return "\n".join(lines)


def view(request):
    return render_thread(request.args["thread_id"], request.data.decode())
