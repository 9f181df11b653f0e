"""TP1 takes its part, one target the rest, a reached target is executed (RULES F6, F9, F4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.domain.limits import Limits, NoSplit, TargetStyle
from engine.domain.order import Order
from engine.domain.position import ExitReason, Life, Origin, Zone
from engine.domain.situation import Situation
from engine.domain.terms import OrderType, Side
from engine.plan.attempts import MANAGE_ATTEMPTS
from engine.plan.exits import runner_target, split_of
from engine.plan.planner import make_plan
from engine.reconcile.settle import reconcile
from tests.builders import (
    CANCELLED,
    EXPIRED,
    FILLED,
    LONG,
    NOW,
    REJECTED,
    SHORT,
    TP1,
    TP2,
    TRIGGERING,
    UNKNOWN,
    ZONE_EXIT,
    a_decision,
    a_filled_entry,
    a_floor,
    a_ledger,
    a_life,
    a_position,
    a_situation,
    a_stop,
    a_tp1,
    a_tp2,
    an_entry,
    an_id,
    an_instrument,
    an_order,
    cancelled,
    d,
    ids,
    on,
    placed,
    report_of,
    seen,
    table,
)

RESTING = Limits(tp1_style=TargetStyle.RESTING)


def holding(*targets: Order, side: Side = LONG, life: Life | None = None, **more: Any) -> Situation:
    """Return a covered position whose entry is final, with these targets."""
    orders = (
        a_filled_entry(side=side, price=on(side, "90743.3")),
        a_stop(on(side, 90_380), side=side),
        a_floor(on(side, 90_380), side=side),
    )
    return a_situation(life or a_life(side=side), (*orders, *targets), **more)


def closing_of(situation: Situation) -> ExitReason | None:
    life = make_plan(situation).ledger.life
    assert life is not None
    return life.closing


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_both_targets_rest_once_the_entry_is_final(side: Side) -> None:
    """RULES F6, lesson 25: half, rounded down, and a closePosition target for the rest."""
    plan = make_plan(holding(side=side))

    assert placed(plan) == [
        a_tp1(on(side, 91_600), side=side).terms,
        a_tp2(on(side, 92_900), side=side).terms,
    ]


NOT_YET = table("""
kind       why
entering   the entry still works
closing    the position is being closed
doubt      flat is in doubt
orphan     not ours
no_base    the base is not known yet
crossed    price is beyond the stop: it fires, or it was not there
uncovered  cover is missing: the stop comes first
unseen     cover is in doubt: the stop comes first
""")


@pytest.mark.parametrize("row", NOT_YET, ids=ids(NOT_YET))
def test_targets_wait(row: list[str]) -> None:
    """RULES F6, G1: base = the position when the entry became final."""
    kind = row[0]
    lives = {
        "closing": a_life(closing=ExitReason.FLATTEN),
        "doubt": a_life(flat_seen_ms=NOW),
        "orphan": a_life(origin=Origin.ORPHAN),
        "no_base": a_life(base_quantity=None),
        "crossed": a_life(crossed_since_ms=NOW - 500),
        "uncovered": a_life(uncovered_quantity=d("0.013")),
    }
    situation = holding(life=lives.get(kind))
    if kind == "entering":
        orders = (an_entry(filled="0.004"), a_stop(), a_floor())
        situation = a_situation(a_life("0.004"), orders, decision=a_decision())
    if kind == "unseen":
        stops = a_stop(doubtful_since_ms=NOW), a_floor(doubtful_since_ms=NOW)
        situation = a_situation(a_life(), (a_filled_entry(), *stops))

    assert placed(make_plan(situation), TP1, TP2) == []


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_target_that_is_reached_does_not_wait_for_cover(side: Side) -> None:
    """RULES F4: that quantity is executed now; it can only lower what is uncovered."""
    life = a_life(side=side, uncovered_quantity=d("0.013"))
    entry = a_filled_entry(side=side, price=on(side, "90743.3"))

    at_tp1 = make_plan(a_situation(life, (entry,), price=on(side, 91_700)))
    at_tp2 = make_plan(a_situation(life, (entry,), price=on(side, 93_000)))

    assert (TP1, OrderType.MARKET) in [(t.role, t.type) for t in placed(at_tp1)]
    assert at_tp2.ledger.life is not None
    assert at_tp2.ledger.life.closing is ExitReason.TP2


SPLITS = table("""
base   fraction  minimum  policy  tp1    runner  why
0.013  0.5       0.001    tp1     0.006  yes     S
0.013  0.3       0.001    tp1     0.003  yes     rounded down
0.001  0.5       0.001    tp1     all    no      not splittable: all leaves at TP1
0.001  0.5       0.001    runner  none   yes     not splittable: nothing leaves at TP1
0.013  0.9       0.004    tp1     all    no      the rest would not be tradable
0.013  1         0.001    tp1     all    no      everything
0.013  1         0.001    runner  all    no      everything, whatever the policy
0.013  0         0.001    runner  none   yes     nothing
""")


@pytest.mark.parametrize("row", SPLITS, ids=ids(SPLITS))
def test_the_split_leaves_two_tradable_parts_or_none(row: list[str]) -> None:
    """RULES F6, lesson 20: planned so that both parts can be traded."""
    base, fraction, minimum, policy, part, runner, _ = row
    life = a_life(base, tp1_fraction=d(fraction))

    split = split_of(life, an_instrument(quantity_min=d(minimum)), NoSplit(policy))

    assert split.has_runner is (runner == "yes")
    assert split.tp1_quantity == (None if part in ("all", "none") else d(part))


def test_what_cannot_be_split_leaves_whole_at_tp1() -> None:
    """RULES F6: no_split tp1: one closePosition target at TP1."""
    plan = make_plan(holding(life=a_life("0.001")))

    assert [(t.role, t.trigger_price, t.close_position, t.reduce_only) for t in placed(plan)] == [
        (TP1, d(91_600), True, False)
    ]


def test_what_cannot_be_split_may_run_and_the_touch_counts() -> None:
    """RULES F6: no_split runner: nothing leaves, the touch arms breakeven."""
    limits = Limits(no_split=NoSplit.RUNNER)
    touched = a_life("0.001", best_price=d(91_600))
    nearly = a_life("0.001", best_price=d("91599.9"))

    plans = [make_plan(holding(a_tp2(), life=x, limits=limits)) for x in (touched, nearly)]

    done = [p.ledger.life.tp1_done_ms for p in plans if p.ledger.life is not None]
    assert done == [NOW, None]
    assert [placed(p, TP1) for p in plans] == [[], []]


REACHED = table("""
price    last   age_s  form                why
91599.9  -      -      take_profit_market  not yet
91600    -      -      market              reached: executed now
91700    -      -      market              behind price
91500    -2021  0.25   market              refused because it would trigger: reached
91500    -2021  2.1    take_profit_market  refused for that a while ago: price tells it better now
91500    -4045  0.25   take_profit_market  refused for another reason
""")


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("row", REACHED, ids=ids(REACHED))
def test_a_reached_target_is_executed(row: list[str], side: Side) -> None:
    """RULES F4: the target is reached: that quantity leaves now, reduce-only."""
    price, last, age_s, form, _ = row
    refused = []
    if last != "-":
        finished_ms = NOW - int(d(age_s) * 1_000)
        refused = [a_tp1(side=side, status=REJECTED, code=int(last), finished_ms=finished_ms)]

    (terms,) = placed(
        make_plan(holding(*refused, a_tp2(side=side), side=side, price=on(side, price))), TP1
    )

    assert (terms.type, terms.quantity, terms.reduce_only) == (OrderType(form), d("0.006"), True)
    assert (terms.trigger_price is None) is (form == "market")


def test_a_whole_position_at_its_target_is_closed_by_the_ladder() -> None:
    """RULES F6, F11: nothing to split, the price is there."""
    assert closing_of(holding(life=a_life("0.001"), price=91_600)) is ExitReason.TP1


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("refusal", [None, -2021])
def test_the_runner_at_its_target_is_closed(side: Side, refusal: int | None) -> None:
    """RULES F4: reached by what we see, or by the exchange's word."""
    life = a_life("0.007", side=side, base_quantity=d("0.013"), tp1_done_ms=NOW - 900)
    refused = a_tp2(
        on(side, 92_900), side=side, status=REJECTED, code=refusal or 0, finished_ms=NOW - 250
    )
    price = on(side, 92_900 if refusal is None else 92_800)

    assert closing_of(holding(refused, side=side, life=life, price=price)) is ExitReason.TP2


