"""A position above MARKET_LOT_SIZE.maxQty: its primary is a set of stops at one level (RULES F1).

The position of these specs is 0.033 where one market child takes 0.02 at most, so two parts: 0.02
and 0.013. Stops are written ``level:thousandths``, revisions counting from 1; ``?`` marks one of
unknown fate, ``!`` a doubtful one, ``-`` one that left.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.domain.action import CancelOrder, PlaceOrder, Proof
from engine.domain.limits import NoSplit
from engine.domain.observation import Fact
from engine.domain.order import Order
from engine.domain.position import Life
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, Side
from engine.plan.exits import split_of
from engine.plan.planner import make_plan
from engine.plan.primaries import parts_of
from tests.builders import (
    CANCELLED,
    LONG,
    NOW,
    PRIMARY,
    SHORT,
    UNKNOWN,
    WORKING,
    a_decision,
    a_filled_entry,
    a_floor,
    a_life,
    a_situation,
    a_stop,
    a_tp1,
    a_tp2,
    an_inbox,
    an_instrument,
    cancelled,
    d,
    ids,
    on,
    placed,
    table,
)

MOST = d("0.02")
TWO = an_instrument(market_quantity_max=MOST)

PARTS = table("""
quantity  least  parts              why
0.013     0.001  0.013              one child takes it
0.020     0.001  0.02               exactly one
0.033     0.001  0.02,0.013         two
0.060     0.001  0.02,0.02,0.02     three whole ones
0.041     0.002  0.02,0.019,0.002   a rest no order may carry takes from the part before it
""")


@pytest.mark.parametrize("row", PARTS, ids=ids(PARTS))
def test_a_quantity_is_cut_into_as_few_parts_as_market_children_allow(row: list[str]) -> None:
    """RULES F1: ceil(Q / max) primaries, each within the filters."""
    quantity, least, parts, _ = row
    instrument = replace(TWO, quantity_min=d(least), market_quantity_min=d(least))

    assert ",".join(str(p.normalize()) for p in parts_of(d(quantity), instrument)) == parts
    assert sum(parts_of(d(quantity), instrument)) == d(quantity)


def test_without_filters_there_is_one_part() -> None:
    """Lesson 31: one order is better than none."""
    assert parts_of(d(500), None) == (d(500),)


def stops_of(text: str, side: Side) -> tuple[Order, ...]:
    """Return the primaries that a line of a table writes."""
    marks = {"?": UNKNOWN, "-": CANCELLED}
    made = []
    for revision, word in enumerate(() if text == "none" else text.split(), start=1):
        mark = word[-1] if word[-1] in "?!-" else ""
        level, quantity = word.removesuffix(mark).split(":")
        status = marks.get(mark, WORKING)
        stop = a_stop(
            on(side, level), d(quantity) / 1000, side=side, revision=revision, status=status
        )
        doubtful = replace(stop, doubtful_since_ms=NOW - 5_000)
        made.append(doubtful if mark == "!" else stop)
    return tuple(made)


def a_large_position(
    stops: str, side: Side = LONG, *, life: Life | None = None, newer: str | None = None
) -> Situation:
    """Return the open position with these primaries, floor and targets; ``newer`` offers a stop."""
    held_life = a_life("0.033", side=side) if life is None else life
    part, price = "0.016", on(side, "90743.3")
    orders = (
        a_filled_entry("0.033", side=side, price=price),
        a_floor(on(side, 90_380), side=side),
        a_tp1(on(side, 91_600), part, side=side),
        a_tp2(on(side, 92_900), side=side),
        *stops_of(stops, side),
    )
    decision = None
    if newer is not None:
        decision = a_decision(side, id="newer1", made_ms=NOW - 3_000, stop_loss=on(side, d(newer)))
    situation = a_situation(held_life, orders, inbox=an_inbox(decision))
    look = replace(situation.observation, instrument=Fact(TWO, NOW))
    return replace(situation, observation=look)


COVER = table("""
stops                               placed        why
90380:20 90380:13              -             the set reaches everything
none                                0.02,0.013    both parts are missing
90380:20 90380:13-             0.013         only the part that left
90380:20- 90380:13             0.02          only the part that left, the larger one
90380:20 90380:13?             0.013         unknown is neither cover nor absent: once more
90380:20! 90380:13!            0.02,0.013    doubtful cover: one more of each at the same level
90380:20! 90380:13! 90380:20? 90380:13?    0.02,0.013    six may rest: two below the cap
90380:20! 90380:20? 90380:20? 90380:20? 90380:20?    0.02    one below three sets: no more
90380:20! 90380:20? 90380:20? 90380:20? 90380:20? 90380:13?    -    three sets: look, place no more
90380:13                         0.02          what is there answers for the small part
""")


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("row", COVER, ids=ids(COVER))
def test_only_the_parts_that_are_missing_are_placed(row: list[str], side: Side) -> None:
    """RULES F1, C1, C4: per part, and at most three whole sets possibly resting."""
    stops, expected, _ = row

    plan = make_plan(a_large_position(stops, side))

    found = [(t.quantity, t.trigger_price, t.reduce_only) for t in placed(plan, PRIMARY)]
    wanted = [] if expected == "-" else expected.split(",")
    assert found == [(d(part), on(side, 90_380), True) for part in wanted]


RETIRED = table("""
stops                                            leave  why
90400:20 90400:13 90380:20 90380:13    3,4    the tighter set carries everything
90380:20 90380:13                           -      the only set
90400:20 90380:20 90380:13                2      the tight part needs the small one beside it
90400:20 90400:13! 90380:20 90380:13   3      what is doubtful carries nothing
90400:20 90400:13? 90380:20 90380:13   3      nor what is of unknown fate
90380:20 90380:13 90380:20                1      of two equal ones the later stays
90380:20 90380:12                           -      too small together: none is spare
90380:20 90380:04 90380:13               2      a part that was re-sized
""")


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("row", RETIRED, ids=ids(RETIRED))
def test_what_the_tightest_stops_carry_without_is_retired(row: list[str], side: Side) -> None:
    """RULES F2, C4: only beside stops at least as tight, seen resting, for the whole quantity."""
    stops, leave, _ = row
    life = a_life("0.033", side=side, stop_level=on(side, 90_400 if "90400" in stops else 90_380))

    plan = make_plan(a_large_position(stops, side, life=life))

    assert [i.revision for i in cancelled(plan, PRIMARY)] == (
        [] if leave == "-" else [int(n) for n in leave.split(",")]
    )


def test_the_proof_names_the_widest_stop_that_stays() -> None:
    """RULES F2: every stop that stays is at least as tight as any that leaves."""
    life = a_life("0.033", stop_level=d(90_400))
    plan = make_plan(a_large_position("90400:20 90380:20 90380:13", life=life))

    (leaving,) = [a for a in plan.actions if isinstance(a, CancelOrder)]

    assert leaving.proof is Proof.TIGHTER_RESTS
    assert leaving.proven_by is not None
    assert leaving.proven_by.revision == 3


MOVES = table("""
stops                                             placed        why
90380:20 90380:13                            0.02,0.013    the whole set moves in one burst
90380:20 90380:13 90380:20                 -             a spare one rests: it leaves first
90380:20 90380:13 90380:20?                -             a fate is unknown
90380:20 90380:13 90380:20!                0.02,0.013    a doubtful one beside the set: five
90380:20 90380:13 90380:20! 90380:13!   0.02,0.013    six, three sets
90380:20 90380:13 90380:20! 90380:13! 90380:20!    -    no room for a third set
""")


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("row", MOVES, ids=ids(MOVES))
def test_a_set_moves_as_a_set(row: list[str], side: Side) -> None:
    """RULES F1, F3: two sets in the normal course, three where one is in doubt."""
    stops, expected, _ = row

    plan = make_plan(a_large_position(stops, side, newer="90400"))

    moved = [
        a
        for a in plan.actions
        if isinstance(a, PlaceOrder) and a.action_class is ActionClass.MANAGE
    ]
    found = [t.quantity for t in placed(plan, PRIMARY) if t.trigger_price == on(side, 90_400)]
    assert found == ([] if expected == "-" else [d(part) for part in expected.split(",")])
    assert len(moved) == len(found)
    assert {level.level for level in plan.ledger.levels[len(stops.split()) :]} <= {on(side, 90_400)}


def test_stops_that_reach_the_position_only_together_still_move() -> None:
    """RULES F3: two small ones at one level are no reason never to move again."""
    situation = a_large_position("90380:06 90380:07", life=a_life(), newer="90400")

    assert [(t.quantity, t.trigger_price) for t in placed(make_plan(situation), PRIMARY)] == [
        (d("0.013"), d(90_400))
    ]


def test_the_first_target_takes_no_more_than_one_market_child() -> None:
    """RULES F1, F6: a target above MARKET_LOT_SIZE.maxQty would be refused for good."""
    assert split_of(a_life("0.06"), TWO, NoSplit.TP1).tp1_quantity == MOST
