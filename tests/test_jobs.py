from __future__ import annotations

import ctypes
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import Supervisor
from sessionstate._commands import Command
from sessionstate._jobs import CREATE_NEW_PROCESS_GROUP, CREATE_SUSPENDED, KILL_ON_JOB_CLOSE, Job
from sessionstate._process_groups import JobTree, start_in_job, trees

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionstate import Session

HANDLE = 2**40  # larger than an int of C


class FakeKernel:
    """
    Windows, as far as jobs need it: it notes what is asked, and fails where it is told to.
    """

    def __init__(self, *failing: str) -> None:
        self.failing = failing
        self.calls: list[str] = []
        self.flags = 0
        self.inside: list[int] = []
        self.sizes: list[int] = []

    def _note(self, name: str) -> bool:
        self.calls.append(name)
        return name not in self.failing

    def error(self) -> OSError:
        """
        Return what the last call failed with.
        """
        return OSError(f"{self.calls[-1]} failed")

    def CreateJobObjectW(self, security: None, name: None) -> int | None:  # noqa: N802
        """
        Give a handle.
        """
        return HANDLE if self._note("create") else None

    def SetInformationJobObject(self, job: Any, what: int, facts: Any, size: int) -> bool:  # noqa: N802
        """
        Take the limits.
        """
        assert (job.value, what) == (HANDLE, 9)
        self.sizes.append(size)
        self.flags = facts._obj.LimitFlags
        return self._note("limit")

    def QueryInformationJobObject(  # noqa: N802
        self, job: Any, what: int, facts: Any, size: int, length: None
    ) -> bool:
        """
        Tell how many are inside.
        """
        assert (job.value, what) == (HANDLE, 1)
        self.sizes.append(size)
        facts._obj.ActiveProcesses = len(self.inside)
        return self._note("count")

    def AssignProcessToJobObject(self, job: Any, process: Any) -> bool:  # noqa: N802
        """
        Take a process in.
        """
        self.inside.append(process.value)
        return self._note("assign")

    def NtResumeProcess(self, process: Any) -> int:  # noqa: N802
        """
        Let it run.
        """
        return 0 if self._note("resume") else -1073741823

    def TerminateJobObject(self, job: Any, code: int) -> bool:  # noqa: N802
        """
        End all.
        """
        self.inside.clear()
        return self._note("terminate")

    def GenerateConsoleCtrlEvent(self, event: int, group: int) -> bool:  # noqa: N802
        """
        Send a key.
        """
        assert event == 1
        return self._note(f"break {group}")

    def CloseHandle(self, job: Any) -> bool:  # noqa: N802
        """
        Close the handle, which ends all.
        """
        assert job.value == HANDLE
        self.inside.clear()
        return self._note("close")


class TestJob:
    def test_it_ends_with_its_handle(self) -> None:
        """
        A job is made so that the kernel ends it with its last handle, which is closed once.
        """
        kernel = FakeKernel()
        job = Job(kernel)
        assert kernel.flags == KILL_ON_JOB_CLOSE
        job.close()
        job.close()
        assert kernel.calls == ["create", "limit", "close"]

    def test_a_process_is_inside_before_it_runs(self) -> None:
        """
        A process is taken in first and then let run, and is counted.
        """
        kernel = FakeKernel()
        job = Job(kernel)
        job.take(5)
        assert job.active() == 1
        job.kill()
        assert job.active() == 0
        assert kernel.calls[2:] == ["assign", "resume", "count", "terminate", "count"]

    def test_a_closed_one_does_nothing(self) -> None:
        """
        Once it is closed, a job asks the system nothing: its handle may be another's.
        """
        kernel = FakeKernel()
        job = Job(kernel)
        job.close()
        del kernel.calls[:]
        job.kill()
        assert job.active() == 0
        assert not kernel.calls

    @pytest.mark.skipif(ctypes.sizeof(ctypes.c_void_p) != 8, reason="sizes of 64-bit Windows")
    def test_sizes(self) -> None:
        """
        The structures have the sizes that Windows checks.
        """
        kernel = FakeKernel()
        job = Job(kernel)
        job.active()
        assert kernel.sizes == [144, 48]

    @pytest.mark.parametrize("failing", ["create", "limit", "assign", "resume"])
    def test_failing(self, failing: str) -> None:
        """
        What Windows refuses is an OSError, and a job that was half made is closed.
        """
        kernel = FakeKernel(failing)
        with pytest.raises(OSError, match=r"failed|could not be resumed"):
            Job(kernel).take(5)
        assert ("close" in kernel.calls) == (failing == "limit")

    def test_what_cannot_be_counted(self) -> None:
        """
        A job that does not tell counts as empty.
        """
        assert Job(FakeKernel("count")).active() == 0


