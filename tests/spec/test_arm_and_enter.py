"""Arm, then enter: the stop rests before the entry is sent (RULES E4, D1)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.domain.action import Configure, Hold, PlaceOrder
from engine.domain.condition import Condition, HaltReason
from engine.domain.decision import LiquidationZone
from engine.domain.limits import Limits
from engine.domain.observation import Fact, Quote, SymbolConfig
from engine.domain.order import Order, OrderReport
from engine.domain.position import Origin, Zone
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, OrderType, Side, TimeInForce, WorkingPrice
from engine.plan.entry import arm_again, enter
from engine.plan.planner import make_plan
from tests.builders import (
    ENTRY,
    LONG,
    NOW,
    PRIMARY,
    REJECTED,
    SHORT,
    UNKNOWN,
    a_candle,
    a_decision,
    a_ledger,
    a_life,
    a_position,
    a_situation,
    a_stop,
    an_entry,
    an_equity,
    an_id,
    an_inbox,
    cancelled,
    d,
    held,
    ids,
    on,
    placed,
    seen,
    table,
)


def ready(side: Side = LONG, **changes: Any) -> Situation:
    """Return a flat, clean, settled account with a fresh decision."""
    ledger = changes.pop("ledger", a_ledger())
    look = changes.pop("observation", None) or seen(ledger, price=on(side, 90_760))
    given = {"decision": a_decision(side), **changes}
    return a_situation(ledger=ledger, observation=look, **given)


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_when_every_gate_passes_the_stop_is_armed_and_nothing_else(side: Side) -> None:
    """RULES E4: exit side, reduce-only, full quantity, good till cancelled, on the last price."""
    plan = make_plan(ready(side))

    (action,) = plan.actions
    assert isinstance(action, PlaceOrder)
    terms = action.terms
    assert (terms.client_id, terms.side, terms.type) == (
        an_id(PRIMARY),
        side.closing,
        OrderType.STOP_MARKET,
    )
    assert (terms.quantity, terms.trigger_price, terms.reduce_only) == (
        d("0.013"),
        on(side, 90_380),
        True,
    )
    assert (terms.working_price, terms.time_in_force) == (WorkingPrice.LAST, TimeInForce.GTC)
    assert action.action_class is ActionClass.ENTER


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_the_life_copies_the_decisions_terms(side: Side) -> None:
    """RULES B4: losing the decision file loses nothing."""
    zone = LiquidationZone("cluster_1", d(92_400), d(92_300), d(92_500), d("0.9"), given_id=True)
    decision = a_decision(side, zone_id="cluster_1", zones=(zone,), swing_low=d(90_500))

    life = make_plan(ready(side, decision=decision)).ledger.life

    assert life is not None
    assert (life.generation, life.origin, life.side) == (1, Origin.DECISION, side)
    assert (life.limit_price, life.initial_stop, life.planned_quantity) == (
        on(side, "90743.3"),
        on(side, 90_380),
        d("0.013"),
    )
    assert life.zone == Zone("cluster_1", d(92_300), d(92_500), given_id=True)
    assert (life.tp1_price, life.tp2_price, life.stop_level) == (
        on(side, 91_600),
        on(side, 92_900),
        None,
    )


def test_the_quantity_is_the_notional_at_the_limit_price() -> None:
    """RULES D1: leverage never multiplies the size; quantities are rounded down."""
    sizes = []
    for size, leverage in ((1200, 3), (1200, 10), (1179, 3)):
        decision = a_decision(size_usdt=d(size), leverage=leverage)
        config = Fact(SymbolConfig(leverage, is_isolated=True), NOW)
        look = replace(seen(a_ledger()), symbol_config=config)
        plan = make_plan(ready(decision=decision, observation=look))
        sizes.append(placed(plan)[0].quantity)

    assert sizes == [d("0.013"), d("0.013"), d("0.012")]


def test_margin_type_and_leverage_come_first_and_are_read_back() -> None:
    """RULES E4: both are set while flat and unarmed, the stop waits until they read right."""
    look = replace(seen(a_ledger()), symbol_config=Fact(SymbolConfig(20, is_isolated=False), NOW))
    unread = replace(look, symbol_config=None)

    first = make_plan(ready(observation=look))
    second = make_plan(ready(observation=unread))

    assert [(a.leverage, a.isolated) for a in first.actions if isinstance(a, Configure)] == [
        (None, True),
        (3, None),
    ]
    assert (placed(first), first.ledger.life) == ([], None)
    assert (second.actions, second.ledger.life) == ((), None)


def test_nothing_is_armed_without_a_decision_to_open() -> None:
    """The keeper never chooses a direction."""
    plan = make_plan(a_situation())

    assert (plan.actions, plan.gates) == ((), ())


def test_nothing_is_armed_beside_a_position_of_anybody() -> None:
    """RULES E3: the book and the position must be clean."""
    ledger = a_ledger(position_quantity=d("0.5"))
    situation = ready(ledger=ledger, observation=seen(ledger, position=a_position("0.5")))

    assert make_plan(situation).actions == ()


def test_generations_continue() -> None:
    """RULES G3: 1 + the highest seen."""
    plan = make_plan(ready(ledger=a_ledger(generation=41)))

    assert placed(plan)[0].client_id == an_id(PRIMARY, 1, generation=42)


def armed(side: Side = LONG, *, stop: Order | None = None, **changes: Any) -> Situation:
    """Return a life whose stop was seen resting a moment ago, its entry not yet sent."""
    resting = stop or a_stop(on(side, 90_380), side=side)
    given = {"decision": a_decision(side), **changes}
    return a_situation(a_life("0", side=side), (resting,), **given)


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_the_entry_follows_the_stop_that_is_seen_resting(side: Side) -> None:
    """RULES E4: a limit at p0 for the whole quantity."""
    plan = make_plan(armed(side))

    assert [
        (t.client_id, t.side, t.type, t.quantity, t.price, t.can_open, t.time_in_force)
        for t in placed(plan)
    ] == [
        (
            an_id(ENTRY),
            side.opening,
            OrderType.LIMIT,
            d("0.013"),
            on(side, "90743.3"),
            True,
            TimeInForce.GTC,
        )
    ]


def test_post_only_where_configured() -> None:
    """RULES E4: an option."""
    (terms,) = placed(make_plan(armed(limits=Limits(post_only=True))))

    assert terms.time_in_force is TimeInForce.GTX


STOPS = table("""
stop       why
unknown    of unknown fate
doubtful   not seen now
too_small  not for the whole quantity
old        seen more than a second ago
never      not in the list
unread     the list was not read
""")


@pytest.mark.parametrize("row", STOPS, ids=ids(STOPS))
def test_without_a_stop_seen_resting_no_entry_leaves(row: list[str]) -> None:
    """RULES E4, lesson 37: success is stated only from a read."""
    stop = {
        "unknown": a_stop(status=UNKNOWN),
        "doubtful": a_stop(doubtful_since_ms=NOW),
        "too_small": a_stop(quantity="0.012"),
    }.get(row[0], a_stop())
    situation = armed(stop=stop)
    told = situation.observation.algo_orders
    assert told is not None
    listings: dict[str, Fact[tuple[OrderReport, ...]] | None] = {
        "old": replace(told, at_ms=NOW - 1_001),
        "never": Fact((), NOW),
        "unread": None,
    }
    listing = listings.get(row[0], told)
    look = replace(situation.observation, algo_orders=listing)
    situation = replace(situation, observation=look)

    assert placed(make_plan(situation), ENTRY) == []


HINDRANCES = table("""
hindrance  reason             why
settled    picture_unsettled  only one settled picture
picture    picture_unsettled  a list was not read
price      price_unknown      no last price
quote      price_unknown      no quote
filters    price_unknown      no filters
gap        min_gap            price too near the stop
below      price_below_zone   best ask below the zone
store      not_allowed        the store cannot write
breaker    not_allowed        the exchange is in trouble
suspended  suspended          a newer document is refused: nothing is sent (D4)
flat       suspended          one that reads flat is there
spread     spread_narrow      the spread has opened since it was armed
drawdown   drawdown_day       a limit was reached while it waited
minutes    volatility_calm    a minute moved too far
""")


@pytest.mark.parametrize("row", HINDRANCES, ids=ids(HINDRANCES))
def test_what_keeps_an_armed_entry_back(row: list[str]) -> None:
    """RULES E1, E4, C3: judged once more right before it leaves."""
    hindrance, reason, _ = row
    situation = armed()
    look = situation.observation
    looks = {
        "picture": replace(look, orders=None),
        "price": replace(look, candles=None),
        "quote": replace(look, quote=None),
        "filters": replace(look, instrument=None),
        "below": replace(look, quote=Fact(Quote(d("90699.8"), d("90699.9")), NOW)),
        "spread": replace(look, quote=Fact(Quote(d("90760"), d("90860")), NOW)),
        "minutes": replace(
            look,
            candles=Fact((a_candle(90_760, -1, low=89_000, high=90_800), a_candle(90_760)), NOW),
        ),
    }
    inboxes = {
        "suspended": replace(situation.inbox, suspended_since_ms=NOW - 1),
        "flat": replace(situation.inbox, reads_flat=True),
    }
    conditions = {
        "store": Condition(is_store_writable=False),
        "breaker": Condition(is_breaker_open=True),
    }
    if hindrance == "settled":
        situation = replace(situation, ledger=replace(situation.ledger, settled_streak=1))
    elif hindrance == "gap":
        stop = a_stop(90_750)
        situation = a_situation(a_life("0", stop_level=d(90_750)), (stop,), decision=a_decision())
    situation = replace(
        situation,
        observation=looks.get(hindrance, situation.observation),
        condition=conditions.get(hindrance, situation.condition),
        inbox=inboxes.get(hindrance, situation.inbox),
    )
    if hindrance == "drawdown":
        situation = replace(situation, ledger=replace(situation.ledger, equity=an_equity(d("979"))))

    plan = make_plan(situation)

    assert placed(plan, ENTRY) == []
    if hindrance == "flat":  # which withdraws it as well, and then there is nothing to hold back
        assert plan.ledger.life is not None
        assert plan.ledger.life.withdrawing == "flat_decision"
    else:
        assert reason in held(plan)


def test_without_its_document_an_armed_entry_is_judged_by_its_age_and_the_market() -> None:
    """RULES D2, E3: a file that was taken away says nothing against what it had said.

    A book that opened meanwhile does: with the document gone no gate was asked any more.
    """
    situation = replace(armed(), inbox=an_inbox(None))
    wide = replace(situation.observation, quote=Fact(Quote(d("90760"), d("90860")), NOW))
    plan = make_plan(replace(situation, observation=wide))

    assert len(placed(make_plan(situation), ENTRY)) == 1
    assert placed(plan, ENTRY) == []
    assert "spread_narrow" in held(plan)


def test_a_halt_withdraws_instead_of_entering() -> None:
    """DESIGN section 7: a halt stops entries; what was armed is taken back."""
    plan = make_plan(armed(condition=Condition(halts=(HaltReason("x", "", NOW),))))

    assert placed(plan) == []
    assert cancelled(plan) == [an_id(PRIMARY)]


def test_one_entry_a_life() -> None:
    """RULES E6, B3: one arm-and-enter per decision's terms."""
    situation = a_situation(
        a_life("0"), (a_stop(), an_entry(status=UNKNOWN)), decision=a_decision()
    )

    assert placed(make_plan(situation), ENTRY) == []


