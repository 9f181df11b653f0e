"""A level only ever tightens, by overlap, with distance, step and pace (RULES B2, F3, F4, F10)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from engine.domain.action import PlaceOrder
from engine.domain.limits import KeepOrClose, Limits
from engine.domain.order import Order
from engine.domain.position import ExitReason, LevelState, Origin
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, Side, WorkingPrice
from engine.plan.attempts import MANAGE_ATTEMPTS
from engine.plan.planner import make_plan
from engine.plan.ratchet import Candidate, gap_of, tightest
from tests.builders import (
    LONG,
    NOW,
    PRIMARY,
    REJECTED,
    SHORT,
    UNKNOWN,
    a_decision,
    a_ledger,
    a_level,
    a_life,
    a_situation,
    a_stop,
    an_entry,
    an_inbox,
    an_instrument,
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


def moving(
    stop: str | None, side: Side = LONG, *more: Order, price: str = "90760", **changes: Any
) -> Situation:
    """Return an open position to which a newer decision of its side offers a stop."""
    life = changes.pop("life", a_life(side=side))
    made_ms = changes.pop("made_ms", NOW - 3_000)
    decision = None
    if stop is not None:
        decision = a_decision(side, id="newer1", made_ms=made_ms, stop_loss=on(side, stop))
    return a_situation(
        life,
        (*the_usual_orders(side), *more),
        inbox=an_inbox(decision),
        price=on(side, price),
        **changes,
    )


def moved(situation: Situation) -> list[Decimal | None]:
    return [t.trigger_price for t in placed(make_plan(situation), PRIMARY)]


DECISIONS = table("""
stop      price  level    why
90400     90760  90400    tighter, and 0.35 % from the price
90442.3   90760  90442.3  exactly 0.35 % away
90442.4   90760  -        nearer than that
90380     90760  -        the same level
90300     90760  -        wider: never
90400.05  90760  90400.1  rounded toward less risk
""")


@pytest.mark.parametrize("row", DECISIONS, ids=ids(DECISIONS))
def test_a_newer_decision_may_tighten_and_never_widen(row: list[str]) -> None:
    """RULES F10, lesson 24: it refines, it never widens."""
    stop, price, level, _ = row

    found = placed(make_plan(moving(stop, price=price)), PRIMARY)

    assert [t.trigger_price for t in found] == ([] if level == "-" else [d(level)])


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_the_new_stop_is_placed_beside_the_old_one(side: Side) -> None:
    """RULES F1, B1: moved by overlap; what rests is cancelled only after the new one is seen."""
    plan = make_plan(moving("90400", side))

    (action,) = plan.actions
    assert isinstance(action, PlaceOrder)
    assert (action.rule, action.reason, action.action_class) == (
        "tighten_stop",
        "decision",
        ActionClass.MANAGE,
    )
    assert (
        action.terms
        == a_stop(on(side, 90_400), side=side, revision=2, working=WorkingPrice.MARK).terms
    )
    assert plan.ledger.levels[-1] == a_level(
        on(side, 90_400),
        2,
        LevelState.PROPOSED,
        side=side,
        reason="decision",
        proposed_ms=NOW,
        settled_ms=None,
    )
    assert cancelled(plan) == []


STALE = table("""
made_ms_ago  why
600001       stale
40000        not newer than the life's own
""")


@pytest.mark.parametrize("row", STALE, ids=ids(STALE))
def test_only_a_fresh_newer_decision_speaks(row: list[str]) -> None:
    """Lesson 48: an old or replayed decision does nothing."""
    situation = moving("90400", made_ms=NOW - int(row[0]))

    assert moved(situation) == []


BUSY = table("""
kind       why
closing    the position is being closed
doubt      flat is in doubt
orphan     not ours
naked      cover first
unknown    a stop of unknown fate
two        the old stop has not left yet
picture    no picture
price      no working price
last       no last price
filters    no filters
""")


@pytest.mark.parametrize("row", BUSY, ids=ids(BUSY))
def test_a_stop_is_moved_only_while_all_is_calm(row: list[str]) -> None:
    """RULES F1: at most two primaries in the normal course."""
    kind = row[0]
    lives = {
        "closing": a_life(closing=ExitReason.FLATTEN),
        "doubt": a_life(flat_seen_ms=NOW),
        "orphan": a_life(origin=Origin.ORPHAN),
        "naked": a_life(uncovered_quantity=d("0.001")),
    }
    more = {
        "unknown": (a_stop(status=UNKNOWN, revision=2),),
        "two": (a_stop(90_390, revision=2, cancel_sent_ms=NOW),),
    }
    situation = moving("90400", LONG, *more.get(kind, ()), life=lives.get(kind, a_life()))
    looks = {
        "picture": {"orders": None},
        "price": {"mark": None},
        "last": {"candles": None},
        "filters": {"instrument": None},
    }
    look = replace(situation.observation, **looks.get(kind, {}))  # type: ignore[arg-type]

    plan = make_plan(replace(situation, observation=look))

    assert [t.trigger_price for t in placed(plan, PRIMARY) if t.trigger_price != d(90_380)] == []


def test_a_proposal_of_unknown_fate_binds_a_refused_one_does_not() -> None:
    """RULES F3: compared with max(confirmed, proposals of unknown fate)."""
    proposed = [a_level(90_380), a_level(90_420, 2, LevelState.PROPOSED)]
    refused = [a_level(90_380), a_level(90_420, 2, LevelState.REFUSED)]
    results = []
    for levels in (proposed, refused):
        situation = moving("90400")
        ledger = replace(situation.ledger, levels=tuple(levels))
        results.append(moved(replace(situation, ledger=ledger)))

    assert results == [[], [d(90_400)]]


def test_the_same_refused_level_of_a_decision_is_not_tried_again() -> None:
    """RULES F4, lesson 10: refused, recorded, not repeated."""
    situation = moving("90400")
    refused = (a_level(90_380), a_level("90400", 2, LevelState.REFUSED))

    assert moved(replace(situation, ledger=replace(situation.ledger, levels=refused))) == []


def trailing(price: str, level: str = "90806.9", **life: Any) -> Situation:
    """Return a position after TP1 whose decision's swing is 91000."""
    given = {
        "tp1_done_ms": NOW - 60_000,
        "stop_level": d(level),
        "swing": d(91_000),
        "swing_made_ms": NOW - 40_000,
        "best_price": d(91_500),
        **life,
    }
    orders = tuple(
        a_stop(level) if o.role is PRIMARY else o
        for o in the_usual_orders()
        if o.role.value != "tp1"
    )
    return a_situation(a_life("0.007", **given), orders, price=price)