def started(**given: Any) -> Any:
    """
    Start a real process as if it were suspended, with a handle as Windows has them.
    """
    flags = given.pop("creationflags")
    popen: Any = subprocess.Popen(**given)
    popen._handle = HANDLE
    popen.flags = flags
    return popen


def command() -> Command:
    """
    Return a command that does not end.
    """
    args = [sys.executable, "-ISc", "import time; time.sleep(1000)"]
    return Command(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None)


@pytest.mark.skipif(sys.platform == "win32", reason="fakes what is real there")
class TestJobTree:
    @pytest.fixture
    async def s(self, supervisor: Supervisor) -> Session:
        """
        Give a session.
        """
        return await supervisor.open("a")

    async def test_from_start_to_end(self, s: Session) -> None:
        """
        A process is started suspended, in a group and a job of its own, and ends with the job.
        """
        kernel = FakeKernel()
        tree = start_in_job(s, command(), started, Job(kernel))
        assert isinstance(tree, JobTree)
        assert tree.popen.flags == CREATE_SUSPENDED | CREATE_NEW_PROCESS_GROUP  # type: ignore[attr-defined]
        assert kernel.inside == [HANDLE]
        assert (tree.alive(), tree.known(), await tree.look()) == (True, True, True)
        tree.ask()
        assert kernel.calls[-1] == f"break {tree.pid}"
        tree.popen.kill()
        tree.popen.wait()
        assert await tree.look()  # its children live
        tree.kill()
        assert not await tree.look()
        tree.forget()
        assert kernel.calls[-1] == "close"
        assert tree not in trees
        close(tree.popen)

    @pytest.mark.parametrize("failing", ["start", "assign", "resume"])
    async def test_what_cannot_be_started(
        self, s: Session, failing: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        If a process cannot be put into its job, it is ended before it ran, and nothing is left.
        """
        kernel = FakeKernel(failing)
        seen: list[Any] = []

        def start(**given: Any) -> Any:
            if failing == "start":
                raise FileNotFoundError
            seen.append(started(**given))
            return seen[-1]

        with pytest.raises(OSError):  # noqa: PT011 - each has another text
            start_in_job(s, command(), start, Job(kernel))
        assert kernel.calls[-1] == "close"
        assert not trees
        assert all(each.returncode is not None and each.stdout.closed for each in seen)


def close(popen: subprocess.Popen[bytes]) -> None:
    """
    Close the pipes of a process.
    """
    for pipe in (popen.stdin, popen.stdout):
        assert pipe is not None
        pipe.close()


@pytest.mark.skipif(sys.platform != "win32", reason="needs Windows")
class TestRealJob:
    def test_its_handle_ends_it(self) -> None:
        """
        When the last handle of a real job is closed, what is inside ends.
        """
        job = Job()
        create: Callable[..., Any] = subprocess.Popen
        args = [sys.executable, "-c", "import time; time.sleep(1000)"]
        popen = create(args, creationflags=CREATE_SUSPENDED)
        job.take(int(popen._handle))
        assert job.active() == 1
        job.close()
        assert popen.wait(20) is not None
