"""What own entries executed beyond the decision's quantity is closed again (RULES B3, D1).

It takes an exchange that breaks its word about windows and visibility; then it is seen, withdrawn
where it still rests, and closed where it has executed, within two looks.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.domain.drift import DriftKind
from engine.domain.limits import Limits
from engine.domain.order import Order
from engine.domain.position import ExitReason, Origin
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, OrderType, Side
from engine.plan.attempts import PROTECT_ATTEMPTS
from engine.plan.planner import make_plan
from engine.reconcile.settle import reconcile
from tests.builders import (
    CANCELLED,
    EMERGENCY,
    ENTRY,
    FILLED,
    LONG,
    NOW,
    REJECTED,
    SHORT,
    UNKNOWN,
    a_decision,
    a_filled_entry,
    a_floor,
    a_ledger,
    a_life,
    a_situation,
    a_stop,
    an_entry,
    an_order,
    cancelled,
    d,
    held,
    ids,
    on,
    placed,
    seen,
    table,
)

both_sides = pytest.mark.parametrize("side", [LONG, SHORT])


def twice(side: Side = LONG, *more: Order, held_now: str = "0.026", **life: object) -> Situation:
    """Return a life whose entry was given up for dead, entered anew, and filled twice."""
    price = on(side, "90743.3")
    entries = (
        a_filled_entry(side=side, price=price),
        a_filled_entry(side=side, price=price, revision=2),
    )
    stops = (a_stop(on(side, 90_380), "0.026", side=side), a_floor(on(side, 90_380), side=side))
    changed = replace(a_life(held_now, side=side), **life)  # type: ignore[arg-type]
    return a_situation(changed, (*entries, *stops, *more))


def closing(side: Side = LONG, revision: int = 1, **changes: object) -> Order:
    return an_order(EMERGENCY, side=side, revision=revision, **changes)  # type: ignore[arg-type]


@both_sides
def test_an_excess_that_own_orders_hold_closes_the_whole(side: Side) -> None:
    """RULES B3, lesson 35: refused twice as reserved, a part cannot leave; what makes way does."""
    refused = [
        closing(side, number, status=REJECTED, code=-2022, quantity="0.013", intended_ms=NOW - 250)
        for number in (1, 2)
    ]
    once, again = twice(side, refused[0]), twice(side, *refused)
    elsewhere = twice(side, *refused, held_now="0.013", origin=Origin.IMPORTED)

    plans = [make_plan(situation) for situation in (once, again, elsewhere)]

    closings = [plan.ledger.life and plan.ledger.life.closing_why for plan in plans]
    assert closings == ["", "excess_held", ""]


@both_sides
def test_the_excess_is_closed_at_market_and_the_rest_goes_on(side: Side) -> None:
    """RULES B3: reduce-only, for what is too much and no more; the life is not being closed."""
    plan = make_plan(twice(side))

    (terms,) = placed(plan, EMERGENCY)
    assert (terms.type, terms.quantity, terms.side, terms.reduce_only) == (
        OrderType.MARKET,
        d("0.013"),
        side.closing,
        True,
    )
    (action,) = [a for a in plan.actions if getattr(a, "reason", "") == "excess"]
    assert getattr(action, "action_class", None) is ActionClass.PROTECT
    assert plan.ledger.life is not None
    assert plan.ledger.life.closing is None


CLOSED = table("""
attempt    closes  why
filled     -       it was closed
working    -       it is under way
unknown    -       it may have executed: the next look tells
refused    0.013   the exchange said no: once more
part       0.009   a part of it executed
smaller    0.005   what is left of the position is less than that
""")


@pytest.mark.parametrize("row", CLOSED, ids=ids(CLOSED))
def test_what_was_or_may_be_closed_of_it_is_not_closed_again(row: list[str]) -> None:
    """RULES B3, C4: an excess is closed once."""
    attempt, closes, _ = row
    more = {
        "filled": (closing(status=FILLED, filled="0.013"),),
        "working": (closing(),),
        "unknown": (closing(status=UNKNOWN),),
        "refused": (closing(status=REJECTED, code=-1008),),
        "part": (closing(status=CANCELLED, filled="0.004"),),
    }.get(attempt, ())
    situation = twice(LONG, *more, held_now="0.005" if attempt == "smaller" else "0.026")

    found = [t.quantity for t in placed(make_plan(situation), EMERGENCY)]

    assert found == ([] if closes == "-" else [d(closes)])


LEFT = table("""
life       why
imported   whose quantity nobody decided here
closing    all of it is being closed
flat       this look shows nothing
armed      nothing was opened
""")


@pytest.mark.parametrize("row", LEFT, ids=ids(LEFT))
def test_where_there_is_no_excess_to_speak_of_nothing_is_closed(row: list[str]) -> None:
    """RULES B3: of a decision's own life, while it stands."""
    changes: dict[str, dict[str, object]] = {
        "imported": {"origin": Origin.IMPORTED},
        "flat": {"flat_seen_ms": NOW - 500},
        "armed": {"opened_ms": None},
        "closing": {"closing": ExitReason.FLATTEN, "closing_ms": NOW - 500},
    }
    plan = make_plan(twice(**changes[row[0]]))  # type: ignore[arg-type]

    assert "excess" not in [getattr(a, "reason", "") for a in plan.actions]


