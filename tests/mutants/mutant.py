"""
A seeded defect: what it breaks, and where.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = "sessionstate"


@dataclass(frozen=True)
class Mutant:
    """
    One defect, which the suite is to find.
    """

    name: str
    breaks: str
    """What goes wrong, in a sentence."""
    file: str
    """Where, within the package."""
    old: str
    """The text that is there, once."""
    new: str
    killers: tuple[str, ...]
    """Which tests are expected to find it, as in ``tests/test_{}.py``: they run first."""
    survives: str = ""
    """Why nothing can find it; empty if something does."""

    def applied(self, source: str) -> str:
        """
        Return *source* with the defect.

        Raises:
            ValueError: If the place is not there, or there are several.
        """
        found = source.count(self.old)
        if found != 1:
            raise ValueError(
                f"mutant {self.name!r} fits {found} places of {self.file}, where it must fit one: "
                f"the source has changed, so change the mutant"
            )
        return source.replace(self.old, self.new)

    def path(self, root: Path = ROOT) -> Path:
        """
        Return the file in the tree at *root*.
        """
        return root / PACKAGE / self.file
