"""
Who calls a function, and where: by name, and by whose method it may be.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from sessionstate.audit._containers import Containers
from sessionstate.audit._contexts import Frame, Seen, walk
from sessionstate.audit._events import Event, called
from sessionstate.audit._project import GENERIC, Func, Project

SHARED_NAME: Final = 3
"""How many classes may have a method of one name before a call of it tells nothing."""


class Site(NamedTuple):
    """
    One place where a function is called, or handed on to be called.
    """

    func: Func
    event: Event
    frames: tuple[Frame, ...]
    handed: str
    """What it is handed to, such as ``add_done_callback``; empty where it is called."""

    @property
    def line(self) -> int:
        """
        Its line.
        """
        return int(self.event[3])


class Calls:
    """
    Finds the places where a function is called.
    """

    def __init__(self, project: Project, containers: Containers) -> None:
        self.project = project
        self.containers = containers
        self._seen: dict[int, tuple[Seen, ...]] = {}
        self._sites: dict[int, list[Site]] = {}
        self._by_name: dict[int, dict[str, list[tuple[str, Site]]]] = {}
        self._shared: dict[str, int] = {}

    def events(self, func: Func) -> tuple[Seen, ...]:
        """
        Return each operation in *func*, with what it stands in.
        """
        found = self._seen.get(id(func))
        if found is None:
            found = self._seen[id(func)] = tuple(walk(func.fact.block()))
        return found

    def sites(self, target: Func) -> list[Site]:
        """
        Return the places where *target* is called, or handed on.
        """
        found = self._sites.get(id(target))
        if found is None:
            found = self._sites[id(target)] = list(self._find(target))
        return found

    def _find(self, target: Func) -> Iterator[Site]:
        name = target.name
        for caller in self.project.callers.get(name, ()):
            for base, site in self._named(caller).get(name, ()):
                plain = not site.handed
                if (caller is not target or not plain) and self._may_be(base, site, target):
                    yield site

    def _named(self, caller: Func) -> dict[str, list[tuple[str, Site]]]:
        """
        Return what *caller* calls, or hands on, by name; each with whose method it would be.
        """
        found = self._by_name.get(id(caller))
        if found is None:
            found = self._by_name[id(caller)] = {}
            for seen in self.events(caller):
                event = seen.event
                base = event[1] if event[2] != "()" else ""
                site = Site(caller, event, seen.frames, "")
                found.setdefault(called(event), []).append((base, site))
                handed = site._replace(handed=called(event))
                for argument in event[6]:
                    path = argument.rpartition("=")[2] if argument[:1] not in "~=" else ""
                    base, _, last = path.rpartition(".")
                    last = last.lstrip("@$%").rpartition(">")[2]
                    if last:
                        found.setdefault(last, []).append((base, handed))
        return found

    def _may_be(self, base: str, site: Site, target: Func) -> bool:
        """
        Tell whether what is called by that name may be *target*.
        """
        project, caller = self.project, site.func
        if not base and not target.fact.cls:
            return self._same_name(caller, site.event, target)
        if not base:
            # `manager.close` may be passed as a name of its own; a class is called by its name.
            return target.name == "__init__" or not self._is_method(target)
        own = project.type_of(target)
        if own is None:
            # A function of a module: `cleanup.run()`.
            found = project.imported(caller.module, base.lstrip("@").partition(".")[0])
            return (
                "." not in target.fact.qualname and found is not None and found[0] is target.module
            )
        known = self.containers.instances.of(caller, base)
        if known is not None:
            lineage = list(project.lineage(known))
            return own in lineage or known in project.lineage(own)
        if self.containers.instances.is_foreign(caller, base):
            return False
        if target.name not in GENERIC and self._families(target.name) <= SHARED_NAME:
            return True
        # `session.delete()` may be a Session's, or a WebsocketSession's.
        named = (
            base.replace(".*", "")
            .rpartition(".")[2]
            .strip("$@%?_")
            .rpartition(">")[2]
            .lower()
            .replace("_", "")
        )
        return len(named) > SHARED_NAME and named.rstrip("s") in own.name.lower()

    def _families(self, name: str) -> int:
        """
        Return how many classes have a method of that name, those of one family counted once.
        """
        found = self._shared.get(name)
        if found is None:
            owners = (
                self.project.type_of(m) for m in self.project.named[name] if self._is_method(m)
            )
            families = {id(self.project.lineage(own)[-1]) for own in owners if own is not None}
            found = self._shared[name] = len(families)
        return found

    @staticmethod
    def _is_method(func: Func) -> bool:
        return func.fact.qualname.rpartition(".")[0] == func.fact.cls != ""

    def _same_name(self, caller: Func, event: Event, target: Func) -> bool:
        """
        Tell whether a plain name in *caller* is the function *target*.
        """
        if caller.module is target.module:
            return True
        found = self.project.imported(caller.module, target.name)
        if found is not None:
            return found[0] is target.module
        renamed = event[1].lstrip("@")
        found = self.project.imported(caller.module, renamed) if renamed else None
        return found is not None and found[0] is target.module
