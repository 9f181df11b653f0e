"""What must be asked again after the first answers came (RULES C3): pure.

A picture that shows exactly what the ledger believes is settled: one round trip. Otherwise the
position, the trades, and the fate of every order that vanished or is unresolved are asked again,
*after* the lists came back, and only that second picture is planned from.
"""

from __future__ import annotations

from engine.domain.again import last_answer
from engine.domain.ledger import Ledger
from engine.domain.observation import Observation, Question, Topic
from engine.domain.order import Order, OrderReport
from engine.domain.position import Origin
from engine.domain.terms import Book
from engine.reconcile.fills import has_untold_trades, sum_of

TRADES_OVERLAP_MS = 60_000
"""Trades are asked from a little before the last known one: times are the exchange's own, and
ours may run ahead of them."""

TOLD_WITHIN_MS = 60_000
"""How long after a close its trades are asked for before the record is final without them."""

TRADES_BACK_MS = 7 * 86_400_000
"""How far back one question for trades reaches (binance-usdm.md section 5.4)."""


def questions(ledger: Ledger, observation: Observation) -> tuple[Question, ...]:
    """Return what to ask after the first look, nothing when the picture is settled."""
    regular, conditional = observation.orders, observation.algo_orders
    if observation.position is None or regular is None or conditional is None:
        return ()
    strangers, missing, moved = _differences(ledger.orders, regular.value, conditional.value)
    unnamed = [f for f in ledger.fills if not f.client_id]
    has_moved = observation.position.value.signed_quantity != ledger.position_quantity
    has_moved = has_moved or _sides_differ(ledger, observation)
    has_gap = _has_gap(ledger, observation.now_ms)
    if not (missing or strangers or moved or unnamed or has_moved or has_gap):
        return ()
    asked = [Question(Topic.POSITION)]
    # An order that vanished because we cancelled it has most likely not traded; if it has, its
    # own word says so and the gap asks for the trades.
    is_explained = not (moved or unnamed or has_moved or has_gap) and all(
        o.cancel_sent_ms is not None for o in missing
    )
    if ledger.life is not None and not is_explained:
        since_ms = max(ledger.life.armed_ms, ledger.last_fill_ms) - TRADES_OVERLAP_MS
        asked.append(Question(Topic.FILLS, since_ms=since_ms))
    asked += [
        Question(Topic.ORDER, client_id=str(o.id), book=o.terms.book) for o in (*missing, *moved)
    ]
    asked += [
        Question(Topic.ORDER, exchange_id=f.exchange_order_id, book=Book.REGULAR) for f in unnamed
    ]
    return tuple(dict.fromkeys(asked))


@last_answer
def _differences(
    orders: tuple[Order, ...],
    regular: tuple[OrderReport, ...],
    conditional: tuple[OrderReport, ...],
) -> tuple[tuple[OrderReport, ...], tuple[Order, ...], tuple[Order, ...]]:
    """Return own orders nobody here knows, orders the lists lack, and orders they show changed."""
    reports = (*regular, *conditional)
    listed = {(r.client_id, r.book): r for r in reports}
    known = {order.id for order in orders}
    strangers = [r for r in reports if (own := r.own_id) is not None and own not in known]
    missing: list[Order] = []
    moved: list[Order] = []
    for order in orders:
        if order.status.is_final:
            continue
        report = listed.get((str(order.id), order.terms.book))
        if report is None:
            missing.append(order)
        elif report.quantity_filled != order.quantity_filled or report.status is not order.status:
            moved.append(order)
    return tuple(strangers), tuple(missing), tuple(moved)


def _sides_differ(ledger: Ledger, observation: Observation) -> bool:
    """Return whether a side of a hedge-mode account came or went (RULES H3)."""
    held = () if observation.hedged is None else observation.hedged.value
    return {one.side for one in ledger.hedged} != {report.side for report in held}


def _has_gap(ledger: Ledger, now_ms: int) -> bool:
    """Return whether trades are still to come: their list may lag the position (lesson 33)."""
    life = ledger.life
    if life is None or life.opened_ms is None or life.origin is Origin.ORPHAN:
        return False
    if now_ms - life.armed_ms > TRADES_BACK_MS:
        return False  # the exchange no longer tells the oldest of them
    if life.closed_ms is not None:
        return now_ms - life.closed_ms <= TOLD_WITHIN_MS and has_untold_trades(ledger)
    return sum_of(ledger.fills) != ledger.position_quantity or has_untold_trades(ledger)
