"""
One file, reduced: what is understood, and what is said of what is not.
"""

from __future__ import annotations

import errno
import gc
import tokenize
import warnings
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import sessionstate.audit
from sessionstate.audit import _reducing
from sessionstate.audit._facts import facts_of
from sessionstate.audit._reducing import Reduced, lines_of, reduced, reduced_content, unpacked

ENGINE = sorted(Path(sessionstate.audit.__file__).parent.glob("*.py"))


def problem(content: bytes) -> str:
    """
    Return what is said of *content*, of which there are no facts.
    """
    one = reduced_content(content, "x.py")
    assert one.key
    assert not one.facts
    return one.problem


def is_test(content: bytes) -> bool:
    """
    Tell whether *content* is taken for a test.
    """
    return unpacked(reduced_content(content, "x.py").facts)[1]


class TestUnderstood:
    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"x = 1",
            b"\xef\xbb\xbfx = 1",
            b"# coding: latin-1\nx = '\xe9'",
            b"#!/usr/bin/python\n# -*- coding: cp1252 -*-\nx = '\x80'",
            b"\xef\xbb\xbf# coding: utf-8\nx = '\xc3\xa9'",
            b"# coding: utf-7\nx = 1",
            b"if x:\r\n    y\r\n",
            b"if x:\r    y\r",
            b"x = '\\d'; y = 1if z else 2; assert (1, 2); x is 1",
        ],
    )
    def test_source(self, content: bytes) -> None:
        """
        A file may have any encoding that Python has, any line ends, and what Python warns of.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert reduced_content(content, "x.py").problem == ""

    def test_file(self, tmp_path: Path) -> None:
        """
        A file is read, and gets the key of its content.
        """
        (tmp_path / "x.py").write_bytes(b"def f(): pass\n")
        one = reduced(str(tmp_path / "x.py"))
        assert one == reduced_content(b"def f(): pass\n", "x.py")
        facts, _ = unpacked(one.facts)
        assert [each.name for each in facts.functions] == ["<module>", "f"]

    @pytest.mark.parametrize(
        ("content", "lines"),
        [
            (b"", 0),
            (b"x", 1),
            (b"x\n", 1),
            (b"x\ny", 2),
            (b"x\r\ny\r\n", 2),
            (b"x\ry\r", 2),
            (b"x\r\n\ry\n\n", 4),
        ],
    )
    def test_lines(self, content: bytes, lines: int) -> None:
        """
        Lines are counted as an editor counts them, whatever ends them.
        """
        assert lines_of(content) == lines
        assert unpacked(reduced_content(content, "x.py").facts)[0].lines == lines

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            (b"import pytest\ndef test_x(): pass", True),
            (b"from unittest import TestCase\nclass T(TestCase):\n  def test_x(self): pass", True),
            (b"def test_x(): pass", False),
            (b"import pytest\ndef x_test_(): pass", False),
            (b"import pytester\ndef test_x(): pass", False),
            (b"def test_x():\n  import pytest", False),
        ],
    )
    def test_tests(self, content: bytes, *, expected: bool) -> None:
        """
        A module that imports a test framework, and has a test, is a test.
        """
        assert is_test(content) is expected


class TestProblems:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"\n\ndef f(:\n", "line 3: invalid syntax"),
            (b"x = '\xe9'", "line 1: it is not UTF-8, and names no other encoding"),
            (b"# coding: nope\n", "unknown encoding: nope"),
            (b"\xef\xbb\xbf# coding: latin-1\n", "encoding problem: iso-8859-1 with BOM"),
            (b"x = 1\0", "it contains null bytes, so it is no Python source, or it is UTF-16"),
            (b"print 'x'", "line 1: Missing parentheses in call to 'print'"),
            (b"-" * 10_000 + b"1", "it is nested too deeply, or too large for the memory"),
            (b"x = " + b"(" * 300, "line 1: too many nested parentheses"),
            (b"x = " + b"9" * 5000, "line 1: Exceeds the limit"),
        ],
    )
    def test_message(self, content: bytes, message: str) -> None:
        """
        What is wrong with a file is said, and where.
        """
        assert problem(content).startswith(message)

    @pytest.mark.parametrize(
        ("content", "what"),
        [
            (b"async def f[T](x: T): pass", "if that is a type parameter, run the audit with"),
            (b"class C[T]: pass", "a type parameter"),
            (b"type X = int", "a type alias"),
            (b"f'{\"\\n\"}'", "a newer kind of f-string"),
            (b"f'{x['a']}'", "a newer kind of f-string"),
            (b"x = f(a, t'{x}')", "if that is a t-string, run the audit with Python 3.14, not 3.1"),
            (b"rt'{x}'", "a t-string"),
            (b"try: x\nexcept A, B: y", "an `except` without parentheses"),
            (b"print 'can't'", "line 1: "),
        ],
    )
    def test_newer(self, monkeypatch: pytest.MonkeyPatch, content: bytes, what: str) -> None:
        """
        What a newer Python may understand is said with its version.
        """
        one = reduced_content(content, "x.py")
        assert what in one.problem or not one.problem  # this Python understands it
        with monkeypatch.context() as patch:
            patch.setattr(_reducing, "RUNNING", (3, 99))
            assert "run the audit" not in reduced_content(content, "x.py").problem

    def test_line(self) -> None:
        """
        The line is told apart, too.
        """
        assert reduced_content(b"\n\ndef f(:\n", "x.py").line == 3

    def test_too_large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Of a file that is very large no syntax tree is made.
        """
        assert problem(b"#" * 8_000_001) == "it is larger than 8 MB: exclude it, or split it"

    @pytest.mark.parametrize(
        "error", [RecursionError, MemoryError, ValueError("no"), KeyError("x")]
    )
    def test_any_error(self, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
        """
        Whatever goes wrong with a file is a problem with that file.
        """

        def fail(content: bytes, path: str) -> None:
            raise error

        monkeypatch.setattr(_reducing, "facts_of", fail)
        assert problem(b"x") in {
            "it is nested too deeply, or too large for the memory",
            "it is no Python source: no",
            "the audit failed on it, please report that: KeyError: 'x'",
        }

    def test_gone(self, tmp_path: Path) -> None:
        """
        A file that has vanished has neither facts nor a problem.
        """
        assert reduced(str(tmp_path / "x.py")) == Reduced(b"")

    def test_unreadable(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A file that must not be read is a problem.
        """

        def read_bytes(path: Path) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(Path, "read_bytes", read_bytes)
        message = "it cannot be read: Input/output error"
        assert reduced(str(tmp_path / "x.py")) == Reduced(b"", problem=message)


def mutated(seed: int, lines: int) -> bytes:
    """
    Take a piece of a real file, and move, double and drop some of its words.
    """
    random = Random(seed)
    with tokenize.open(random.choice(ENGINE)) as file:
        source = file.read().splitlines()
    begin = random.randrange(len(source))
    words = " ".join(source[begin : begin + lines]).split(" ")
    if seed % 2:
        words = "\n".join(source[begin : begin + lines]).split(" ")
    for _ in range(random.randrange(4)):
        at, to = random.randrange(len(words)), random.randrange(len(words))
        words[at] = random.choice(
            ["", words[to], "(", "yield", "lambda *a:", "**x", "*", "await x"]
        )
    return " ".join(words).encode()


EXPRESSIONS = st.recursive(
    st.sampled_from(
        ["x", "self.a", "self", "1", "'k'", "None", "...", "f'{x}'", "b''", "[]", "{}"]
    ),
    lambda inner: st.one_of(
        st.builds("{}({})".format, inner, inner),
        st.builds("{}(*{}, **{})".format, inner, inner, inner),
        st.builds("{}(a={})".format, inner, inner),
        st.builds("{}[{}]".format, inner, inner),
        st.builds("{}[{}:]".format, inner, inner),
        st.builds("{}.pop({}, {})".format, inner, inner, inner),
        st.builds("getattr({}, {})".format, inner, inner),
        st.builds("heappush(a={}, b={})".format, inner, inner),
        st.builds("sorted(key={})".format, inner),
        st.builds("super().get({})".format, inner),
        st.builds("(lambda a, *b, c={}: {})".format, inner, inner),
        st.builds("[{} for x in {} if {}]".format, inner, inner, inner),
        st.builds("{{**{}, {}: {}}}".format, inner, inner, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("({} or not {})".format, inner, inner),
        st.builds("(x := {})".format, inner),
        st.builds("({}, *{})".format, inner, inner),
        st.builds("({} not in {} is {})".format, inner, inner, inner),
        st.builds("(yield {})".format, inner),
        st.builds("(await {})".format, inner),
        st.builds("f'{{{}!r:{{{}}}}}'".format, inner, inner),
    ),
    max_leaves=6,
)
STATEMENTS = st.one_of(
    st.builds("x: {} = {}".format, EXPRESSIONS, EXPRESSIONS),
    st.builds("{}".format, EXPRESSIONS),
    st.builds("x, (*y, self.z[0]) = {}".format, EXPRESSIONS),
    st.builds("self.a[{}] = x = {}".format, EXPRESSIONS, EXPRESSIONS),
    st.builds("self.a[{}] += {}".format, EXPRESSIONS, EXPRESSIONS),
    st.builds("del self.a[{}], x, (y, z)".format, EXPRESSIONS),
    st.builds("for x, *self.y in {}: break\nelse: {}".format, EXPRESSIONS, EXPRESSIONS),
    st.builds("while {}: continue".format, EXPRESSIONS),
    st.builds("with {} as (a, b), {}: pass".format, EXPRESSIONS, EXPRESSIONS),
    st.builds("try: {}\nexcept* {}: pass".format, EXPRESSIONS, EXPRESSIONS),
    st.builds("try: {}\nexcept {} as e: raise\nfinally: x".format, EXPRESSIONS, EXPRESSIONS),
    st.builds("match {}:\n case {{'a': [x, *_], **z}} if {}: y".format, EXPRESSIONS, EXPRESSIONS),
    st.builds("assert {}, {}".format, EXPRESSIONS, EXPRESSIONS),
    st.builds(
        "@{}\nclass C({}, metaclass=M): x = {}".format, EXPRESSIONS, EXPRESSIONS, EXPRESSIONS
    ),
    st.builds("@{}\ndef f(self, a: {} = {}): return".format, EXPRESSIONS, EXPRESSIONS, EXPRESSIONS),
    st.builds("def f():\n nonlocal x\n global y\n x = y = {}".format, EXPRESSIONS),
)


class TestSurvives:
    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @example(["m.heappush(a=x)"])
    @example(["x: '\\0' = 1"])
    @example(["x: '(((((((' = 1"])
    @given(st.lists(STATEMENTS, min_size=1, max_size=4))
    def test_any_source(self, statements: list[str]) -> None:
        """
        Whatever Python takes for source is reduced without a failure.
        """
        for head in ("", "async def f(self, x, /, *y, z=1, **a):\n", "class C:\n"):
            body = "\n".join(statements)
            if head:
                body = head + "\n".join(f" {line}" for line in body.splitlines())
            try:
                facts_of(body, "x.py").stored()
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                pass

    @settings(max_examples=300, deadline=None)
    @given(st.integers(0, 2**32), st.integers(1, 60))
    def test_mutations(self, seed: int, lines: int) -> None:
        """
        So is real source in which words were moved about.
        """
        try:
            facts_of(mutated(seed, lines), "x.py").stored()
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            pass

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=200))
    def test_bytes(self, content: bytes) -> None:
        """
        Any bytes have facts or a problem.
        """
        one = reduced_content(content, "x.py")
        assert bool(one.facts) != bool(one.problem)
        assert gc.isenabled()
