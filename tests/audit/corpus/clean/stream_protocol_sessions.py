"""
A session object is deleted from the server's table when the coroutine that serves it ends.
"""

from __future__ import annotations

import asyncio
import uuid


class SmtpSession:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.id = uuid.uuid4().hex
        self.reader = reader
        self.writer = writer
        self.recipients: list[str] = []

    async def run(self) -> None:
        self.writer.write(b"220 mail\r\n")
        while line := await self.reader.readline():
            verb = line[:4].upper()
            if verb == b"RCPT":
                self.recipients.append(line[8:].decode().strip())
            elif verb == b"QUIT":
                return
            self.writer.write(b"250 ok\r\n")


class SmtpServer:
    def __init__(self) -> None:
        self.sessions: dict[str, SmtpSession] = {}  # clean: del in the finally of accept()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = SmtpSession(reader, writer)
        self.sessions[session.id] = session
        try:
            await session.run()
        finally:
            del self.sessions[session.id]
            writer.close()


async def main() -> None:
    smtp = SmtpServer()
    listener = await asyncio.start_server(smtp.accept, "127.0.0.1", 2525)
    async with listener:
        await listener.serve_forever()
