"""Folding words about own orders into the ledger: evidence, never absence (RULES C1, C4).

An order rests from the first positive word until a contrary one. Missing from its list makes it
doubtful. A request of unknown fate is abandoned only when it can no longer execute and no trace
of it was found.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from engine.domain.drift import Drift, DriftKind
from engine.domain.identity import ClientOrderId
from engine.domain.ledger import Ledger
from engine.domain.observation import Fact, NotFound, Observation
from engine.domain.order import Order, OrderReport, OrderStatus, OrderTerms
from engine.domain.order_life import next_status
from engine.domain.terms import ActionClass, Book, TimeInForce

VISIBLE_WITHIN_MS = 10_000
"""An accepted order is visible by id within this time (assumption (b) of RULES B3)."""


def fold_orders(ledger: Ledger, observation: Observation) -> tuple[Ledger, list[Drift]]:
    """Return the ledger with every word about orders folded in, and what differed."""
    drifts: list[Drift] = []
    for report, at_ms in _reports(observation):
        ledger = _fold_report(ledger, report, at_ms, drifts)
    for order in ledger.orders:
        if not order.status.is_final:
            ledger = ledger.with_order(_fold_absence(order, observation, drifts))
    return ledger, drifts


def _reports(observation: Observation) -> Iterable[tuple[OrderReport, int]]:
    """Yield what was said about orders, histories first: later words are fresher."""
    for listing in (observation.history, observation.orders, observation.algo_orders):
        if listing is not None:
            for report in listing.value:
                yield report, listing.at_ms
    for fact in observation.lookups:
        if isinstance(fact.value, OrderReport):
            yield fact.value, fact.at_ms


def _fold_report(
    ledger: Ledger, report: OrderReport, at_ms: int, drifts: list[Drift]
) -> Ledger:
    own_id = report.own_id
    if own_id is None:
        return ledger
    known = ledger.order(own_id)
    if known is None and report.book is Book.REGULAR and _is_child(ledger, report):
        return ledger
    if known is None:
        if report.status.is_final and not _is_of_interest(ledger, own_id):
            return ledger
        drifts.append(
            Drift(DriftKind.UNKNOWN_OWN_ORDER, "the ledger does not know it", report.client_id)
        )
        return ledger.with_order(_adopted(own_id, report, at_ms))
    if known.terms.book is not report.book:
        return ledger  # the child of our conditional order: its parent tells its fate
    if not known.is_adopted and _terms_differ(known.terms, report):
        drifts.append(
            Drift(DriftKind.TERMS_DIFFER, f"sent {known.terms}, exchange shows {report}", str(own_id))
        )
    return ledger.with_order(_with_word(known, report, at_ms))


def _is_of_interest(ledger: Ledger, own_id: ClientOrderId) -> bool:
    """Return whether a finished order of ours still matters: the newest life's, once, from history.

    A lost ledger needs the revisions and levels of the life it may have to import (RULES G3, B4).
    """
    return ledger.history_read_ms is None and own_id.generation == ledger.generation


def _is_child(ledger: Ledger, report: OrderReport) -> bool:
    return any(o.child_id == report.exchange_id for o in ledger.orders)


def _with_word(order: Order, report: OrderReport, at_ms: int) -> Order:
    status = next_status(order.status, report.status)
    is_positive = report.status.is_resting
    fired = status in (OrderStatus.TRIGGERING, OrderStatus.TRIGGERED)
    ended = status.is_final
    return replace(
        order,
        status=status,
        exchange_id=report.exchange_id or order.exchange_id,
        child_id=report.child_id or order.child_id,
        quantity_filled=max(order.quantity_filled, report.quantity_filled),
        rested_ms=at_ms if order.rested_ms is None and is_positive else order.rested_ms,
        seen_ms=at_ms if is_positive else order.seen_ms,
        doubtful_since_ms=None if is_positive or ended else order.doubtful_since_ms,
        triggered_ms=at_ms if fired and order.triggered_ms is None else order.triggered_ms,
        finished_ms=at_ms if ended and order.finished_ms is None else order.finished_ms,
        note=report.note or order.note,
    )


def _fold_absence(order: Order, observation: Observation, drifts: list[Drift]) -> Order:
    """Return the order after a look in which nothing may have been said about it."""
    listing = observation.orders if order.terms.book is Book.REGULAR else observation.algo_orders
    if listing is None or _was_mentioned(order, observation):
        return order
    if order.is_unresolved:
        not_found = any(
            isinstance(f.value, NotFound) and f.value.client_id == str(order.id)
            for f in observation.lookups
        )
        can_still_run = listing.at_ms <= order.dead_after_ms + VISIBLE_WITHIN_MS
        if not_found and not can_still_run:
            return replace(
                order,
                status=OrderStatus.REJECTED,
                finished_ms=listing.at_ms,
                note="no trace of it after its window",
            )
        drifts.append(Drift(DriftKind.UNANSWERED, "its fate is unknown", str(order.id)))
        return replace(order, status=OrderStatus.UNKNOWN)
    if order.doubtful_since_ms is None:
        drifts.append(
            Drift(DriftKind.DOUBTFUL_ORDER, "missing from its list, nothing ended it", str(order.id))
        )
        return replace(order, doubtful_since_ms=listing.at_ms)
    return order


def _was_mentioned(order: Order, observation: Observation) -> bool:
    text = str(order.id)
    for report, _ in _reports(observation):
        if report.client_id == text and report.book is order.terms.book:
            return True
    return False


def _terms_differ(terms: OrderTerms, report: OrderReport) -> bool:
    same_trigger = terms.trigger_price == report.trigger_price
    same_price = terms.price is None or terms.price == report.price
    same_quantity = terms.quantity is None or terms.quantity == report.quantity
    return not (same_trigger and same_price and same_quantity and terms.side is report.side)


def _adopted(own_id: ClientOrderId, report: OrderReport, at_ms: int) -> Order:
    """Return a ledger order for one of ours that the ledger had lost."""
    is_positive = report.status.is_resting
    return Order(
        terms=OrderTerms(
            client_id=own_id,
            side=report.side,
            type=report.type,
            quantity=None if report.close_position else report.quantity,
            price=report.price,
            trigger_price=report.trigger_price,
            working_price=report.working_price,
            reduce_only=report.reduce_only,
            close_position=report.close_position,
            time_in_force=TimeInForce.GTC,
        ),
        status=report.status,
        reason="adopted",
        action_class=ActionClass.RECONCILE,
        intended_ms=report.created_ms,
        dead_after_ms=report.created_ms,
        exchange_id=report.exchange_id,
        child_id=report.child_id,
        quantity_filled=report.quantity_filled,
        rested_ms=report.created_ms if is_positive else None,
        seen_ms=at_ms if is_positive else None,
        finished_ms=None if not report.status.is_final else at_ms,
        note=report.note,
        is_adopted=True,
    )


