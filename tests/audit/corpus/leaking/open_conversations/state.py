"""A conversation's summary is never forgotten, because the only module that ends conversations imports the other table."""

from collections import OrderedDict

live = {}  # clean: taken out in server.py, in a finally
summaries = {}  # leaks SS001: server.py writes it and nobody removes from it
recently_rendered = OrderedDict()  # clean: render() keeps at most 100


def render(conversation_id):
    if conversation_id in recently_rendered:
        recently_rendered.move_to_end(conversation_id)
        return recently_rendered[conversation_id]
    text = summaries.get(conversation_id, "").capitalize()
    recently_rendered[conversation_id] = text
    while len(recently_rendered) > 100:
        recently_rendered.popitem(last=False)
    return text
