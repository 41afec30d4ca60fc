"""
What a session costs: each figure a ratio to its reference, both measured in one run.
"""
