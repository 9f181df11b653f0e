"""When a position must be closed now, and the ladder that closes it (RULES F4, F10, F11)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.domain.action import CancelOrder, Plan, Proof
from engine.domain.condition import Command, Condition, OperatorCommand
from engine.domain.identity import ClientOrderId
from engine.domain.limits import HoldOrClose, Limits, OrphanPolicy
from engine.domain.observation import Fact
from engine.domain.order import Order, OrderStatus, OrderTerms
from engine.domain.position import ExitReason, Life, Origin
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, OrderType, Side, TimeInForce
from engine.plan.attempts import PROTECT_ATTEMPTS
from engine.plan.planner import make_plan
from engine.reconcile.settle import reconcile
from tests.builders import (
    CANCELLED,
    EMERGENCY,
    EXPIRED,
    FILLED,
    FLOOR,
    LONG,
    NOW,
    PRIMARY,
    REJECTED,
    SHORT,
    TP1,
    TP2,
    TRIGGERING,
    UNKNOWN,
    WORKING,
    a_decision,
    a_filled_entry,
    a_flat_decision,
    a_floor,
    a_life,
    a_situation,
    a_stop,
    a_tp2,
    an_entry,
    an_id,
    an_inbox,
    an_instrument,
    an_open_situation,
    an_order,
    cancelled,
    d,
    held,
    ids,
    on,
    placed,
    seen,
    table,
    the_usual_orders,
)


def closing_of(situation: Situation) -> tuple[ExitReason | None, str]:
    life = make_plan(situation).ledger.life
    assert life is not None
    return life.closing, life.closing_why


def ladder(plan_of: Situation) -> list[OrderTerms]:
    return placed(make_plan(plan_of), EMERGENCY)


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_missing_stop_whose_moment_has_passed_closes_at_once(side: Side) -> None:
    """RULES F4, lesson 11: would immediately trigger is itself the stop."""
    life = a_life(side=side, crossed_since_ms=NOW, uncovered_quantity=d("0.013"))
    orders = [o for o in the_usual_orders(side) if not o.role.is_stop]
    situation = a_situation(
        life,
        (*orders, a_floor(on(side, 90_380), side=side, status=EXPIRED)),
        price=on(side, 90_300),
    )

    plan = make_plan(situation)

    assert closing_of(situation) == (ExitReason.EMERGENCY, "stop_crossed")
    assert [(t.type, t.side, t.quantity, t.reduce_only) for t in placed(plan)] == [
        (OrderType.MARKET, side.closing, d("0.013"), True)
    ]


def test_the_mark_alone_beyond_the_level_closes_what_is_not_covered() -> None:
    """RULES F4, lesson 11: neither stop nor close, because last has not followed, is naked."""
    orders = (a_filled_entry(), a_stop(status=CANCELLED))
    situation = a_situation(a_life(), orders, price=90_500, mark=90_370)
    ledger, _ = reconcile(situation.ledger, situation.observation, Limits())

    assert closing_of(replace(situation, ledger=ledger)) == (ExitReason.EMERGENCY, "stop_crossed")


def test_the_exchanges_word_that_cover_would_trigger_closes_now() -> None:
    """RULES F4, lesson 11: price may be back at the next look; the stop's moment was there."""
    refused = a_stop(status=REJECTED, code=-2021, revision=2, finished_ms=NOW - 60)
    life = a_life(uncovered_quantity=d("0.013"), accounted_ms=NOW - 60)
    orders = (a_filled_entry(), a_stop(status=CANCELLED), refused)

    assert closing_of(a_situation(life, orders)) == (ExitReason.EMERGENCY, "stop_would_trigger")


TIGHTENINGS = table("""
class    code   uncovered  why
manage   -2021  0.013      a tightening lost nothing
protect  -2021  0          doubtful cover does not close
protect  -4140  0.013      refused for another reason
""")


