"""Chasing an entry that price ran away from, and the one bounded immediate order (RULES E7, E1).

The stop is fixed once; a replacement carries the remainder, at a price that stop still permits,
and only after its predecessor was read final.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from engine.domain.identity import OrderRole
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.observation import Fact, Quote, Rates
from engine.domain.order import Order, OrderStatus, OrderTerms
from engine.domain.position import ExitReason, Life
from engine.domain.situation import Situation
from engine.domain.terms import OrderSide, OrderType, Side, TimeInForce
from engine.plan.chase import POST_ONLY_REFUSED, legal_interval
from engine.plan.entry_zone import EntryTerms, price_is_legal, reward_covers_risk
from engine.plan.planner import make_plan
from engine.reconcile.settle import reconcile
from tests.builders import (
    CANCELLED,
    ENTRY,
    EXPIRED,
    LONG,
    NOW,
    PRIMARY,
    REJECTED,
    SHORT,
    WORKING,
    Number,
    a_decision,
    a_filled_entry,
    a_floor,
    a_ledger,
    a_life,
    a_position,
    a_situation,
    a_stop,
    an_entry,
    an_id,
    an_instrument,
    cancelled,
    d,
    held,
    ids,
    on,
    placed,
    report_of,
    seen,
    table,
)

WAITED = 60_000


def quoted(side: Side, joining: Number, spread: Number = "0.1") -> Fact[Quote]:
    """Return the quote of a market whose joining price (bid for a long) is ``joining``."""
    best, gap = on(side, joining), d(spread)
    return Fact(Quote(best, best + gap) if side is LONG else Quote(best - gap, best), NOW)


def waiting(
    side: Side = LONG,
    *,
    joining: Number = 90_770,
    spread: Number = "0.1",
    life: Life | None = None,
    entry: Order | None = None,
    **changes: Any,
) -> Situation:
    """Return an entry that has waited a minute at its first price behind its armed stop."""
    first = an_entry(side=side, price=on(side, "90743.3"), rested_ms=NOW - WAITED)
    orders = (entry or first, a_stop(on(side, 90_380), side=side))
    given = {
        "decision": a_decision(side),
        "price": on(side, joining),
        "quote": quoted(side, joining, spread),
        **changes,
    }
    return a_situation(life or a_life("0", side=side), orders, **given)


def chasing(side: Side = LONG, *, filled: Number = 0, chases: int = 0, **changes: Any) -> Situation:
    """Return a chase whose predecessor was read final a moment ago, ``filled`` of it executed."""
    given = dict(changes.pop("life_changes", {}))
    life = a_life(
        filled,
        side=side,
        chasing_ms=NOW - 1_000,
        chases=chases,
        base_quantity=None,
        entry_final_ms=None,
        **given,
    )
    entry = an_entry(
        side=side,
        price=on(side, "90743.3"),
        status=CANCELLED,
        filled=filled,
        cancel_sent_ms=NOW - 1_000,
        finished_ms=NOW - 500,
    )
    return waiting(side, life=life, entry=changes.pop("entry", entry), **changes)


def bold(**changes: Any) -> dict[str, Any]:
    """Return a life confident enough for the immediate order."""
    return {"confidence": d("0.75"), **changes}


def life_of(situation: Situation) -> Life:
    life = make_plan(situation).ledger.life
    assert life is not None
    return life


# -- when it begins --------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_chase_begins_by_cancelling_and_places_nothing_yet(side: Side) -> None:
    """RULES E7, D1: the remainder is not known before the predecessor's last word."""
    situation = waiting(side)

    plan = make_plan(situation)

    assert (cancelled(plan), placed(plan)) == ([an_id(ENTRY)], [])
    assert (life_of(situation).chasing_ms, life_of(situation).withdrawing) == (NOW, None)


