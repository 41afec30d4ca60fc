"""
Whose limits hold when several calls name them.
"""

from __future__ import annotations

import pytest

from sessionstate import Supervisor
from sessionstate.testing import VirtualClock
from tests.conftest import StartSupervisor
from tests.test_parameters import BY_CALL, call


class TestWhoseLimitsHold:
    @pytest.mark.virtual_time
    async def test_max_age_is_settled_by_whoever_opens(self, supervisor: Supervisor) -> None:
        """
        A later call may repeat the `max_age`; another value is a `ValueError` that shows both.
        """
        await supervisor.open("a", max_age=60)
        for way in BY_CALL:
            with pytest.raises(ValueError, match="opened with max_age=60, which cannot become 61"):
                await call(supervisor, way, max_age=61)
            with pytest.raises(ValueError, match="which cannot become None"):
                await call(supervisor, way, max_age=None)
        assert (await supervisor.open("a", max_age=60)).expires_in == 60

    async def test_others_are_those_of_the_last_call_that_named_them(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        `idle_timeout`, `linger` and `stall_timeout` hold until another call names them.
        """
        supervisor = await start_supervisor(idle_timeout=100, stall_timeout=50)
        async with supervisor.attach("a", idle_timeout=10) as it:
            assert it.expires_in == 50
            async with supervisor.attach("a", stall_timeout=7):
                assert it.expires_in == 7
            async with supervisor.attach("a"):
                assert it.expires_in == 7
        assert it.expires_in == 10
        await clock.advance(4)
        await supervisor.open("a", idle_timeout=None)
        assert it.deadline is it.expires_in is None
        async with supervisor.session("a", linger=3):
            pass
        assert it.expires_in == 3
