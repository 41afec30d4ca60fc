"""Seats are given back only when an administrator says so, because leaving a table just marks the seat as away."""

from collections import deque

seats: dict[str, dict] = {}  # leaks SS002e: kick() in admin.py is the only removal
table_names = ("north", "south", "east", "west")
arrivals: deque[str] = deque(maxlen=40)  # clean: bounded by maxlen


def arrive(player_id: str) -> None:
    arrivals.append(player_id)


def sit(player_id: str, table: str) -> None:
    if table not in table_names:
        raise ValueError(f"no such table: {table}")
    seats[player_id] = {"table": table, "away": False}


def away(player_id: str) -> None:
    if player_id in seats:
        seats[player_id]["away"] = True