def test_an_excess_that_nobody_takes_is_paced() -> None:
    """Lesson 38: after ten seconds of refusals."""
    refused = [
        closing(revision=n, status=REJECTED, code=-1008, finished_ms=NOW - 250)
        for n in range(1, PROTECT_ATTEMPTS + 2)
    ]

    plan = make_plan(twice(LONG, *refused))

    assert (placed(plan, EMERGENCY), "backoff" in held(plan)) == ([], True)


WORKING = table("""
executed  working  withdrawn  why
0.013     0.013    yes        one that was given up for dead came back
0         0.026    yes        both rest
0.004     0.009    no         the remainder of one entry
0.013     0        no         nothing can execute any more
""")


@both_sides
@pytest.mark.parametrize("row", WORKING, ids=ids(WORKING))
def test_an_entry_that_would_be_too_much_is_withdrawn(row: list[str], side: Side) -> None:
    """RULES B3, D1: executed, working and unknown together never exceed the quantity."""
    executed, working, withdrawn, _ = row
    given = {"side": side, "price": on(side, "90743.3")}
    first = an_entry(executed, status=FILLED, filled=executed, **given)  # type: ignore[arg-type]
    second = an_entry(working, revision=2, **given)  # type: ignore[arg-type]
    entries = (second,) if executed == "0" else (first, second) if working != "0" else (first,)
    life = a_life(executed, side=side, base_quantity=None, entry_final_ms=None)
    stops = (a_stop(on(side, 90_380), "0.026", side=side), a_floor(on(side, 90_380), side=side))
    situation = a_situation(life, (*entries, *stops), decision=a_decision(side))

    plan = make_plan(situation)

    assert plan.ledger.life is not None
    assert (plan.ledger.life.withdrawing == "quantity_spent") is (withdrawn == "yes")
    assert cancelled(plan, ENTRY) == ([second.id] if withdrawn == "yes" else [])


@pytest.mark.parametrize(
    ("origin", "revisions", "is_told"),
    [
        (Origin.DECISION, (1, 2), True),
        (Origin.DECISION, (1,), False),
        (Origin.IMPORTED, (1, 2), False),
    ],
)
def test_the_excess_is_told(origin: Origin, revisions: tuple[int, ...], is_told: bool) -> None:
    """RULES B3, B5: the exchange broke its word, and somebody should know."""
    entries = [a_filled_entry(revision=revision) for revision in revisions]
    life = a_life(str(d("0.013") * len(revisions)), origin=origin)
    ledger = a_ledger(life, (*entries, a_stop()))

    _, drifts = reconcile(ledger, seen(ledger), Limits())

    assert (DriftKind.EXCESS in [x.kind for x in drifts]) is is_told
