"""One editing session of one document."""

from workspace_manager.linting import check
from workspace_manager.manager import documents


async def edit(session, uri):
    try:
        documents.open(uri, await session.read(uri))
        async for change in session.changes(uri):
            documents.texts[uri] = change.text
            check(uri)
    finally:
        documents.close(uri)
