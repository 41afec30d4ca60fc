from __future__ import annotations

import asyncio
import ctypes
import mmap
import platform
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from sessionstate import CloseReason, MemoryGuard
from sessionstate import _limits as limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import StartSupervisor

MIB = 2**20


class TestMarks:
    def test_low_must_be_below_high(self) -> None:
        """
        Marks that would flap, or never stop, are refused, in bytes.
        """
        message = r"low \(2147483648\) must be below high \(1073741824\): shedding stops at low"
        with pytest.raises(ValueError, match=message):
            MemoryGuard(high=2**30, low=2**31)
        with pytest.raises(ValueError, match="must be below high"):
            MemoryGuard(high=0.5, low=0.5)

    def test_share(self) -> None:
        """
        A float is a share of what the process may use.
        """
        guard = MemoryGuard(high=1.0, low=0.25)
        assert guard.high == limits.memory_limit()
        assert guard.low == guard.high // 4

    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            ({"high": 1.5}, ValueError, r"high must be a share above 0.0 .* write bytes as an int"),
            ({"high": 0.0}, ValueError, "high must be a share above 0.0"),
            ({"high": float("nan")}, ValueError, "high must be a share above 0.0"),
            ({"high": 1}, ValueError, "high must be more than 1 bytes: write 1.0 for all memory"),
            ({"low": -5}, ValueError, "low must be more than -5 bytes"),
            ({"low": "80%"}, TypeError, "low must be bytes as an int, or a share"),
            ({"high": True}, TypeError, "high must be bytes"),
            ({"interval": 0}, ValueError, "interval must be a finite number of seconds, more than"),
            ({"resident": 5}, TypeError, "resident must be a function that returns bytes, not 5"),
        ],
    )
    def test_refused(self, options: dict[str, Any], error: type[Exception], message: str) -> None:
        """
        What is no mark is refused, with what to write instead.
        """
        with pytest.raises(error, match=message):
            MemoryGuard(**({"high": 2**30, "low": 2**29} | options))


class TestLimit:
    @pytest.fixture
    def tree(self, tmp_path: Path) -> Callable[..., int]:
        """
        Give a function that makes a root with these files, and returns the limit there.
        """

        def limit(cgroup: str | None = None, **files: str) -> int:
            if cgroup is not None:
                files["proc/self/cgroup"] = cgroup
            for name, text in files.items():
                (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / name).write_text(text)
            return limits.memory_limit(tmp_path)

        return limit

    def test_no_cgroup(self, tree: Callable[..., int]) -> None:
        """
        Where there are no cgroups, or their files are absent, it is the machine's memory.
        """
        total = psutil.virtual_memory().total
        assert tree() == total
        assert tree("0::/user.slice\n5:memory:/user.slice\nnonsense\n") == total

    def test_version_2(self, tree: Callable[..., int]) -> None:
        """
        The least limit from the own cgroup up to the root counts; "max" is none.
        """
        files = {
            "sys/fs/cgroup/a/b/memory.max": "max\n",
            "sys/fs/cgroup/a/memory.max": "7000000\n",
            "sys/fs/cgroup/a/memory.high": "max\n",
            "sys/fs/cgroup/memory.max": "8000000\n",
        }
        assert tree("0::/a/b\n", **files) == 7_000_000
        assert tree(**{"sys/fs/cgroup/a/b/memory.high": "6000000\n"}) == 6_000_000
        assert tree("0::/other\n") == 8_000_000

    def test_container(self, tree: Callable[..., int]) -> None:
        """
        In a container the path is the host's, or leads out; the limit is at the mount.
        """
        files = {"sys/fs/cgroup/memory.max": "5000000\n", "sys/x/memory.max": "1\n"}
        assert tree("0::/system.slice/docker-1.scope\n", **files) == 5_000_000
        assert tree("0::/../../x\n") == 5_000_000
        assert tree("0::/\n") == 5_000_000

    def test_version_1(self, tree: Callable[..., int]) -> None:
        """
        The memory controller has a tree of its own, and a huge number for none.
        """
        files = {
            "sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/docker/memory.limit_in_bytes": "4000000\n",
        }
        rows = "11:cpu,cpuacct:/docker/1\n5:hugetlb,memory:/docker/1\n0::/docker/1\n"
        assert tree(rows, **files) == 4_000_000

    def test_not_readable(self, tree: Callable[..., int]) -> None:
        """
        What is no number is no limit.
        """
        files = {"sys/fs/cgroup/memory.max": "-1\n"}
        assert tree("0::/\n", **files) == psutil.virtual_memory().total


class TestProcess:
    def test_resident(self) -> None:
        """
        The default reading is that of this process.
        """
        before = limits.resident_memory()()
        ballast = bytearray(b"x") * (64 * MIB)
        assert limits.resident_memory()() - before > 32 * MIB
        del ballast

    @pytest.mark.parametrize("error", [TypeError, OSError, AttributeError])
    def test_no_trimming(self, monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
        """
        Where the C library cannot trim its heap, nothing happens.
        """

        def absent(_: object) -> None:
            raise error

        monkeypatch.setattr(ctypes, "CDLL", absent)
        assert limits.heap_trimmer()() is None

    @pytest.mark.skipif(
        platform.libc_ver()[0] != "glibc", reason="only glibc's heap can be trimmed"
    )
    def test_trimming(self) -> None:
        """
        What glibc keeps of freed blocks that lie between others is given back.
        """
        resident = limits.resident_memory()
        blocks = [bytes([1]) * 20_000 for _ in range(5_000)]
        del blocks[::2]
        kept = resident()
        limits.heap_trimmer()()
        assert kept - resident() > 20 * MIB

    @pytest.mark.real_loop
    async def test_for_real(self, start_supervisor: StartSupervisor) -> None:
        """
        Sessions with real memory are shed until the process's own figure is below the mark.
        """
        supervisor = await start_supervisor()
        resident = limits.resident_memory()
        before = resident()
        for i in range(100):
            s = await supervisor.open(str(i))
            # Mapped, so that it is gone with its session on every system.
            s.vars["ballast"] = ballast = mmap.mmap(-1, 2 * MIB)
            ballast.write(b"x" * 2 * MIB)
            del ballast
        used = resident() - before
        assert used > 150 * MIB
        high, low = before + used * 8 // 10, before + used * 4 // 10
        async with MemoryGuard(high=high, low=low, interval=0.01) as guard, asyncio.timeout(60):
            while guard.last_report is None or not guard.last_report.over:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert guard.last_report.after < low
        assert guard.last_report.shed == supervisor.statistics().closed_by_reason[CloseReason.SHED]
        assert 30 <= len(supervisor) < 50
