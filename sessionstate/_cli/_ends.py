"""
Ends of a command that are no answer.
"""

from __future__ import annotations

from typing import Final

import click

INTERRUPTED: Final = 130
"""128 and SIGINT, as shells count: 1 is the answer "something was left behind"."""


class CannotRunError(click.ClickException):
    """
    The command could not do its work.
    """

    exit_code = 3