QUIET = table("""
case        why
young       it has not waited long enough
behind      price came nearer: the resting price is better than joining
cancelled   a cancel is on its way already
doubtful    nobody knows whether it rests
spent       the chases are spent and confidence does not permit the immediate order
closing     the position is being closed
blind       no quote was read
""")


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("row", QUIET, ids=ids(QUIET))
def test_without_a_reason_the_entry_keeps_its_place_in_the_queue(
    row: list[str], side: Side
) -> None:
    """RULES E7: a chase gives up a place in the queue, so it needs a better price to go to."""
    price = on(side, "90743.3")
    entry = an_entry(side=side, price=price, rested_ms=NOW - WAITED)
    situation = {
        "young": waiting(side, entry=an_entry(side=side, price=price, rested_ms=NOW - WAITED + 1)),
        "behind": waiting(side, joining="90743.3"),
        "cancelled": waiting(side, entry=replace(entry, cancel_sent_ms=NOW - 900)),
        "doubtful": waiting(side, entry=replace(entry, doubtful_since_ms=NOW - 900)),
        "spent": waiting(side, life=a_life("0", side=side, chases=3)),
        "closing": waiting(side, life=a_life("0", side=side, closing=ExitReason.FLATTEN)),
        "blind": waiting(side, quote=None),
    }[row[0]]

    plan = make_plan(situation)

    assert not any(a.rule == "chase_entry" for a in plan.actions)
    assert plan.ledger.life is not None
    assert plan.ledger.life.chasing_ms is None


def test_a_cancel_that_lost_its_way_is_sent_again() -> None:
    """RULES E7, lesson 30: a chase must not hang on one lost request."""
    old, fresh = (
        waiting(
            entry=an_entry(rested_ms=NOW - WAITED, cancel_sent_ms=NOW - sent_ms),
            life=a_life("0", chasing_ms=NOW - 5_000),
        )
        for sent_ms in (1_001, 1_000)
    )

    assert [cancelled(make_plan(s)) for s in (old, fresh)] == [[an_id(ENTRY)], []]


# -- what the next price may be --------------------------------------------------------------------

INTERVALS = table("""
stop     zone           near     far      why
90380    90700:90900    90700    90786.6  the sample: zone below, reward above
90500    90700:90900    90817.9  90866.6  the stop too near for the zone's lower end
90600    90650:90900    90918.3  90900    crossed: no price is legal any more
90000    90700:90900    90700    90533.3  the stop too far for any reward
""")


@pytest.mark.parametrize("row", INTERVALS, ids=ids(INTERVALS))
def test_later_prices_stay_where_the_fixed_stop_permits(row: list[str]) -> None:
    """RULES E1: [max(zone_low, S/(1-m)), min(zone_high, (T+R*S)/(1+R))], rounded inside."""
    stop, zone, near, far, _ = row
    low, high = zone.split(":")
    life = a_life("0", initial_stop=d(stop), zone_low=d(low), zone_high=d(high))

    assert legal_interval(life, Limits(), an_instrument()) == (d(near), d(far))


def test_where_no_zone_is_known_the_stop_alone_bounds_the_price() -> None:
    """RULES E1: 0.35 percent from the stop on one side, the reward on the other."""
    life = a_life("0", zone_low=None, zone_high=None)

    assert legal_interval(life, Limits(), an_instrument()) == (d("90697.5"), d("90786.6"))


def test_the_short_interval_is_the_long_one_mirrored() -> None:
    """RULES E1: percentages are of price, so the short's ends are its own numbers."""
    life = a_life("0", side=SHORT, zone_low=d(91_100), zone_high=d(91_300))

    near, far = legal_interval(life, Limits(), an_instrument())

    # min(zone_high, S/(1+m)) = 91620/1.0035 = 91300.4..; max(zone_low, (90400+2*91620)/3)
    assert (near, far) == (d(91_300), d("91213.4"))


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("steps", [0, 1])
def test_the_ends_of_the_interval_are_legal_and_one_tick_beyond_is_not(
    side: Side, steps: int
) -> None:
    """RULES E1: held against the gateway's own judgement of a pair."""
    stop = on(side, 90_500)
    zone = sorted((on(side, 90_000), on(side, 91_500)))
    life = a_life("0", side=side, initial_stop=stop, zone_low=zone[0], zone_high=zone[1])
    near, far = legal_interval(life, Limits(), an_instrument())
    terms = EntryTerms(side, zone[0], zone[1], stop, on(side, 91_600), d("0.0035"), d(2))
    out = side.sign * d("0.1") * steps

    legal = [price_is_legal(terms, an_instrument(), p, stop) for p in (near - out, far + out)]

    assert legal == [steps == 0] * 2


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("steps", [0, 1])
def test_where_fees_count_they_count_for_a_chase_too(side: Side, steps: int) -> None:
    """RULES E1: the option that shrinks the first price's zone shrinks the later ones'."""
    stop, fees = on(side, 90_500), Rates(d("0.0002"), d("0.0005"))
    zone = sorted((on(side, 90_000), on(side, 91_500)))
    life = a_life("0", side=side, initial_stop=stop, zone_low=zone[0], zone_high=zone[1])
    terms = EntryTerms(
        side, zone[0], zone[1], stop, on(side, 91_600), d("0.0035"), d(2), fees.maker, fees.taker
    )

    _, far = legal_interval(life, Limits(rr_with_fees=True), an_instrument(), fees)

    beyond = far + side.sign * d("0.1") * steps
    assert reward_covers_risk(terms, beyond, stop) is (steps == 0)