@pytest.mark.parametrize("row", TIGHTENINGS, ids=ids(TIGHTENINGS))
def test_a_refusal_closes_only_what_has_no_cover(row: list[str]) -> None:
    """RULES F4: -2021 means what the order was for."""
    action_class, code, uncovered, _ = row
    refused = a_stop(
        status=REJECTED,
        code=int(code),
        revision=2,
        finished_ms=NOW - 60,
        action_class=ActionClass(action_class),
    )
    life = a_life(uncovered_quantity=d(uncovered))

    assert closing_of(a_situation(life, (*the_usual_orders(), refused)))[0] is None


def test_a_position_whose_stop_never_existed_closes_without_one_to_judge_by() -> None:
    """RULES F1: with no primary at all the next one is simply placed."""
    situation = a_situation(a_life(uncovered_quantity=d("0.013")), (a_filled_entry(),))

    assert closing_of(situation)[0] is None
    assert len(placed(make_plan(situation), PRIMARY)) == 1


def test_cover_refused_for_five_seconds_closes() -> None:
    """RULES F11, lesson 43: naked_limit runs while the exchange refuses cover."""

    def refused_for(elapsed_ms: int) -> Situation:
        life = a_life(uncovered_quantity=d("0.013"), cover_refused_since_ms=NOW - elapsed_ms)
        return a_situation(life, (a_filled_entry(), a_stop(status=REJECTED, code=-4045)))

    assert closing_of(refused_for(4_999))[0] is None
    assert closing_of(refused_for(5_000)) == (ExitReason.EMERGENCY, "cover_refused")


LAST_WORDS = table("""
last      closes  why
refused   yes     the exchange still says no
unknown   no      the newest may rest: doubt closes nothing
unsent    no      it never left: the exchange has refused nothing
none      no      no stop at all: one is placed first
""")


@pytest.mark.parametrize("row", LAST_WORDS, ids=ids(LAST_WORDS))
def test_the_naked_limit_closes_only_while_the_exchange_refuses(row: list[str]) -> None:
    """RULES F11, C1, C4: refused for five seconds, and still refused."""
    last, closes, _ = row
    life = a_life(uncovered_quantity=d("0.013"), cover_refused_since_ms=NOW - 6_000)
    refused = a_stop(status=REJECTED, code=-4045)
    stops = {
        "refused": (refused, a_stop(revision=2, status=REJECTED, code=-4045)),
        "unknown": (refused, a_stop(revision=2, status=UNKNOWN)),
        "unsent": (refused, a_stop(revision=2, status=REJECTED)),
        "none": (),
    }[last]

    reason, _ = closing_of(a_situation(life, (a_filled_entry(), *stops)))

    assert (reason is not None) is (closes == "yes")


DECISIONS = table("""
decision  age     looks  on_flat  on_opposite  closes             why
flat      5000    2      close    close        flat_decision      as configured
flat      5000    2      hold     close        -                  the default holds
flat      5000    1      close    close        -                  read once is a half-written file
flat      600001  2      close    close        -                  stale
flat      40000   2      close    close        -                  not newer than our own
opposite  5000    2      hold     close        opposite_decision  the default closes
opposite  5000    2      hold     hold         -                  as configured
opposite  5000    1      hold     close        -                  read once
same      5000    2      close    close        -                  a refinement
none      0       2      close    close        -                  no decision at all
""")


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("row", DECISIONS, ids=ids(DECISIONS))
def test_a_decision_closes_as_configured(row: list[str], side: Side) -> None:
    """RULES F10, D5, lesson 48: fully valid, fresh, newer, and read in two looks."""
    kind, age, looks, on_flat, on_opposite, closes, _ = row
    made = {"made_ms": NOW - int(age)}
    decision = {
        "flat": a_flat_decision(**made),
        "opposite": a_decision(side.opposite, id="oppos1", **made),
        "same": a_decision(side, id="newer1", **made),
        "none": None,
    }[kind]
    limits = Limits(on_flat=HoldOrClose(on_flat), on_opposite=HoldOrClose(on_opposite))
    situation = an_open_situation(
        side=side, inbox=an_inbox(decision, consecutive_looks=int(looks)), limits=limits
    )

    reason, _why = closing_of(situation)

    assert reason == (None if closes == "-" else ExitReason(closes))


