"""What a newer decision of our side may change: it refines, it never widens (RULES D3, F9, F10)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from engine.domain.decision import LiquidationZone
from engine.domain.limits import Limits
from engine.domain.position import ExitReason, Life, Zone
from engine.domain.situation import Situation
from engine.domain.terms import Side
from engine.plan.planner import make_plan
from engine.plan.refinement import refine
from tests.builders import (
    ENTRY,
    LONG,
    NOW,
    SHORT,
    TP1,
    TP2,
    a_decision,
    a_filled_entry,
    a_floor,
    a_life,
    a_situation,
    a_stop,
    a_tp1,
    a_tp2,
    an_entry,
    an_id,
    an_inbox,
    cancelled,
    d,
    held,
    ids,
    on,
    placed,
    table,
)


def refining(
    life: Life | None = None, *, side: Side = LONG, price: str = "90760", **changes: Any
) -> Situation:
    """Return an open position and a newer decision of its side with these changes."""
    decision = a_decision(side, id="newer1", terms="newer", made_ms=NOW - 3_000, **changes)
    orders = (
        a_filled_entry(side=side, price=on(side, "90743.3")),
        a_stop(on(side, 90_380), side=side),
        a_floor(on(side, 90_380), side=side),
        a_tp1(on(side, 91_600), side=side),
        a_tp2(on(side, 92_900), side=side),
    )
    return a_situation(
        life or a_life(side=side), orders, inbox=an_inbox(decision), price=on(side, price)
    )


def refined(situation: Situation) -> Life:
    life = make_plan(situation).ledger.life
    assert life is not None
    return life


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_targets_may_move_until_done(side: Side) -> None:
    """RULES F10: the old orders go, the new ones follow."""
    situation = refining(side=side, tp1=on(side, 91_500), tp2=on(side, 92_500))

    plan = make_plan(situation)

    assert plan.ledger.life is not None
    assert (plan.ledger.life.tp1_price, plan.ledger.life.tp2_price) == (
        on(side, 91_500),
        on(side, 92_500),
    )
    assert cancelled(plan) == [an_id(TP1), an_id(TP2)]


STOPS = table("""
stop     hold        why
90379    stop_wider  wider than the level in force: refused, and written down
90379.5  stop_wider  by less than a dollar
90380    -           the same
90400    -           tighter: that is the ratchet's
none     -           no stop is named
""")


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("row", STOPS, ids=ids(STOPS))
def test_a_wider_stop_is_refused_and_recorded_once(row: list[str], side: Side) -> None:
    """RULES F10, B2: what the analytics job asked for, and did not get, can be explained."""
    stop, hold, _ = row
    situation = refining(side=side, stop_loss=None if stop == "none" else on(side, stop))

    plan = make_plan(situation)
    again = make_plan(replace(situation, ledger=plan.ledger))

    found = [x.reason for x in plan.holds if x.rule == "refine"]
    assert found == ([] if hold == "-" else [hold])
    assert [x for x in again.holds if x.rule == "refine"] == []


REFUSED = table("""
field  value  price  hold                 why
tp1    91500  91550  target_behind_price  a target moved behind price is refused
tp2    91500  91550  target_behind_price  so is the second
tp1    91600  91550  -                    unchanged
""")


@pytest.mark.parametrize("row", REFUSED, ids=ids(REFUSED))
def test_a_target_moved_behind_price_is_refused(row: list[str]) -> None:
    """RULES F4: it would be reached by having been moved."""
    field, value, price, hold, _ = row

    changes: dict[str, Any] = {field: d(value)}
    plan = make_plan(refining(price=price, **changes))

    assert plan.ledger.life is not None
    assert (plan.ledger.life.tp1_price, plan.ledger.life.tp2_price) == (d(91_600), d(92_900))
    assert (hold in held(plan)) is (hold != "-")


def test_tp1_done_does_not_move() -> None:
    """RULES F10: until done."""
    life = a_life("0.007", base_quantity=d("0.013"), tp1_done_ms=NOW - 900)

    assert refined(refining(life, tp1=d(91_700), price="91000")).tp1_price == d(91_600)


UNHEARD = table("""
kind       why
older      not newer than the life's own
stale      ten minutes old
opposite   the other side
closing    the position is being closed
withdrawn  the entry is given up
again      the same decision was taken over before
""")


@pytest.mark.parametrize("row", UNHEARD, ids=ids(UNHEARD))
def test_only_a_fresh_newer_decision_of_our_side_refines(row: list[str]) -> None:
    """RULES F10, lesson 48: once per decision."""
    kind = row[0]
    situation = refining(tp2=d(93_000))
    decision = a_decision(id="newer1", terms="newer", made_ms=NOW - 3_000, tp2=d(93_000))
    lives = {
        "closing": a_life(closing=ExitReason.FLATTEN),
        "withdrawn": a_life("0", withdrawing="price_left"),
        "again": a_life(refined_by="newer1"),
    }
    decisions = {
        "older": replace(decision, made_ms=NOW - 40_000),
        "stale": replace(decision, made_ms=NOW - 600_001),
        "opposite": a_decision(SHORT, id="newer1", made_ms=NOW - 3_000),
    }
    life = lives.get(
        kind, a_life(decision_made_ms=NOW - 700_000 if kind == "stale" else NOW - 40_000)
    )
    changed = a_situation(
        life,
        situation.ledger.orders,
        inbox=an_inbox(decisions.get(kind, decision), consecutive_looks=1),
    )

    assert refined(changed).tp2_price == d(92_900)


def a_zone(
    name: str, low: int, high: int, *, given_id: bool = True, strength: str = "0.5"
) -> LiquidationZone:
    middle = Decimal(low + high) / 2
    return LiquidationZone(name, middle, d(low), d(high), d(strength), given_id)


ZONES = table("""
kind         edge   hold                why
same_id      92350  -                   the same given id
overlap      92250  -                   an overlapping zone without an id
strongest    92280  -                   of two that overlap the stronger
apart        92300  -                   neither the id nor the place: another zone
too_far      92300  zone_moved_too_far  never by more than zone_move_max per map
behind       92300  zone_behind_price   never behind price
unchanged    92300  -                   nothing moved
""")


@pytest.mark.parametrize("row", ZONES, ids=ids(ZONES))
def test_a_frozen_zone_follows_only_the_same_zone(row: list[str]) -> None:
    """RULES F9: ids given by the analytics job may persist; else an overlap tells."""
    kind, edge, hold, _ = row
    frozen = Zone("cluster_1", d(92_300), d(92_500), given_id=True)
    zones = {
        "same_id": (a_zone("cluster_1", 92_350, 92_600),),
        "overlap": (a_zone("cluster_7", 92_250, 92_450, given_id=False),),
        "strongest": (
            a_zone("a", 92_260, 92_450, given_id=False, strength="0.4"),
            a_zone("b", 92_280, 92_450, given_id=False, strength="0.9"),
        ),
        "apart": (a_zone("cluster_2", 92_600, 92_800),),
        "too_far": (a_zone("cluster_1", 92_800, 93_000),),
        "behind": (a_zone("cluster_1", 92_210, 92_600),),
        "unchanged": (a_zone("cluster_1", 92_300, 92_500),),
    }[kind]
    life = a_life("0.007", base_quantity=d("0.013"), tp1_done_ms=NOW - 900, zone=frozen)
    price = "92220" if kind == "behind" else "92000"

    plan = make_plan(refining(life, price=price, zones=zones, zone_id="cluster_1"))

    assert plan.ledger.life is not None
    assert plan.ledger.life.zone is not None
    assert plan.ledger.life.zone.low == d(edge)
    assert (hold in held(plan)) is (hold != "-")


def test_the_first_zone_ever_named_is_taken() -> None:
    """RULES F9: a life may begin without a map."""
    zones = (a_zone("x", 92_300, 92_500),)

    assert refined(refining(zones=zones, zone_id="x")).zone == Zone(
        "x", d(92_300), d(92_500), given_id=True
    )
    assert refined(refining(zones=zones, zone_id="y")).zone is None


def entering(**changes: Any) -> Situation:
    decision = a_decision(id="newer1", terms="newer", made_ms=NOW - 3_000, **changes)
    return a_situation(a_life("0"), (an_entry(), a_stop()), decision=decision)


WORKING_ENTRY = table("""
change     withdrawn  why
tp2        no         other targets only: no order changes
tp1        no         our price stays legal under the new target
tp1_near   yes        it does not
stop       no         a tighter stop is armed, the entry stays
wider      yes        a wider stop asks for a new entry
zone       yes        another zone
size       yes        another size
leverage   yes        another leverage
empty      yes        no price is legal any more
""")


@pytest.mark.parametrize("row", WORKING_ENTRY, ids=ids(WORKING_ENTRY))
def test_what_a_newer_decision_does_to_a_working_entry(row: list[str]) -> None:
    """RULES D3: same terms touch nothing, targets no order, price or size withdraw."""
    change, withdrawn, _ = row
    situation = {
        "tp2": entering(tp2=d(93_500)),
        "tp1": entering(tp1=d(91_700)),
        "tp1_near": entering(tp1=d(91_465)),
        "stop": entering(stop_loss=d(90_390)),
        "wider": entering(stop_loss=d(90_300)),
        "zone": entering(zone_low=d(90_600), zone_high=d(90_720)),
        "size": entering(size_usdt=d(2_400)),
        "leverage": entering(leverage=4),
        "empty": entering(tp1=d(90_950)),
    }[change]

    plan = make_plan(situation)

    assert (cancelled(plan, ENTRY) != []) is (withdrawn == "yes")
    assert (refined(situation).withdrawing == "newer_terms") is (withdrawn == "yes")


LIQUIDATION = table("""
price  reads  level    why
-      2      -        none named: none there
60000  2      -        far beyond the stop
90300  2      90755    the stop lies beyond liquidation by less than the buffer
90300  1      -        read once: not believed
""")


@pytest.mark.parametrize("row", LIQUIDATION, ids=ids(LIQUIDATION))
def test_a_stop_beyond_liquidation_is_moved_before_it(row: list[str]) -> None:
    """RULES H1, C6, lesson 42: re-checked on margin change; two agreeing reads."""
    price, reads, level, _ = row
    life = a_life(
        liquidation_price=None if price == "-" else d(price), liquidation_reads=int(reads)
    )
    orders = (a_filled_entry(), a_stop(), a_floor(), a_tp1(), a_tp2())

    plan = make_plan(a_situation(life, orders, price=91_000, limits=Limits()))

    found = [t.trigger_price for t in placed(plan)]
    assert found == ([] if level == "-" else [d(level)])


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_decision_that_leaves_no_legal_price_keeps_the_zone_of_the_entry(side: Side) -> None:
    """RULES D3, E1: an empty zone is none; the entry is withdrawn by it, never priced by it."""
    life = a_life("0", side=side)
    decision = a_decision(
        side, id="newer1", terms="newer", made_ms=NOW - 3_000, tp1=on(side, 90_910)
    )
    orders = (an_entry(side=side, price=on(side, "90743.3")), a_stop(on(side, 90_380), side=side))
    situation = a_situation(life, orders, inbox=an_inbox(decision), price=on(side, 90_760))

    refined_life = refine(situation).life

    assert refined_life is not None
    assert (refined_life.zone_low, refined_life.zone_high, refined_life.basis_price) == (
        life.zone_low,
        life.zone_high,
        on(side, 90_910),
    )