def test_the_plan_says_where_an_entry_would_be_allowed() -> None:
    """Contracts: keeper plan shows the effective zone and every gate."""
    plan = make_plan(ready(ledger=a_ledger(history_read_ms=None)))

    assert plan.effective_zone == (d(90_700), d("90786.6"))
    assert plan.actions == ()
    assert [g.code for g in plan.gates if g.verdict.value == "refuse"] == ["history_read"]


def test_a_third_stop_of_unknown_fate_is_not_followed_by_a_fourth() -> None:
    """RULES C4: at most three possibly resting; at the cap: look, place no more."""
    unseen: dict[str, Any] = {"status": UNKNOWN, "rested_ms": None}
    two = [a_stop(revision=n, **unseen) for n in (1, 2)]
    three = [*two, a_stop(revision=3, **unseen)]

    below, at_the_cap = (arm_again(a_situation(a_life("0"), x)) for x in (two, three))

    assert [a.terms.client_id for a in below.actions if isinstance(a, PlaceOrder)] == [
        an_id(PRIMARY, 3)
    ]
    assert (at_the_cap.actions, at_the_cap.holds) == (
        (),
        (Hold("arm_again", "possibly_resting_max"),),
    )


@pytest.mark.parametrize("age_ms", [999, 1_000])
def test_what_never_leaves_is_tried_again_ever_more_rarely(age_ms: int) -> None:
    """RULES C4, H4, lesson 47: after four attempts at once the stop, then the entry, waits."""
    unsent: dict[str, Any] = {"status": REJECTED, "finished_ms": NOW - age_ms}
    stops = [a_stop(revision=n, **unsent) for n in range(1, 6)]
    entries = [an_entry(revision=n, **unsent) for n in range(1, 6)]
    resting = a_stop()

    again = arm_again(a_situation(a_life("0"), stops))
    entering = enter(a_situation(a_life("0"), (resting, *entries)))

    waits = age_ms < 1_000
    assert [len(again.actions), len(entering.actions)] == ([0, 0] if waits else [1, 1])
    assert (*again.holds, *entering.holds) == (
        (Hold("arm_again", "backoff"), Hold("enter", "backoff")) if waits else ()
    )