def test_the_exchanges_word_that_a_target_is_reached_waits_for_no_pause() -> None:
    """RULES F4: however often it was refused before for something else."""
    before = [
        a_tp1(status=REJECTED, code=-4130, revision=n, finished_ms=NOW - 30_000)
        for n in range(1, MANAGE_ATTEMPTS + 4)
    ]
    last = a_tp1(status=REJECTED, code=-2021, revision=20, finished_ms=NOW - 250)

    plan = make_plan(holding(*before, last, a_tp2(), price=91_500))

    assert [t.type for t in placed(plan, TP1)] == [OrderType.MARKET]


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_runners_target_leaves_when_nothing_is_left_to_run(side: Side) -> None:
    """RULES F6, D3: newer targets take all at TP1; two that size themselves cannot rest (-4130)."""
    life = a_life(side=side, tp1_fraction=d(1))
    tp2 = a_tp2(on(side, 92_900), side=side)

    plan = make_plan(holding(tp2, side=side, life=life))

    assert cancelled(plan) == [tp2.id]


def test_a_target_refused_again_and_again_is_paced() -> None:
    """Lessons 10, 47: at the cap of conditional orders targets wait, protection does not."""
    many = [
        a_tp1(status=REJECTED, code=-4045, revision=n, finished_ms=NOW - 250)
        for n in range(1, MANAGE_ATTEMPTS + 2)
    ]
    runners = [
        a_tp2(status=REJECTED, code=-4045, revision=n, finished_ms=NOW - 250)
        for n in range(1, MANAGE_ATTEMPTS + 2)
    ]

    assert placed(make_plan(holding(*many, *runners))) == []


