"""The verdict on a refresh token: every row of the table in the design, and what holds whatever comes."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwt_refresh_middleware import Session
from jwt_refresh_middleware.sessions import Change, Verdict, judge
from jwt_refresh_middleware.standing import Standing
from tests.rotation.support import QUICK

LEEWAY = 10.0
ROTATED = 1000.0
ROW = Session(
    id="s", subject="ann", generation=5, created_at=0.0, last_used_at=ROTATED, expires_at=5000.0, ends_at=9000.0
)
GRANTED = {Verdict.ROTATE, Verdict.REPEAT, Verdict.LATE_REPEAT, Verdict.AHEAD}


def verdict(generation: int, after: float, row: Session | None = ROW, **what: Any) -> Verdict:
    """The verdict ``after`` seconds since the rotation."""
    usual: dict[str, Any] = {"change": Change.SAME, "same_device": True, "reuse_leeway": LEEWAY, "late_repeat": True}
    return judge(row, generation, now=ROTATED + after, **(usual | what))


def changed(**what: Any) -> dict[str, Session]:
    return {"row": replace(ROW, **what)}


MARKED = changed(standing=Standing(step_up="concurrent_networks"))


@pytest.mark.parametrize(
    ("generation", "after", "what", "expected"),
    [
        # refused, whatever the generation
        (5, 1, {"row": None}, Verdict.UNKNOWN),
        (5, 1, changed(revoked_at=1.0), Verdict.REVOKED),
        (4, 1, changed(revoked_at=1.0), Verdict.REVOKED),
        (6, 1, changed(revoked_at=1.0), Verdict.REVOKED),
        (5, 4000, {}, Verdict.EXPIRED),
        (4, 4000, {}, Verdict.EXPIRED),
        (0, 4000, {}, Verdict.EXPIRED),
        (6, 4000, {}, Verdict.EXPIRED),
        (5, 4000, changed(revoked_at=1.0), Verdict.REVOKED),
        (5, 8000, changed(expires_at=99_999.0), Verdict.EXPIRED),
        (5, 3999.9, {}, Verdict.ROTATE),
        # the current generation
        (5, 0, {}, Verdict.ROTATE),
        (5, 1, {"change": Change.ALLOWED}, Verdict.ROTATE),
        (5, 1, {"change": Change.REFUSED, "same_device": False}, Verdict.MISMATCH),
        (5, 1, {"change": Change.STOLEN, "same_device": False}, Verdict.STOLEN),
        (5, 1, {"change": Change.ALLOWED, "same_device": False}, Verdict.ROTATE),
        (5, 1, changed(acknowledged=5, late=5), Verdict.ROTATE),
        # a proof is wanted: everything that would be granted waits, nothing else changes
        (5, 1, {"change": Change.DOUBTED}, Verdict.STEP_UP),
        (6, 1, {"change": Change.DOUBTED}, Verdict.STEP_UP),
        (4, 1, {"change": Change.DOUBTED}, Verdict.STEP_UP),
        (4, 3600, {"change": Change.DOUBTED}, Verdict.STEP_UP),
        (4, 3600, {"change": Change.DOUBTED, "acknowledged": 5}, Verdict.REUSE),
        (4, 1, {"change": Change.DOUBTED, "same_device": False}, Verdict.REUSE),
        (3, 1, {"change": Change.DOUBTED}, Verdict.REUSE),
        (5, 4000, {"change": Change.DOUBTED}, Verdict.EXPIRED),
        (5, 1, MARKED, Verdict.STEP_UP),
        (6, 1, MARKED, Verdict.STEP_UP),
        (4, 1, MARKED, Verdict.STEP_UP),
        (4, 3600, MARKED, Verdict.STEP_UP),
        (3, 1, MARKED, Verdict.REUSE),
        (5, 1, {**MARKED, "change": Change.REFUSED}, Verdict.MISMATCH),
        (5, 1, {**MARKED, "change": Change.STOLEN}, Verdict.STOLEN),
        (5, 1, {**MARKED, "proven": True}, Verdict.ROTATE),
        (6, 1, {**MARKED, "proven": True}, Verdict.AHEAD),
        (4, 1, {**MARKED, "proven": True}, Verdict.REPEAT),
        (4, 3600, {**MARKED, "proven": True}, Verdict.LATE_REPEAT),
        (3, 1, {**MARKED, "proven": True}, Verdict.REUSE),
        (5, 1, {"change": Change.DOUBTED, "proven": True}, Verdict.ROTATE),
        (5, 1, {"change": Change.REFUSED, "proven": True}, Verdict.MISMATCH),
        (4, 1, {"change": Change.REFUSED, "proven": True}, Verdict.REUSE),
        # the one before, within the leeway
        (4, 0, {}, Verdict.REPEAT),
        (4, 9.9, {}, Verdict.REPEAT),
        (4, -5, {}, Verdict.REPEAT),  # the other worker's clock is behind
        (4, 1, {"change": Change.ALLOWED}, Verdict.REPEAT),
        (4, 1, changed(acknowledged=5), Verdict.REPEAT),
        (4, 1, {"acknowledged": 5}, Verdict.REPEAT),
        (4, 1, changed(late=4), Verdict.REPEAT),
        (4, 1, {"late_repeat": False}, Verdict.REPEAT),
        (4, 1, {"same_device": False}, Verdict.REUSE),
        (4, 1, {"change": Change.ALLOWED, "same_device": False}, Verdict.REUSE),
        (4, 1, {"change": Change.REFUSED}, Verdict.REUSE),
        (4, 1, {"change": Change.STOLEN}, Verdict.REUSE),
        (4, 0, {"reuse_leeway": 0.0}, Verdict.LATE_REPEAT),
        # the one before, later
        (4, 10, {}, Verdict.LATE_REPEAT),
        (4, 3600, {}, Verdict.LATE_REPEAT),
        (4, 3600, {"change": Change.ALLOWED}, Verdict.LATE_REPEAT),
        (4, 3600, changed(acknowledged=4), Verdict.LATE_REPEAT),
        (4, 3600, {"acknowledged": 4}, Verdict.LATE_REPEAT),
        (4, 3600, changed(acknowledged=5), Verdict.REUSE),
        (4, 3600, {"acknowledged": 5}, Verdict.REUSE),
        (4, 10, {"acknowledged": 5}, Verdict.REUSE),
        (4, 3600, {"late_repeat": False}, Verdict.REUSE),
        (4, 3600, {"same_device": False}, Verdict.REUSE),
        (4, 3600, {"change": Change.REFUSED}, Verdict.REUSE),
        # generation 4 needed this already; or 5 was handed out late, and may be again
        (4, 3600, changed(late=4), Verdict.REUSE),
        (4, 3600, changed(late=5), Verdict.LATE_REPEAT),
        (4, 3600, changed(late=3), Verdict.LATE_REPEAT),
        (4, 3600, changed(late=4, acknowledged=4), Verdict.LATE_REPEAT),  # an access token cleared the note
        (4, 3600, {**changed(late=4), "acknowledged": 4}, Verdict.LATE_REPEAT),
        (4, 3600, changed(late=4, acknowledged=3), Verdict.REUSE),
        (4, 3600, changed(late=4, acknowledged=5), Verdict.REUSE),
        # anything older
        (3, 0, {}, Verdict.REUSE),
        (0, 1, {}, Verdict.REUSE),
        (3, 3600, {}, Verdict.REUSE),
        (3, 1, {"change": Change.STOLEN}, Verdict.REUSE),
        # signed by us, and newer than the store
        (6, 1, {}, Verdict.AHEAD),
        (900, 3600, {}, Verdict.AHEAD),
        (6, 1, {"change": Change.REFUSED}, Verdict.MISMATCH),
        (6, 1, {"change": Change.STOLEN}, Verdict.STOLEN),
    ],
)  # fmt: skip
def test_the_table(generation: int, after: float, what: dict[str, Any], expected: Verdict) -> None:
    assert verdict(generation, after, **what) is expected


_ROWS = st.builds(
    replace,
    st.just(ROW),
    generation=st.integers(0, 6),
    expires_at=st.floats(900, 3000),
    ends_at=st.floats(900, 3000),
    acknowledged=st.integers(-1, 6),
    late=st.integers(-1, 6),
    revoked_at=st.none() | st.floats(0, 2000),
)
_WHAT = st.fixed_dictionaries(
    {
        "change": st.sampled_from(Change),
        "same_device": st.booleans(),
        "reuse_leeway": st.sampled_from([0.0, 10.0, 60.0]),
        "late_repeat": st.booleans(),
        "acknowledged": st.integers(-1, 6),
    }
)
_AFTER = st.floats(-100, 2500) | st.sampled_from([0.0, 9.0, 10.0, 11.0, 60.0])
anything = given(_ROWS, st.integers(0, 8), _AFTER, _WHAT)


@QUICK
@anything
def test_what_has_ended_grants_nothing(row: Session, generation: int, after: float, what: dict[str, Any]) -> None:
    found, now = verdict(generation, after, row, **what), ROTATED + after
    if row.revoked_at is not None:
        assert found is Verdict.REVOKED
    elif now >= min(row.expires_at, row.ends_at):
        assert found is Verdict.EXPIRED
    else:
        assert found not in (Verdict.REVOKED, Verdict.EXPIRED, Verdict.UNKNOWN)


@QUICK
@anything
def test_only_three_kinds_of_generation_grant(
    row: Session, generation: int, after: float, what: dict[str, Any]
) -> None:
    found = verdict(generation, after, row, **what)
    assert found is not Verdict.ROTATE or generation == row.generation
    assert found is not Verdict.AHEAD or generation > row.generation
    assert found not in (Verdict.REPEAT, Verdict.LATE_REPEAT) or generation == row.generation - 1
    assert found is not Verdict.REUSE or generation < row.generation
    assert found not in (Verdict.MISMATCH, Verdict.STOLEN) or generation >= row.generation
    if generation < row.generation - 1:
        assert found in (Verdict.REUSE, Verdict.REVOKED, Verdict.EXPIRED)


@QUICK
@anything
def test_nothing_is_granted_to_a_refused_device(
    row: Session, generation: int, after: float, what: dict[str, Any]
) -> None:
    found = verdict(generation, after, row, **what)
    if what["change"] in (Change.REFUSED, Change.STOLEN):
        assert found not in GRANTED
    if found in (Verdict.REPEAT, Verdict.LATE_REPEAT):
        assert what["same_device"]
    if what["change"] is Change.SAME:
        assert found not in (Verdict.MISMATCH, Verdict.STOLEN)


@QUICK
@anything
def test_repeats_within_the_leeway_and_late_ones_after_it(
    row: Session, generation: int, after: float, what: dict[str, Any]
) -> None:
    found, within = verdict(generation, after, row, **what), after < what["reuse_leeway"]
    assert found is not Verdict.REPEAT or within
    if found is Verdict.LATE_REPEAT:
        assert not within
        assert what["late_repeat"]
        assert max(row.acknowledged, what["acknowledged"]) < row.generation


@QUICK
@given(st.integers(1, 6), st.integers(-1, 5), st.floats(LEEWAY, 3000), st.floats(LEEWAY, 3000))
def test_never_late_twice_in_a_row(current: int, shown: int, after: float, later: float) -> None:
    """``c`` was handed out late and rotated; unless an access token showed it to arrive, its successor never is."""
    row = replace(ROW, generation=current, acknowledged=min(shown, current - 1), late=current - 2)
    assert verdict(current - 1, after, row) is Verdict.LATE_REPEAT
    rotated = replace(row, late=current, generation=current + 1)
    assert verdict(current, later, rotated) is Verdict.REUSE
    assert verdict(current, later, rotated, acknowledged=current) is Verdict.LATE_REPEAT
    assert verdict(current, later, replace(rotated, acknowledged=current)) is Verdict.LATE_REPEAT
    assert verdict(current, later, rotated, acknowledged=current + 1) is Verdict.REUSE


@QUICK
@anything
def test_knowing_more_never_forgives_what_knowing_less_does_not(
    row: Session, generation: int, after: float, what: dict[str, Any]
) -> None:
    """Where an acknowledgement is known, here or in the row, makes no difference."""
    in_row = replace(row, acknowledged=max(row.acknowledged, what["acknowledged"]))
    assert verdict(generation, after, row, **what) is verdict(generation, after, in_row, **what | {"acknowledged": -1})
