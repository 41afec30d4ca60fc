"""
Defects of processes, listeners, timers, state, signals, forks and the memory guard.
"""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

OWNED: Final = [
    Mutant(
        "handler-not-restored",
        "The handler of SIGTERM stays when the last supervisor is left.",
        "_signals.py",
        """
            self.restore()
        self._asked = tuple""",
        """
            pass
        self._asked = tuple""",
        ("signals_installed", "signals"),
    ),
    Mutant(
        "second-signal-cuts-short",
        "A second signal begins another end of the process.",
        "_signals.py",
        """
            return
        self._received = True
""",
        """
            pass
        self._received = True
""",
        ("signals",),
    ),
    Mutant(
        "fork-not-checked",
        "A forked child ends the sessions of its parent.",
        "_last.py",
        """
        supervisor._thread = 0
        live""",
        """
        live""",
        ("fork",),
    ),
    Mutant(
        "inherited-released",
        "A forked child drops what its parent uses.",
        "_last.py",
        """
                _inherited.append(steps.copy())
                steps.clear()
""",
        """
                steps.clear()
""",
        ("fork",),
    ),
    Mutant(
        "dropped-silently",
        "A supervisor that is dropped without being left does not say so.",
        "_last.py",
        """
        warnings.warn(text, ResourceWarning, source=source, stacklevel=3)
""",
        """
        pass
""",
        ("abandoned", "last_layers"),
    ),
    Mutant(
        "listener-not-removed",
        "The emitter keeps the listeners of sessions that have ended.",
        "_listeners.py",
        '''
        """Take the registration back, as the session ends."""
        self._session = None
        self._remove()
''',
        '''
        """Take the registration back, as the session ends."""
        self._session = None
''',
        ("listeners",),
    ),
    Mutant(
        "heard-after-the-end",
        "A handler is called although its session has ended.",
        "_listeners.py",
        "if session is None or session._end is not None or handler is None:",
        "if session is None or handler is None:",
        ("listeners", "listeners_failing"),
    ),
    Mutant(
        "handler-kept",
        "An emitter that cannot let go keeps the handler, and so the session.",
        "_listeners.py",
        "heard, self.heard, self._handler = self.heard, _nothing, None",
        "heard = self.heard",
        ("listeners", "listeners_failing"),
    ),
    Mutant(
        "timer-after-the-end",
        "A timer rings although its session has ended.",
        "_dependants.py",
        """
        if session._end is not None:
            return
        try:
            context.run""",
        """
        try:
            context.run""",
        ("timers", "timers_ringing"),
    ),
    Mutant(
        "cancelled-timer-queued",
        "A timer that was cancelled waits for its time all the same.",
        "_dependants.py",
        """
        if cancelled:
            self._forget()
""",
        "\n",
        ("timers",),
    ),
    Mutant(
        "timers-not-re-armed",
        "After a timer rang, the next one does not.",
        "_alarms.py",
        """
                self.arm(self.queue.next_tick())
""",
        """
                pass
""",
        ("alarms", "timers"),
    ),
    Mutant(
        "stdin-not-closed",
        "The end of a session does not close the stdin of its processes.",
        "_processes.py",
        """
                self.pipes.stdin.close()
""",
        """
                pass
""",
        ("processes",),
    ),
    Mutant(
        "process-not-asked",
        "Processes are not asked to end before they are killed.",
        "_processes.py",
        """
                tree.ask()
                await""",
        """
                await""",
        ("processes",),
    ),
    Mutant(
        "grace-ignored",
        "Processes are killed at once when they were asked to end.",
        "_processes.py",
        """
                await tree.gone(self.grace)
""",
        """
                pass
""",
        ("processes",),
    ),
    Mutant(
        "group-not-killed",
        "Only the process itself is killed, and what it started lives on.",
        "_process_groups.py",
        "self._signal(signal.SIGKILL)  # type: ignore[attr-defined, unused-ignore]",
        "self.popen.kill()",
        ("processes",),
    ),
    Mutant(
        "who-left-the-group",
        "A process that left its group is not found.",
        "_process_groups.py",
        "self._left = [*left.living, *known]",
        "self._left = []",
        ("processes_left",),
    ),
    Mutant(
        "output-at-the-bound",
        "Exactly max_output bytes are too many.",
        "_runs.py",
        "if self._total > self._most and",
        "if self._total >= self._most and",
        ("processes_run", "processes_output"),
    ),
    Mutant(
        "peek-touches",
        "Looking at a value keeps its session alive.",
        "_state.py",
        """
        return default if found is None else found._slots.get(self._key, default)
""",
        """
        if found is not None:
            found.touch()
        return default if found is None else found._slots.get(self._key, default)
""",
        ("state", "state_machine"),
    ),
    Mutant(
        "old-handle-new-life",
        "A write through the handle of an old life reaches the new one of its id.",
        "_state.py",
        """
            if id._closed():
                raise id._closed_error()
            live = self._sessions()
            if id._supervisor._live is not live:
                raise SessionNotFound(id.id)
            return id
""",
        """
            return self._sessions().get(id.id)
""",
        ("state", "state_machine"),
    ),
    Mutant(
        "factory-value-not-stored",
        "What the factory of a variable made is made again each time.",
        "_state.py",
        """
            slots[self._key] = value
            return value
""",
        """
            return value
""",
        ("state_variables",),
    ),
    Mutant(
        "failure-remembered",
        "After a load has failed, its key cannot be loaded again.",
        "_loading.py",
        """
            del loaded[self.key]
        if session._end""",
        """
            pass
        if session._end""",
        ("loading", "loading_ends"),
    ),
    Mutant(
        "last-waiter-does-not-cancel",
        "A load that nobody waits for goes on.",
        "_flight.py",
        """
            if not self.waiters:
                self.give_up()
""",
        "\n",
        ("loading", "loading_ends", "containers_loading"),
    ),
    Mutant(
        "load-waits-for-itself",
        "A load that asks for its own key waits for ever.",
        "_flight.py",
        "if asking is not None and self.waits_for(asking):",
        "if asking is not None and self is asking:",
        ("loading", "containers_loading"),
    ),
    Mutant(
        "no-hysteresis",
        "The memory guard stops at the high mark, and begins again at once.",
        "_memory.py",
        """
        if short.after >= self.low:
            return False
        short.over""",
        """
        if short.after >= self.high:
            return False
        short.over""",
        ("memory", "memory_machine"),
    ),
    Mutant(
        "held-ones-shed",
        "The memory guard ends sessions that somebody is inside of.",
        "_memory.py",
        """
                session = expiry.idle_longest()
""",
        """
                session = next(iter(supervisor._live.values()), None)
""",
        ("memory", "memory_machine"),
    ),
    Mutant(
        "high-mark-exclusive",
        "At the very high mark nothing is shed.",
        "_memory.py",
        "if now < self.high:",
        "if now <= self.high:",
        ("memory", "memory_limits"),
    ),
    Mutant(
        "sheds-in-vain",
        "The memory guard empties the server although memory does not fall.",
        "_memory.py",
        """
            if not worth:
""",
        """
            if worth is None:
""",
        ("memory", "memory_survival"),
    ),
    Mutant(
        "guard-gives-up",
        "The memory guard looks no more after an error.",
        "_memory.py",
        "if self._supervisor is supervisor:  # else",
        "if self._supervisor is supervisor and not self._failing:  # else",
        ("memory_survival",),
    ),
]
"""The defects of this part."""
