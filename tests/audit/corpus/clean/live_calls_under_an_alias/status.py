"""Prints the calls that are going on."""
import state


def status_line():
    total = sum(row["bytes"] for row in state.live.values())
    return f"{len(state.live)} calls, {total} bytes"
