"""More than the decision asked for: what own entries executed beyond it is closed again (B3, D1).

It cannot happen while the exchange keeps its word: no request executes after its window, and an
accepted order is visible within ten seconds. Where it does not, a second entry may have followed
one that was given up for dead, and both fill.
"""

from __future__ import annotations

from decimal import Decimal

from engine.domain.action import Hold, PlaceOrder
from engine.domain.identity import OrderRole
from engine.domain.numbers import ZERO
from engine.domain.order import OrderTerms
from engine.domain.position import Life, Origin
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, OrderType
from engine.plan.attempts import PROTECT_ATTEMPTS, must_wait
from engine.plan.proposal import NOTHING, Proposal


def close_excess(situation: Situation) -> Proposal:
    """Close what executed beyond the decision's quantity; the rest of the life goes on."""
    life = situation.ledger.life
    if life is None or life.origin is not Origin.DECISION or not life.is_open:
        return NOTHING
    if life.closing is not None or life.flat_seen_ms is not None:
        return NOTHING
    quantity = min(_excess(situation, life), life.quantity)
    if quantity <= 0:
        return NOTHING
    attempts = situation.ledger.of_life(OrderRole.EMERGENCY)
    if must_wait(situation, attempts, PROTECT_ATTEMPTS):
        return Proposal(holds=(Hold("close_excess", "backoff"),))
    terms = OrderTerms(
        client_id=situation.next_id(OrderRole.EMERGENCY),
        side=life.side.closing,
        type=OrderType.MARKET,
        quantity=quantity,
        reduce_only=True,
    )
    return Proposal(actions=(PlaceOrder(terms, ActionClass.PROTECT, "close_excess", "excess"),))


def _excess(situation: Situation, life: Life) -> Decimal:
    """Return what entries executed beyond the plan, less what was, or may be, closed of it."""
    ledger = situation.ledger
    executed = sum((o.quantity_filled for o in ledger.of_life(OrderRole.ENTRY)), ZERO)
    closed = sum(
        (
            o.quantity_filled if o.status.is_final else o.terms.quantity or ZERO
            for o in ledger.of_life(OrderRole.EMERGENCY)
        ),
        ZERO,
    )
    return executed - life.planned_quantity - closed
