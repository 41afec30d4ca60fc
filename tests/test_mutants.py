"""
The list of seeded defects, which must not rot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.mutants import MUTANTS
from tests.mutants.__main__ import judge
from tests.mutants.__main__ import pytest as pytest_run
from tests.mutants.mutant import PACKAGE, ROOT, Mutant

if TYPE_CHECKING:
    from pathlib import Path


class TestMutants:
    @pytest.mark.parametrize("mutant", MUTANTS, ids=lambda each: each.name)
    def test_still_fits(self, mutant: Mutant) -> None:
        """
        Each defect fits one place of the source, changes it, and can be compiled.
        """
        source = mutant.path().read_text(encoding="utf-8")
        mutated = mutant.applied(source)
        assert mutated != source
        compile(mutated, mutant.file, "exec")

    def test_names_and_tests(self) -> None:
        """
        There are at least fifty, each with a name of its own, a sentence, and tests that exist.
        """
        assert len({each.name for each in MUTANTS}) == len(MUTANTS) >= 50
        assert all(each.breaks.endswith(".") for each in MUTANTS)
        named = {ROOT / "tests" / f"test_{name}.py" for each in MUTANTS for name in each.killers}
        assert [path.name for path in sorted(named) if not path.exists()] == []
        assert all(each.killers for each in MUTANTS)

    def test_a_mutant_that_does_not_fit_is_refused(self) -> None:
        """
        A place that is not there, or there twice, is an error that says so.
        """
        mutant = Mutant("m", "All.", "x.py", "a", "b", ())
        for source, places in (("", 0), ("aa", 2)):
            with pytest.raises(ValueError, match=f"mutant 'm' fits {places} places of x.py"):
                mutant.applied(source)


class TestRunner:
    def test_seeds_one_and_takes_it_out_again(self, tmp_path: Path) -> None:
        """
        A defect is found by the first test that fails, and the source is as it was afterwards.
        """
        for name in (PACKAGE, "tests"):
            (tmp_path / name).mkdir()
        # A package, or one that is installed would come first, and without what its plugin needs.
        (tmp_path / PACKAGE / "__init__.py").touch()
        (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p no:sessionstate\n", "utf-8")
        source = tmp_path / PACKAGE / "x.py"
        source.write_text("value = 1\n", encoding="utf-8")
        test = f"from {PACKAGE}.x import value\n\ndef test_it():\n    assert value == 1\n"
        (tmp_path / "tests" / "test_x.py").write_text(test, encoding="utf-8")
        killed = Mutant("killed", "All.", "x.py", "= 1", "= 2", ("x",))
        survivor = Mutant("survivor", "Nothing.", "x.py", "= 1", "= 1.0", ("x",), "It is equal.")
        found = [judge(each, tmp_path, hinted=True) for each in (killed, survivor)]
        assert [each.killed_by for each in found] == ["tests/test_x.py::test_it", ""]
        assert [each.survives for each in found] == ["", "It is equal."]
        assert source.read_text(encoding="utf-8") == "value = 1\n"

    def test_ends_what_hangs(self, tmp_path: Path) -> None:
        """
        A run that takes too long is ended, which is told.
        """
        (tmp_path / "test_x.py").write_text("while True: pass\n", encoding="utf-8")
        assert pytest_run(tmp_path, ["test_x.py"], 0.5) == "hangs for 0.5 s"