def test_the_operator_closes() -> None:
    """DESIGN section 10: keeper flatten, whatever else holds."""
    command = OperatorCommand(1, Command.FLATTEN, "ann", "enough", NOW)

    situation = an_open_situation(condition=Condition(commands=(command,)))

    assert closing_of(situation) == (ExitReason.FLATTEN, "operator")


def test_somebody_elses_position_is_closed_only_by_policy() -> None:
    """RULES G1: an operator's old position must not be dumped by the first run."""
    life = a_life(
        origin=Origin.ORPHAN,
        stop_level=None,
        crossed_since_ms=NOW - 9_000,
        uncovered_quantity=d("0.013"),
    )
    flatten = Limits(orphan=OrphanPolicy.FLATTEN)

    assert closing_of(a_situation(life, ()))[0] is None
    assert closing_of(a_situation(life, (), limits=flatten)) == (
        ExitReason.FLATTEN,
        "orphan_policy",
    )


def test_somebody_elses_position_is_closed_when_our_stop_there_fired_and_hangs() -> None:
    """RULES F4, G1: our own order names that level; what was taken away closes nothing."""
    life = a_life(origin=Origin.ORPHAN, crossed_since_ms=NOW - 9_000, uncovered_quantity=d("0.013"))
    hanging = a_floor(status=TRIGGERING, triggered_ms=NOW - 9_000)

    child_refused = a_floor(status=REJECTED, rested_ms=NOW - 60_000)
    spent = a_floor(status=EXPIRED, child_id="4711")
    never_taken = a_floor(status=REJECTED, rested_ms=None, code=-2021)

    assert closing_of(a_situation(life, (hanging,))) == (ExitReason.EMERGENCY, "stop_crossed")
    assert closing_of(a_situation(life, (child_refused,))) == (ExitReason.EMERGENCY, "stop_crossed")
    assert closing_of(a_situation(life, (spent,))) == (ExitReason.EMERGENCY, "stop_crossed")
    assert closing_of(a_situation(life, (a_floor(status=EXPIRED),)))[0] is None
    assert closing_of(a_situation(life, (never_taken,)))[0] is None
    assert closing_of(a_situation(life, (a_floor(status=CANCELLED),)))[0] is None


def test_a_part_too_small_to_keep_is_closed_when_the_entry_is_given_up() -> None:
    """RULES E7, lesson 19: below MIN_NOTIONAL at timeout it is closed at once, else kept."""
    small = an_instrument(notional_min=d(100))
    life = a_life("0.001", withdrawing="entry_timeout")
    situation = a_situation(life, (an_entry(filled="0.001", status=CANCELLED), a_stop(), a_floor()))
    observation = replace(situation.observation, instrument=Fact(small, NOW))

    kept = closing_of(situation)
    closed = closing_of(replace(situation, observation=observation))
    after_tp1 = a_situation(replace(life, tp1_done_ms=NOW), situation.ledger.orders, price=91_500)

    assert kept[0] is None
    assert closed == (ExitReason.EMERGENCY, "too_small_at_timeout")
    later = replace(after_tp1.observation, instrument=Fact(small, NOW))
    assert closing_of(replace(after_tp1, observation=later))[0] is None


def test_closing_begun_is_not_begun_again() -> None:
    """The first reason is the one the trade is recorded with."""
    life = a_life(closing=ExitReason.FLATTEN, closing_ms=NOW - 900, crossed_since_ms=NOW - 9_000)

    assert closing_of(a_situation(life, the_usual_orders()))[0] is ExitReason.FLATTEN


def being_closed(*attempts: Order, life: Life | None = None, **changes: object) -> Situation:
    """Return a covered position on the ladder, with these attempts behind it."""
    closing = life or a_life(closing=ExitReason.EMERGENCY, closing_ms=NOW - 5_000)
    return a_situation(closing, (*the_usual_orders(closing.side), *attempts), **changes)  # type: ignore[arg-type]


def an_attempt(revision: int = 1, **changes: object) -> Order:
    return an_order(EMERGENCY, revision=revision, **changes)  # type: ignore[arg-type]


