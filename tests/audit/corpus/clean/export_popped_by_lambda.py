"""
A lambda on the task pops the export from the map, however the task ends.
"""
import asyncio
import uuid

from quart import Quart, abort

app = Quart(__name__)
exports = {}  # clean: a done-callback pops the id


async def write_export(export_id, rows):
    with open(f"/srv/exports/{export_id}.csv", "w") as out:
        for n in range(rows):
            out.write(f"{n}\n")
            if n % 500 == 0:
                await asyncio.sleep(0)


@app.post("/exports")
async def start():
    export_id = uuid.uuid4().hex
    task = asyncio.create_task(write_export(export_id, 100_000))
    exports[export_id] = task
    task.add_done_callback(lambda _t: exports.pop(export_id, None))
    return {"id": export_id}, 202


@app.get("/exports/<export_id>")
async def state(export_id):
    if export_id not in exports:
        abort(404)
    return {"state": "running"}


@app.after_serving
async def stop_all():
    for task in list(exports.values()):
        task.cancel()