NEXT = table("""
joining  price    why
90770    90770    joins the best price
90786.6  90786.6  up to the end where the reward still holds
90900    90786.6  and no further, however far the market ran
90710    90710    price came back while the cancel was on its way
90700    90700    down to the zone's own end
""")


@pytest.mark.parametrize("row", NEXT, ids=ids(NEXT))
def test_a_chase_joins_the_market_inside_its_interval(row: list[str]) -> None:
    """RULES E7, E1: the limit price decides, not the fill."""
    joining, price, _ = row

    (terms,) = placed(make_plan(chasing(joining=joining)), ENTRY)

    assert (terms.price, terms.quantity, terms.time_in_force) == (
        d(price),
        d("0.013"),
        TimeInForce.GTC,
    )


def test_a_chase_with_fees_counted_stops_short_of_the_one_without() -> None:
    """RULES E1: S with fees 0.02/0.05 %: 90723.1, not 90786.6."""
    plan = make_plan(chasing(joining=90_900, limits=Limits(rr_with_fees=True)))

    assert [t.price for t in placed(plan, ENTRY)] == [d("90723.1")]


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_replacement_carries_the_remainder_under_the_next_revision(side: Side) -> None:
    """RULES D1, G3: 0.004 executed, so 0.009 is left; an entry id is never sent twice."""
    situation = chasing(side, filled="0.004")

    plan = make_plan(situation)

    assert placed(plan, ENTRY) == [
        OrderTerms(
            client_id=an_id(ENTRY, 2),
            side=OrderSide.BUY if side is LONG else OrderSide.SELL,
            type=OrderType.LIMIT,
            quantity=d("0.009"),
            price=on(side, 90_770),
            time_in_force=TimeInForce.GTC,
        )
    ]
    assert (life_of(situation).chases, life_of(situation).chasing_ms) == (1, None)


def test_everything_executed_before_counts_not_the_last_order_alone() -> None:
    """RULES D1: executed + working + unknown never exceeds the planned quantity."""
    first = an_entry("0.013", status=CANCELLED, filled="0.004", finished_ms=NOW - 90_000)
    second = an_entry("0.009", revision=2, status=CANCELLED, filled="0.003", finished_ms=NOW - 500)
    life = a_life("0.007", chasing_ms=NOW - 1_000, chases=1, base_quantity=None)

    plan = make_plan(
        a_situation(
            life,
            (first, second, a_stop(), a_floor()),
            decision=a_decision(),
            price=90_770,
            quote=quoted(LONG, 90_770),
        )
    )

    assert [t.quantity for t in placed(plan, ENTRY)] == [d("0.006")]


UNREAD = table("""
case      why
working   the cancel was sent, nothing was read
unknown   its fate is unknown
later     it was read final in this very tick, after the position
never     nobody knows when it ended
""")


