"""What another hand did to our life is named, once, with both numbers (DESIGN section 5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.domain.drift import Drift
from engine.domain.identity import OrderRole
from engine.domain.ledger import Ledger
from engine.domain.order import Fill
from engine.domain.position import Origin
from engine.domain.terms import Side
from engine.reconcile.others import drifts_of_others
from tests.builders import (
    CANCELLED,
    EXPIRED,
    FLOOR,
    LONG,
    NOW,
    PRIMARY,
    SHORT,
    TP1,
    a_fill,
    a_ledger,
    a_life,
    d,
    ids,
    table,
    the_usual_orders,
)

both_sides = pytest.mark.parametrize("side", [LONG, SHORT])


def the_ledger(side: Side = LONG, **changes: Any) -> Ledger:
    return replace(a_ledger(a_life(side=side), the_usual_orders(side)), **changes)


def with_order(ledger: Ledger, role: OrderRole, **changes: Any) -> Ledger:
    order = next(o for o in ledger.orders if o.role is role)
    return ledger.with_order(replace(order, **changes))


def kinds(drifts: list[Drift]) -> list[str]:
    return [str(drift.kind) for drift in drifts]


ENDS = table("""
role     status     ours  flat  told                why
primary  cancelled  no    no    vanished_own_order  somebody took the stop away
tp1      cancelled  no    no    vanished_own_order  or a target
floor    cancelled  no    no    vanished_own_order  or the floor
primary  cancelled  yes   no    -                   we asked for it
primary  expired    no    no    -                   the exchange ended it, nobody cancelled it
floor    cancelled  no    yes   -                   it closes a position that is gone
primary  cancelled  no    yes   vanished_own_order  the exchange does not clean this one up
""")


@both_sides
@pytest.mark.parametrize("row", ENDS, ids=ids(ENDS))
def test_an_order_that_somebody_cancelled_is_named(row: list[str], side: Side) -> None:
    """DESIGN 5: its fate is known by id, and whose doing it was is not ours."""
    name, status, ours, flat, told, _ = row
    role = {"primary": PRIMARY, "tp1": TP1, "floor": FLOOR}[name]
    before = the_ledger(side)
    ended = {"cancelled": CANCELLED, "expired": EXPIRED}[status]
    after = with_order(
        before, role, status=ended, cancel_sent_ms=NOW - 500 if ours == "yes" else None
    )
    if flat == "yes":
        after = replace(after, position_quantity=d(0))

    drifts = drifts_of_others(before, after)

    assert kinds(drifts) == ([] if told == "-" else [told])
    assert drifts_of_others(after, after) == []


def test_an_order_that_is_found_cancelled_was_not_lost_today() -> None:
    """RULES B4: history told to an empty ledger is no news."""
    after = with_order(the_ledger(), PRIMARY, status=CANCELLED)

    assert drifts_of_others(replace(after, orders=()), after) == []


def theirs(name: str = "web_7", **changes: Any) -> Fill:
    return replace(a_fill(number=9, quantity="0.005"), client_id=name, **changes)


@both_sides
def test_somebodys_trade_is_named_with_both_numbers(side: Side) -> None:
    """DESIGN 5: the exchange is right; both numbers are stored."""
    before = the_ledger(side)
    fill = theirs(side=side.opening)
    after = replace(before, fills=(fill,), position_quantity=d("0.018") * side.sign)

    (drift,) = drifts_of_others(before, after)

    sign = "" if side is LONG else "-"
    assert drift.kind == "quantity_gap"
    assert drift.detail == (
        f"{side.opening} 0.005 at 90743.3 by web_7: position {sign}0.013 -> {sign}0.018"
    )


TRADES = table("""
known    now              told
-        web_1            quantity_gap
-        autoclose-17     quantity_gap
-        (unnamed)        -
unnamed  web_1            quantity_gap
web_1    web_1            -
-        kp7f3aq2001e001  -
-        kp7f3aq2009s001  zombie
""")


@pytest.mark.parametrize("row", TRADES, ids=[" ".join(row) for row in TRADES])
def test_a_trade_is_named_when_it_is_known_whose_it_is(row: list[str]) -> None:
    """Lesson 33, RULES F7, G6: the order is asked for after the trade; a zombie is an alarm."""
    known, now, told = row
    before = the_ledger()
    if known != "-":
        before = replace(before, fills=(theirs("" if known == "unnamed" else known),))
    after = replace(before, fills=(theirs("" if now == "(unnamed)" else now),))

    assert kinds(drifts_of_others(before, after)) == ([] if told == "-" else [told])


@pytest.mark.parametrize("case", ["no life", "somebody else's"])
def test_what_is_traded_beside_no_life_of_ours_is_their_business(case: str) -> None:
    """RULES G1: somebody's position is protected, its trades are not judged."""
    before = a_ledger(None if case == "no life" else a_life(origin=Origin.ORPHAN))
    after = replace(before, fills=(theirs(),))

    assert drifts_of_others(before, after) == []
