"""More than the decision asked for: what own entries executed beyond it is closed again (B3, D1).

It cannot happen while the exchange keeps its word: no request executes after its window, and an
accepted order is visible within ten seconds. Where it does not, a second entry may have followed
one that was given up for dead, and both fill. Where own orders hold the quantity, so that the part
cannot be closed, the whole position is (``is_held_fast``).
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
from engine.plan.reserved import is_reserved

EXCESS = "excess"
"""Why an emergency order exists that closes what is too much, and not the position."""


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
    return Proposal(actions=(PlaceOrder(terms, ActionClass.PROTECT, "close_excess", EXCESS),))


def is_held_fast(situation: Situation, life: Life) -> bool:
    """Return whether the exchange keeps saying that what is too much belongs to our other orders.

    They cannot make way for a part: targets and stops of what goes on would hold it again.
    """
    if life.origin is not Origin.DECISION or _excess(situation, life) <= 0:
        return False
    return is_reserved(situation, life, situation.ledger.of_life(OrderRole.EMERGENCY))


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
