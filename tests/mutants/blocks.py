"""
Defects of blocks and of what a session owns: who waits, who is cancelled, what is released.
"""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

BLOCKS: Final = [
    Mutant(
        "wait-not-shielded",
        "Leaving a block stops waiting for the clean-up at the first cancellation of a scope.",
        "_waiting.py",
        "with anyio.CancelScope(shield=True):",
        "with anyio.CancelScope(shield=False):",
        ("interruption",),
    ),
    Mutant(
        "wait-given-up",
        "Leaving a block stops waiting for the clean-up when it is cancelled.",
        "_waiting.py",
        """
            while not session._closed():
""",
        """
            while False:
""",
        ("waiting",),
    ),
    Mutant(
        "crossed-blocks-wait",
        "Two tasks that entered two sessions in opposite orders wait for each other.",
        "_waiting.py",
        "with Waiting(session, through=True):",
        "with Waiting(session):",
        ("deadlocks",),
    ),
    Mutant(
        "uncancel-forgotten",
        "A block leaves its own cancellation counted, and what is around takes it for another.",
        "_holders.py",
        """
                self.task.uncancel()
""",
        """
                pass
""",
        ("interruption", "close_protocol"),
    ),
    Mutant(
        "cancellation-swallowed",
        "Who is cancelled while waiting for the clean-up goes on as if nothing was.",
        "_holders.py",
        """
                raise interruption
""",
        """
                return True
""",
        ("interruption", "close_protocol"),
    ),
    Mutant(
        "await-before-registering",
        "Between finding a session and holding it others have their turn, and may end it.",
        "_holders.py",
        """
        # From here on without an await: found or made, it is held at once.
""",
        """
        await asyncio.sleep(0)
""",
        ("holders", "admission"),
    ),
    Mutant(
        "two-lives-at-once",
        "An id that is closing is opened again at once.",
        "_holders.py",
        """
                or self._id in supervisor._closing
""",
        "\n",
        ("reopening",),
    ),
    Mutant(
        "one-too-many",
        "There may be one session more than max_sessions.",
        "_holders.py",
        "or len(live) >= admission.room",
        "or len(live) > admission.room",
        ("admission",),
    ),
    Mutant(
        "block-context-not-reset",
        "After a block its session stays the current one.",
        "_holders.py",
        """
                current.reset(self.token)
            except ValueError:  # left""",
        """
                pass
            except ValueError:  # left""",
        ("holders", "blocks"),
    ),
    Mutant(
        "any-owner-ends-it",
        "The first of several owners to leave ends the session.",
        "_holders.py",
        """
            if not last and any(block.owner for block in session._holders or ()):
                return None
""",
        "\n",
        ("lifecycle", "lifecycle_machine"),
    ),
    Mutant(
        "visitor-leaves-no-clock",
        "A session that its last visitor left has no deadline.",
        "_holders.py",
        """
                if last:
                    session.last_used = session._clock()
                    session._go_idle()
                return None
            if not last""",
        """
                return None
            if not last""",
        ("lifecycle", "lifecycle_machine"),
    ),
    Mutant(
        "owner-back-still-lingering",
        "An owner who comes back does not make the session begin afresh.",
        "_holders.py",
        """
        if self.owner:
            session._left = None
""",
        "\n",
        ("linger", "lifecycle_machine"),
    ),
    Mutant(
        "cancelled-callback-runs",
        "A callback that was taken back runs all the same.",
        "_resources.py",
        """
        self._session = None
        session._disown(self)
        return True
""",
        """
        self._session = None
        return True
""",
        ("resources",),
    ),
    Mutant(
        "answer-taken-for-an-error",
        "A context that hands back what was thrown into it is said to have failed.",
        "_resources.py",
        "return error is thrown",
        "return False",
        ("resources", "resources_hosted"),
    ),
    Mutant(
        "hosted-kept",
        "A hosted context that is over stays with its session.",
        "_hosting.py",
        """
        session._disown(self)
        if not self._entered:""",
        """
        if not self._entered:""",
        ("resources_hosted",),
    ),
    Mutant(
        "hosted-crash-unnoticed",
        "A crash inside a hosted context ends nothing.",
        "_hosting.py",
        """
            session._fail(error)
""",
        """
            pass
""",
        ("resources_hosted",),
    ),
    Mutant(
        "hosted-left-entering",
        "A context that is being entered is not cancelled by the end.",
        "_hosting.py",
        """
            task.cancel()
            return task if""",
        """
            return task if""",
        ("resources_hosted",),
    ),
    Mutant(
        "hosted-not-hidden",
        "Whoever cancels all tasks cancels contexts while they are left.",
        "_hosting.py",
        """
        hide(task)
        if not""",
        """
        if not""",
        ("steps",),
    ),
    Mutant(
        "task-crash-unnoticed",
        "The crash of an owned task ends nothing.",
        "_tasks.py",
        """
            session._fail(error)
""",
        """
            pass
""",
        ("resources_tasks",),
    ),
    Mutant(
        "finished-task-kept",
        "A task that has ended stays with its session.",
        "_tasks.py",
        """
        (session._tasks or {}).pop(self, None)
        error = self._settle""",
        """
        error = self._settle""",
        ("resources_tasks",),
    ),
    Mutant(
        "lost-start",
        "A task that is cancelled with its starter is the session's crash.",
        "_tasks.py",
        """
            self._given_up = True
            self.cancel()
""",
        """
            self.cancel()
""",
        ("resources_tasks",),
    ),
]
"""The defects of this part."""
