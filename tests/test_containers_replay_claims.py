"""
Claims of a ReplayGuard: kept when the block ends well, given back when it fails.
"""

from __future__ import annotations

import pytest

from sessionstate import StaleRequest
from tests.hands import EPOCH, Times, times

__all__ = ["times"]  # a fixture


class TestClaim:
    async def test_commits_on_success(self, times: Times) -> None:
        """
        The block is told whether it is the first; when it has ended well, the key is known.
        """
        guard = times.guard()
        with guard.claim("a") as first:
            assert first
        async with guard.claim("b", signed_at=EPOCH) as first:
            assert first
        for key in "ab":
            assert not guard.first_seen(key)
            with guard.claim(key) as first:
                assert not first
        assert guard._claims == {}

    @pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, GeneratorExit])
    @pytest.mark.parametrize("signed_at", [None, EPOCH])
    async def test_rolls_back_on_failure(
        self, times: Times, error: type[BaseException], signed_at: float | None
    ) -> None:
        """
        The sender's next attempt is not a replay, whatever ended the block.
        """
        guard = times.guard()
        for _ in range(2):
            with pytest.raises(error):
                async with guard.claim("a", signed_at=signed_at) as first:
                    assert first
                    raise error
            assert "a" not in guard
        assert guard.first_seen("a")
        guard._check()

    def test_a_duplicate_during_the_claim_is_one(self, times: Times) -> None:
        """
        Whoever comes meanwhile is a later one, and leaves the claim as it is when it fails.
        """
        guard = times.guard()
        with guard.claim("a"):
            assert not guard.first_seen("a", signed_at=EPOCH)
            with pytest.raises(OSError, match="down"), guard.claim("a") as again:
                assert not again
                raise OSError("down")
            assert not guard.first_seen("a")
        assert not guard.first_seen("a")

    def test_a_failed_claim_takes_back_what_duplicates_added(self, times: Times) -> None:
        """
        They were refused because of the claim: when it fails, the key was not accepted at all.
        """
        guard = times.guard()
        with pytest.raises(OSError, match="down"), guard.claim("a"):
            assert not guard.first_seen("a", signed_at=EPOCH)
            raise OSError("down")
        assert guard.first_seen("a", signed_at=EPOCH)
        guard._check()

    def test_a_late_failure_does_not_take_back_somebody_elses(self, times: Times) -> None:
        """
        When the window closed meanwhile and another was first, the key is the other's.
        """
        guard = times.guard()
        with pytest.raises(OSError, match="down"), guard.claim("a"):
            times.wait(300)
            assert guard.first_seen("a")
            raise OSError("down")
        assert not guard.first_seen("a")

    def test_nor_when_others_came_before_the_other(self, times: Times) -> None:
        """
        Nothing but the window tells whose a key is: not who made the guard forget it.
        """
        guard = times.guard()
        with pytest.raises(OSError, match="down"), guard.claim("a"):
            times.wait(300)
            assert guard.first_seen("b")
            times.wait(0.001)
            assert guard.first_seen("a")
            raise OSError("down")
        assert not guard.first_seen("a")

    def test_a_claim_is_for_one_block(self, times: Times) -> None:
        """
        A claim that is entered again is a mistake, and is told.
        """
        claim = times.guard().claim("a")
        with claim:
            pass
        with pytest.raises(RuntimeError, match="for one block"), claim:
            pass

    def test_a_stale_claim_is_refused(self, times: Times) -> None:
        """
        The block is not entered.
        """
        with pytest.raises(StaleRequest), times.guard().claim("a", signed_at=EPOCH - 301):
            raise AssertionError
