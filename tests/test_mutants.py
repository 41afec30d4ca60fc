"""
The list of seeded defects, which must not rot.
"""

from __future__ import annotations

import pytest

from tests.mutants import MUTANTS
from tests.mutants.mutant import ROOT, Mutant


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
