"""
Files of an audit: which are found, in which order, and what their modules are called.
"""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from sessionstate.audit._files import Found, find
from sessionstate.audit._findings import Problem
from sessionstate.audit._settings import Settings

links = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="links need a privilege on Windows")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """
    Be in a folder whose name looks like that of a test.
    """
    folder = tmp_path / "test_here" / "tests"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def make(*paths: str) -> None:
    """
    Make empty files.
    """
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()


def look(*paths: str | Path, **settings: Any) -> Found:
    """
    Find what is at *paths*.
    """
    return find(paths or (".",), Settings(**settings))


def shown(*paths: str | Path, **settings: Any) -> list[str]:
    """
    Find files, and return their paths.
    """
    found = look(*paths, **settings)
    assert not found.problems
    return [each.path for each in found.sources]


def names(*paths: str | Path) -> dict[str, str]:
    """
    Find files, and return their modules by their paths.
    """
    return {each.path: each.name for each in look(*paths).sources}


class TestFound:
    def test_python_files_by_path(self) -> None:
        """
        Files that end with `.py` or `.pyw` are found at any depth, in the order of their paths.
        """
        make("b.py", "a/z.py", "a/deep/er/x.pyw", "a/y.pyi", "README.md", "c.py/inner.py", "py")
        assert shown() == ["a/deep/er/x.pyw", "a/z.py", "b.py", "c.py/inner.py"]

    def test_order_of_paths_does_not_matter(self) -> None:
        """
        The same files are found in the same order, whichever path comes first.
        """
        make("a/x.py", "b/x.py")
        assert shown("a", "b") == shown("b", "a") == ["a/x.py", "b/x.py"]

    def test_nothing_there(self) -> None:
        """
        A path that does not exist is an error, before anything is looked at.
        """
        make("a.py")
        with pytest.raises(FileNotFoundError, match=r"nothing at 'b\.py': name a file or a folder"):
            look("a.py", "b.py")

    def test_overlapping_paths(self) -> None:
        """
        What several paths lead to is found once.
        """
        make("a/b/x.py", "a/y.py")
        assert shown("a", "a/b", "a/b/x.py", "a", Path.cwd()) == ["a/b/x.py", "a/y.py"]

    def test_outside_of_the_current_directory(self, tmp_path: Path) -> None:
        """
        A path is relative to the current directory below it, and absolute elsewhere.
        """
        make("x.py", str(tmp_path / "other/y.py"))
        outside = (tmp_path / "other/y.py").as_posix()
        assert shown("../../other", Path.cwd() / "x.py") == sorted([outside, "x.py"])

    @links
    def test_current_directory_by_a_link(self, tmp_path: Path) -> None:
        """
        An absolute path by a link to the current directory is relative, too.
        """
        make("x.py")
        (tmp_path / "link").symlink_to(Path.cwd())
        assert shown(tmp_path / "link") == ["x.py"]


class TestExclude:
    def test_excluded(self) -> None:
        """
        What is excluded is not found, and a folder with all that is in it.
        """
        make("a/x.py", "a/x_pb2.py", "gen/deep/y.py", ".venv/z.py", "a/gen.py")
        assert shown(exclude=("*_pb2.py", "/gen/")) == ["a/gen.py", "a/x.py"]

    def test_given_is_read(self) -> None:
        """
        A path that is given is read though it is excluded, or in a folder that is.
        """
        make("build/x.py", ".venv/lib/y.py", ".venv/lib/build/z.py")
        assert shown("build/x.py", ".venv/lib") == [".venv/lib/y.py", "build/x.py"]

    def test_force(self) -> None:
        """
        With `force_exclude` what is given is left out as well.
        """
        make("build/x.py", ".venv/lib/y.py", "a/z.py", "a/b_pb2.py")
        given = ("build/x.py", ".venv/lib", "a", "a/b_pb2.py", ".")
        assert shown(*given, force_exclude=True, exclude=("*_pb2.py",)) == ["a/z.py"]

    def test_patterns_begin_at_the_root(self, tmp_path: Path) -> None:
        """
        A pattern of a path begins at the root; outside of it, at the path that is given.
        """
        make("a/gen/x.py", str(tmp_path / "other/gen/y.py"))
        assert not shown("a", exclude=("a/gen",))
        assert shown("a", exclude=("gen/x.py",)) == ["a/gen/x.py"]
        assert not shown(tmp_path / "other", exclude=("gen/y.py",))
        make(".hidden/x.py")
        assert not shown(".hidden", exclude=(".hidden/x.py",))
        assert shown(".hidden", exclude=("hidden/x.py",)) == [".hidden/x.py"]


