"""A player who just hangs up stays in the world, because only the QUIT line takes a player out."""

import asyncio


class World:
    def __init__(self):
        self.players = {}  # leaks SS002e: QUIT is a word that a lost connection does not say
        self.map = ["#####", "#...#", "#####"]  # clean: constant
        self.verbs = {"LOOK": self.look, "QUIT": self.quit, "NAME": self.name}  # clean: constant

    def look(self, peer, rest):
        others = [p["name"] for a, p in self.players.items() if a != peer]
        return "\n".join(self.map) + f"\nhere: {', '.join(others) or 'nobody'}"

    def name(self, peer, rest):
        self.players[peer] = {"name": rest, "hp": 10}
        return f"welcome {rest}"

    def quit(self, peer, rest):
        self.players.pop(peer, None)
        return "bye"

    async def serve(self, reader, writer):
        peer = writer.get_extra_info("peername")
        async for raw in reader:
            verb, _, rest = raw.decode().strip().partition(" ")
            handler = self.verbs.get(verb.upper(), self.look)
            writer.write(f"{handler(peer, rest)}\n".encode())
            await writer.drain()
        writer.close()


async def main():
    server = await asyncio.start_server(World().serve, port=4000)
    await server.serve_forever()


asyncio.run(main())
