"""What is to be started: a command, and how."""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import shutil
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import IO, Any, Final, TypedDict, cast

from ._strays import MARK

LINUX = sys.platform == "linux"

PathOrText = str | bytes | PathLike[str] | PathLike[bytes]
CommandLine = PathOrText | Sequence[PathOrText]
"""A line for the shell, or a program and its arguments."""
Stream = int | IO[Any] | None

SET_CHILD_SUBREAPER: Final = 36
SET_PDEATHSIG: Final = 1

# It runs in the child, which execs the command: the number of its process stays.
WRAPPER: Final = f"""\
import ctypes, os, signal, sys
parent, number = int(sys.argv[1]), int(sys.argv[2])
ctypes.CDLL(None).prctl({SET_PDEATHSIG}, number, 0, 0, 0)
if os.getppid() != parent:
    os.kill(os.getpid(), number)
# What this interpreter has changed for itself is not for the command.
for name in ("SIGPIPE", "SIGXFSZ"):
    signal.signal(getattr(signal, name), signal.SIG_DFL)
os.environ["LC_CTYPE"] = sys.argv[3]
if not sys.argv[3]:
    del os.environ["LC_CTYPE"]
os.execvp(sys.argv[4], sys.argv[4:])
"""


class ProcessOptions(TypedDict, total=False):
    """
    How a process is started; each as for `anyio.open_process`, but for the last two.

    `start_new_session` is missing: a process always has a group and a session of its own.
    """

    cwd: PathOrText | None
    """The working directory."""
    env: Mapping[str, str] | None
    """The environment; None for that of this process. One variable is added: see the guide."""
    startupinfo: Any
    """A `subprocess.STARTUPINFO` (Windows)."""
    creationflags: int
    """As for `subprocess.Popen` (Windows)."""
    pass_fds: Sequence[int]
    """File descriptors to keep open in the process (POSIX)."""
    user: str | int | None
    """The user to run as (POSIX)."""
    group: str | int | None
    """The group to run as (POSIX)."""
    extra_groups: Iterable[str | int] | None
    """The supplementary groups (POSIX)."""
    umask: int
    """The file mode mask, if not negative (POSIX)."""
    subreaper: bool
    """
    Have orphans come back to this process, to be reaped (Linux): `PR_SET_CHILD_SUBREAPER`. It
    holds for the whole process from then on.
    """
    parent_death_signal: signal.Signals | None
    """
    What the kernel sends the process when the thread that started it ends (Linux):
    `PR_SET_PDEATHSIG`.
    """


class Command:
    """
    A command that was looked at, and may be started once.
    """

    __slots__ = ("_args", "_death_signal", "_given", "_shell", "mark", "name")

    def __init__(
        self,
        command: CommandLine,
        *,
        stdin: Stream,
        stdout: Stream,
        stderr: Stream,
        subreaper: bool = False,
        parent_death_signal: signal.Signals | None = None,
        umask: int | None = -1,
        **options: Any,  # noqa: ANN401 - see ProcessOptions
    ) -> None:
        for name in options.keys() - ProcessOptions.__annotations__.keys():
            advice = ": each process has a session of its own" if "session" in name else ""
            raise TypeError(f"a process has no option {name!r}{advice}")
        self._args, self._shell = _arguments(command)
        first = self._args if isinstance(self._args, str | bytes) else self._args[0]
        self.name: str = os.fsdecode(first).partition("\n")[0][:40]
        for name, stream in (("stdin", stdin), ("stdout", stdout), ("stderr", stderr)):
            if not (stream is None or isinstance(stream, int) or hasattr(stream, "fileno")):
                raise TypeError(
                    f"{name} must be PIPE, DEVNULL, a file descriptor or an open file, not "
                    f"{stream!r}: open() it first"
                )
        env = _environment(options.pop("env", None))
        outer = env.get(MARK) or os.environ.get(MARK)  # an owner outside finds it by that
        self.mark: str = secrets.token_hex(8)
        env[MARK] = f"{outer}:{self.mark}" if outer else self.mark
        self._given: dict[str, Any] = {
            **{name: value for name, value in options.items() if value is not None},
            "stdin": stdin,
            "stdout": stdout,
            "stderr": stderr,
            "env": env,
        }
        if umask is not None and umask >= 0:
            self._given["umask"] = umask
        self._death_signal = parent_death_signal
        if not LINUX and (subreaper or parent_death_signal is not None):
            raise ValueError(
                "subreaper and parent_death_signal are what only Linux has: leave them out "
                "elsewhere (on Windows, processes end with their parent anyway)"
            )
        if subreaper:
            become_subreaper()

    def arguments(self) -> dict[str, Any]:
        """Return what `subprocess.Popen` is given."""
        args = self._args
        given = self._given
        given.setdefault("creationflags", 0)
        if self._death_signal is None:
            return {**given, "args": args, "shell": self._shell}
        if self._shell:
            args = ["/bin/sh", "-c", cast("str", args)]
        self._check_exists(os.fsdecode(args[0]))  # type: ignore[arg-type]
        number = int(signal.Signals(self._death_signal))
        locale = given["env"].get("LC_CTYPE", "")
        wrapper = [sys.executable, "-ISc", WRAPPER, str(os.getpid()), str(number), locale]
        return {**given, "args": [*wrapper, *args], "shell": False}

    def _check_exists(self, program: str) -> None:
        """Raise here what the wrapper would meet where nobody sees it."""
        if len(Path(program).parts) > 1:
            program = str(Path(os.fsdecode(self._given.get("cwd", "."))) / program)
        if shutil.which(program, path=self._given["env"].get("PATH")) is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), program)


def _environment(given: object) -> dict[str, str]:
    if given is None:
        return dict(os.environ)
    if not isinstance(given, Mapping):
        raise TypeError(f"env must be a mapping of str to str, not {given!r}")
    env = dict(cast("Mapping[object, object]", given))
    for name, value in env.items():
        if not (isinstance(name, str) and isinstance(value, str | PathLike)):
            raise TypeError(
                f"env[{name!r}] is {value!r}, but must be a str: write str(...) around it"
            )
    return cast("dict[str, str]", env)


def _arguments(command: CommandLine) -> tuple[str | bytes | list[PathOrText], bool]:
    given: object = command
    if isinstance(given, PathLike):
        given = os.fspath(cast("PathLike[str]", given))
    if isinstance(given, str | bytes):
        if not given.strip():
            raise ValueError(f"the command is empty: {given!r}")
        return given, True
    if not isinstance(given, Sequence):
        raise TypeError(
            f"a command is a str for the shell, or a list of a program and its arguments, not "
            f"{given!r}"
        )
    args = list(given)
    if not args:
        raise ValueError("the command is empty: name a program")
    for each in args:
        if not isinstance(each, str | bytes | PathLike):
            raise TypeError(
                f"each argument of a command must be a str, bytes or path, not {each!r}: write "
                f"str(...) around it"
            )
    return args, False


def become_subreaper() -> None:
    """Have orphaned descendants of this process become its children, for all its life."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0):  # pragma: no cover - Linux before 3.4
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
