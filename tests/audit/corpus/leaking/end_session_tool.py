"""A coding session stays until the model itself calls the end_session tool, because that tool holds the only removal."""

from mcp.server.fastmcp import FastMCP

from sandbox import Shell

mcp = FastMCP("shells")
_shells: dict[str, Shell] = {}  # leaks SS002e: a model that stops never calls end_session
_ALLOWED = {"bash", "python", "node"}  # clean: constant


@mcp.tool()
async def start_session(name: str, language: str = "bash") -> str:
    """Open a shell under a name."""
    if language not in _ALLOWED:
        return f"{language} is not allowed"
    _shells[name] = await Shell.open(language)
    return f"{name} is ready"


@mcp.tool()
async def run(name: str, command: str) -> str:
    """Run a command in a named shell."""
    shell = _shells.get(name)
    return await shell.run(command) if shell else "start a session first"


@mcp.tool()
async def end_session(name: str) -> str:
    """Close a named shell."""
    shell = _shells.pop(name, None)
    if shell is not None:
        await shell.close()
    return "closed"


if __name__ == "__main__":
    mcp.run()