def test_a_trailing_level_moves_the_stop() -> None:
    """RULES F8: the swing of the decision."""
    assert moved(trailing("91400")) == [d(91_000)]


PACED = table("""
level    swing    last_ms  reason        why
90806.9  90811.8  60000    min_step      less than five
90806.9  90811.9  60000    -             exactly five
90806.9  91000    4999     min_interval  too soon
90806.9  91000    5000     -             long enough
""")


@pytest.mark.parametrize("row", PACED, ids=ids(PACED))
def test_trailing_moves_wait_for_step_and_interval(row: list[str]) -> None:
    """RULES F3, lesson 47: moves below min_step or sooner than min_interval wait."""
    level, swing, ago, reason, _ = row
    situation = trailing("91400", level, swing=d(swing))
    levels = (a_level(level, proposed_ms=NOW - int(ago)),)
    situation = replace(situation, ledger=replace(situation.ledger, levels=levels))

    plan = make_plan(situation)

    assert (placed(plan, PRIMARY) == []) is (reason != "-")
    assert held(plan) == ([] if reason == "-" else [reason])
    if reason != "-":
        assert plan.nexts[0].then == f"stop_level -> {swing}"


def test_no_candidate_nearer_than_the_least_gap_is_sent() -> None:
    """RULES F3: max(2 ticks, min_gap_pct)."""
    situation = moving("90700", LONG, limits=Limits(stop_distance_min_pct=d(0)), price="90710")

    plan = make_plan(situation)

    assert (placed(plan, PRIMARY), held(plan)) == ([], ["min_gap"])
    assert gap_of(an_instrument(), d("0.02"), d(90_000)) == d(18)
    assert gap_of(an_instrument(), d("0.02"), d(100)) == d("0.2")


