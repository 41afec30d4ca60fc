"""
The rows of the table, in its order.
"""

from collections.abc import Awaitable, Callable

from tests.benchmarks.blocks import attach, callback, session
from tests.benchmarks.cleanup import async_callback, async_cm
from tests.benchmarks.containers import containers, lru, replay
from tests.benchmarks.familiar import familiar
from tests.benchmarks.growth import growth
from tests.benchmarks.lookups import map_read, touch, var_get
from tests.benchmarks.measure import Figure, Plan
from tests.benchmarks.memory import memory
from tests.benchmarks.metrics import metrics
from tests.benchmarks.page import page
from tests.benchmarks.pause import pause
from tests.benchmarks.storm import storm
from tests.benchmarks.tracing import tracing

Row = Callable[[Plan], Awaitable[list[Figure]]]

SMALL: dict[str, Row] = {
    "session": session,
    "callback": callback,
    "attach": attach,
    "async-callback": async_callback,
    "async-cm": async_cm,
    "touch": touch,
    "map-read": map_read,
    "var-get": var_get,
    "tracing": tracing,
    "familiar": familiar,
}
BIG: dict[str, Row] = {
    "memory": memory,
    "pause": pause,
    "storm": storm,
    "growth": growth,
    "containers": containers,
    "lru": lru,
    "replay": replay,
    "metrics": metrics,
    "page": page,
}
ROWS: dict[str, Row] = {**SMALL, **BIG}
