"""
Ways to keep a dictionary small.
"""


def trim(mapping, size):
    while len(mapping) > size:
        mapping.pop(next(iter(mapping)))
