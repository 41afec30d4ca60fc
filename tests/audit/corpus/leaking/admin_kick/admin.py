"""Commands of the administrator's console."""

import click

from . import lobby


@click.group()
def console() -> None:
    """Look after the lobby."""


@console.command()
@click.argument("player_id")
def kick(player_id: str) -> None:
    if lobby.seats.pop(player_id, None) is None:
        raise click.ClickException(f"nobody called {player_id}")
    click.echo("kicked")