OUTDATED = table("""
tp1            cancel  why
91600/0.006    no      as it should be
91600/0.004    yes     the base changed: another quantity
91500/0.006    yes     another price
triggering     no      it fires: leave it alone
market         no      it executes: leave it alone
sent           no      the cancel is on its way
unknown        no      of unknown fate: look first
""")


@pytest.mark.parametrize("row", OUTDATED, ids=ids(OUTDATED))
def test_an_outdated_target_is_cancelled_then_placed_anew(row: list[str]) -> None:
    """RULES F6: cancel, then place with retry: allowed for targets only."""
    kind = row[0]
    target = {
        "91600/0.006": a_tp1(),
        "91600/0.004": a_tp1(quantity="0.004"),
        "91500/0.006": a_tp1(91_500),
        "triggering": a_tp1(91_500, status=TRIGGERING),
        "market": an_order(TP1, quantity="0.004", type=OrderType.MARKET),
        "sent": a_tp1(91_500, cancel_sent_ms=NOW - 1_000),
        "unknown": a_tp1(91_500, status=UNKNOWN),
    }[kind]

    plan = make_plan(holding(target, a_tp2()))

    assert cancelled(plan) == ([an_id(TP1)] if row[1] == "yes" else [])
    assert placed(plan, TP1) == []


