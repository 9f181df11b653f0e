"""A look that tells nothing new is folded without work, and comes to the same (RULES C1, C4).

What is skipped must be exactly what would have changed nothing and named nothing: a doubt not
taken back, a first word not noted or a request not given up would cost cover or an entry.
"""

from __future__ import annotations

from itertools import product

import pytest

from engine.domain.limits import Limits
from engine.domain.observation import Fact, NotFound, Observation
from engine.domain.order import Order, OrderReport, OrderStatus
from engine.domain.values import replace
from engine.reconcile.fills import fold_fills
from engine.reconcile.orders import fold_orders
from tests.builders import (
    NOW,
    PRIMARY,
    a_fill,
    a_foreign_stop,
    a_ledger,
    a_life,
    a_stop,
    an_entry,
    d,
    ids,
    report_of,
    seen,
    table,
)

LIMITS = Limits()
TOLD = tuple(OrderStatus)
"""What a list may say of an order; of the first two no list speaks, and they count as no word."""


def states(order: Order) -> list[Order]:
    """Return the order in every state the ledger may have it in."""
    return [
        replace(
            order,
            status=status,
            rested_ms=rested_ms,
            doubtful_since_ms=doubtful_ms,
            exchange_id=exchange_id,
            dead_after_ms=NOW - dead_ms,
            finished_ms=NOW - 5_000 if status.is_final else None,
        )
        for status, rested_ms, doubtful_ms, exchange_id, dead_ms in product(
            OrderStatus, (None, NOW - 9_000), (None, NOW - 70_000), (None, "7"), (0, 20_000)
        )
    ]


@pytest.mark.parametrize("told", [None, *TOLD], ids=lambda told: str(told or "missing"))
def test_a_look_that_tells_nothing_new_comes_to_what_folding_it_would(
    told: OrderStatus | None,
) -> None:
    """One more answer, about an order that nobody knows, is enough to have everything folded."""
    for order in (*states(a_stop()), *states(an_entry())):
        ledger = a_ledger(a_life(), (order,))
        look = seen(ledger, reports=() if told is None else (report_of(order, status=told),))

        short, drifts = fold_orders(ledger, look, LIMITS)

        assert (short, drifts) == fold_orders(ledger, in_full(look), LIMITS)
        later = replace(look, now_ms=NOW + 90_000)
        assert fold_orders(short, later, LIMITS) == fold_orders(short, in_full(later), LIMITS)


@pytest.mark.parametrize(
    "report",
    [report_of(a_stop(), quantity=d("0.020")), report_of(a_stop(revision=2)), a_foreign_stop()],
    ids=["other terms", "unknown to the ledger", "somebody's"],
)
def test_a_look_that_differs_says_so_each_time(report: OrderReport) -> None:
    """What is not as it was written down is no news only to who does not look."""
    ledger = a_ledger(a_life(), (a_stop(),))
    look = seen(ledger, reports=(report_of(a_stop()), report))

    for _ in range(2):
        assert fold_orders(ledger, look, LIMITS) == fold_orders(ledger, in_full(look), LIMITS)


LATER = table("""
closed  by      kept  why
no      web_1   all   they are its trades as long as it is open
no      -       all   whose it was is asked for
yes     web_1   2     opened after ours was closed: another's
""")


@pytest.mark.parametrize("row", LATER, ids=ids(LATER))
def test_no_trades_told_come_to_what_an_empty_list_would(row: list[str]) -> None:
    """A trade without a name is named, and what followed a close is let go of, in either way."""
    closed, by, kept, _ = row
    name = "" if by == "-" else by
    fills = (
        a_fill(at_ms=NOW - 400),
        a_fill(PRIMARY, number=2, at_ms=NOW - 300),
        a_fill(number=3, at_ms=NOW - 200, client_id=name, exchange_order_id="55"),
    )
    life = a_life(opened_ms=NOW - 400, closed_ms=NOW - 300 if closed == "yes" else None)
    named = an_entry(revision=2, exchange_id="55")
    ledger = a_ledger(life, (a_stop(), an_entry(), named), fills=fills)
    look = seen(ledger)

    told, _ = fold_fills(ledger, replace(look, fills=Fact((), NOW)))
    untold, _ = fold_fills(ledger, replace(look, fills=None))

    assert untold == told
    assert len(untold.fills) == (3 if kept == "all" else int(kept))
    assert untold.fills[-1].client_id != ""


def in_full(look: Observation) -> Observation:
    """Return the look with one more answer: that an order nobody knows was not found."""
    return replace(look, lookups=(Fact(NotFound("nobody"), NOW),))
