"""
Windows Job objects: a process and all that it starts, ended together.

A process is in the job before its first instruction, its children are born into it, and nobody
leaves. With ``KILL_ON_JOB_CLOSE`` the kernel ends the job with its last handle: when this process
dies, however it dies, its children do too.
"""

from __future__ import annotations

import ctypes
from ctypes import wintypes
from typing import Any, Final

CREATE_SUSPENDED: Final = 0x00000004
CREATE_NEW_PROCESS_GROUP: Final = 0x00000200

CTRL_BREAK_EVENT: Final = 1
EXTENDED_LIMITS: Final = 9
ACCOUNTING: Final = 1
KILL_ON_JOB_CLOSE: Final = 0x00002000


class _Limits(ctypes.Structure):
    """``JOBOBJECT_EXTENDED_LIMIT_INFORMATION``."""

    _fields_ = (
        ("PerProcessUserTimeLimit", ctypes.c_int64),
        ("PerJobUserTimeLimit", ctypes.c_int64),
        ("LimitFlags", ctypes.c_uint32),
        ("MinimumWorkingSetSize", ctypes.c_size_t),
        ("MaximumWorkingSetSize", ctypes.c_size_t),
        ("ActiveProcessLimit", ctypes.c_uint32),
        ("Affinity", ctypes.c_size_t),
        ("PriorityClass", ctypes.c_uint32),
        ("SchedulingClass", ctypes.c_uint32),
        ("IoInfo", ctypes.c_ulonglong * 6),
        ("ProcessMemoryLimit", ctypes.c_size_t),
        ("JobMemoryLimit", ctypes.c_size_t),
        ("PeakProcessMemoryUsed", ctypes.c_size_t),
        ("PeakJobMemoryUsed", ctypes.c_size_t),
    )


class _Accounting(ctypes.Structure):
    """``JOBOBJECT_BASIC_ACCOUNTING_INFORMATION``."""

    _fields_ = (
        ("TotalUserTime", ctypes.c_int64),
        ("TotalKernelTime", ctypes.c_int64),
        ("ThisPeriodTotalUserTime", ctypes.c_int64),
        ("ThisPeriodTotalKernelTime", ctypes.c_int64),
        ("TotalPageFaultCount", ctypes.c_uint32),
        ("TotalProcesses", ctypes.c_uint32),
        ("ActiveProcesses", ctypes.c_uint32),
        ("TotalTerminatedProcesses", ctypes.c_uint32),
    )


class Kernel:
    """
    The calls of Windows that a job needs; tests give another.
    """

    def __init__(self) -> None:  # pragma: no cover - needs Windows
        windows: Any = ctypes
        kernel = windows.WinDLL("kernel32", use_last_error=True)
        kernel.CreateJobObjectW.restype = wintypes.HANDLE
        self.CreateJobObjectW = kernel.CreateJobObjectW
        self.SetInformationJobObject = kernel.SetInformationJobObject
        self.QueryInformationJobObject = kernel.QueryInformationJobObject
        self.AssignProcessToJobObject = kernel.AssignProcessToJobObject
        self.TerminateJobObject = kernel.TerminateJobObject
        self.GenerateConsoleCtrlEvent = kernel.GenerateConsoleCtrlEvent
        self.CloseHandle = kernel.CloseHandle
        self.NtResumeProcess = windows.WinDLL("ntdll").NtResumeProcess
        self._error = windows.WinError
        self._last = windows.get_last_error

    def error(self) -> OSError:  # pragma: no cover - needs Windows
        """Return what the last call failed with."""
        error: OSError = self._error(self._last())
        return error


class Job:
    """
    A Job object that ends with its handle, which is closed once.
    """

    __slots__ = ("_handle", "_kernel")

    def __init__(self, kernel: Any = None) -> None:  # noqa: ANN401 - a Kernel, or a test's
        self._kernel = Kernel() if kernel is None else kernel
        self._handle = self._kernel.CreateJobObjectW(None, None)
        if not self._handle:
            raise self._kernel.error()
        limits = _Limits(LimitFlags=KILL_ON_JOB_CLOSE)
        if not self._kernel.SetInformationJobObject(
            wintypes.HANDLE(self._handle),
            EXTENDED_LIMITS,
            ctypes.byref(limits),
            ctypes.sizeof(limits),
        ):
            error = self._kernel.error()
            self.close()
            raise error

    def take(self, process: int) -> None:
        """Put a suspended process into the job, and let it run."""
        handle = wintypes.HANDLE(process)
        if not self._kernel.AssignProcessToJobObject(wintypes.HANDLE(self._handle), handle):
            raise self._kernel.error()
        if self._kernel.NtResumeProcess(handle):
            raise OSError(f"the process with handle {process} could not be resumed")

    def active(self) -> int:
        """Return how many processes are in the job; 0 once it is closed, or cannot tell."""
        facts = _Accounting()
        if self._handle is None or not self._kernel.QueryInformationJobObject(
            wintypes.HANDLE(self._handle),
            ACCOUNTING,
            ctypes.byref(facts),
            ctypes.sizeof(facts),
            None,
        ):
            return 0
        return int(facts.ActiveProcesses)

    def ask(self, group: int) -> None:
        """
        Ask a process group to end with Ctrl+Break, as Windows has no SIGTERM.

        Those without a console, or with another one than ours, do not hear of it. `os.kill` would
        end their first process instead.
        """
        self._kernel.GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, group)

    def kill(self) -> None:
        """End all that is in it, without waiting for that."""
        if self._handle is not None:
            self._kernel.TerminateJobObject(wintypes.HANDLE(self._handle), 1)

    def close(self) -> None:
        """Close the handle, which ends what is still in the job."""
        handle, self._handle = self._handle, None
        if handle is not None:
            self._kernel.CloseHandle(wintypes.HANDLE(handle))
