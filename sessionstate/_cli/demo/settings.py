"""
The seconds that both servers live by, shortened so that a demo can wait for all of them.
"""

from __future__ import annotations

import sys

LINGER = 3.0
"""How long a conversation waits for a client that vanished."""

STALL_TIMEOUT = 4.0
"""How long a client on an open socket may say nothing."""

REQUEST_LIMIT = 2.0
"""How long the server lets a handler run that it limits."""

GOODBYE_LIMIT = 1.0
"""How long a closing handshake may take before the connection is dropped."""

WEBHOOK_WINDOW = 8.0
"""How old a webhook may be: as long as it is, somebody may send it again."""

REMEMBERED = 50
"""Signatures that the server with plain dicts keeps: 10,000 where this was seen."""

SETTLE = STALL_TIMEOUT + LINGER + GOODBYE_LIMIT + 0.5
"""From the last conversation's end until every deadline has passed."""

SAMPLE_EVERY = 0.2
"""Seconds between two looks at the server's memory."""


def allow_sockets(wanted: int) -> None:
    """
    Raise this process's limit on open files as far as *wanted* needs and the system lets it.

    POSIX only: macOS starts at 256, less than one run needs; Windows has no such limit.
    """
    if sys.platform != "win32":
        import resource  # noqa: PLC0415

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == resource.RLIM_INFINITY or soft >= wanted:
            return
        if hard != resource.RLIM_INFINITY:
            wanted = min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
