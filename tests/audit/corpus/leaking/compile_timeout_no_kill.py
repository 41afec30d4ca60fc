"""A compiler that hangs runs on after its time-out, because wait_for gives up the waiting and not the process."""

import asyncio
import tempfile
from pathlib import Path

from fastapi import FastAPI, HTTPException

app = FastAPI()


@app.post("/compile")
async def compile_snippet(source: str):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "main.c"
        file.write_text(source)
        process = await asyncio.create_subprocess_exec(  # leaks SS005a: nobody kills it
            "cc",
            "-o",
            "main",
            str(file),
            cwd=folder,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            _, errors = await asyncio.wait_for(process.communicate(), timeout=20)
        except TimeoutError:
            raise HTTPException(408, "the compiler takes too long") from None
    return {"ok": process.returncode == 0, "errors": errors.decode()}
