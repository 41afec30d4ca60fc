"""
The live page's data in a terminal: the client of its server, and what draws it.
"""
