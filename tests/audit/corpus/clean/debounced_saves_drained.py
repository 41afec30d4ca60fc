"""
Changed notes are copied out of the map and the map is cleared before the first of them is saved.
"""
import asyncio

latest = {}  # clean: cleared by the flush loop of main()


def changed(note_id, text):
    latest[note_id] = text


async def flush(store):
    if not latest:
        return
    batch = dict(latest)
    latest.clear()
    for note_id, text in batch.items():
        try:
            await store.save(note_id, text)
        except Exception as error:
            print(f"note {note_id} is lost: {error}")


async def flush_forever(store, pause=0.5):
    while True:
        await asyncio.sleep(pause)
        await flush(store)


async def main(editor, store):
    async with asyncio.TaskGroup() as group:
        group.create_task(flush_forever(store))
        async for note_id, text in editor.keystrokes():
            changed(note_id, text)
