"""
A parser is made for one document, and its table of anchors goes with it.
"""


class YamlishParser:
    """Understands ``key: value``, ``&anchor`` and ``*alias``."""

    def __init__(self, text):
        self.lines = text.splitlines()
        self.anchors = {}  # clean: a new parser for each document

    def parse(self):
        result = {}
        for line in self.lines:
            key, _, value = line.partition(":")
            value = value.strip()
            if value.startswith("&"):
                anchor_id, _, value = value[1:].partition(" ")
                self.anchors[anchor_id] = value
            elif value.startswith("*"):
                value = self.anchors[value[1:]]
            result[key.strip()] = value
        return result


async def import_config(request):
    text = (await request.body()).decode()
    return YamlishParser(text).parse()
