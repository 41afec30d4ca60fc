"""A workspace's plug-in namespace survives the workspace, because unloading removes the hooks and leaves the namespace."""

import types
from collections.abc import Callable


class PluginHost:
    def __init__(self):
        self._namespaces = {}  # leaks SS001: close() does not unload it
        self._hooks = {}  # clean: popped by close(), which __exit__ always calls

    def load(self, workspace_id: str, source: str) -> None:
        module = types.ModuleType(f"plugin_{workspace_id}")
        exec(compile(source, f"<{workspace_id}>", "exec"), module.__dict__)
        self._namespaces[workspace_id] = module
        self._hooks[workspace_id] = getattr(module, "on_save", None)

    def close(self, workspace_id: str) -> None:
        self._hooks.pop(workspace_id, None)

    def hook(self, workspace_id: str) -> Callable | None:
        return self._hooks.get(workspace_id)


HOST = PluginHost()


class Workspace:
    def __init__(self, workspace_id: str, source: str):
        self.id = workspace_id
        self.source = source

    def __enter__(self):
        try:
            HOST.load(self.id, self.source)
        except BaseException:
            HOST.close(self.id)
            raise
        return self

    def __exit__(self, *exc_info):
        HOST.close(self.id)
