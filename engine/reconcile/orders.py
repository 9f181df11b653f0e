"""Folding words about own orders into the ledger: evidence, never absence (RULES C1, C4).

An order rests from the first positive word until a contrary one. Missing from its list makes it
doubtful. A request of unknown fate is abandoned only when it can no longer execute and no trace
of it was found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.domain.again import last_answer
from engine.domain.drift import Drift, DriftKind
from engine.domain.identity import ClientOrderId
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.numbers import ZERO
from engine.domain.observation import NotFound, Observation
from engine.domain.order import Order, OrderReport, OrderStatus, OrderTerms
from engine.domain.order_life import WORDS, next_status
from engine.domain.terms import ActionClass, Book, TimeInForce
from engine.domain.values import replace

VISIBLE_WITHIN_MS = 10_000
"""An accepted order is visible by id within this time (assumption (b) of RULES B3)."""


def fold_orders(
    ledger: Ledger, observation: Observation, limits: Limits
) -> tuple[Ledger, list[Drift]]:
    """Return the ledger with every word about orders folded in, and what differed."""
    if _says_nothing_new(ledger, observation):
        return ledger, []
    drifts: list[Drift] = []
    orders = {order.id: order for order in ledger.orders}
    told = tuple(_reports(observation))
    for report, at_ms in told:
        word = _folded(orders, ledger, report, at_ms, drifts)
        if word is not None:
            orders[word.id] = word
    mentioned = {(report.client_id, report.book) for report, _ in told}
    for order in tuple(orders.values()):
        if order.status.is_final:
            continue
        folded = order
        if (str(order.id), order.terms.book) not in mentioned:
            folded = _fold_absence(order, ledger, observation, limits, drifts)
        if _is_gone(folded, ledger, observation, limits):
            drifts.append(
                Drift(DriftKind.VANISHED_OWN_ORDER, "not found for long, freed", str(order.id))
            )
            folded = _ended(folded, observation.now_ms, "not found for long")
        orders[order.id] = folded
    return replace(ledger, orders=tuple(orders.values())), drifts


def _says_nothing_new(ledger: Ledger, observation: Observation) -> bool:
    """Return whether the look shows open orders as the ledger has them, and tells nothing else."""
    regular, conditional = observation.orders, observation.algo_orders
    if regular is None or conditional is None or observation.lookups or observation.history:
        return False
    return _is_known(ledger, regular.value, conditional.value)


@last_answer
def _is_known(
    ledger: Ledger, regular: tuple[OrderReport, ...], conditional: tuple[OrderReport, ...]
) -> bool:
    """Return whether these lists would change no order and raise no drift, whenever they came."""
    orders = {order.id: order for order in ledger.orders}
    drifts: list[Drift] = []
    listed = (*regular, *conditional)
    words = [_folded(orders, ledger, report, 0, drifts) for report in listed]
    if drifts or any(word is not None and word is not orders[word.id] for word in words):
        return False
    mentioned = {(report.client_id, report.book) for report in listed}
    return all(
        order.status.is_final
        or (order.doubtful_since_ms is None and (str(order.id), order.terms.book) in mentioned)
        for order in ledger.orders
    )


def _reports(observation: Observation) -> Iterable[tuple[OrderReport, int]]:
    """Yield what was said about orders, histories first: later words are fresher."""
    if observation.history is not None:
        for report in _parents_first(observation.history.value):
            yield report, observation.history.at_ms
    for listing in (observation.orders, observation.algo_orders):
        if listing is not None:
            for report in listing.value:
                yield report, listing.at_ms
    for fact in observation.lookups:
        if isinstance(fact.value, OrderReport):
            yield fact.value, fact.at_ms


def _parents_first(reports: tuple[OrderReport, ...]) -> Iterable[OrderReport]:
    """Yield conditional orders before regular ones: a child carries its parent's id (section 1).

    A finished parent whose own line keeps silent about executions is told by its child's.
    """
    filled = {r.client_id: r.quantity_filled for r in reports if r.book is Book.REGULAR}
    for report in reports:
        if report.book is Book.ALGO and report.status in WORDS:
            yield report
        elif report.book is Book.ALGO and report.child_id is not None:
            executed = filled.get(report.client_id, ZERO)
            status = OrderStatus.FILLED if executed > 0 else OrderStatus.EXPIRED
            yield replace(report, status=status, quantity_filled=executed)
    yield from (r for r in reports if r.book is Book.REGULAR)


def _folded(
    orders: Mapping[ClientOrderId, Order],
    ledger: Ledger,
    report: OrderReport,
    at_ms: int,
    drifts: list[Drift],
) -> Order | None:
    """Return the order a report speaks of as it is known now, None when it says nothing of ours."""
    own_id = report.own_id
    if own_id is None:
        return None
    known = orders.get(own_id)
    if known is None and report.book is Book.REGULAR and _is_child(orders, report):
        return None
    if known is None:
        if report.status.is_final and not _is_of_interest(ledger, own_id):
            return None
        drifts.append(
            Drift(DriftKind.UNKNOWN_OWN_ORDER, "the ledger does not know it", report.client_id)
        )
        return _adopted(own_id, report, at_ms)
    if known.terms.book is not report.book:
        return None  # the child of our conditional order: its parent tells its fate
    if not known.is_adopted and _terms_differ(known.terms, report):
        drifts.append(
            Drift(
                DriftKind.TERMS_DIFFER, f"sent {known.terms}, exchange shows {report}", str(own_id)
            )
        )
    return _with_word(known, report, at_ms)


def _is_of_interest(ledger: Ledger, own_id: ClientOrderId) -> bool:
    """Return whether a finished order of ours still matters: the newest life's, once, from history.

    A lost ledger needs the revisions and levels of the life it may have to import (RULES G3, B4).
    """
    return ledger.history_read_ms is None and own_id.generation == ledger.generation


def _is_child(orders: Mapping[ClientOrderId, Order], report: OrderReport) -> bool:
    return any(order.child_id == report.exchange_id for order in orders.values())


def _with_word(order: Order, report: OrderReport, at_ms: int) -> Order:
    if report.status not in WORDS:
        return order  # a word we do not know says that it is there, and no more
    if report.status.is_resting and is_assumed_dead(order):
        order = replace(order, status=OrderStatus.UNKNOWN, finished_ms=None, doubtful_since_ms=None)
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
        doubtful_since_ms=None if is_positive or ended else order.doubtful_since_ms,
        triggered_ms=at_ms if fired and order.triggered_ms is None else order.triggered_ms,
        finished_ms=at_ms if ended and order.finished_ms is None else order.finished_ms,
        note=report.note or order.note,
    )


def is_assumed_dead(order: Order) -> bool:
    """Return whether an order ended by our conclusion alone: a positive word revives it (B3).

    Let go while doubtful (RULES G6), abandoned without a trace (RULES C4), or never sent.
    """
    was_let_go = order.status is OrderStatus.EXPIRED and order.doubtful_since_ms is not None
    was_abandoned = (
        order.status is OrderStatus.REJECTED and order.code == 0 and order.exchange_id is None
    )
    return was_let_go or was_abandoned


def _fold_absence(
    order: Order,
    ledger: Ledger,
    observation: Observation,
    limits: Limits,
    drifts: list[Drift],
) -> Order:
    """Return the order after a look in which nothing was said about it.

    A request is abandoned when it can no longer execute and neither its id, nor trades, nor the
    position shows a trace. Where they do, and it cannot be found by id, its remainder is given up
    only after a minute more (RULES C4, B3 b).
    """
    listing = observation.orders if order.terms.book is Book.REGULAR else observation.algo_orders
    if listing is None:
        return order
    if order.is_unresolved:
        over_ms = listing.at_ms - (order.dead_after_ms + VISIBLE_WITHIN_MS)
        is_gone = over_ms > 0 and _is_not_found(order, observation)
        has_trace = order.terms.can_open and _has_trace(order, ledger)
        if is_gone and has_trace and over_ms > limits.zombie_wait_ms:
            return _ended(order, listing.at_ms, "executed in part or whole, not found since")
        if is_gone and not has_trace:
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
            Drift(
                DriftKind.DOUBTFUL_ORDER, "missing from its list, nothing ended it", str(order.id)
            )
        )
        return replace(order, doubtful_since_ms=listing.at_ms)
    return order


def _has_trace(entry: Order, ledger: Ledger) -> bool:
    """Return whether trades or the position may show an execution of an entry (RULES C4)."""
    if entry.quantity_filled > 0 or entry.quantity_untold > 0:
        return True
    life, fills = ledger.life, ledger.fills
    if life is None or life.generation != entry.generation:
        return False
    told = sum((fill.signed_quantity for fill in fills), ZERO)
    is_explained = ledger.position_quantity == told and all(fill.client_id for fill in fills)
    return life.opened_ms is not None and not is_explained


def _is_gone(order: Order, ledger: Ledger, observation: Observation, limits: Limits) -> bool:
    """Return whether an order that can only be found missing is let go (RULES G6).

    Only where nothing may depend on it any more: flat, its life over or its entry given up.
    """
    since_ms, life = order.doubtful_since_ms, ledger.life
    position = observation.position
    if since_ms is None or observation.now_ms - since_ms < limits.zombie_wait_ms:
        return False
    if position is None or not position.value.is_flat or observation.open_reports is None:
        return False
    side = order.terms.position_side
    if side is not None and observation.hedged_on(side) is not None:
        return False
    if life is not None and life.generation == order.generation:
        is_over = life.closed_ms is not None or life.withdrawing is not None
        if not is_over or (life.opened_ms is not None and life.quantity > 0):
            return False
    return _is_not_found(order, observation)


def _is_not_found(order: Order, observation: Observation) -> bool:
    return any(
        isinstance(f.value, NotFound) and f.value.client_id == str(order.id)
        for f in observation.lookups
    )


def _ended(order: Order, at_ms: int, note: str) -> Order:
    return replace(order, status=OrderStatus.EXPIRED, finished_ms=at_ms, note=note)


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
            position_side=report.position_side,
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
        finished_ms=None if not report.status.is_final else at_ms,
        note=report.note,
        is_adopted=True,
    )
