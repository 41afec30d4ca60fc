"""
launch() is a context manager that ends the child and deletes its row, whatever the tool does.
"""
import asyncio
import contextlib

by_session = {}  # clean: popped in the finally of launch()


@contextlib.asynccontextmanager
async def launch(session_id, *argv):
    proc = await asyncio.create_subprocess_exec(  # clean: killed and waited for in finally
        *argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    by_session[session_id] = proc.pid
    try:
        yield proc
    finally:
        by_session.pop(session_id, None)
        with contextlib.suppress(ProcessLookupError):
            proc.kill()
        await proc.wait()
