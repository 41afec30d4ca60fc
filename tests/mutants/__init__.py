"""
Seeded defects, each of which the suite is to find.
"""

from tests.mutants.blocks import BLOCKS
from tests.mutants.containers import CONTAINERS
from tests.mutants.lifecycle import LIFECYCLE
from tests.mutants.owned import OWNED
from tests.mutants.protocol import PROTOCOL

MUTANTS = [*PROTOCOL, *BLOCKS, *LIFECYCLE, *OWNED, *CONTAINERS]
"""All of them."""
