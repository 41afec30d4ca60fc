"""
Files that are fixed, and files that are left alone.
"""

from __future__ import annotations

import codecs
import shutil
import subprocess
import sys
from itertools import islice, permutations
from pathlib import Path
from textwrap import dedent

import libcst as cst
import pytest

from sessionstate.audit import _fix_rules
from sessionstate.audit._findings import Finding, Place
from sessionstate.audit._fix import Change, fix
from tests.audit.fixing import finding, report

BEFORE = """\
async def serve(key, chat):
    chats[key] = chat
    await chat.run()
    del chats[key]
"""
AFTER = """\
async def serve(key, chat):
    chats[key] = chat
    try:
        await chat.run()
    finally:
        chats.pop(key, None)
"""
DIFF = """\
--- a/app.py
+++ b/app.py
@@ -1,4 +1,6 @@
 async def serve(key, chat):
     chats[key] = chat
-    await chat.run()
-    del chats[key]
+    try:
+        await chat.run()
+    finally:
+        chats.pop(key, None)
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """
    A working directory.
    """
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(code: str = BEFORE, path: str = "app.py", rule: str = "SS002b") -> Finding:
    """
    Return the finding that there is in the example.
    """
    put, taken = ["chats[key] = chat"], ["del chats[key]", "chats.pop(key, None)"]
    return finding(rule, "chats", code, writes=put, removals=taken, path=path)


def write(code: str = BEFORE, path: str = "app.py") -> Path:
    """
    Write the example.
    """
    Path(path).write_bytes(code.encode())
    return Path(path)


class TestChange:
    def test_tells_what_it_does(self) -> None:
        """
        A change has the text before and after, and the findings that are put right.
        """
        write()
        [change] = fix(report(found()), write=False)
        assert change == Change("app.py", BEFORE, AFTER, (found(),))
        assert change.diff() == DIFF

    def test_a_diff_can_be_applied(self) -> None:
        """
        Git takes a diff of any path, with any line ends, and without a last one.
        """
        code = BEFORE.replace("\n", "\r\n").removesuffix("\r\n")
        file = write(code)
        [change] = fix(report(found(code)), write=False)
        assert change.diff().count("\\ No newline at end of file\n") == 2
        subprocess.run(["git", "init", "-q"], check=True)
        apply = ["git", "-c", "core.autocrlf=false", "apply", "--whitespace=nowarn"]
        subprocess.run(apply, input=change.diff().encode(), check=True)
        assert file.read_bytes().decode() == change.after

    def test_a_path_from_the_root_is_shown_below_it(self, here: Path) -> None:
        """
        A diff names no path that a patch would refuse.
        """
        path = write(path=str(here / "app.py")).as_posix()
        [change] = fix(report(found(path=path)), write=False)
        assert change.diff().startswith(f"--- a/{path.lstrip('/')}\n")


class TestFix:
    def test_writes_when_it_is_told_to(self) -> None:
        """
        The file is as it was unless it is to be written.
        """
        file = write()
        fix(report(found()), write=False)
        assert file.read_text() == BEFORE
        fix(report(found()), write=True)
        assert file.read_text() == AFTER
        assert [each.name for each in Path().iterdir()] == ["app.py"]

    def test_a_second_time_changes_nothing(self) -> None:
        """
        The same report again is out of date; a new one finds nothing to do.
        """
        file = write()
        fix(report(found()), write=True)
        [change] = fix(report(found()), write=True)
        assert change == Change("app.py", AFTER, AFTER, (), change.problem)
        assert change.problem == "it changed since it was audited: audit it again"
        assert change.diff() == ""
        again = found(AFTER)
        assert [place.line for place in again.removals] == [6]
        assert fix(report(again), write=True) == ()
        assert file.read_text() == AFTER

    def test_each_file_by_its_path(self) -> None:
        """
        Several findings of a file are one change, and changes are in the order of the paths.
        """
        twice = f"{BEFORE}\n\n{BEFORE}"
        for path in "cab":
            write(twice, f"{path}.py")
        findings = [found(twice, f"{path}.py") for path in "cab"]
        changes = fix(report(*findings), write=True)
        assert [change.path for change in changes] == ["a.py", "b.py", "c.py"]
        assert all(change.after == f"{AFTER}\n\n{AFTER}" for change in changes)
        late = Place("a.py", 8, 5, "chats[key] = chat")
        assert late in findings[1].writes

    def test_fixes_of_a_file_do_not_disturb_each_other(self) -> None:
        """
        What one fix moves is found by the next.
        """
        code = dedent("""
            async def serve(key, chat):
                chats[key] = chat
                users[key] = chat
                tasks.add(asyncio.create_task(chat.run()))
                proc = await asyncio.create_subprocess_exec("cat")
                proc.kill()
                if key in rooms:
                    rooms[key].discard(chat)
                del users[key]
                del chats[key]
        """)
        write(code)
        found = [
            finding("SS006", "tasks", code, writes=["tasks.add(asyncio.create_task(chat.run()))"]),
            finding("SS005c", "proc", code, removals=["proc.kill()"]),
            finding("SS002f", "rooms", code, removals=["rooms[key].discard(chat)"]),
            *(
                finding(
                    "SS002b",
                    name,
                    code,
                    writes=[f"{name}[key] = chat"],
                    removals=[f"del {name}[key]"],
                )
                for name in ("users", "chats")
            ),
        ]
        for order in islice(permutations(found), 0, None, 13):
            [change] = fix(report(*order), write=False)
            assert len(change.findings) == 5
            assert change.after == dedent("""
                async def serve(key, chat):
                    chats[key] = chat
                    try:
                        users[key] = chat
                        try:
                            task = asyncio.create_task(chat.run())
                            tasks.add(task)
                            task.add_done_callback(tasks.discard)
                            proc = await asyncio.create_subprocess_exec("cat")
                            proc.kill()
                            await proc.wait()
                            if key in rooms:
                                rooms[key].discard(chat)
                                if not rooms[key]:
                                    del rooms[key]
                        finally:
                            users.pop(key, None)
                    finally:
                        chats.pop(key, None)
            """)

    def test_findings_without_a_fix_are_passed_over(self) -> None:
        """
        There is no change where there is nothing to put right, and the file may be missing.
        """
        assert fix(report(found(rule="SS001"), found(rule="SS002a")), write=True) == ()
        write(BEFORE.replace("await chat.run()", "yield chat"))
        code = Path("app.py").read_text()
        assert fix(report(found(code)), write=True) == ()

    def test_places_in_other_files_are_not_looked_at(self) -> None:
        """
        A finding is fixed in its own file only.
        """
        code = BEFORE.replace("    del chats[key]\n", "")
        write(code)
        both = finding("SS002b", "chats", code, writes=["chats[key] = chat"])
        elsewhere = Place("other.py", 400, 5, "del chats[key]")
        either = Finding(**{name: getattr(both, name) for name in both.__slots__})
        object.__setattr__(either, "removals", (elsewhere,))
        object.__setattr__(either, "defined", Place("app.py", 400, 1))
        assert fix(report(either), write=True) == ()


class TestBytes:
    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    @pytest.mark.parametrize(
        ("start", "encoding"),
        [
            (b"", "utf-8"),
            (codecs.BOM_UTF8, "utf-8"),
            (b"# -*- coding: latin-1 -*-\n", "latin-1"),
            (b"#!/usr/bin/python\n# vim: fileencoding=cp1251\n", "cp1251"),
        ],
    )
    def test_encoding_and_line_ends_stay(self, start: bytes, encoding: str, newline: str) -> None:
        """
        Only what is fixed differs, byte for byte.
        """
        word = "\u0434\u0430" if encoding == "cp1251" else "\xe9\u00b0"
        before, after = (
            start.replace(b"\n", newline.encode())
            + text.replace("run()", f"run('{word}')").replace("\n", newline).encode(encoding)
            for text in (BEFORE, AFTER)
        )
        file = Path("app.py")
        file.write_bytes(before)
        text = before.removeprefix(codecs.BOM_UTF8).decode(encoding)
        [change] = fix(report(found(text)), write=True)
        assert change.problem == ""
        assert file.read_bytes() == after

    @pytest.mark.skipif(sys.platform == "win32", reason="permissions are others there")
    def test_permissions_and_links_stay(self) -> None:
        """
        A script stays a script, and a link stays a link to the file that is fixed.
        """
        file = write()
        file.chmod(0o751)
        Path("link.py").symlink_to(file)
        fix(report(found(path="link.py")), write=True)
        assert Path("link.py").is_symlink()
        assert file.read_text() == AFTER
        assert file.stat().st_mode & 0o777 == 0o751

    def test_a_form_feed_ends_no_line(self) -> None:
        """
        Lines are counted as Python counts them.
        """
        code = f"x = 1\n\x0c\ny = 'a\x1cb\u2028'\n{BEFORE}"
        file = write(code)
        here = (Place("app.py", 5, 5, "chats[key] = chat"), Place("app.py", 7, 5, "del chats[key]"))
        either = found()
        object.__setattr__(either, "line", 5)
        object.__setattr__(either, "writes", here[:1])
        object.__setattr__(either, "removals", here[1:])
        fix(report(either), write=True)
        assert file.read_bytes().decode() == code.replace(BEFORE, AFTER)


class TestLeftAlone:
    def alone(self, data: bytes | None = None) -> str:
        """
        Return why the file was left alone.
        """
        file = Path("app.py")
        if data is not None:
            file.write_bytes(data)
        before = file.read_bytes() if file.exists() else b""
        [change] = fix(report(found()), write=True)
        assert (change.findings, change.before) == ((), change.after)
        assert not file.exists() or file.read_bytes() == before
        assert {each.name for each in Path().iterdir()} <= {"app.py"}
        return change.problem

    @pytest.mark.parametrize(
        "code", [f"\n{BEFORE}", BEFORE.replace("del", "#"), "", BEFORE.replace("chat\n", "chat,\n")]
    )
    def test_a_file_that_changed(self, code: str) -> None:
        """
        A line that is not what it was when it was audited stops the fix of its file.
        """
        assert self.alone(code.encode()) == "it changed since it was audited: audit it again"

    def test_a_file_that_changes_meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        What an editor saves while the fix is made is not overwritten.
        """
        file = write()

        def save(source: Path, target: Path) -> None:
            file.write_text("# saved\n")

        monkeypatch.setattr(shutil, "copymode", save)
        [change] = fix(report(found()), write=True)
        assert change == Change("app.py", BEFORE, BEFORE, (), change.problem)
        assert change.problem == "it changed since it was audited: audit it again"
        assert [each.name for each in Path().iterdir()] == ["app.py"]
        assert file.read_text() == "# saved\n"

    def test_a_file_that_is_gone(self) -> None:
        """
        One missing file is told, and others are fixed.
        """
        assert "No such file" in self.alone()

    @pytest.mark.parametrize(
        ("data", "problem"),
        [
            (BEFORE.encode() + b"x = (\n", "line 5: '(' was never closed"),
            (BEFORE.encode() + b"# \xff\n", "invalid start byte"),
            (b"# coding: no-such\n" + BEFORE.encode(), "unknown encoding"),
            (BEFORE.encode() + b"\x0cx = 1\r", "libcst would change more of it"),
            (BEFORE.encode() + b"x = " + b"-" * 1000 + b"1\n", "maximum recursion depth"),
        ],
    )
    def test_a_file_that_cannot_be_kept_as_it_is(self, data: bytes, problem: str) -> None:
        """
        What cannot be decoded, parsed or kept is told in one clause.
        """
        assert problem in self.alone(data)

    def test_a_file_that_libcst_cannot_parse(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Python may be newer than libcst.
        """
        error = cst.ParserSyntaxError("new syntax", lines=[""], raw_line=1, raw_column=0)

        def refuse(text: str) -> None:
            raise error

        monkeypatch.setattr(cst, "parse_module", refuse)
        assert self.alone(BEFORE.encode()) == "libcst cannot parse it: new syntax"

    def test_a_result_that_does_not_parse(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A fix that breaks a file is not written, whatever it did.
        """

        def breaks(text: str, findings: list[Finding]) -> tuple[str, tuple[Finding, ...]]:
            return f"{text})", tuple(findings)

        monkeypatch.setattr(_fix_rules, "fixed", breaks)
        assert self.alone(BEFORE.encode()) == "line 5: unmatched ')'"

    def test_what_python_says_of_a_file_is_not_repeated(self) -> None:
        """
        A doubtful escape in the file is no warning of ours.
        """
        code = BEFORE.replace("run()", "run('\\d')")
        write(code)
        [change] = fix(report(found(code)), write=True)
        assert change.findings


class TestExtra:
    def test_without_libcst_it_is_told_how_to_get_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        The message says what to install.
        """
        monkeypatch.setitem(sys.modules, "libcst", None)
        with pytest.raises(ImportError) as caught:
            fix(report(), write=False)
        assert str(caught.value) == ("a fix needs 'libcst': pip install 'sessionstate[audit-fix]'")
        assert caught.value.name == "libcst"

    def test_libcst_is_imported_when_it_is_needed(self) -> None:
        """
        An audit without a fix does without libcst.
        """
        program = "import sys, sessionstate.audit._fix; sys.exit('libcst' in sys.modules)"
        root = Path(__file__).parents[2]
        subprocess.run([sys.executable, "-c", program], check=True, cwd=root)