STEPS = table("""
last               next    price    why
-                  market  -        the first step
market/-4131       IOC     86222    beyond the price band: bounded
market/-1008       IOC     86222    throttled: another form
market/-2022       market  -        the position is read again
market/0           market  -        it never left
market/expired     IOC     86222    a remainder
market/unknown     market  -        one position read later the next follows
market/filled      market  -        the position still stands
ioc/expired        GTC     90760    then at the best opposite price
gtc/cancelled      IOC     86222    re-priced
""")


@pytest.mark.parametrize("row", STEPS, ids=ids(STEPS))
def test_the_next_step_of_the_ladder_follows_from_the_last(row: list[str]) -> None:
    """RULES F11, lesson 23: each refusal has another form."""
    last, step, price, _ = row
    attempts = {
        "-": (),
        "market/-4131": (an_attempt(status=REJECTED, code=-4131),),
        "market/-1008": (an_attempt(status=REJECTED, code=-1008),),
        "market/-2022": (an_attempt(status=REJECTED, code=-2022),),
        "market/0": (an_attempt(status=REJECTED),),
        "market/expired": (an_attempt(status=EXPIRED, filled="0.004"),),
        "market/unknown": (an_attempt(status=UNKNOWN),),
        "market/filled": (an_attempt(status=FILLED, filled="0.013"),),
        "ioc/expired": (
            an_attempt(status=REJECTED, code=-4131),
            an_attempt(2, price=86_222, force=TimeInForce.IOC, status=EXPIRED),
        ),
        "gtc/cancelled": (an_attempt(price=90_760, status=CANCELLED),),
    }[last]

    (terms,) = ladder(being_closed(*attempts))

    form = {"market": (OrderType.MARKET, TimeInForce.GTC)}.get(
        step, (OrderType.LIMIT, TimeInForce.IOC if step == "IOC" else TimeInForce.GTC)
    )
    assert (terms.type, terms.time_in_force) == form
    assert terms.price == (None if price == "-" else d(price))
    assert (terms.reduce_only, terms.quantity) == (True, d("0.013"))
    assert terms.client_id.revision == len(attempts) + 1


def test_a_short_is_bought_back_within_the_band() -> None:
    """RULES F11: the other edge, the other side of the book."""
    life = a_life(side=SHORT, closing=ExitReason.EMERGENCY)
    refused = an_attempt(side=SHORT, status=REJECTED, code=-4131)
    tried = an_attempt(2, side=SHORT, price=95_802, force=TimeInForce.IOC, status=EXPIRED)

    (ioc,) = ladder(being_closed(refused, life=life))
    (gtc,) = ladder(being_closed(refused, tried, life=life))

    assert (ioc.price, ioc.side) == (d("95802.0"), SHORT.closing)
    assert gtc.price == d("91240.1")


def test_slices_are_what_one_market_order_may_carry() -> None:
    """RULES F11: slices of at most maxQty, five at a time."""
    situation = being_closed()
    tiny = an_instrument(market_quantity_max=d("0.002"))
    observation = replace(situation.observation, instrument=Fact(tiny, NOW))

    quantities = [t.quantity for t in ladder(replace(situation, observation=observation))]

    assert quantities == [d("0.002")] * 5


def test_an_attempt_that_works_is_given_a_second_then_repriced() -> None:
    """RULES F11: re-priced each second."""
    fresh = an_attempt(price=90_760, intended_ms=NOW - 999, status=WORKING)
    old = replace(fresh, intended_ms=NOW - 1_000)
    sent = replace(old, cancel_sent_ms=NOW - 500)

    plans = [make_plan(being_closed(o)) for o in (fresh, old, sent)]

    assert [cancelled(plan) for plan in plans] == [[], [an_id(EMERGENCY)], []]
    assert [placed(plan) for plan in plans] == [[], [], []]
    assert held(plans[0]) == ["attempt_works"]


def test_resting_limit_targets_go_first_stops_stay() -> None:
    """Lesson 35: a resting reduce-only limit reserves quantity; the stops are left alone."""
    target = an_order(TP1, price=91_600, quantity="0.006", type=OrderType.LIMIT, revision=2)

    plan = make_plan(being_closed(target))

    assert cancelled(plan) == [target.id]
    assert [t.type for t in placed(plan)] == [OrderType.MARKET]


