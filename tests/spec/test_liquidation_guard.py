"""A stop beyond the liquidation price protects nothing (RULES H1, C6, lesson 42).

With a position the exchange's own liquidation price counts: two reads must agree on it, a missing
one is none, and it may only ever tighten.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.position import Life
from engine.domain.terms import Side
from engine.plan.planner import make_plan
from engine.reconcile.settle import reconcile
from tests.builders import (
    LONG,
    NOW,
    PRIMARY,
    SHORT,
    Number,
    a_decision,
    a_floor,
    a_ledger,
    a_life,
    a_position,
    a_situation,
    a_stop,
    an_entry,
    an_open_situation,
    cancelled,
    held,
    ids,
    on,
    placed,
    seen,
    table,
    the_usual_orders,
)


def threatened(
    liquidation: Number | None, *, reads: int = 2, side: Side = LONG, price: Number = 90_760
) -> list[Decimal | None]:
    """Return the stops a plan places while the exchange would liquidate there."""
    level = None if liquidation is None else on(side, liquidation)
    life = a_life(side=side, liquidation_price=level, liquidation_reads=reads)
    plan = make_plan(an_open_situation(side=side, life=life, price=on(side, price)))
    return [t.trigger_price for t in placed(plan, PRIMARY)]


def known(ledger: Ledger) -> tuple[Decimal | None, int]:
    life = ledger.life
    assert life is not None
    return life.liquidation_price, life.liquidation_reads


def read(ledger: Ledger, liquidation: Number | None, side: Side = LONG) -> Ledger:
    """Return the ledger after one more read of the position."""
    price = None if liquidation is None else on(side, liquidation)
    position = a_position("0.013", side, liquidation_price=price)
    ledger, _ = reconcile(ledger, seen(ledger, position=position), Limits())
    return ledger


LEVELS = table("""
liquidation  stop      why
none         -         no liquidation price: cross margin with much to spare
60000        -         far behind the stop
89926.2      -         exactly the buffer behind it: 0.5 % of 90760 is 453.8
89926.3      90380.1   a tick nearer: the stop moves to keep the buffer
90200        90653.8   the stop lies before liquidation, but not far enough
""")


@pytest.mark.parametrize("row", LEVELS, ids=ids(LEVELS))
def test_the_stop_keeps_its_buffer_before_liquidation(row: list[str]) -> None:
    """RULES H1: liq_buffer_pct of the price, rounded toward less risk."""
    liquidation, stop, _ = row

    found = threatened(None if liquidation == "none" else liquidation)

    assert found == ([] if stop == "-" else [Decimal(stop)])


def test_the_short_guard_is_the_long_one_mirrored() -> None:
    """RULES H1: 91800 less 0.5 % of 91240."""
    assert threatened(90_200, side=SHORT) == [Decimal("91343.8")]


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_one_read_alone_moves_nothing(side: Side) -> None:
    """RULES C6, lesson 40: no false panic from one bad number."""
    assert threatened(90_200, reads=1, side=side) == []


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_two_reads_in_a_row_must_name_the_same_price(side: Side) -> None:
    """RULES C6: counted anew whenever the number changes or goes missing."""
    ledger = a_ledger(a_life(side=side), the_usual_orders(side))
    counts = []
    for liquidation in ("90200", "90200", "90300", None, "90300", "90300", "90300"):
        ledger = read(ledger, liquidation, side)
        counts.append(known(ledger)[1])

    assert counts == [1, 2, 1, 1, 1, 2, 2]


AGREEING = table("""
first    then     reads  why
90200    90245.3  2      a tenth of the buffer apart: 0.05 % of the mark, 45.38 and 45.62
90200    90154.7  2      and in the other direction
90200    90245.7  1      further: the first number may be a bad one
90200    90154.3  1      further in the other direction
90200    none     1      a missing number is not the one before
none     90200    1      and the one before is not a missing one
""")


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("row", AGREEING, ids=ids(AGREEING))
def test_two_reads_agree_within_a_tenth_of_the_buffer(row: list[str], side: Side) -> None:
    """RULES C6, H1: with cross margin the price moves with every read, by far less than that."""
    ledger = a_ledger(a_life(side=side), the_usual_orders(side))
    for liquidation in row[:2]:
        ledger = read(ledger, None if liquidation == "none" else liquidation, side)

    assert known(ledger)[1] == int(row[2])


def test_reads_that_creep_agree_each_with_the_one_before() -> None:
    """RULES C6: cross margin near liquidation; the guard must not wait for it to stand still."""
    ledger = a_ledger(a_life(), the_usual_orders())
    for liquidation in ("90100", "90130", "90160", "90190"):
        ledger = read(ledger, liquidation)

    plan = make_plan(a_situation(ledger=ledger, price=90_760))

    assert known(ledger) == (Decimal(90190), 2)
    assert [t.trigger_price for t in placed(plan, PRIMARY)] == [Decimal("90643.8")]


CREEPS = table("""
liquidation  moved_ms_ago  stop     why
90199.9      60000         -        4.9 beyond the last: below min_step
90200        1000          -        a moment after the last move
90200        60000         90653.8  min_step, and the last move is past
90280        60000         90733.8  further
""")


@pytest.mark.parametrize("row", CREEPS, ids=ids(CREEPS))
def test_a_guard_that_creeps_moves_by_steps(row: list[str]) -> None:
    """RULES F3, lesson 10: a stop that follows every tick of a cross liquidation is churn."""
    liquidation, ago, stop, _ = row
    level = "90648.8"
    life = a_life(
        liquidation_price=on(LONG, liquidation),
        liquidation_reads=2,
        stop_level=Decimal(level),
        stop_reason="liquidation_guard",
    )
    orders = (
        *(o for o in the_usual_orders() if o.role is not PRIMARY),
        a_stop(level, revision=2),
    )
    ledger = a_ledger(life, orders)
    moved = tuple(replace(lv, proposed_ms=NOW - int(ago)) for lv in ledger.levels)

    plan = make_plan(a_situation(ledger=replace(ledger, levels=moved), price=90_760))

    assert [t.trigger_price for t in placed(plan, PRIMARY)] == (
        [] if stop == "-" else [Decimal(stop)]
    )


def test_a_missing_price_is_none_however_often_it_is_missing() -> None:
    """RULES C6: absent or 0 is none; it is not liquidation at zero for a short either."""
    ledger = a_ledger(a_life(side=SHORT), the_usual_orders(SHORT))
    for _ in range(3):
        ledger = read(ledger, None, SHORT)

    plan = make_plan(a_situation(ledger=ledger))

    assert known(ledger) == (None, 2)
    assert placed(plan, PRIMARY) == []


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_the_guard_moves_the_stop_by_overlap(side: Side) -> None:
    """RULES F1: the old stop rests until the new one was seen, and its reason is recorded."""
    life = a_life(side=side, liquidation_price=on(side, 90_200), liquidation_reads=2)

    plan = make_plan(an_open_situation(side=side, life=life, price=on(side, 90_760)))

    assert cancelled(plan, PRIMARY) == []
    assert plan.ledger.levels[-1].reason == "liquidation_guard"


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_guard_nearer_to_price_than_the_gap_is_held(side: Side) -> None:
    """RULES F3: a stop that would trigger at once is a close, which two reads do not decide."""
    life = a_life(side=side, liquidation_price=on(side, 90_310), liquidation_reads=2)

    plan = make_plan(an_open_situation(side=side, life=life, price=on(side, 90_760)))

    assert (placed(plan, PRIMARY), held(plan)) == ([], ["min_gap"])


def test_a_guard_that_moved_the_stop_is_satisfied() -> None:
    """RULES F3: the next look finds the buffer kept, although price moved a little on."""
    life: Life = a_life(
        liquidation_price=on(LONG, 90_200), liquidation_reads=2, stop_level=Decimal("90653.8")
    )
    orders = (
        *(o for o in the_usual_orders() if o.role is not PRIMARY),
        a_stop("90653.8", revision=2),
    )

    plan = make_plan(a_situation(life, orders, price=90_760))

    assert plan.actions == ()


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_the_guard_never_widens(side: Side) -> None:
    """RULES B2: liquidation far away is no reason to give room."""
    life = a_life(
        side=side,
        stop_level=on(side, 90_600),
        liquidation_price=on(side, 50_000),
        liquidation_reads=2,
    )
    orders = (
        *(o for o in the_usual_orders(side) if o.role is not PRIMARY),
        a_stop(on(side, 90_600), revision=2, side=side),
    )

    assert make_plan(a_situation(life, orders, price=on(side, 90_760))).actions == ()


def test_while_the_entry_may_fill_the_guard_waits() -> None:
    """RULES H1, E4: before the entry the formula is asked; the primary is re-judged once final."""
    life = replace(
        a_life("0.004", base_quantity=None, entry_final_ms=None),
        liquidation_price=on(LONG, 90_200),
        liquidation_reads=2,
        decision_made_ms=NOW - 40_000,
    )
    orders = (an_entry(filled="0.004"), a_stop(), a_floor())

    plan = make_plan(a_situation(life, orders, decision=a_decision()))

    assert placed(plan, PRIMARY) == []
