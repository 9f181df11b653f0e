"""Folding what became of a plan's requests into the ledger (RULES C4, F4).

A cancel that was accepted is not yet a final word: the next look asks for the order by id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from engine.domain.action import Outcome, PlaceOrder
from engine.domain.identity import OrderRole
from engine.domain.ledger import Ledger
from engine.domain.order import Order, OrderStatus
from engine.domain.order_life import next_status
from engine.domain.terms import Fate
from engine.domain.values import replace

DUPLICATE_ID = -4116
WOULD_TRIGGER = -2021
REFUSED_WHILE_FLAT = frozenset({-4509, -2022, -4118})


def fold_outcomes(ledger: Ledger, outcomes: Sequence[Outcome]) -> Ledger:
    """Return the ledger with every outcome folded into the order it belongs to."""
    for outcome in outcomes:
        action = outcome.action
        if not isinstance(action, PlaceOrder):
            continue
        order = ledger.order(action.terms.client_id)
        if order is None:
            continue
        ledger = ledger.with_order(_placed(order, outcome))
        ledger = _learn(ledger, order, outcome)
    return ledger


def _placed(order: Order, outcome: Outcome) -> Order:
    match outcome.fate:
        case Fate.ACCEPTED:
            return _accepted(order, outcome)
        case Fate.REJECTED if outcome.code == DUPLICATE_ID:
            # It exists: an earlier send of this very intent arrived. Look, do not conclude.
            return replace(order, status=OrderStatus.UNKNOWN)
        case Fate.REJECTED:
            return replace(
                order,
                status=OrderStatus.REJECTED,
                code=outcome.code,
                note=outcome.text,
                finished_ms=outcome.at_ms,
            )
        case Fate.NOT_SENT:
            return replace(
                order,
                status=OrderStatus.REJECTED,
                note=f"not sent: {outcome.text}",
                finished_ms=outcome.at_ms,
            )
        case Fate.UNKNOWN:
            return replace(
                order,
                status=OrderStatus.UNKNOWN,
                dead_after_ms=max(order.dead_after_ms, outcome.dead_after_ms),
            )
        case _:
            assert_never(outcome.fate)


def _accepted(order: Order, outcome: Outcome) -> Order:
    report = outcome.report
    if report is None:
        return replace(order, status=OrderStatus.UNKNOWN)
    status = next_status(order.status, report.status)
    rests = report.status.is_resting
    return replace(
        order,
        status=status,
        exchange_id=report.exchange_id,
        child_id=report.child_id,
        quantity_filled=report.quantity_filled,
        rested_ms=outcome.at_ms if rests else None,
        finished_ms=outcome.at_ms if status.is_final else None,
        note=report.note,
    )


def learned_while_flat(ledger: Ledger, outcome: Outcome) -> Ledger:
    """Return the ledger with what a stop sent while flat says of the account (RULES E9).

    Written down again only when it changes, with the moment it was found. What an account is known
    to take one refusal puts in doubt, and the next one ends: without a stop that rests before the
    fill every later entry is worse off.
    """
    is_taken: bool | None
    if outcome.fate is Fate.ACCEPTED:
        is_taken = True
    elif outcome.fate is Fate.REJECTED and outcome.code in REFUSED_WHILE_FLAT:
        is_taken = None if ledger.stop_while_flat else False
    else:
        return ledger
    if ledger.stop_while_flat is is_taken:
        return ledger
    return replace(ledger, stop_while_flat=is_taken, stop_while_flat_ms=outcome.at_ms)


def _learn(ledger: Ledger, order: Order, outcome: Outcome) -> Ledger:
    """Return the ledger with what a stop's outcome says beyond the order itself."""
    life = ledger.life
    if life is None or order.role is not OrderRole.STOP_PRIMARY:
        return ledger
    if life.opened_ms is None:
        is_repeated = _is_repeated(ledger, order, outcome)
        return ledger if is_repeated else learned_while_flat(ledger, outcome)
    if outcome.fate is not Fate.REJECTED or outcome.code in (WOULD_TRIGGER, DUPLICATE_ID):
        return ledger
    if order.reason == "cover_missing" and life.cover_refused_since_ms is None:
        return ledger.with_life(replace(life, cover_refused_since_ms=outcome.at_ms))
    return ledger


def _is_repeated(ledger: Ledger, order: Order, outcome: Outcome) -> bool:
    """Return whether a refusal says what this life has heard already: one of a life's counts (E9).

    A stop that is missing is asked for again within a moment, for whatever reason it was refused.
    """
    return outcome.fate is Fate.REJECTED and any(
        o.code in REFUSED_WHILE_FLAT and o.id != order.id
        for o in ledger.of_life(OrderRole.STOP_PRIMARY)
    )