def test_dust_is_closed_by_an_order_that_sizes_itself() -> None:
    """RULES F11, lesson 44: below the least quantity only closePosition takes it.

    The runner's target must leave first: two of one direction cannot rest (-4130).
    """
    life = a_life("0.001", closing=ExitReason.EMERGENCY)
    coarse = an_instrument(quantity_min=d("0.002"))
    with_target = a_situation(life, (a_filled_entry(), a_stop(), a_floor(), a_tp2()))
    without = a_situation(life, (a_filled_entry(), a_stop(), a_floor()))
    waiting = a_situation(
        life, (a_filled_entry(), a_stop(), a_floor(), a_tp2(cancel_sent_ms=NOW - 100))
    )

    def plan_of(situation: Situation) -> object:
        seen_with = replace(situation.observation, instrument=Fact(coarse, NOW))
        return make_plan(replace(situation, observation=seen_with))

    first, second, third = (plan_of(s) for s in (with_target, without, waiting))

    assert (cancelled(first), placed(first)) == ([an_id(TP2)], [])  # type: ignore[arg-type]
    assert [
        (t.type, t.trigger_price, t.close_position, t.quantity)
        for t in placed(second)  # type: ignore[arg-type]
    ] == [(OrderType.TAKE_PROFIT_MARKET, d("90760.1"), True, None)]
    assert (cancelled(third), placed(third)) == ([], [])  # type: ignore[arg-type]


def test_the_ladder_goes_on_without_a_quote_or_a_mark() -> None:
    """RULES F11: a missing price is no reason to stop closing."""
    refused = an_attempt(status=REJECTED, code=-4131)
    tried = an_attempt(2, price=86_222, force=TimeInForce.IOC, status=EXPIRED)
    situation = being_closed(refused)
    blind = replace(situation.observation, quote=None, mark=None)

    forms = [
        ladder(replace(s, observation=blind))[0].type
        for s in (situation, being_closed(refused, tried))
    ]

    assert forms == [OrderType.MARKET, OrderType.MARKET]


@pytest.mark.parametrize("quantity", ["0.013", "0.0001"])
def test_without_filters_the_ladder_tries_the_market_for_all_of_it(quantity: str) -> None:
    """RULES F11, lesson 31: what must be closed does not wait for what would only size it."""
    life = a_life(quantity, closing=ExitReason.EMERGENCY, closing_ms=NOW - 5_000)
    situation = being_closed(life=life)
    blind = replace(situation.observation, instrument=None)

    (terms,) = placed(make_plan(replace(situation, observation=blind)), EMERGENCY)

    assert (terms.type, terms.quantity, terms.reduce_only) == (
        OrderType.MARKET,
        d(quantity),
        True,
    )


def test_a_ladder_that_is_refused_for_minutes_goes_on_at_its_own_pace() -> None:
    """RULES F11, lesson 38: it goes on trying, and does not eat up the revisions."""
    refused = [
        an_attempt(n, status=REJECTED, code=-4140, finished_ms=NOW - 250)
        for n in range(1, PROTECT_ATTEMPTS + 2)
    ]
    later = [replace(o, finished_ms=NOW - 1_000) for o in refused]

    assert (ladder(being_closed(*refused)), len(ladder(being_closed(*later)))) == ([], 1)


def test_nothing_is_closed_twice() -> None:
    """Lesson 8: a closed life and a quantity of zero need no order."""
    closed = a_life("0", opened_ms=NOW - 9_000, closed_ms=NOW - 900, closing=ExitReason.FLATTEN)
    empty = a_life("0", opened_ms=NOW - 9_000, closing=ExitReason.FLATTEN, base_quantity=d("0.013"))

    for life in (closed, empty):
        situation = a_situation(life, (), observation=seen(a_situation(life, ()).ledger))
        assert ladder(situation) == []


REFUSED_TWICE = (
    an_attempt(status=REJECTED, code=-2022, intended_ms=NOW - 2_000, finished_ms=NOW - 2_000),
    an_attempt(2, status=REJECTED, code=-4118, intended_ms=NOW - 1_500, finished_ms=NOW - 1_500),
)
ON_THE_LADDER: dict[str, Any] = {"closing": ExitReason.EMERGENCY, "closing_ms": NOW - 5_000}


