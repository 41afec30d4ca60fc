"""
forget_everything() in cleanup.py empties both tables, and the handler calls it in its finally.
"""

tokens_of = {}  # clean: cleanup.forget_everything in a finally
cursor_of = {}  # clean: cleanup.forget_everything in a finally
