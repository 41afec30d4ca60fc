"""What all maps here have in common: a hook, an owner, and loads that all waiters share."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, SupportsIndex, TypeVar, cast

from ._causes import EvictionCause
from ._single_flight import Load, load

if TYPE_CHECKING:
    from sessionstate._alarms import Tenancy, Tenant
    from sessionstate._session import Session
    from sessionstate._supervisor import Supervisor

K = TypeVar("K")
V = TypeVar("V")

MISSING: Final[Any] = object()

alone: Callable[[Any], None] | None = None
"""Is told of each container without an owner; `sessionstate.testing` looks into them."""


class Container(MutableMapping[K, V], Generic[K, V]):
    """
    A mapping whose entries may leave by themselves.

    What leaves is noted first and told to the hook when everything is in its place, so that a hook
    may use the container as anybody else.
    """

    __slots__ = ("__weakref__", "_adrift", "_left", "_loads", "_on_evict", "_over", "_tenancy")

    def __init__(
        self,
        on_evict: Callable[[K, V, EvictionCause], object] | None,
        supervisor: Supervisor | None,
        session: Session | None,
    ) -> None:
        self._left: deque[tuple[K, V, EvictionCause]] = deque()
        self._loads: dict[K, Load[K, V]] = {}
        self._adrift: dict[Load[K, V], None] = {}
        """Loads under way that will not be stored."""
        self._on_evict = hook(on_evict)
        self._over: Callable[[], Exception] | None = None
        self._tenancy = house(self, supervisor, session)

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        name = type(self).__name__
        raise TypeError(
            f"{name} cannot be copied or pickled: dict(each.items()) copies what it holds"
        )

    async def get_or_create(self, key: K, factory: Callable[[], Awaitable[V]]) -> V:
        """
        Return the value of *key*, made by ``await factory()`` and stored if there is none.

        However many ask at once, the factory runs once, in a task of its own. A failure reaches all
        who wait and is not remembered. One waiter's cancellation never reaches the others; with the
        last waiter the load is cancelled. An explicit write wins: when the key is set, deleted or
        cleared while a load is under way, those who wait get what was loaded, and it is not stored.

        Args:
            key: The key.
            factory: An async function without arguments.

        Raises:
            RuntimeError: If a load waits, directly or through others, for its own key.
            SessionClosed: If the owning session has ended, or ends meanwhile.
            SupervisorClosed: If the owning supervisor was left, or is left meanwhile.
            TypeError: If *factory* is no function, or does not return an awaitable.
            ValueError: If the value is heavier than the container may be.
        """
        try:
            return self[key]
        except KeyError:
            if self._over is not None:
                raise self._over() from None
        return await load(self, key, factory)

    def _tell(self) -> None:
        """Call the hook for everything that has left; raise its errors together, afterwards."""
        errors: list[Exception] = []
        left, hook = self._left, self._on_evict
        assert hook is not None
        while left:
            try:
                _refuse_coroutine(hook(*left.popleft()))
            except Exception as error:
                errors.append(error)
        if errors:
            raise ExceptionGroup(f"on_evict of {type(self).__name__} failed", errors)

    def _detach(self, key: K) -> None:
        """Let a load of *key* end without being stored, as there was an explicit write."""
        load = self._loads.pop(key, None)
        if load is not None:
            self._adrift[load] = None

    def _vacate(self, ended: Callable[[], Exception]) -> list[asyncio.Task[None]]:
        """Let go of everything, as the owner ends."""
        self._over = ended
        self._tenancy = None
        tasks = [load.end(ended) for load in [*self._loads.values(), *self._adrift]]
        self.clear()
        return [task for task in tasks if task is not None]

    def _overdue(self) -> None:
        """Let go of what is due."""


_NEVER_WAITS: Final = (
    "on_evict must be a plain function, as a container never waits: for async work, start a task "
    "in it"
)


def _refuse_coroutine(result: object) -> None:
    if isinstance(result, Coroutine):
        cast("Coroutine[Any, Any, object]", result).close()
        raise TypeError(_NEVER_WAITS)


def hook(call: Callable[..., object] | None) -> Callable[..., object] | None:
    """Refuse what cannot be a hook."""
    if call is None:
        return None
    given: object = call
    if not callable(given):
        raise TypeError(f"on_evict must be a function (key, value, cause), not {given!r}")
    if inspect.iscoroutinefunction(given):
        raise TypeError(_NEVER_WAITS)
    return call


def house(tenant: Tenant, supervisor: Supervisor | None, session: Session | None) -> Tenancy | None:
    """Have the owner, if there is one, keep watch over *tenant*."""
    if supervisor is not None and session is not None:
        raise ValueError("a container has one owner: give supervisor= or session=, not both")
    owner = session if supervisor is None else supervisor
    if owner is None:
        if alone is not None:
            alone(tenant)
        return None
    if not hasattr(owner, "_house"):
        name = "session" if supervisor is None else "supervisor"
        raise TypeError(f"{name} must be a {name.capitalize()}, not {owner!r}")
    return owner._house(tenant)


def limit_of(name: str, value: int | None) -> float:
    """Validate a limit of size and return it: infinite for None."""
    if value is None:
        return inf
    if type(value) is bool or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {value!r} ({type(value).__name__})")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, not {value}: write {name}=None for no limit")
    return value


def clock_of(
    tenancy: Tenancy | None, clock: Callable[[], float] | None, name: str = "clock"
) -> Callable[[], float]:
    """Return the clock of the owner, or of one who has none."""
    given: object = clock
    if given is not None and not callable(given):
        raise TypeError(
            f"{name} must be a function that returns seconds, such as time.monotonic, not {given!r}"
        )
    if tenancy is None:
        return monotonic if clock is None else clock
    if clock is not None:
        raise ValueError("a container with an owner has the owner's clock: leave clock= out")
    return tenancy.clock
