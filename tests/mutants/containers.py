"""
Defects of the containers.
"""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

EXPIRING: Final = "containers/_expiring.py"
KEEPING: Final = "containers/_keeping.py"
LRU: Final = "containers/_lru.py"
REPLAY: Final = "containers/_replay.py"

CONTAINERS: Final = [
    Mutant(
        "there-at-its-deadline",
        "An entry is read at the very moment at which it is gone.",
        EXPIRING,
        """
        if now >= entry.tick and now >= entry.due:
            raise KeyError(key)
        if entry.idle""",
        """
        if now >= entry.tick and now > entry.due:
            raise KeyError(key)
        if entry.idle""",
        ("containers_expiring",),
    ),
    Mutant(
        "in-at-its-deadline",
        "`in` finds an entry at the very moment at which it is gone.",
        EXPIRING,
        "return entry is not None and self._clock() < entry.due",
        "return entry is not None and self._clock() <= entry.due",
        ("containers_expiring", "containers_expiring_machine"),
    ),
    Mutant(
        "own-ttl-ignored",
        "An entry with a ttl of its own has the map's.",
        EXPIRING,
        'lasts = self._ttl if isinstance(ttl, Own) else limit("ttl", ttl)',
        "lasts = self._ttl",
        ("containers_expiring", "containers_expiring_machine"),
    ),
    Mutant(
        "idle-not-refreshed",
        "Touching an entry does not begin its idle time anew.",
        EXPIRING,
        """
    def _use(self, entry: Entry[K, V], now: float) -> None:
        if entry.idle is not None:
""",
        """
    def _use(self, entry: Entry[K, V], now: float) -> None:
        if entry.idle is None:
            return
        if False:
""",
        ("containers_expiring", "containers_expiring_machine"),
    ),
    Mutant(
        "get-is-no-use",
        "Reading an entry with get() does not begin its idle time anew.",
        EXPIRING,
        """
            return default
        if entry.idle is not None:
""",
        """
            return default
        if False:
""",
        ("containers_expiring", "containers_expiring_machine"),
    ),
    Mutant(
        "used-for-ever",
        "Use keeps an entry beyond its ttl.",
        EXPIRING,
        """
                entry.due = due if due < entry.expires else entry.expires
        if self._ring""",
        """
                entry.due = due
        if self._ring""",
        ("containers_expiring",),
    ),
    Mutant(
        "cleared-without-a-word",
        "What is cleared is not told to the hook.",
        EXPIRING,
        """
                self._left.append((key, entry.value, cause))
        for key""",
        """
                pass
        for key""",
        ("containers_expiring_mapping",),
    ),
    Mutant(
        "newest-entry-evicted",
        "When there is no room, what was used last goes.",
        KEEPING,
        "self._remove(self._ring.newer, cause)",
        "self._remove(self._ring.older, cause)",
        ("containers_expiring", "containers_expiring_machine"),
    ),
    Mutant(
        "live-before-expired",
        "When there is no room, a live entry goes although others have expired.",
        KEEPING,
        """
        if now >= self._ticks.next:
            self._let_go(now, BATCH)
        else:
            full""",
        """
        if now < self._ticks.next:
            pass
        if True:
            full""",
        ("containers_expiring",),
    ),
    Mutant(
        "entry-weight-not-given-back",
        "What has left a map still weighs.",
        KEEPING,
        """
            self._weight -= entry.weight
        if entry.bucket""",
        """
            pass
        if entry.bucket""",
        ("containers_expiring", "containers_expiring_machine"),
    ),
    Mutant(
        "used-entry-let-go",
        "An entry that was used since it was queued goes at its first deadline.",
        KEEPING,
        "if entry.due > now:  # it was used",
        "if entry.due > now + entry.due:  # it was used",
        ("containers_expiring", "containers_expiring_machine"),
    ),
    Mutant(
        "idle-told-as-expired",
        "An entry that nobody used is said to have reached its ttl.",
        KEEPING,
        "return EvictionCause.IDLE if idle else EvictionCause.EXPIRED",
        "return EvictionCause.EXPIRED",
        ("containers_expiring", "containers_expiring_machine"),
    ),
    Mutant(
        "map-outlives-its-owner",
        "A container keeps its entries when its owner has ended.",
        "containers/_container.py",
        """
        self.clear()
        return [task""",
        """
        return [task""",
        ("containers_owned",),
    ),
    Mutant(
        "hook-error-stops-hooks",
        "After a hook has failed, the others are not told.",
        "containers/_container.py",
        """
                errors.append(error)
""",
        """
                errors.append(error)
                left.clear()
""",
        ("containers_expiring_mapping",),
    ),
    Mutant(
        "lru-evicts-the-newest",
        "A full cache lets go of what was just written.",
        LRU,
        "self._remove(ring.newer, EvictionCause.SIZE)",
        "self._remove(ring.older, EvictionCause.SIZE)",
        ("containers_lru",),
    ),
    Mutant(
        "lru-get-is-no-use",
        "Reading a cache does not change what goes next.",
        LRU,
        """
            return default
        if node.newer is not ring:
""",
        """
            return default
        if False:
""",
        ("containers_lru",),
    ),
    Mutant(
        "lru-off-by-one",
        "A cache holds one entry less than it may.",
        LRU,
        "if len(entries) > self._maxsize:",
        "if len(entries) >= self._maxsize:",
        ("containers_lru",),
    ),
    Mutant(
        "hook-twice-on-replace",
        "Of a value that is replaced the hook is told twice.",
        LRU,
        "self._left.append((key, node.value, EvictionCause.REPLACED))",
        "self._left.extend(2 * [(key, node.value, EvictionCause.REPLACED)])",
        ("containers_lru",),
    ),
    Mutant(
        "same-value-replaced",
        "Writing the very same object again is told as a replacement.",
        LRU,
        "if self._on_evict is not None and node.value is not value:",
        "if self._on_evict is not None:",
        ("containers_lru",),
    ),
    Mutant(
        "load-overwrites",
        "A load that ends overwrites what was set meanwhile.",
        "containers/_single_flight.py",
        """
        if container._loads.get(self.key) is self:
            self._forget()
            container[self.key] = value
""",
        """
        self._forget()
        container[self.key] = value
""",
        ("containers_loading",),
    ),
    Mutant(
        "container-failure-remembered",
        "After a load has failed, a container does not load that key again.",
        "containers/_single_flight.py",
        """
        self._forget()
        self._container = None""",
        """
        self._container = None""",
        ("containers_loading", "containers_loads_end"),
    ),
    Mutant(
        "replay-forgets-early",
        "A guard takes a key for new within the last tick of its window.",
        REPLAY,
        "return bucket is not None and now < bucket[key]",
        "return bucket is not None and now < bucket[key] - self.fine",
        ("containers_replay", "containers_replay_machine"),
    ),
    Mutant(
        "replay-window-inclusive",
        "A guard remembers a key at the very end of its window.",
        REPLAY,
        "return bucket is not None and now < bucket[key]",
        "return bucket is not None and now <= bucket[key]",
        ("containers_replay", "containers_replay_machine"),
    ),
    Mutant(
        "last-window-wins",
        "A second, shorter window of a key closes its first.",
        REPLAY,
        "due = max(due, old.pop(key))",
        "old.pop(key)",
        ("containers_replay",),
    ),
    Mutant(
        "full-and-forgetting",
        "A full guard forgets a key within its window, as a cache would.",
        REPLAY,
        "raise GuardFull(int(self._maxsize))",
        "self._plain.forget(next(iter(self._plain.rows)))",
        ("containers_replay", "containers_replay_machine"),
    ),
    Mutant(
        "claim-not-released",
        "After a failed attempt the sender's next one is taken for a replay.",
        REPLAY,
        "self._guard._settle(self._key, self, keep=cls is None)",
        "self._guard._settle(self._key, self, keep=True)",
        ("containers_replay_claims", "containers_replay_machine"),
    ),
    Mutant(
        "claim-of-another-released",
        "A late failure forgets a key that somebody else has claimed since.",
        REPLAY,
        """
        if self._claims.get(key) is claim:
            del self._claims[key]
""",
        """
        if self._claims.pop(key, None) is not None:
""",
        ("containers_replay_claims", "containers_replay_machine"),
    ),
    Mutant(
        "clock-back-key-back",
        "When the clock is set back, a key that was forgotten is accepted again.",
        REPLAY,
        "return max(self.clock(), self.forgotten)",
        "return self.clock()",
        ("containers_replay", "containers_replay_machine"),
    ),
    Mutant(
        "stale-at-the-end",
        "A request is stale at the very end of its window, or accepted twice there.",
        REPLAY,
        "due = nextafter(signed_at + self._window, inf)",
        "due = signed_at + self._window",
        ("containers_replay", "containers_replay_machine"),
    ),
]
"""The defects of this part."""