def test_a_cancelled_target_is_replaced_under_the_next_revision() -> None:
    """RULES G3: a replacement takes the next revision."""
    (terms,) = placed(make_plan(holding(a_tp1(status=CANCELLED), a_tp2())), TP1)

    assert terms.client_id.revision == 2


ZONES = table("""
side   low    high   tp2    role              trigger  why
long   92300  92500  92900  liquidation_exit  92300    between TP1 and TP2: it replaces TP2
long   92950  93000  92900  tp2               92900    behind TP2
long   91500  91700  92900  tp2               92900    before TP1
long   92300  92500  -      liquidation_exit  92300    no TP2 at all
short  89500  89700  89100  liquidation_exit  89700    mirrored: the near edge is the upper one
long   -      -      92900  tp2               92900    no zone
long   -      -      -      -                 -        neither
""")


@pytest.mark.parametrize("row", ZONES, ids=ids(ZONES))
def test_the_runner_has_one_target(row: list[str]) -> None:
    """RULES F9: the zone's near edge where it lies before TP2, never two."""
    side, low, high, tp2, role, trigger, _ = row
    of = LONG if side == "long" else SHORT
    zone = None if low == "-" else Zone("z", d(low), d(high), given_id=True)
    life = a_life(
        side=of, zone=zone, tp2_price=None if tp2 == "-" else d(tp2), tp1_price=on(of, 91_600)
    )

    found = runner_target(life, an_instrument())

    if role == "-":
        assert found is None
        assert placed(make_plan(holding(a_tp1(), side=of, life=life))) == []
    else:
        assert found is not None
        assert (found[0].value, found[1]) == (role, d(trigger))


def test_the_zone_exit_replaces_tp2_by_cancel_then_place() -> None:
    """RULES F9: one closePosition target a direction, so never both at once."""
    life = a_life(zone=Zone("z", d(92_300), d(92_500), given_id=True))

    first = make_plan(holding(a_tp1(), a_tp2(), life=life))
    then = make_plan(holding(a_tp1(), a_tp2(status=CANCELLED), life=life))

    assert (cancelled(first), placed(first)) == ([an_id(TP2)], [])
    assert [(t.role, t.trigger_price, t.close_position) for t in placed(then)] == [
        (ZONE_EXIT, d(92_300), True)
    ]


def test_no_price_no_target() -> None:
    """A target is placed on the side of a known price."""
    situation = holding()
    blind = replace(situation.observation, candles=None)

    assert placed(make_plan(replace(situation, observation=blind))) == []


def test_no_filters_no_target() -> None:
    """A quantity is rounded to the step, so the step must be known."""
    situation = holding()
    blind = replace(situation.observation, instrument=None)

    assert placed(make_plan(replace(situation, observation=blind))) == []


def test_a_life_without_tp1_keeps_the_runner() -> None:
    """RULES B4: an imported life may not know its first target any more."""
    life = a_life(tp1_price=None)

    assert [t.role for t in placed(make_plan(holding(life=life)))] == [TP2]


BASES = table("""
quantity  tp1        base   done  why
0.020     working    0.020  no    somebody added: re-based
0.005     working    0.005  no    somebody cut: re-based
0.007     doubtful   0.013  no    TP1 may just have executed: not a new base
0.007     filled     0.013  yes   TP1 took its part
0.009     part/end   0.013  yes   any execution of a final order is done
0.009     part       0.013  no    still working
0.013     expired    0.013  no    ended without an execution
""")


