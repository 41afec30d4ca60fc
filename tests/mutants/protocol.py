"""
Defects of the close protocol: the end, and its steps.
"""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

PROTOCOL: Final = [
    Mutant(
        "the-last-reason-wins",
        "A later cause replaces the reason of a session that has ended.",
        "_teardown.py",
        """
    if session._end is not None:
        return None
    # Forget""",
        """
    if session._end is not None:
        session._end = (reason, session._end[1])
        return None
    # Forget""",
        ("close_protocol", "lifecycle_machine"),
    ),
    Mutant(
        "closing-by-id",
        "The end of an old life forgets a new one of the same id.",
        "_teardown.py",
        """
        if supervisor._closing.get(session.id) is session:
            del supervisor._closing[session.id]
""",
        """
        supervisor._closing.pop(session.id, None)
""",
        ("teardown",),
    ),
    Mutant(
        "live-by-id",
        "The end of a session that is not the live one of its id forgets that one.",
        "_teardown.py",
        """
    if found is not session and found is not None:
        supervisor._live[session.id] = found
""",
        "\n",
        ("teardown", "close_protocol"),
    ),
    Mutant(
        "still-queued-when-ended",
        "What has ended waits in the deadline queue until its deadline.",
        "_teardown.py",
        """
    if session._chunk is not None:
        session._leave_queue()
    ties = session._ties
""",
        """
    ties = session._ties
""",
        ("lifecycle_machine",),
    ),
    Mutant(
        "interrupted-at-once",
        "Holders are cancelled in the step that decides the end, instead of in a later one.",
        "_teardown.py",
        """
        supervisor._loop.call_soon(self.interrupt, context=supervisor._context)
        ties = session._ties
""",
        """
        self.interrupt()
        ties = session._ties
""",
        ("interruption", "close_protocol"),
    ),
    Mutant(
        "all-blocks-told",
        "Of several blocks in one task each is told at once, instead of the innermost first.",
        "_teardown.py",
        """
            if task is None or task in told or task.done():
""",
        """
            if task is None or task.done():
""",
        ("interruption", "holders", "close_protocol"),
    ),
    Mutant(
        "outer-block-not-told",
        "A block around one that was left is never interrupted.",
        "_teardown.py",
        """
        if block.task in self.inside:
            supervisor = session._supervisor
            supervisor._loop.call_soon(self.interrupt, context=supervisor._context)
""",
        "\n",
        ("interruption", "holders"),
    ),
    Mutant(
        "child-after-parent",
        "A parent is cleaned up while its children still are.",
        "_teardown.py",
        """
        if session._ties is not None and session._ties.children:
            return
        if self._patient""",
        """
        if self._patient""",
        ("children_ending", "family_machine"),
    ),
    Mutant(
        "children-oldest-first",
        "Children end in the order of their opening.",
        "_teardown.py",
        "for each in reversed(list(ties.family.members)):",
        "for each in list(ties.family.members):",
        ("children_ending", "children"),
    ),
    Mutant(
        "stuck-not-asked-again",
        "A body that swallowed its cancellation is not asked a second time.",
        "_teardown.py",
        """
            block.interrupt()
            session._supervisor._counts.stuck += 1
""",
        """
            session._supervisor._counts.stuck += 1
""",
        ("holders",),
    ),
    Mutant(
        "stuck-for-ever",
        "The clean-up waits for a body that does not leave.",
        "_teardown.py",
        """
        self._patient = False
        for block in""",
        """
        for block in""",
        ("holders",),
    ),
    Mutant(
        "cleaned-up-twice",
        "The clean-up begins again when somebody leaves while it runs.",
        "_teardown.py",
        """
        self._begun = True
        if self._timer""",
        """
        if self._timer""",
        ("holders_elsewhere",),
    ),
    Mutant(
        "on-close-twice",
        "The on_close hooks run twice.",
        "_teardown.py",
        "self._hooks = observers.close_calls(session, self.reason)",
        "self._hooks = 2 * (observers.close_calls(session, self.reason) or [])",
        ("close_protocol", "events", "lifecycle"),
    ),
    Mutant(
        "nothing-thrown",
        "Contexts do not see the error that ended the session, and commit.",
        "_teardown.py",
        """
            self.thrown = self.error
        elif""",
        """
            self.thrown = None
        elif""",
        ("resources", "resources_hosted"),
    ),
    Mutant(
        "errors-unlogged",
        "Errors of a clean-up for which nobody waits are told to nobody.",
        "_teardown.py",
        """
                session._supervisor._log_errors(session, self)
""",
        """
                pass
""",
        ("clean_up_errors", "teardown"),
    ),
    Mutant(
        "plain-steps-first-in-first-out",
        "Plain callbacks run in the order in which they were added.",
        "_teardown.py",
        """
            step = steps.popitem()[0]
""",
        """
            step = next(iter(steps))
            del steps[step]
""",
        ("resources", "teardown"),
    ),
    Mutant(
        "plain-steps-in-no-session",
        "Plain callbacks do not find their session as the current one.",
        "_teardown.py",
        "token = None if current.get(None) is session else current.set(session)",
        "token = None",
        ("nothing_remains",),
    ),
    Mutant(
        "steps-first-in-first-out",
        "Callbacks and contexts are released in the order in which they came.",
        "_steps.py",
        """
                    step = session._steps.popitem()[0]
""",
        """
                    step = next(iter(session._steps))
                    del session._steps[step]
""",
        ("steps", "resources"),
    ),
    Mutant(
        "context-not-reset",
        "After a clean-up its session stays the current one.",
        "_steps.py",
        """
        finally:
            current.reset(token)
        self._finish(session)
""",
        """
        finally:
            pass
        self._finish(session)
""",
        ("steps",),
    ),
    Mutant(
        "budget-not-divided",
        "The first step that takes long gets the time of all.",
        "_steps.py",
        "share = max(left / 2 if more else left, least)",
        "share = max(left, least)",
        ("steps",),
    ),
    Mutant(
        "shutdown-not-in-the-budget",
        "A step may take longer than what is left of the shutdown.",
        "_steps.py",
        "left = min(self._ends, supervisor._shutdown_ends) - now",
        "left = self._ends - now",
        ("shutdown",),
    ),
    Mutant(
        "step-not-cancelled",
        "A step that takes too long is abandoned without having been asked to end.",
        "_steps.py",
        """
        if self._step is not None:
            self._step.cancel()
        for""",
        """
        for""",
        ("steps",),
    ),
    Mutant(
        "step-not-abandoned",
        "A step that does not end when it is cancelled is waited for without end.",
        "_steps.py",
        "self._in(session, rest, self._abandon)",
        "self._in(session, inf, self._abandon)",
        ("steps",),
    ),
    Mutant(
        "abandoned-not-kept",
        "An abandoned task is held by nobody, and may be collected while it runs.",
        "_steps.py",
        "supervisor._keep(task)",
        "pass",
        ("teardown",),
    ),
    Mutant(
        "step-cancelled-before-it-ran",
        "A step that was cancelled before it began is taken for done.",
        "_steps.py",
        """
        if self._awaited is not None:  # cancelled before its first step: nothing ran
            self._begin_task(session, self._where)
            return
""",
        "\n",
        ("steps",),
    ),
    Mutant(
        "shield-dropped",
        "Whoever cancels all tasks cancels the clean-ups.",
        "_steps.py",
        """
        hide(task)
        self._wait_for""",
        """
        self._wait_for""",
        ("steps", "close_protocol", "shutdown"),
    ),
    Mutant(
        "tasks-not-ended",
        "Owned tasks are not cancelled when their session ends.",
        "_steps.py",
        """
            for owned in list(session._tasks or ()):
                owned.end()
""",
        "\n",
        ("resources_tasks",),
    ),
]
"""The defects of this part."""
