"""
The long form of `tests/test_scenarios.py`: every point of every scenario, on all cores.
"""