@pytest.mark.parametrize("row", BASES, ids=ids(BASES))
def test_the_base_of_the_targets_and_when_tp1_is_done(row: list[str]) -> None:
    """RULES F6: re-based after any change not made by TP1; done when final with any execution."""
    quantity, kind, base, done, _ = row
    target = {
        "working": a_tp1(),
        "doubtful": a_tp1(doubtful_since_ms=NOW - 500),
        "filled": a_tp1(status=FILLED, filled="0.006"),
        "part/end": a_tp1(status=EXPIRED, filled="0.004"),
        "part": a_tp1(filled="0.004"),
        "expired": a_tp1(status=EXPIRED),
    }[kind]
    ledger = a_ledger(a_life(), (a_filled_entry(), a_stop(), a_floor(), target))
    listed = [
        report_of(o) for o in ledger.orders if o.status.is_resting and not o.doubtful_since_ms
    ]
    look = seen(ledger, position=a_position(quantity), reports=listed, now=NOW, is_second=True)

    reconciled, _ = reconcile(ledger, look, Limits())

    assert reconciled.life is not None
    assert reconciled.life.base_quantity == d(base)
    assert (reconciled.life.tp1_done_ms is not None) is (done == "yes")


def test_the_base_is_taken_when_the_entry_becomes_final() -> None:
    """RULES F6: not before, whatever filled so far."""
    life = a_life("0.004", base_quantity=None, entry_final_ms=None)
    entering = a_ledger(life, (an_entry(filled="0.004"), a_stop()))
    final = a_ledger(life, (an_entry(filled="0.004", status=CANCELLED), a_stop()))

    bases = [reconcile(ledger, seen(ledger), Limits())[0].life for ledger in (entering, final)]

    assert [(x.base_quantity, x.entry_final_ms) for x in bases if x is not None] == [
        (None, None),
        (d("0.004"), NOW),
    ]


def test_tp1_done_is_not_taken_again() -> None:
    """RULES F6: after TP1 only the runner's target remains."""
    life = a_life("0.007", base_quantity=d("0.013"), tp1_done_ms=NOW - 900)

    plan = make_plan(holding(life=life, price=91_500))

    assert [t.role for t in placed(plan, TP1, TP2)] == [TP2]


@pytest.mark.parametrize(
    ("side", "given", "trigger"), [(LONG, "91600.05", "91600"), (SHORT, "90399.95", "90400")]
)
def test_targets_stand_on_the_tick(side: Side, given: str, trigger: str) -> None:
    """RULES E2, lesson 41: the decision's number may lie between two ticks; an order may not."""
    life = a_life(side=side, tp1_price=d(given), tp2_price=on(side, "92900.05"))

    plan = make_plan(holding(side=side, life=life))

    assert [t.trigger_price for t in placed(plan)] == [d(trigger), on(side, 92_900)]


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_resting_first_target_is_a_reduce_only_limit(side: Side) -> None:
    """RULES F6: by choice TP1 waits in the book; the runner's target stays conditional."""
    situation = holding(side=side, limits=RESTING)

    first, runner = placed(make_plan(situation))

    assert (first.type, first.price, first.trigger_price) == (
        OrderType.LIMIT,
        on(side, 91_600),
        None,
    )
    assert (first.reduce_only, first.quantity) == (True, d("0.006"))
    assert runner == a_tp2(on(side, 92_900), side=side).terms


def test_a_resting_target_at_its_price_is_left_alone_and_a_moved_one_replaced() -> None:
    """RULES F6, F10: the price of a limit is compared where a trigger would be."""
    first = placed(make_plan(holding(limits=RESTING)))[0]
    resting = replace(a_tp1(91_600), terms=first)
    moved = replace(a_life(), tp1_price=d(91_700))

    kept = make_plan(holding(resting, a_tp2(92_900), limits=RESTING))
    outdated = make_plan(holding(resting, a_tp2(92_900), life=moved, limits=RESTING))

    assert kept.actions == ()
    assert cancelled(outdated) == [first.client_id]


def test_what_cannot_be_split_never_rests_as_a_limit() -> None:
    """RULES F6: only a part may rest as a limit, a whole position leaves by closePosition."""
    whole = replace(a_life(), tp1_fraction=d(1))

    first = placed(make_plan(holding(life=whole, limits=RESTING)))[0]

    assert (first.type, first.close_position) == (OrderType.TAKE_PROFIT_MARKET, True)
