"""The ids of deleted sessions are remembered for ever, because a late write is refused by looking them up among the dead."""

from dataclasses import dataclass, field


@dataclass
class Session:
    id: str
    title: str = ""
    lines: list[str] = field(default_factory=list)  # clean: goes with its session


class Sessions:
    def __init__(self):
        self._all = {}  # clean: a short-lived export holds each one in a finally
        self._deleted = set()  # leaks SS001: one tombstone for each session that ever was

    async def export(self, session_id, title, source):
        session = Session(session_id, title)
        self._all[session_id] = session
        try:
            async for line in source:
                session.lines.append(line)
            return "\n".join(session.lines)
        finally:
            del self._all[session_id]
            self._deleted.add(session_id)

    def write(self, session_id, line):
        if session_id in self._deleted:
            raise KeyError(f"{session_id} was deleted")
        self._all[session_id].lines.append(line)