@pytest.mark.parametrize("row", UNREAD, ids=ids(UNREAD))
def test_nothing_replaces_an_entry_that_was_not_read_final(row: list[str]) -> None:
    """RULES E7, D1, lesson 27: a fill may win the race with the cancel."""
    entry = {
        "working": an_entry(cancel_sent_ms=NOW - 500),
        "unknown": an_entry(status=OrderStatus.UNKNOWN, cancel_sent_ms=NOW - 500),
        "later": an_entry(status=CANCELLED, finished_ms=NOW + 20),
        "never": an_entry(status=CANCELLED, finished_ms=None),
    }[row[0]]

    plan = make_plan(chasing(entry=entry))

    assert placed(plan, ENTRY) == []
    assert ("entry_not_read_final" in held(plan)) is (row[0] in ("later", "never"))


def test_a_fill_that_won_the_race_leaves_nothing_to_chase() -> None:
    """RULES D1: the cancel came too late; the whole quantity is a position."""
    entry = an_entry(cancel_sent_ms=NOW - 900)
    life = a_life("0", chasing_ms=NOW - 1_000)
    ledger = a_ledger(life, (entry, a_stop()), fills=())
    look = seen(
        ledger,
        position=a_position("0.013"),
        reports=[report_of(a_stop())],
        lookups=[report_of(replace(entry, status=OrderStatus.FILLED, quantity_filled=d("0.013")))],
        is_second=True,
    )
    ledger, _ = reconcile(ledger, look, Limits())

    plans = [make_plan(a_situation(ledger=ledger, observation=look, decision=a_decision()))]
    plans.append(make_plan(a_situation(ledger=plans[0].ledger, decision=a_decision())))

    assert [placed(plan, ENTRY) for plan in plans] == [[], []]
    assert plans[-1].ledger.life is not None
    assert plans[-1].ledger.life.chasing_ms is None
    assert plans[-1].ledger.entries_are_final


SMALL = table("""
filled   placed  why
0.012    -       50 USDT is the least an order may be worth: 0.001 is not
0.0125   -       less than a step
0.010    0.003   272 USDT are
""")


@pytest.mark.parametrize("row", SMALL, ids=ids(SMALL))
def test_a_remainder_no_order_can_carry_is_given_up(row: list[str]) -> None:
    """RULES E7: what filled is a position; the rest is not worth an order."""
    filled, wanted, _ = row
    limits_min = an_instrument(notional_min=d(100))

    situation = chasing(filled=filled, instrument=Fact(limits_min, NOW))
    plan = make_plan(situation)

    assert [str(t.quantity) for t in placed(plan, ENTRY)] == ([] if wanted == "-" else [wanted])
    assert plan.ledger.life is not None
    assert plan.ledger.life.chasing_ms is None


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_chase_without_a_legal_price_is_given_up_and_the_entry_withdrawn(side: Side) -> None:
    """RULES E7, E5: no price is legal, nothing executed: step two of the withdrawal follows."""
    situation = chasing(side, life_changes={"basis_price": on(side, 90_900)})

    given_up = make_plan(situation)
    after = make_plan(replace(situation, ledger=given_up.ledger))

    assert placed(given_up, ENTRY) == []
    assert after.ledger.life is not None
    assert after.ledger.life.withdrawing == "entry_rejected"
    assert cancelled(after) == [an_id(PRIMARY)]


def test_a_chase_that_may_not_send_waits_and_then_gives_up() -> None:
    """RULES E4, lesson 30: the armed stop must be seen; every waiting state has an end."""
    chase = chasing()
    assert chase.observation.algo_orders is not None
    a_while_ago = replace(chase.observation.algo_orders, at_ms=NOW - 1_001)
    unseen = replace(chase.observation, algo_orders=a_while_ago)
    situations = [
        replace(
            chase,
            observation=unseen,
            ledger=chase.ledger.with_life(replace(chase.life, chasing_ms=NOW - waited_ms)),
        )
        for waited_ms in (60_000, 60_001)
    ]

    plans = [make_plan(s) for s in situations]

    assert [placed(plan, ENTRY) for plan in plans] == [[], []]
    assert "stop_not_resting" in held(plans[0])
    assert [plan.ledger.life and plan.ledger.life.chasing_ms for plan in plans] == [
        NOW - 60_000,
        None,
    ]


def test_below_the_zone_a_chase_waits_too() -> None:
    """RULES E1: an entry is sent only while the best ask is not below the lower end."""
    plan = make_plan(chasing(joining="90699.8"))

    assert (placed(plan, ENTRY), held(plan)) == ([], ["price_below_zone"])


