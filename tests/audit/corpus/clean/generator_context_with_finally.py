"""
The only way to enter a row is a context manager, whose finally takes it out.
"""

import contextlib
import threading

_transactions = {}  # clean: removed in the finally of the context manager


@contextlib.contextmanager
def transaction(session_id):
    entry = {"thread": threading.get_ident(), "statements": 0}
    _transactions[session_id] = entry
    try:
        yield entry
    finally:
        _transactions.pop(session_id, None)


def execute(session_id, connection, statements):
    with transaction(session_id) as entry:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
            entry["statements"] += 1
        connection.commit()


def running():
    return {sid: entry["statements"] for sid, entry in list(_transactions.items())}