def test_a_candidate_too_near_does_not_hold_back_one_that_keeps_its_distance() -> None:
    """RULES F3: after TP1 price fell back near the swing; breakeven must still be set."""
    situation = trailing("91005", "90380")

    assert moved(situation) == [d("90788.7")]


def test_the_gap_is_kept_from_both_prices() -> None:
    """RULES C3, F3: the nearer of working and last price."""
    near_last = trailing("91010")
    look = replace(near_last.observation, mark=trailing("91400").observation.mark)

    assert moved(replace(near_last, observation=look)) == []


def test_a_refused_breakeven_that_price_had_reached_closes() -> None:
    """RULES F4: breakeven crossed at the exchange, though our next look is back above."""
    situation = trailing("91400", "90380", swing=None, is_trailing_enabled=False)
    even = placed(make_plan(situation), PRIMARY)[0].trigger_price
    assert even is not None
    refused = a_stop(even, revision=2, status=REJECTED, code=-2021, action_class=ActionClass.MANAGE)
    ledger = replace(situation.ledger, orders=(*situation.ledger.orders, refused))

    closed = make_plan(replace(situation, ledger=ledger)).ledger.life
    keeping = Limits(breakeven_crossed=KeepOrClose.KEEP)
    kept = make_plan(replace(situation, ledger=ledger, limits=keeping)).ledger.life

    assert closed is not None
    assert kept is not None
    assert (closed.closing, kept.closing) == (ExitReason.BREAKEVEN_STOP, None)


def test_moves_that_are_refused_again_and_again_are_paced() -> None:
    """Lessons 10, 47: -4045 for every new stop must not be asked for four times a second."""
    many = [
        a_stop(90_400, revision=n, status=REJECTED, code=-4045, finished_ms=NOW - 250)
        for n in range(2, 3 + MANAGE_ATTEMPTS)
    ]
    situation = trailing("91400")
    ledger = replace(situation.ledger, orders=(*situation.ledger.orders, *many))

    plan = make_plan(replace(situation, ledger=ledger))

    assert (placed(plan), held(plan)) == ([], ["backoff"])


def test_while_the_entry_works_a_tighter_stop_is_armed_for_the_whole_quantity() -> None:
    """RULES D3, A4: the entry stays if our price is still legal under the new stop."""
    orders = (an_entry(), a_stop())
    decision = a_decision(id="newer1", made_ms=NOW - 3_000, stop_loss=d(90_390))
    situation = a_situation(a_life("0"), orders, decision=decision)

    (terms,) = placed(make_plan(situation), PRIMARY)

    assert (terms.trigger_price, terms.quantity, terms.working_price) == (
        d(90_390),
        d("0.013"),
        WorkingPrice.LAST,
    )


def test_the_tightest_candidate_wins_and_the_first_named_a_tie() -> None:
    """RULES F8: inside the approach the tighter of both."""
    named = [Candidate(d(90_500), "a"), Candidate(d(90_600), "b"), Candidate(d(90_600), "c")]

    assert tightest(LONG, named) == named[1]
    assert tightest(SHORT, named) == named[0]
    assert tightest(LONG, []) is None


def test_binding_levels_need_a_life() -> None:
    """RULES A5: levels belong to a generation."""
    assert a_ledger().binding_level is None
    assert seen(a_ledger()).position is not None
