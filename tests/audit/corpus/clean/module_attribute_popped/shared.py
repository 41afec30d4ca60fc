"""
The session is popped as an attribute of this module, by the worker that put it there.
"""

SESSIONS = {}  # clean: worker.py pops shared.SESSIONS[...] in finally
STARTED = 0
