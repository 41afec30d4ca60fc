"""Runs a notebook on a leased machine."""

from . import leases as _leases


async def run_notebook(notebook, user):
    _leases.grant(notebook.id, user.name, notebook.kind)
    try:
        async for cell in notebook.cells():
            if cell.is_transfer:
                _leases.rename_owner(notebook.id, cell.target)
            await cell.execute()
    finally:
        _leases.release(notebook.id, user.name)