def reserved(*orders: Order, side: Side = LONG, **changes: Any) -> Situation:
    """Return a position whose close was refused twice because something holds its quantity."""
    life = a_life(side=side, **(ON_THE_LADDER | changes))
    return a_situation(life, (a_filled_entry(side=side), *orders, *REFUSED_TWICE))


def cancels_of(plan: Plan) -> list[tuple[ClientOrderId, Proof, ClientOrderId | None]]:
    return [(a.client_id, a.proof, a.proven_by) for a in plan.actions if isinstance(a, CancelOrder)]


def test_targets_are_the_first_to_make_way_for_a_reserved_close() -> None:
    """Lesson 35, RULES F11: refused twice as reserved, what protects nothing goes first."""
    life = a_life(**ON_THE_LADDER)
    first = make_plan(being_closed(*REFUSED_TWICE, life=life))
    waiting = make_plan(reserved(a_stop(), a_floor(), a_tp2(cancel_sent_ms=NOW - 100)))

    assert (set(cancelled(first)), placed(first)) == ({an_id(TP1), an_id(TP2)}, [])
    assert (waiting.actions, placed(waiting)) == ((), [])


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("status", [WORKING, UNKNOWN])
def test_the_primary_stays_while_the_entry_may_still_fill(status: OrderStatus, side: Side) -> None:
    """RULES A4, E5: the floor leaves with the position, and what fills after that has no stop."""
    level = on(side, 90_380)
    works = an_entry(status=status, filled="0.005", side=side)
    life = a_life("0.005", side=side, **ON_THE_LADDER)
    stops = (a_stop(level, side=side), a_floor(level, side=side))
    plan = make_plan(a_situation(life, (works, *stops, *REFUSED_TWICE)))

    assert not {an_id(PRIMARY), an_id(FLOOR)} & set(cancelled(plan))
    assert [t.close_position for t in placed(plan) if t.client_id.role is EMERGENCY] == [True]


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_the_primary_makes_way_for_a_floor_at_the_level_in_force(side: Side) -> None:
    """RULES F11, F2: a closePosition stop covers everything there and reserves nothing."""
    level = on(side, 90_380)
    plan = make_plan(reserved(a_stop(level, side=side), a_floor(level, side=side), side=side))

    assert cancels_of(plan) == [(an_id(PRIMARY), Proof.TIGHTER_RESTS, an_id(FLOOR))]
    assert placed(plan) == []


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_the_primary_stays_while_an_entry_may_still_fill(side: Side) -> None:
    """RULES A4: a floor goes with the flat that the close makes; what fills after that has none."""
    level = on(side, 90_380)
    entry = an_entry(side=side, filled="0.006", cancel_sent_ms=NOW - 100)
    stops = (a_stop(level, side=side), a_floor(level, side=side))
    life = a_life("0.006", side=side, base_quantity=None, entry_final_ms=None, **ON_THE_LADDER)

    plan = make_plan(a_situation(life, (entry, *stops, *REFUSED_TWICE)))

    assert an_id(PRIMARY) not in cancelled(plan)


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_wider_floor_is_laid_anew_at_the_level_in_force_first(side: Side) -> None:
    """RULES B2, F2: cover is whole and never wider at each of the steps."""
    level = on(side, 90_600)
    stop = a_stop(level, side=side)
    wide = a_floor(on(side, 90_380), side=side)
    gone = replace(wide, status=CANCELLED, finished_ms=NOW - 1_000)

    leaves = make_plan(reserved(stop, wide, side=side, stop_level=level))
    returns = make_plan(reserved(stop, gone, side=side, stop_level=level))

    assert cancels_of(leaves) == [(an_id(FLOOR), Proof.TIGHTER_RESTS, an_id(PRIMARY))]
    assert cancels_of(returns) == []
    assert [
        (t.client_id, t.type, t.close_position, t.trigger_price, t.side) for t in placed(returns)
    ] == [(an_id(FLOOR, 2), OrderType.STOP_MARKET, True, level, side.closing)]


