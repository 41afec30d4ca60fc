"""
What must be done when a session is over.
"""

from . import tables


def forget_everything(session_id):
    for table in (tables.tokens_of, tables.cursor_of):
        table.pop(session_id, None)
