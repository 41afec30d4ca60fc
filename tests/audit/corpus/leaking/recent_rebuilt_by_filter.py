"""Every access copies the list of recent sessions, because the order of use is rebuilt with a comprehension."""

from collections.abc import Callable


class RecentSessions:
    capacity = 2000
    by_id: dict[str, object] = {}  # clean: cut to capacity in touch()
    access_order: list[str] = []  # leaks SS008: filtered into a new list at each access

    @classmethod
    def touch(cls, session_id: str, load: Callable[[str], object]) -> object:
        cls.access_order = [s for s in cls.access_order if s != session_id]
        cls.access_order.append(session_id)
        if session_id not in cls.by_id:
            cls.by_id[session_id] = load(session_id)
        if len(cls.access_order) > cls.capacity:
            oldest, *cls.access_order = cls.access_order
            cls.by_id.pop(oldest, None)
        return cls.by_id[session_id]


async def show(request):
    session = RecentSessions.touch(request.path_params["sid"], request.app.state.load)
    return {"session": str(session)}
