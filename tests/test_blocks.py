import pytest

from sessionstate import Supervisor, attach, session


async def test_with_instead_of_async_with(supervisor: Supervisor) -> None:
    """
    Who writes ``with`` where ``async with`` is meant is told so.
    """
    for block in (session("a"), attach("a")):
        with pytest.raises(TypeError, match=r"use 'async with session\(...\)'"), block:
            pass
    with pytest.raises(TypeError, match=r"use 'async with Supervisor\(\)'"), Supervisor():
        pass
    assert not len(supervisor)