# -- post-only -------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_refused_post_only_entry_is_priced_again(side: Side) -> None:
    """RULES E7: -5022 says that the price was already there; the next joins the best price."""
    refused = an_entry(
        side=side,
        price=on(side, "90743.3"),
        status=REJECTED,
        code=POST_ONLY_REFUSED,
        force=TimeInForce.GTX,
    )
    limits = Limits(post_only=True)
    situation = waiting(side, entry=refused, joining=90_730, limits=limits)

    begun = make_plan(situation)
    placing = make_plan(replace(situation, ledger=begun.ledger))

    assert (cancelled(begun), placed(begun, ENTRY)) == ([], [])
    assert [(t.price, t.time_in_force, t.quantity) for t in placed(placing, ENTRY)] == [
        (on(side, 90_730), TimeInForce.GTX, d("0.013"))
    ]


def test_a_post_only_entry_is_not_priced_again_for_ever() -> None:
    """RULES E7, lesson 47: ``chases_max`` counts refused prices too."""
    refused = an_entry(status=REJECTED, code=POST_ONLY_REFUSED)
    situation = waiting(entry=refused, life=a_life("0", chases=3), limits=Limits(post_only=True))

    assert life_of(situation).withdrawing == "entry_rejected"


SPENT = table("""
confidence  spread  enabled  joining  price    why
0.75        0.1     yes      90730    90775.4  the immediate order, bounded by slippage
0.75        0.1     yes      90760    90786.6  bounded by the interval
0.7499      0.1     yes      90730    -        not confident enough
0.75        46      yes      90730    -        the spread is wide
0.75        0.1     no       90730    -        switched off
0.75        0.1     yes      90786.6  -        no legal price takes the ask
""")


@pytest.mark.parametrize("row", SPENT, ids=ids(SPENT))
def test_a_refused_post_only_entry_with_its_chases_spent_goes_to_the_fallback(
    row: list[str],
) -> None:
    """RULES E7: the last chase was refused like those before it; the gates of the IOC decide.

    Withdrawing at once left out the last step of the rule just where it is wanted: the price is
    already there.
    """
    confidence, spread, enabled, joining, price, _ = row
    refused = an_entry(revision=4, status=REJECTED, code=POST_ONLY_REFUSED, finished_ms=NOW - 500)
    situation = waiting(
        entry=refused,
        life=a_life("0", chases=3, confidence=d(confidence)),
        limits=Limits(post_only=True, fallback_enabled=enabled == "yes"),
        joining=joining,
        spread=spread,
    )

    begun = make_plan(situation)
    placing = make_plan(replace(situation, ledger=begun.ledger))

    if price == "-":
        assert begun.ledger.life is not None
        assert begun.ledger.life.withdrawing == "entry_rejected"
        assert placed(placing, ENTRY) == []
    else:
        assert [(t.price, t.time_in_force) for t in placed(placing, ENTRY)] == [
            (d(price), TimeInForce.IOC)
        ]


def test_a_refused_remainder_that_no_order_can_carry_is_not_chased_again_and_again() -> None:
    """RULES E7, lesson 47: what filled is a position; the rest is below any order."""
    first = an_entry(status=CANCELLED, filled="0.0129", finished_ms=NOW - 5_000)
    refused = an_entry("0.0001", revision=2, status=REJECTED, code=POST_ONLY_REFUSED, price=90_770)
    life = a_life("0.0129", chases=1)

    plan = make_plan(
        a_situation(life, (first, refused, a_stop(), a_floor()), decision=a_decision())
    )

    assert plan.ledger.life is not None
    assert (placed(plan, ENTRY), plan.ledger.life.chasing_ms) == ([], None)


def test_another_refusal_is_not_chased() -> None:
    """RULES E7: margin missing (-2019) does not get better by another price."""
    refused = an_entry(status=REJECTED, code=-2019)

    life = life_of(waiting(entry=refused))

    assert (life.chasing_ms, life.withdrawing) == (None, "entry_rejected")


