"""
Threads that are started meanwhile: nobody knows when one of them wakes a loop.
"""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any


class ThreadStarted(Exception):
    """
    A thread was started where none may be.
    """


@contextmanager
def threads_noted(names: list[str]) -> Iterator[None]:
    """
    Write down the names of the threads that this one starts meanwhile, or gives work to.
    """
    here = threading.get_ident()
    thread: Any = threading.Thread
    pool: Any = ThreadPoolExecutor
    bare: Any = _thread
    start: Callable[..., None] = thread.start
    submit: Callable[..., Future[Any]] = pool.submit
    start_bare: Callable[..., int] = bare.start_new_thread

    def noted_start(self: threading.Thread) -> None:
        if threading.get_ident() == here:
            names.append(self.name)
        start(self)

    def noted_submit(self: Any, *args: Any, **options: Any) -> Future[Any]:
        before = len(names)
        future = submit(self, *args, **options)
        if threading.get_ident() == here and len(names) == before:  # to one that was there
            names.append(f"{self._thread_name_prefix}_0")
        return future

    def noted_bare(*args: Any) -> int:
        if threading.get_ident() == here:
            names.append("a thread without a name")
        return start_bare(*args)

    thread.start, pool.submit, bare.start_new_thread = noted_start, noted_submit, noted_bare
    try:
        yield
    finally:
        thread.start, pool.submit, bare.start_new_thread = start, submit, start_bare