class TestNames:
    def test_relative_to_what_is_given(self) -> None:
        """
        A module is called as from the folder that is given.
        """
        make("app/web/chat.py", "app/main.pyw", "app/web/__init__.py", "__init__.x.py")
        assert names("app") == {
            "app/main.pyw": "main",
            "app/web/__init__.py": "web",
            "app/web/chat.py": "web.chat",
        }

    def test_package(self) -> None:
        """
        A package, or a folder or file in one, is called as from outside of the package.
        """
        make("app/pkg/__init__.py", "app/pkg/sub/__init__.py", "app/pkg/sub/x.py")
        assert names("app/pkg") == {
            "app/pkg/__init__.py": "pkg",
            "app/pkg/sub/__init__.py": "pkg.sub",
            "app/pkg/sub/x.py": "pkg.sub.x",
        }
        assert names("app/pkg/sub")["app/pkg/sub/x.py"] == "pkg.sub.x"
        assert names("app/pkg/sub/x.py") == {"app/pkg/sub/x.py": "pkg.sub.x"}
        assert names("app/pkg/__init__.py") == {"app/pkg/__init__.py": "pkg"}
        assert names("app/pkg/../pkg/sub/x.py") == {"app/pkg/sub/x.py": "pkg.sub.x"}

    def test_current_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        The current directory may be a package.
        """
        make("pkg/__init__.py", "pkg/x.py")
        monkeypatch.chdir("pkg")
        assert names() == {"__init__.py": "pkg", "x.py": "pkg.x"}

    def test_src(self) -> None:
        """
        Nobody imports from `src`, unless it is a package.
        """
        make("one/src/pkg/x.py", "two/src/__init__.py", "two/src/x.py", "src/y.py")
        assert names() == {
            "one/src/pkg/x.py": "pkg.x",
            "src/y.py": "y",
            "two/src/__init__.py": "two.src",
            "two/src/x.py": "two.src.x",
        }

    def test_init_without_a_package(self) -> None:
        """
        A file whose package has no name keeps its own.
        """
        make("src/__init__.py")
        assert names("src") == {"src/__init__.py": "src"}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sessionstate.audit._files._package", lambda folder: "")
            assert names("src") == {"src/__init__.py": "__init__"}


class TestTests:
    def test_by_path(self) -> None:
        """
        A test is told by its path from what is given on, not by where the project lies.
        """
        make("app/x.py", "app/tests/y.py", "app/test_z.py")
        tests = {each.path: each.is_test for each in look("app").sources}
        assert tests == {"app/x.py": False, "app/tests/y.py": True, "app/test_z.py": True}

    def test_nearest_path_decides(self) -> None:
        """
        A folder of tests that is given is none, though what is around it is given, too.
        """
        make("app/tests/y.py")
        assert [each.is_test for each in look("app", "app/tests").sources] == [False]

    def test_given(self) -> None:
        """
        A file that is given is what was asked for, whatever it is called.
        """
        make("app/tests/test_y.py")
        [one] = look("app", "app/tests/test_y.py").sources
        assert (one.given, one.is_test) == (True, False)


@links
class TestLinks:
    def test_circles_end(self) -> None:
        """
        Links to folders are followed, each folder once; what has a name of its own is found by it.
        """
        make("z/x.py")
        Path("a").symlink_to("z")
        Path("z/up").symlink_to("..")
        Path("z/self").symlink_to("self")
        assert shown() == ["z/x.py"]

    def test_outside(self, tmp_path: Path) -> None:
        """
        What only links lead to is found by their names, unless it is excluded.
        """
        make(str(tmp_path / "other/x.py"), str(tmp_path / "other/y.txt"))
        Path("a").symlink_to(tmp_path / "other")
        Path("build").symlink_to(tmp_path / "other")
        Path("b").symlink_to(tmp_path / "other")
        assert shown() == ["a/x.py"]

    def test_files(self, tmp_path: Path) -> None:
        """
        A file is found once, and by its own name where it has one below what is given.
        """
        make("z.py", str(tmp_path / "other.py"))
        Path("a.py").symlink_to("z.py")
        Path("b.py").symlink_to(tmp_path / "other.py")
        Path("c.py").symlink_to(tmp_path / "other.py")
        Path("d").symlink_to(tmp_path / "other.py")
        assert shown() == ["b.py", "z.py"]

    def test_to_nothing(self) -> None:
        """
        A link to nothing, such as the lock of an editor, is passed by.
        """
        Path(".#x.py").symlink_to("me@host.1234")
        Path("y.py").symlink_to("y.py")
        Path("z.py").symlink_to("/dev/null/z.py")
        assert not shown()

    def test_twins_are_two(self) -> None:
        """
        Two names of one file are two modules: an installer may link equal files to each other.
        """
        make("a/x.py")
        Path("b").mkdir()
        Path("b/x.py").hardlink_to("a/x.py")
        assert shown() == ["a/x.py", "b/x.py"]


class TestUnreadable:
    @links
    def test_no_regular_file(self) -> None:
        """
        What is no file is not waited for: in a folder it is passed by, and given it is a problem.
        """
        os.mkfifo("x.py")
        with socket.socket(socket.AF_UNIX) as one:
            one.bind("y.py")
            Path("z.py").symlink_to("x.py")
            assert not shown()
            message = "it cannot be read: it is no regular file"
            assert look("x.py", "y.py") == Found(
                [], [Problem("x.py", message), Problem("y.py", message)]
            )

    def test_folder(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A folder that must not be read is a problem; one that has vanished is none.
        """
        make("a/x.py", "b/y.py", "c/z.py")
        real = os.scandir

        def scandir(path: Path) -> Any:
            if str(path).startswith("a"):
                raise PermissionError(errno.EACCES, "Permission denied")
            if str(path).startswith("b"):
                raise FileNotFoundError(errno.ENOENT, "No such file or directory")
            return real(path)

        monkeypatch.setattr(os, "scandir", scandir)
        found = look()
        assert [each.path for each in found.sources] == ["c/z.py"]
        assert found.problems == [Problem("a/", "it cannot be read: Permission denied")]

    @links
    def test_link(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A link into a folder that must not be read is a problem, if it is called as Python source.
        """
        make("a/x.py")
        Path("y.py").symlink_to("a/x.py")
        Path("y.txt").symlink_to("a/x.py")
        real = Path.stat

        def stat(path: Path, **options: Any) -> os.stat_result:
            if path.name.startswith("y"):
                raise PermissionError(errno.EACCES, "Permission denied")
            return real(path, **options)

        monkeypatch.setattr(Path, "stat", stat)
        found = look()
        assert [each.path for each in found.sources] == ["a/x.py"]
        assert found.problems == [Problem("y.py", "it cannot be read: Permission denied")]