def test_a_part_that_filled_is_kept_when_the_replacement_is_refused() -> None:
    """RULES E7: margin ran out for the remainder; what filled is a position, not a chase."""
    first = an_entry(status=CANCELLED, filled="0.004", finished_ms=NOW - 5_000)
    refused = an_entry("0.009", revision=2, status=REJECTED, code=-2019, price=90_770)
    life = a_life("0.004", chases=1)

    plan = make_plan(
        a_situation(life, (first, refused, a_stop(), a_floor()), decision=a_decision())
    )

    assert placed(plan, ENTRY) == []
    assert plan.ledger.life is not None
    assert (plan.ledger.life.chasing_ms, plan.ledger.life.withdrawing) == (None, None)


# -- the immediate order ---------------------------------------------------------------------------

FALLBACKS = table("""
chases  confidence  spread  enabled  joining  price    why
3       0.75        0.1     yes      90760    90786.6  bounded by the interval
3       0.75        0.1     yes      90730    90775.4  bounded by slippage: 0.05 % of the ask
2       0.75        0.1     yes      90760    chase    chases are not spent
3       0.7499      0.1     yes      90760    -        not confident enough
3       0.75        46      yes      90740    -        the spread is wider than 0.05 %
3       0.75        0.1     no       90760    -        switched off
3       0.75        0.1     yes      90786.5  90786.6  the ask is the last legal price
3       0.75        0.1     yes      90786.6  -        the ask is beyond it
4       0.75        0.1     yes      90760    -        there is only one immediate order
""")


@pytest.mark.parametrize("row", FALLBACKS, ids=ids(FALLBACKS))
def test_one_bounded_immediate_order_when_the_chases_are_spent(row: list[str]) -> None:
    """RULES E7: IOC at bounded slippage inside the interval, on four conditions."""
    chases, confidence, spread, enabled, joining, price, _ = row
    limits = Limits(fallback_enabled=enabled == "yes")
    situation = chasing(
        chases=int(chases),
        joining=joining,
        spread=spread,
        limits=limits,
        life_changes={"confidence": d(confidence)},
    )

    orders = placed(make_plan(situation), ENTRY)

    if price == "-":
        assert orders == []
    elif price == "chase":
        assert [t.time_in_force for t in orders] == [TimeInForce.GTC]
    else:
        assert [(t.price, t.time_in_force) for t in orders] == [(d(price), TimeInForce.IOC)]


def test_the_short_immediate_order_is_bounded_below_the_bid() -> None:
    """RULES E7: mirrored; percentages are of price."""
    situation = chasing(SHORT, chases=3, joining=90_760, life_changes=bold())

    (terms,) = placed(make_plan(situation), ENTRY)

    # bid 91239.9 less 0.05 % = 91194.28, but the interval ends at 91213.4
    assert (terms.side, terms.price, terms.time_in_force) == (
        OrderSide.SELL,
        d("91213.4"),
        TimeInForce.IOC,
    )


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_the_immediate_order_too_keeps_its_distance_from_the_stop(side: Side) -> None:
    """RULES E1: every later price, IOC included, stays on the target side of S/(1-m).

    Price came back while the cancel was on its way: the slipped price would be nearer to the stop
    than 0.35 %.
    """
    stop = on(side, 90_470)
    zone = sorted((on(side, 90_700), on(side, 90_846)))
    life = {"initial_stop": stop, "stop_level": stop, "zone_low": zone[0], "zone_high": zone[1]}
    situation = chasing(side, chases=3, joining=90_710, life_changes=bold(**life))
    ledger: Ledger = replace(
        situation.ledger, orders=(situation.ledger.orders[0], a_stop(stop, side=side))
    )
    near, _ = legal_interval(situation.life, Limits(), an_instrument())

    orders = placed(make_plan(replace(situation, ledger=ledger)), ENTRY)

    prices = [t.price for t in orders if t.price is not None]
    assert all(side.gain(near, price) >= 0 for price in prices), (near, prices)


