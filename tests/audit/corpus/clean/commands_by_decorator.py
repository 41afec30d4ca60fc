"""
The decorator runs when the module is imported, so the table has one row for each command.
"""
import shlex

COMMANDS = {}  # clean: filled by decorators at import


def command(name, *aliases):
    def wrap(fn):
        for key in (name, *aliases):
            COMMANDS[key] = fn
        return fn

    return wrap


@command("join", "j")
async def join(client, room_id):
    await client.send(f"joined {room_id}")


@command("part")
async def part(client, room_id):
    await client.send(f"left {room_id}")


@command("help", "?")
async def usage(client):
    await client.send(" ".join(sorted(COMMANDS)))


async def on_line(client, line):
    name, *args = shlex.split(line)
    handler = COMMANDS.get(name, usage)
    await handler(client, *args)
