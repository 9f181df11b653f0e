"""What others did since the last look, as far as it concerns our life: named, once (DESIGN 5).

What follows from it (cover re-sized, stops and targets restored, the life ended) is derived from
the ledger as it is now, whoever made it so; these drifts only say whose doing it was.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.domain.drift import Drift, DriftKind
from engine.domain.ledger import Ledger
from engine.domain.numbers import plain
from engine.domain.order import Fill, Order, OrderStatus
from engine.domain.position import Life, Origin


def drifts_of_others(before: Ledger, after: Ledger) -> list[Drift]:
    """Return the orders of ours that somebody cancelled, and the trades that were not ours.

    ``before`` is the ledger as recalled, ``after`` what this look made of it.
    """
    drifts = [
        Drift(DriftKind.VANISHED_OWN_ORDER, "cancelled, and not by us", str(order.id))
        for order in after.orders
        if _is_cancelled_by_others(order, before, after)
    ]
    life = after.life
    if life is None or life.origin is Origin.ORPHAN:
        return drifts
    return [*drifts, *(_told(fill, life, before, after) for fill in _strangers(before, after))]


def _is_cancelled_by_others(order: Order, before: Ledger, after: Ledger) -> bool:
    if order.status is not OrderStatus.CANCELLED or order.cancel_sent_ms is not None:
        return False
    if order.terms.close_position and after.position_quantity == 0:
        return False  # the exchange itself ends what closes a position that is gone
    was = before.order(order.id)
    return was is not None and not was.status.is_final


def _strangers(before: Ledger, after: Ledger) -> Iterator[Fill]:
    """Yield the trades that turned out not to be this life's since the last look."""
    if after.fills is before.fills:
        return
    known = {fill.fill_id: fill.client_id for fill in before.fills}
    for fill in after.fills:
        is_new = fill.client_id != "" and known.get(fill.fill_id, "") == ""
        if is_new and not _is_ours(fill, after):
            yield fill


def _is_ours(fill: Fill, ledger: Ledger) -> bool:
    own_id, life = fill.own_id, ledger.life
    return own_id is not None and life is not None and own_id.generation == life.generation


def _told(fill: Fill, life: Life, before: Ledger, after: Ledger) -> Drift:
    traded = f"{fill.side} {plain(fill.quantity)} at {plain(fill.price)} by {fill.client_id}"
    now = f"position {plain(before.position_quantity)} -> {plain(after.position_quantity)}"
    if fill.own_id is None:
        return Drift(DriftKind.QUANTITY_GAP, f"{traded}: {now}")
    text = f"{traded}, an order of another life than {life.generation}: {now}"
    return Drift(DriftKind.ZOMBIE, text, fill.client_id)
