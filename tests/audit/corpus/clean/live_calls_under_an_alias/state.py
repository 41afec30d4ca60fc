"""
Another module imports the map under an alias and deletes through the alias in its finally.
"""
live = {}  # clean: handlers.py deletes from it as _live
