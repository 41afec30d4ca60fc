"""What is always true of a supervisor between two steps of its loop, for tests to ask."""

from __future__ import annotations

from math import inf, isclose
from typing import TYPE_CHECKING

from ._alarms import Tenancy
from ._dependants import Timer
from ._reasons import SessionState
from ._resources import Callback

if TYPE_CHECKING:
    from ._alarms import Alarm
    from ._bounds import Bound
    from ._registry import Registry
    from ._session import Session
    from ._ties import Ties


def check(supervisor: Registry) -> None:
    """Raise AssertionError unless every internal invariant holds."""
    _check_queues(supervisor)
    for id, session in supervisor._closing.items():
        assert session.id == id
        assert session.state is SessionState.CLOSING
        assert session._ending is not None
    sessions = [*supervisor._live.values(), *supervisor._closing.values()]
    for session in sessions:
        if session._ties is not None:
            _check_ties(session, session._ties)
    _check_bound(supervisor._bounds.weight)
    for name, group in supervisor._bounds.groups.items():
        _check_bound(group)
        assert all(each.group == name for each in group.members)
        admission = supervisor._admission
        waiting = admission.waiting or admission._breathers or supervisor._closing
        assert group.members or group.in_line or waiting, f"group {name!r} is empty"
    for alarm in supervisor._bells.queue:
        assert _is_known(alarm, supervisor), f"{alarm!r} is queued for nothing"
    timers = [step for each in sessions for step in each._steps or () if isinstance(step, Timer)]
    assert all(timer._chunk is not None for timer in timers), "a timer is not queued"


def _check_queues(supervisor: Registry) -> None:
    expiry = supervisor._expiry
    idle, held = expiry.idle, expiry.held
    for queue in (idle, held, supervisor._bells.queue):
        queue._check()
    queued = {session: queue for queue in (idle, held) for session in queue}
    assert len(queued) == len(idle) + len(held), "a session is queued twice"
    for id, session in supervisor._live.items():
        assert session.id == id
        assert session._end is None, f"{session!r} has ended and is still found"
        state = SessionState.OPEN if session._holders else SessionState.IDLE
        assert session.state is state, f"{session!r} should be {state}"
        if state is SessionState.IDLE:
            assert queued.pop(session) is idle, f"{session!r} is idle and not queued"
        elif session._limit < inf or session._max_age < inf:
            assert queued.pop(session) is held, f"{session!r} has a limit and is not queued"
    assert not queued, f"queued for nothing: {queued}"


def _check_ties(session: Session, ties: Ties) -> None:
    """Check that both sides know of each tie."""
    bounds = session._supervisor._bounds
    for child in ties.children:
        assert child.parent is session, f"{child!r} does not know its parent"
        assert session._end is None or child._end is not None, f"{child!r} outlives its parent"
    parent = ties.parent
    if parent is not None:
        assert session in parent.children, f"{session!r} is not known to its parent"
        holds = ties._hold in (parent._holders or {})
        assert holds is bool(session._holders), f"{session!r} and its hold on {parent!r} differ"
    family = {} if ties.family is None else ties.family.members
    below = [each for child in ties.children for each in _live_family(child)]
    assert family.keys() == dict.fromkeys(below).keys(), f"the family of {session!r} is another"
    if ties.family is not None:
        _check_bound(ties.family)
    named: list[Bound] = [bounds.weight] if session in bounds.weight.members else []
    if session._end is None and ties.group is not None:
        named.append(bounds.groups[ties.group])
    while session._end is None and parent is not None:
        assert parent._ties is not None
        assert parent._ties.family is not None
        named.append(parent._ties.family)
        parent = parent.parent
    assert dict.fromkeys(ties.bounds) == dict.fromkeys(named), f"{session!r} in {ties.bounds}"
    assert len(ties.bounds) == len(named), f"{session!r} is in a bound twice"
    assert all(session in bound.members for bound in named), f"{session!r} is no member"


def _live_family(session: Session) -> list[Session]:
    found = [session]
    for each in found:  # which grows
        found += each.children
    return [each for each in found if each._end is None]


def _check_bound(bound: Bound) -> None:
    assert all(each._end is None for each in bound.members), f"what has ended is in {bound.what}"
    idle = [each for each in bound.members if bound._counts(each)]
    assert dict.fromkeys(idle) == dict(bound._idle), f"{idle} are idle in {bound.what}"
    _check_sum(bound.total, list(bound.members.values()))
    _check_sum(bound.idle_total, [bound.members[each] for each in idle])


def _check_sum(total: float, amounts: list[float]) -> None:
    near = isclose(total, sum(amounts), rel_tol=1e-9, abs_tol=1e-9 * max([1.0, *amounts]))
    assert near, f"{total} is not the sum of {amounts}"


def _is_known(alarm: Alarm, supervisor: Registry) -> bool:
    """Tell whether somebody will clear *alarm*."""
    if isinstance(alarm, Tenancy) and alarm in supervisor._tenancies:
        return True
    row = alarm.row if isinstance(alarm, Tenancy) else alarm
    assert isinstance(row, Callback), f"{alarm!r} is nobody's"
    return row._session is not None and row in (row._session._steps or ())
