"""Stop levels: proposed, then settled by what became of their orders (RULES F3, B2)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.domain.identity import OrderRole
from engine.domain.ledger import Ledger
from engine.domain.order import Order
from engine.domain.position import LevelState
from engine.domain.terms import Side
from engine.reconcile.life import fold_levels
from tests.builders import (
    CANCELLED,
    EXPIRED,
    FILLED,
    LONG,
    NOW,
    REJECTED,
    SHORT,
    UNKNOWN,
    WORKING,
    a_ledger,
    a_level,
    a_life,
    a_stop,
    d,
    ids,
    on,
    table,
)

SETTLED = table("""
order           state      why
working         confirmed  it rests
unknown         proposed   nobody knows yet
refused         refused    the exchange said no
not_sent        withdrawn  it never left, or left no trace
cancelled       confirmed  it rested before it was cancelled
cancelled_soon  confirmed  it was cancelled before anybody saw it rest
expired         withdrawn  it ended without ever resting
filled          confirmed  it executed before anybody saw it rest
none            proposed   its order is not in the ledger
""")


@pytest.mark.parametrize("row", SETTLED, ids=ids(SETTLED))
def test_a_proposed_level_is_settled_by_its_order(row: list[str]) -> None:
    """RULES F3: confirmed once it rested, refused when refused, else withdrawn."""
    kind, state, _ = row
    orders: dict[str, tuple[Order, ...]] = {
        "working": (a_stop(90_500, revision=2),),
        "unknown": (a_stop(90_500, revision=2, status=UNKNOWN),),
        "refused": (a_stop(90_500, revision=2, status=REJECTED, code=-2021),),
        "not_sent": (a_stop(90_500, revision=2, status=REJECTED),),
        "cancelled": (a_stop(90_500, revision=2, status=CANCELLED),),
        "cancelled_soon": (a_stop(90_500, revision=2, status=CANCELLED, rested_ms=None),),
        "expired": (a_stop(90_500, revision=2, status=EXPIRED, rested_ms=None),),
        "filled": (a_stop(90_500, revision=2, status=FILLED, filled="0.013", rested_ms=None),),
        "none": (),
    }
    proposed = a_level(90_500, 2, LevelState.PROPOSED, reason="trail", settled_ms=None)
    ledger = a_ledger(a_life(), orders[kind], levels=(a_level(90_380), proposed))

    after = fold_levels(ledger, NOW)

    level = after.levels[1]
    assert level.state is LevelState(state)
    assert (level.settled_ms == NOW) is (state != "proposed")
    assert after.life is not None
    in_force = (d(90_500), "trail") if state == "confirmed" else (d(90_380), "initial")
    assert (after.life.stop_level, after.life.stop_reason) == in_force


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_the_level_in_force_is_the_tightest_confirmed_one(side: Side) -> None:
    """RULES A3, B2: whatever order they come in."""
    levels = tuple(
        a_level(on(side, price), n, side=side)
        for n, price in enumerate((90_380, 90_600, 90_500), start=1)
    )
    ledger = a_ledger(a_life(side=side, stop_level=None), levels=levels)

    after = fold_levels(ledger, NOW)

    assert after.life is not None
    assert after.life.stop_level == on(side, 90_600)
    assert after.life.level_in_force == on(side, 90_600)


BINDING = table("""
state      binds  why
confirmed  yes    in force
proposed   yes    it may rest
refused    no     binds nobody
withdrawn  no     binds nobody
""")


@pytest.mark.parametrize("row", BINDING, ids=ids(BINDING))
def test_what_a_new_proposal_must_not_be_wider_than(row: list[str]) -> None:
    """RULES F3: compared with max(confirmed, proposals of unknown fate)."""
    state, binds, _ = row
    other = a_level(90_500, 2, LevelState(state))
    ledger: Ledger = a_ledger(a_life(), levels=(a_level(90_380), other))

    assert ledger.binding_level == d(90_500 if binds == "yes" else 90_380)


def test_a_life_whose_stop_never_rested_is_bound_by_its_proposals_alone() -> None:
    """RULES F3: before the first confirmation the initial stop is the level in force."""
    life = a_life("0", stop_level=None)
    proposed = a_level(90_380, 1, LevelState.PROPOSED)

    assert a_ledger(life, levels=(proposed,)).binding_level == d(90_380)
    assert a_ledger(life, levels=()).binding_level is None
    assert life.level_in_force == d(90_380)


def test_without_a_life_there_are_no_levels() -> None:
    """RULES A5: the monotone rule is per generation."""
    ledger = a_ledger()

    assert fold_levels(ledger, NOW) == ledger
    assert ledger.next_revision(OrderRole.STOP_PRIMARY) == 1


FOUND = table("""
trigger  known  adopted  rested  written  level  reason    why
90380    none   yes      yes     no       90380  initial   sent before it could be written down
90500    none   yes      yes     no       90500  imported  another writer's: what rests is in force
90500    90380  yes      yes     no       90500  imported  tighter than what is in force
90300    90380  yes      yes     no       90380  initial   wider: it carries nothing
90380    90380  yes      yes     no       90380  initial   the level stands already
90500    90380  no       yes     no       90380  initial   ours, and its level is written with it
90500    90380  yes      no      no       90380  initial   nobody saw it rest
90500    90380  yes      yes     yes      90500  trail     its level was written after all
90500    90380  yes      yes     refused  90380  initial   its level was refused: that is written
90500    90380  wrong    yes     no       90380  initial   on the side that opens: none of ours
90500    90380  refused  yes     no       90380  initial   the exchange said no
90500    90380  small    yes     no       90380  initial   for a part of the position only
""")


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("row", FOUND, ids=ids(FOUND))
def test_a_stop_that_is_found_resting_is_in_force(row: list[str], side: Side) -> None:
    """RULES B2, G5: lost between sending and writing, its level must bind all the same."""
    trigger, known, adopted, rested, written, level, reason, _ = row
    order = a_stop(
        on(side, trigger),
        "0.005" if adopted == "small" else "0.013",
        side=side.opposite if adopted == "wrong" else side,
        revision=2,
        is_adopted=adopted != "no",
        status=REJECTED if adopted == "refused" else WORKING,
    )
    order = replace(order, rested_ms=NOW - 900 if rested == "yes" else None)
    life = a_life(side=side, stop_level=None if known == "none" else on(side, known))
    levels = () if known == "none" else (a_level(on(side, known), 1, side=side),)
    if written != "no":
        state = LevelState.PROPOSED if written == "yes" else LevelState.REFUSED
        proposed = a_level(on(side, trigger), 2, state, side=side, reason="trail", settled_ms=None)
        levels = (*levels, proposed)

    after = fold_levels(a_ledger(life, (order,), levels=levels), NOW)

    assert after.life is not None
    assert (after.life.stop_level, after.life.stop_reason) == (on(side, level), reason)
    assert len({one.revision for one in after.levels}) == len(after.levels)
    assert fold_levels(after, NOW) == after
