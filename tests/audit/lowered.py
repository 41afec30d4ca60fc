"""
Single functions, reduced as the audit reduces them.
"""

from __future__ import annotations

from textwrap import dedent, indent

from sessionstate.audit._contexts import walk
from sessionstate.audit._events import Event
from sessionstate.audit._facts import Facts, Function, facts_of
from sessionstate.audit._project import Func, Module, Project


def facts(source: str) -> Facts:
    """
    Return the facts of a file.
    """
    return facts_of(dedent(source), "file.py")


def function(source: str, name: str) -> Function:
    """
    Return the facts of one function in a file.
    """
    return next(each for each in facts(source).functions if each.qualname == name)


def method(body: str, *parameters: str) -> Function:
    """
    Return the facts of a method with that body, whose first line is line 3.
    """
    given = ", ".join(("self", *parameters))
    source = f"class Server:\n    async def f({given}):\n" + indent(dedent(body).strip(), " " * 8)
    return function(source, "Server.f")


def events(body: str, *parameters: str) -> list[Event]:
    """
    Return each operation in a method with that body.
    """
    return [seen.event for seen in walk(method(body, *parameters).block())]


def done(body: str, *parameters: str) -> list[str]:
    """
    Return what a method with that body does, and to what: ``self.agents []=``.
    """
    return [f"{event[1]} {event[2]}" for event in events(body, *parameters)]


def key(text: str, *parameters: str, before: str = "pass") -> str:
    """
    Return the key of what a method puts in under *text*.
    """
    return str(events(f"{before}\nself.agents[{text}] = 1", *parameters)[-1][5])


def project(sources: dict[str, str]) -> Project:
    """
    Return the project of *sources*, each with the name of its module; ``a.__init__`` is ``a``.
    """
    return Project(
        Module(f"{name.replace('.', '/')}.py", name.removesuffix(".__init__"), facts(source))
        for name, source in sources.items()
    )


def func(whole: Project, qualname: str, module: str = "server") -> Func:
    """
    Return a function of a project.
    """
    return next(
        each
        for each in whole.functions
        if each.fact.qualname == qualname and each.module.name == module
    )
