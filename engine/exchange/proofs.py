"""May this stop be cancelled? Every proof is looked at again, from what was known before the plan.

RULES F2: an own stop at least as tight for the full quantity confirmed resting, or flat proven
(C2), or E5's proof. Nothing else, from any caller. Stops that the same plan cancels prove nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.domain.action import CancelOrder, Proof
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.limits import OrphanPolicy
from engine.domain.order import Order
from engine.domain.terms import OrderSide, Side
from engine.exchange.cover import Grounds, any_cover, own_cover, quantity_to_cover, reaches

FLAT_READS = 2  # settled pictures in a row that make "flat" believable without a life


def refuse_cancel(
    request: CancelOrder, grounds: Grounds, leaving: Iterable[ClientOrderId]
) -> str | None:
    """Return why this cancel must not be sent, or None when it may.

    ``leaving`` are the ids the same plan cancels.
    """
    if not request.client_id.role.is_stop:
        return None
    if not grounds.condition.is_store_writable:
        return "proof: the store cannot write down that cover leaves (G5)"
    gone = {str(client_id) for client_id in leaving} | {str(request.client_id)}
    match request.proof:
        case Proof.NOT_A_STOP:
            return f"proof: {request.client_id} is a stop (F2)"
        case Proof.TIGHTER_RESTS:
            return _tighter_rests(request, grounds, gone)
        case Proof.FLAT_PROVEN:
            return _flat_proven(request, grounds, gone)
        case Proof.ENTRY_NEVER_FILLED:
            return _entry_never_filled(request, grounds, gone)


def _tighter_rests(request: CancelOrder, grounds: Grounds, gone: set[str]) -> str | None:
    life = grounds.known.life
    if life is None:
        return "proof: no life whose cover could remain (F2)"
    leaving = grounds.known.order(request.client_id)
    trigger = None if leaving is None else leaving.terms.trigger_price
    if trigger is None or request.client_id.generation < life.generation:
        # An earlier life's stop, or one nobody wrote down: it does not carry this life's level.
        # One of a later life is another writer's, and is held to its own trigger (G2).
        trigger = life.level_in_force
    remaining = [
        cover
        for cover in own_cover(grounds, life.side, life.generation, gone)
        if not life.side.is_tighter(trigger, cover.trigger)
    ]
    if str(request.proven_by) not in {cover.client_id for cover in remaining}:
        return f"proof: {request.proven_by} is not seen resting as tight as {trigger} (F2)"
    needed = quantity_to_cover(grounds)
    if needed is None:
        return "proof: the position was not read (F2)"
    if not reaches(remaining, needed):
        return f"proof: what remains covers less than {needed} (F2)"
    return None


def _flat_proven(request: CancelOrder, grounds: Grounds, gone: set[str]) -> str | None:
    side = _position_side(request, grounds)
    if side is not None and (
        grounds.known.hedged_side(side) is not None or grounds.observation.hedged_on(side)
    ):
        return f"proof: the {side} side is held, or not yet proven flat (H3)"
    if not _life_is_over(request.client_id.generation, grounds):
        return "proof: flat is not proven (C2)"
    generation = request.client_id.generation
    for order in grounds.known.orders:
        is_of_life = order.role is OrderRole.ENTRY and order.generation == generation
        if is_of_life and order.may_rest:
            return f"proof: {order.id} may still fill (E5)"
    position = grounds.position
    if position is None:
        return "proof: the position was not read (F2)"
    if position.side is None or _exit_side(request, grounds) is not position.side.closing:
        return None
    # Somebody holds a position now, and this stop covers it: then something else must, too.
    left = any_cover(grounds, position.side, gone)
    if left is not None and left < position.quantity:
        return f"proof: {left} would be left for a position of {position.quantity} (B1)"
    return None


def _life_is_over(generation: int, grounds: Grounds) -> bool:
    known = grounds.known
    if known.life is not None and known.life.generation == generation:
        return known.life.closed_ms is not None
    if any(past.generation == generation for past in known.past):
        return True
    if known.life is not None:
        return generation < known.life.generation or known.life.closed_ms is not None
    position = grounds.position
    return (
        known.position_quantity == 0
        and known.settled_streak >= FLAT_READS
        and position is not None
        and position.is_flat
    )


def _position_side(request: CancelOrder, grounds: Grounds) -> Side | None:
    """Return the side of a hedge-mode account the stop closes, None in one-way mode."""
    order = grounds.known.order(request.client_id)
    return None if order is None else order.terms.position_side


def _exit_side(request: CancelOrder, grounds: Grounds) -> OrderSide | None:
    order = grounds.known.order(request.client_id)
    if order is not None:
        return order.terms.side
    fact = grounds.observation.algo_orders
    name = str(request.client_id)
    listed = () if fact is None else fact.value
    return next((report.side for report in listed if report.client_id == name), None)


def _entry_never_filled(request: CancelOrder, grounds: Grounds, gone: set[str]) -> str | None:
    known, fact = grounds.known, grounds.observation.position
    life = known.life
    if life is None or life.generation != request.client_id.generation:
        return "proof: not the current life's stop (E5)"
    if life.opened_ms is not None or fact is None:
        return "proof: the position is not seen flat (E5)"
    beside = known.beside
    if beside is not None and fact.value.side is beside.side is life.side:
        # Somebody's, and this stop would close it: something else must cover it then (G1, B1).
        left = any_cover(grounds, life.side, gone)
        is_left_alone = grounds.limits.orphan is OrphanPolicy.IGNORE
        if left is not None and left < fact.value.quantity and not is_left_alone:
            return f"proof: {left} would be left for a position of {fact.value.quantity} (B1)"
    elif fact.value.side is life.side:
        return "proof: the position is not seen flat (E5)"
    elif known.position_quantity * life.side.sign > 0:  # the other side's is not ours
        return "proof: the ledger believes in a position (E5)"
    doubtful = [o for o in known.of_life(OrderRole.ENTRY) if not _is_dead(o, fact.at_ms)]
    if doubtful:
        return f"proof: {doubtful[0].id} may have executed (E5)"
    if any(o.may_rest for o in grounds.ledger.of_life(OrderRole.ENTRY)):
        return "proof: the same plan still wants an entry (E5)"
    return None


def _is_dead(entry: Order, read_ms: int) -> bool:
    """Return whether the entry is final, executed nothing, and was so before the position read."""
    if not entry.status.is_final or entry.quantity_filled != 0:
        return False
    return entry.finished_ms is None or entry.finished_ms <= read_ms