STAND_INS = table("""
floor                        does       why
on its way                   wait       its fate is open for a moment
not shown yet                wait       an accepted order is visible within ten seconds
not shown for long           dust       it may be gone: another form, the primary stays
refused a moment ago         again      a cancelled one may still be counted (-4130)
refused forty times          backoff    paced like any refusal
level crossed                dust       the stop's moment has passed
no price                     dust       nothing to place a stop by
primary in doubt             dust       no stop proves that the wide floor may leave
both stops spent             dust       nothing of ours holds anything
""")


@pytest.mark.parametrize("row", STAND_INS, ids=ids(STAND_INS))
def test_the_stand_in_is_waited_for_but_not_for_ever(row: list[str]) -> None:
    """RULES F11, C1: what cannot make way leaves the form that sizes itself."""
    case, does, _ = row
    level = d(90_600)
    stop = a_stop(level)
    floor = a_floor(level)
    no = replace(a_floor(), status=REJECTED, code=-4130, finished_ms=NOW - 100, rested_ms=None)
    many = [replace(no, terms=a_floor(revision=n).terms) for n in range(1, PROTECT_ATTEMPTS + 2)]
    orders = {
        "on its way": (stop, replace(floor, status=UNKNOWN)),
        "not shown yet": (stop, replace(floor, doubtful_since_ms=NOW - 9_000)),
        "not shown for long": (stop, replace(floor, doubtful_since_ms=NOW - 11_000)),
        "refused a moment ago": (stop, no),
        "refused forty times": (stop, *many),
        "level crossed": (stop,),
        "no price": (stop,),
        "primary in doubt": (replace(stop, doubtful_since_ms=NOW - 500), a_floor()),
        "both stops spent": (),
    }[case]
    situation = reserved(*orders, stop_level=level)
    observation = situation.observation
    if case == "no price":
        observation = replace(observation, mark=None, quote=None, candles=None)
    if case in ("level crossed", "both stops spent"):
        observation = seen(situation.ledger, price=90_590)
    plan = make_plan(replace(situation, observation=observation))

    forms = {
        "wait": [],
        "backoff": [],
        "again": [(FLOOR, OrderType.STOP_MARKET)],
        "dust": [(EMERGENCY, OrderType.TAKE_PROFIT_MARKET)],
    }
    assert [(t.role, t.type) for t in placed(plan, EMERGENCY, FLOOR)] == forms[does]
    assert cancelled(plan) == []
    if does in ("wait", "backoff"):
        assert {"wait": "attempt_works", "backoff": "backoff"}[does] in held(plan)


def test_what_made_way_is_not_placed_again_and_the_close_goes_on_in_its_own_form() -> None:
    """RULES F11: refusals from before the quantity was free say nothing about it any more."""
    freed = a_stop(status=CANCELLED, cancel_sent_ms=NOW - 1_000, finished_ms=NOW - 500)

    (terms,) = placed(make_plan(reserved(freed, a_floor())))

    assert (terms.role, terms.type, terms.quantity) == (EMERGENCY, OrderType.MARKET, d("0.013"))


def test_a_stand_in_that_is_gone_brings_the_primary_back() -> None:
    """RULES B1: cover is restored beside the ladder, whatever made way before."""
    freed = a_stop(status=CANCELLED, cancel_sent_ms=NOW - 1_000, finished_ms=NOW - 500)
    gone = a_floor(status=CANCELLED)

    plan = make_plan(reserved(freed, gone))

    assert [t.role for t in placed(plan)] == [PRIMARY, EMERGENCY]


def test_refusals_from_before_the_close_say_nothing_about_it() -> None:
    """RULES F11: only what this close met counts."""
    life = a_life(closing=ExitReason.EMERGENCY, closing_ms=NOW - 100)
    refused = (
        an_attempt(status=REJECTED, code=-2022, intended_ms=NOW - 9_000, finished_ms=NOW - 9_000),
        an_attempt(
            2, status=REJECTED, code=-2022, intended_ms=NOW - 8_000, finished_ms=NOW - 8_000
        ),
    )

    (terms,) = ladder(being_closed(*refused, life=life))

    assert terms.type is OrderType.MARKET
