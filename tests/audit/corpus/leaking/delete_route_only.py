"""A notebook kernel lives until its user presses the delete button, because the DELETE route is the only way out of the table."""

from fastapi import Depends, FastAPI, HTTPException, Request, status

from kernels import Kernel, start_kernel

app = FastAPI()
app.state.kernels = {}  # unseen SS002e: closing the browser deletes nothing
app.state.specs = {"python": "python3", "r": "R"}  # clean: fixed choices


def kernels(request: Request) -> dict[str, Kernel]:
    return request.app.state.kernels


@app.post("/kernels", status_code=status.HTTP_201_CREATED)
async def create(request: Request, spec: str, table=Depends(kernels)):
    command = request.app.state.specs.get(spec)
    if command is None:
        raise HTTPException(422, f"no such kernel: {spec}")
    kernel = await start_kernel(command)
    table[kernel.id] = kernel
    return {"id": kernel.id}


@app.post("/kernels/{kernel_id}/run")
async def run(kernel_id: str, request: Request, table=Depends(kernels)):
    if kernel_id not in table:
        raise HTTPException(404)
    return await table[kernel_id].run((await request.body()).decode())


@app.delete("/kernels/{kernel_id}")
async def delete(kernel_id: str, table=Depends(kernels)):
    table.pop(kernel_id, None)
    return {}
