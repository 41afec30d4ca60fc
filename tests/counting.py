"""
Counts which branches of the package are taken, from its first import on.

Each worker of a parallel run counts for itself. They end without their atexit functions, so what
they counted is written when the last test is done.
"""

import os
from pathlib import Path

WANTED = "SESSIONSTATE_COUNTING"
"""Set where branches are to be counted."""


class Counting:
    """
    The count of one process.
    """

    def __init__(self) -> None:
        import coverage

        root = Path(__file__).parent.parent
        self._coverage = coverage.Coverage(
            data_file=root / ".coverage", data_suffix=True, config_file=root / "pyproject.toml"
        )
        self._coverage.start()

    def finish(self) -> None:
        """
        Write what was counted.
        """
        self._coverage.stop()
        self._coverage.save()


counting = Counting() if WANTED in os.environ else None