@pytest.mark.parametrize("filled", ["0", "0.004"])
def test_after_the_immediate_order_there_is_nothing_more_to_chase(filled: str) -> None:
    """RULES E7: what filled is a position, nothing filled is a withdrawal."""
    first = an_entry(status=CANCELLED, finished_ms=NOW - 5_000)
    ioc = an_entry(
        revision=2, status=EXPIRED, filled=filled, force=TimeInForce.IOC, finished_ms=NOW - 500
    )
    life = a_life(filled, chases=4)

    plan = make_plan(a_situation(life, (first, ioc, a_stop(), a_floor()), decision=a_decision()))

    assert plan.ledger.life is not None
    assert placed(plan, ENTRY) == []
    assert plan.ledger.life.withdrawing == (None if filled != "0" else "entry_rejected")


# -- the stop meanwhile ----------------------------------------------------------------------------


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("filled", ["0", "0.004"])
def test_the_armed_stop_is_neither_moved_nor_touched_by_a_chase(side: Side, filled: str) -> None:
    """RULES E1, E7, A4: it covers the whole planned quantity before, between and after."""
    begin = waiting(side)
    between = chasing(side, filled=filled)
    after = replace(between, ledger=make_plan(between).ledger)

    for situation in (begin, between, after):
        plan = make_plan(situation)
        assert (placed(plan, PRIMARY), cancelled(plan, PRIMARY)) == ([], [])
        assert plan.ledger.life is not None
        assert plan.ledger.life.initial_stop == on(side, 90_380)
        assert [o.terms.quantity for o in plan.ledger.of_life(PRIMARY)] == [d("0.013")]


def test_between_two_entries_the_targets_wait() -> None:
    """RULES F6: the base is the position when the entry became final; a chase is not final."""
    situation = chasing(filled="0.004")

    plan = make_plan(situation)

    assert not situation.ledger.entries_are_final
    assert placed(plan, OrderRole.TP1, OrderRole.TP2) == []


def test_a_reason_to_withdraw_ends_the_chase() -> None:
    """RULES E5, E7: TP1 came while the predecessor was being cancelled."""
    situation = chasing(price=91_600)

    plan = make_plan(situation)

    assert plan.ledger.life is not None
    assert (plan.ledger.life.withdrawing, plan.ledger.life.chasing_ms) == ("tp1_reached", None)
    assert placed(plan, ENTRY) == []


# -- the timeout -----------------------------------------------------------------------------------

TIMEOUTS = table("""
filled  notional_min  closing    why
0.001   100           emergency  91 USDT: no order may be that small
0.001   50            -          91 USDT: kept
0.004   50            -          kept
""")


@pytest.mark.parametrize("row", TIMEOUTS, ids=ids(TIMEOUTS))
def test_what_filled_too_little_by_the_timeout_is_closed_at_once(row: list[str]) -> None:
    """RULES E7, lesson 19: reduce-only needs no minimum; a lasting position does."""
    filled, least, closing, _ = row
    life = a_life(filled, withdrawing="entry_timeout", withdrawing_ms=NOW - 2_000)
    entry = an_entry(status=CANCELLED, filled=filled, finished_ms=NOW - 500)
    instrument = an_instrument(notional_min=Decimal(least))

    plan = make_plan(
        a_situation(life, (entry, a_stop(), a_floor()), instrument=Fact(instrument, NOW))
    )

    assert plan.ledger.life is not None
    assert (plan.ledger.life.closing or "-") == closing
    assert [t.quantity for t in placed(plan, OrderRole.EMERGENCY)] == (
        [] if closing == "-" else [d(filled)]
    )


def test_the_timeout_cancels_a_chased_entry_like_any_other() -> None:
    """RULES E7: counted from arming, so chases do not prolong it."""
    entry = an_entry(revision=3, rested_ms=NOW - 1_000, status=WORKING)
    life = a_life("0", chases=2, armed_ms=NOW - 900_001)

    situation = waiting(life=life, entry=entry)

    assert (life_of(situation).withdrawing, cancelled(make_plan(situation))) == (
        "entry_timeout",
        [an_id(ENTRY, 3)],
    )


def test_a_filled_entry_is_not_chased() -> None:
    """RULES E7: there is nothing left of it."""
    situation = a_situation(a_life(), (a_filled_entry(), a_stop(), a_floor()), price=90_770)

    assert life_of(situation).chasing_ms is None
