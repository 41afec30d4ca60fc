"""
What the handler registers with one helper it takes back with another one, in its finally.
"""
import asyncio
import itertools

_numbers = itertools.count()
_writers = {}  # clean: leave() in the finally of serve()
_nicks = {}  # clean: leave() in the finally of serve()


def join(writer):
    number = next(_numbers)
    _writers[number] = writer
    _nicks[number] = f"guest{number}"
    return number


def leave(number):
    _writers.pop(number, None)
    _nicks.pop(number, None)


async def shout(number, text):
    for other, writer in list(_writers.items()):
        if other != number:
            writer.write(f"<{_nicks[number]}> {text}\n".encode())


async def serve(reader, writer):
    number = join(writer)
    try:
        async for raw in reader:
            text = raw.decode().rstrip()
            if text.startswith("/nick "):
                _nicks[number] = text[6:]
            else:
                await shout(number, text)
    finally:
        leave(number)
        writer.close()


async def main():
    async with await asyncio.start_server(serve, "0.0.0.0", 6667) as server:
        await server.serve_forever()


asyncio.run(main())
