"""
The table is filled once with the entry points of the installed packages.
"""

import logging
from importlib.metadata import entry_points

log = logging.getLogger("agentd.plugins")


class PluginTable:
    def __init__(self, group: str) -> None:
        self._by_id: dict[str, object] = {}  # clean: one row for each installed plug-in
        for point in entry_points(group=group):
            try:
                plugin = point.load()()
            except Exception:
                log.exception("plug-in %s is skipped", point.name)
                continue
            self._by_id[point.name] = plugin

    def ask_all(self, session_id: str, text: str) -> dict[str, str]:
        return {plugin_id: plugin.reply(session_id, text) for plugin_id, plugin in self._by_id.items()}


plugins = PluginTable("agentd.plugins")


def chat(session_id: str, text: str) -> dict[str, str]:
    return plugins.ask_all(session_id, text)
