"""Where editors come and go."""

from presence_by_document import presence as p


async def edit(ws, document_id, editor_id):
    here = p.presence.setdefault(document_id, {})
    here[editor_id] = {"at": 0, "colour": p.colours[len(here) % len(p.colours)]}
    try:
        async for position in ws.iter_json():
            here[editor_id]["at"] = position
            await ws.send_json(p.others(document_id, editor_id))
    finally:
        here.pop(editor_id, None)
