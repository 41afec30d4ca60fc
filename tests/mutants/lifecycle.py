"""
Defects of deadlines, of room, of families and groups, of events, and of the end of it all.
"""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

LIFECYCLE: Final = [
    Mutant(
        "no-respawn",
        "When the supervisor's task dies, nothing expires any more.",
        "_expiry.py",
        """
            loop.call_later(RETRY, self.start, context=self._supervisor._context)
""",
        "\n",
        ("expiry_survival",),
    ),
    Mutant(
        "re-arm-forgotten",
        "After what was due has ended, the timer is not set for the next.",
        "_expiry.py",
        """
            if tick < self.armed:
                self.arm(tick)
            self._sleeper""",
        """
            self._sleeper""",
        ("expiry",),
    ),
    Mutant(
        "not-yet-at-its-deadline",
        "At its very deadline a session is not due.",
        "_expiry.py",
        "if session._due() > now:",
        "if session._due() >= now:",
        ("lifecycle_machine",),
    ),
    Mutant(
        "touched-and-lost",
        "A session that was touched is not queued again, and never expires.",
        "_expiry.py",
        """
                session._enqueue(queue, grain_of(session._limit))
""",
        """
                pass
""",
        ("expiry", "lifecycle_machine"),
    ),
    Mutant(
        "failed-and-lost",
        "A session whose expiry failed is not looked at again.",
        "_expiry.py",
        """
                queue.add(session, now + RETRY, grain_of(RETRY))
""",
        """
                pass
""",
        ("expiry_survival",),
    ),
    Mutant(
        "the-youngest-evicted",
        "Who was used last makes room.",
        "_expiry.py",
        "return min(islice(self.idle, LOOKED_AT), key=_last_used, default=None)",
        "return max(islice(self.idle, LOOKED_AT), key=_last_used, default=None)",
        ("admission", "memory"),
    ),
    Mutant(
        "overdue-not-taken-first",
        "An idle session is evicted although another one has expired.",
        "_room.py",
        """
        if expiry.end_one_due():
            return True
""",
        "\n",
        ("admission",),
    ),
    Mutant(
        "chunk-off-by-one",
        "A dict of the deadline queue takes one more than it can without being copied.",
        "_deadlines.py",
        "if len(chunk) >= CHUNK:",
        "if len(chunk) > CHUNK:",
        ("deadlines",),
    ),
    Mutant(
        "rounded-down",
        "Deadlines are rounded down, and looked at too early.",
        "_deadlines.py",
        "-(-due // grain) * grain",
        "due // grain * grain",
        ("deadlines",),
    ),
    Mutant(
        "linger-as-idle",
        "A session that its owner left stays for idle_timeout.",
        "_session.py",
        "limit, grain = policy.linger, policy.linger_grain",
        "limit, grain = policy.idle, policy.idle_grain",
        ("linger", "lifecycle_machine"),
    ),
    Mutant(
        "touch-after-the-end",
        "Touching what has ended changes when it was last used.",
        "_session.py",
        """
        if self._end is None:
            self.last_used = self._clock()
""",
        """
        self.last_used = self._clock()
""",
        ("session", "lifecycle"),
    ),
    Mutant(
        "extend-shortens",
        "A second, shorter extension takes back the first.",
        "_session.py",
        "self._extended = max(self._extended, until)",
        "self._extended = until",
        ("session", "lifecycle"),
    ),
    Mutant(
        "older-than-max-age",
        "max_age does not end what is used.",
        "_session.py",
        "return age if age < due else due  # noqa: FURB136",
        "return due",
        ("lifecycle", "lifecycle_machine"),
    ),
    Mutant(
        "stalled-as-idle",
        "A holder that fell silent ends the session as idle.",
        "_session.py",
        """
            return CloseReason.STALLED, None
""",
        """
            return CloseReason.IDLE, None
""",
        ("lifecycle", "lifecycle_machine"),
    ),
    Mutant(
        "values-after-the-end",
        "A closed session keeps its values for whoever keeps its handle.",
        "_session.py",
        "waiters, self._slots = self._slots.get(WAITERS, ()), EMPTY",
        "waiters = self._slots.get(WAITERS, ())",
        ("session_freed", "state"),
    ),
    Mutant(
        "lifo-waiters",
        "Who waits for room last gets it first.",
        "_room.py",
        "waiter = next(iter(self.waiting))",
        "waiter = next(reversed(self.waiting))",
        ("admission",),
    ),
    Mutant(
        "promise-lost",
        "Room that was promised to somebody who was cancelled is nobody's any more.",
        "_room.py",
        """
                self.room += 1  # promised""",
        """
                pass  # promised""",
        ("admission",),
    ),
    Mutant(
        "max-closing-ignored",
        "Openings do not wait however many clean-ups run.",
        "_room.py",
        "return len(self._supervisor._closing) >= self.max_closing",
        "return False",
        ("max_closing",),
    ),
    Mutant(
        "entered-overdue",
        "A block at the very deadline enters the old life.",
        "_admission.py",
        "elif session._due() <= now:",
        "elif session._due() < now:",
        ("reopening",),
    ),
    Mutant(
        "open-hook-failed-and-open",
        "A session whose on_open hook failed stays open.",
        "_admission.py",
        """
        block.let_go(session)
        ending = None
        if session._end is None:
""",
        """
        block.let_go(session)
        ending = None
        if session._end is not None:
""",
        ("opening",),
    ),
    Mutant(
        "group-count-leaked",
        "What has ended still counts towards its group.",
        "_ties.py",
        """
        for bound in self.bounds:
            bound.remove(session)
        self.bounds.clear()
""",
        """
        self.bounds.clear()
""",
        ("groups", "family_machine"),
    ),
    Mutant(
        "empty-groups-kept",
        "A group that nobody is in is never forgotten.",
        "_ties.py",
        """
        session._supervisor._bounds.forget(self.group)
""",
        "\n",
        ("groups", "nothing_remains"),
    ),
    Mutant(
        "child-holds-nobody",
        "A parent whose child is held is idle, and evicted.",
        "_ties.py",
        "self._hold = ChildHold(session.id)",
        "self._hold = None",
        ("children", "family_machine"),
    ),
    Mutant(
        "parent-not-let-go",
        "A parent stays held by a child that nobody holds any more.",
        "_ties.py",
        """
            self.parent._unhold(hold)
""",
        """
            pass
""",
        ("children", "family_machine"),
    ),
    Mutant(
        "weight-not-given-back",
        "What has ended still weighs.",
        "_bounds.py",
        "self.total -= self.members.pop(session)",
        "self.members.pop(session)",
        ("weight", "groups"),
    ),
    Mutant(
        "one-too-many-in-a-group",
        "There is room for one more than the limit.",
        "_bounds.py",
        "return self.total + amount > self.limit * ALMOST",
        "return self.total >= self.limit * ALMOST + 1",
        ("groups", "max_children"),
    ),
    Mutant(
        "next-in-line-not-told",
        "When somebody who waits for room in a group gives up, the next one goes on waiting.",
        "_bounds.py",
        """
        if self._line.pop(block, None) is not None:
            self.tell()
""",
        """
        self._line.pop(block, None)
""",
        ("groups", "weight", "waiting_for_room"),
    ),
    Mutant(
        "drops-uncounted",
        "Events that a slow reader lost are not counted.",
        "_events.py",
        """
            self.dropped += 1
            counts""",
        """
            counts""",
        ("events",),
    ),
    Mutant(
        "newest-events-dropped",
        "A slow reader loses what came last.",
        "_events.py",
        """
            self._unread.popleft()
            self.dropped""",
        """
            self._unread.pop()
            self.dropped""",
        ("events",),
    ),
    Mutant(
        "errors-uncounted",
        "Errors of clean-ups are not in the statistics.",
        "_events.py",
        """
        self._counts.clean_up_errors += 1
""",
        "\n",
        ("events", "clean_up_errors"),
    ),
    Mutant(
        "streams-kept",
        "An event stream that its reader has dropped fills for ever.",
        "_events.py",
        "self._streams[key] = weakref.ref(stream, lambda _: self._drop(key))",
        "self._streams[key] = lambda: stream",
        ("events",),
    ),
    Mutant(
        "shutdown-oldest-first",
        "Leaving the supervisor ends sessions in the order of their opening.",
        "_shutdown.py",
        "for session in reversed(sessions[-SLICE:]):",
        "for session in sessions[-SLICE:]:",
        ("children_ending",),
    ),
    Mutant(
        "shutdown-does-not-wait",
        "Leaving the supervisor does not wait for the clean-ups.",
        "_shutdown.py",
        """
        while self._outstanding() > 0:
            await self._woken()
""",
        "\n",
        ("shutdown",),
    ),
    Mutant(
        "shutdown-cut-short",
        "Whoever cancels the leaving of the supervisor cancels the shutdown.",
        "_shutdown.py",
        """
            await asyncio.shield(self._over)
        except asyncio.CancelledError:
            with""",
        """
            await self._over
        except asyncio.CancelledError:
            with""",
        ("shutdown",),
    ),
    Mutant(
        "parents-hurried-first",
        "When the time is over, parents are closed before their children.",
        "_shutdown.py",
        "sorted(closing, key=_age, reverse=True)",
        "sorted(closing, key=_age)",
        ("shutdown", "children_ending"),
        survives="A parent waits for its children all the same: this spares turns of the loop.",
    ),
    Mutant(
        "no-hurry",
        "shutdown_timeout bounds nothing.",
        "_shutdown.py",
        """
                session._hurry()
""",
        """
                pass
""",
        ("shutdown",),
    ),
]
"""The defects of this part."""
