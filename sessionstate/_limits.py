"""Memory: what this process uses, what it may use, and what it can give back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import psutil

V2 = ("memory.max", "memory.high")  # the second throttles, which is as bad
V1 = ("memory.limit_in_bytes",)


def resident_memory() -> Callable[[], int]:
    """Return what reads the resident memory of this process, in bytes."""
    process = psutil.Process()
    return lambda: process.memory_info().rss


def memory_limit(root: Path = Path("/")) -> int:
    """
    Return what this process may use, in bytes: the machine's memory, or its cgroup's limit if less.

    A cgroup's limit is the least of its own and those above it. *root* is where /proc and /sys are.
    """
    limits = [psutil.virtual_memory().total]
    for controllers, path in _cgroups(root / "proc/self/cgroup"):
        if not controllers:
            limits += _limits(root / "sys/fs/cgroup", path, V2)
        elif "memory" in controllers.split(","):
            limits += _limits(root / "sys/fs/cgroup/memory", path, V1)
    return min(limits)


def _cgroups(file: Path) -> list[tuple[str, PurePosixPath]]:
    """Return the controllers and the path of each cgroup; version 2 names no controllers."""
    rows = [line.split(":", 2) for line in _read(file).splitlines()]
    return [(row[1], PurePosixPath(row[2])) for row in rows if len(row) == 3]  # noqa: PLR2004


def _limits(mount: Path, path: PurePosixPath, names: tuple[str, ...]) -> list[int]:
    """Return every limit from *path* up to the mount: in a container only the latter is there."""
    parts = [part for part in path.parts if part not in ("/", "..")]
    texts = [
        _read(mount.joinpath(*parts[:depth], name)).strip()
        for depth in range(len(parts) + 1)
        for name in names
    ]
    return [int(text) for text in texts if text.isdecimal()]  # else "max", or nothing


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def heap_trimmer() -> Callable[[], object]:
    """
    Return what gives free pages of the heap back to the system, where the C library can.

    glibc keeps a freed block of less than 128 KiB that is not the last one of its heap.
    """
    try:
        import ctypes  # noqa: PLC0415 - some interpreters are built without

        library: Any = ctypes.CDLL(None)
        trim: Callable[[int], object] = library.malloc_trim
    except (ImportError, OSError, TypeError, AttributeError):  # another system or C library
        return lambda: None
    return lambda: trim(0)
