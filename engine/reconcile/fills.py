"""Folding executions in, once each, by the exchange's trade id (lessons 7, 33)."""

from __future__ import annotations

from decimal import Decimal

from engine.domain.again import last_answer
from engine.domain.identity import ClientOrderId
from engine.domain.ledger import Ledger
from engine.domain.numbers import ZERO
from engine.domain.observation import Observation
from engine.domain.order import Fill, OrderReport
from engine.domain.terms import Book
from engine.domain.values import replace
from engine.reconcile.whose import until_flat


def fold_fills(ledger: Ledger, observation: Observation) -> tuple[Ledger, tuple[Fill, ...]]:
    """Return the ledger with new fills named and counted, and those fills.

    What an order of this life executed belongs to it whatever its stamp: exchange time as we know
    it may run ahead, and the entry may fill within a moment of arming.
    """
    is_over = ledger.life is not None and ledger.life.closed_ms is not None
    if observation.fills is None and not is_over and all(fill.client_id for fill in ledger.fills):
        return ledger, ()
    names = _names(ledger, observation)
    known = {fill.fill_id: fill for fill in ledger.fills}
    since_ms = ledger.life.armed_ms if ledger.life is not None else observation.now_ms
    told = () if observation.fills is None else observation.fills.value
    fresh = [
        fill
        for fill in (_named(f, names) for f in {f.fill_id: f for f in told}.values())
        if fill.fill_id not in known and (fill.at_ms >= since_ms or _is_of_life(ledger, fill))
    ]
    named = tuple(_named(fill, names) for fill in ledger.fills)
    fills = tuple(sorted((*named, *fresh), key=lambda f: (f.at_ms, int(f.fill_id))))
    if ledger.life is not None and ledger.life.closed_ms is not None:
        fills = until_flat(replace(ledger, fills=fills), ledger.life)
    if fills == ledger.fills:
        return ledger, ()
    last_ms = max((f.at_ms for f in fills), default=ledger.last_fill_ms)
    ledger = replace(ledger, fills=fills, last_fill_ms=max(ledger.last_fill_ms, last_ms))
    return _count(ledger), tuple(fresh)


def _is_of_life(ledger: Ledger, fill: Fill) -> bool:
    own_id = fill.own_id
    return own_id is not None and any(o.id == own_id for o in ledger.of_life())


@last_answer
def has_untold_trades(ledger: Ledger) -> bool:
    """Return whether an order of the life executed more than the trades we were told (lesson 33).

    An order's own word may come before the list of trades shows anything of it.
    """
    told: dict[str, Decimal] = {}
    for fill in ledger.fills:
        told[fill.client_id] = told.get(fill.client_id, ZERO) + fill.quantity
    return any(o.quantity_filled > told.get(str(o.id), ZERO) for o in ledger.of_life())


@last_answer
def sum_of(fills: tuple[Fill, ...]) -> Decimal:
    """Return the signed position the fills add up to."""
    return sum((fill.signed_quantity for fill in fills), ZERO)


def _names(ledger: Ledger, observation: Observation) -> dict[str, str]:
    """Return client ids by the exchange's id of the order that executes (the child's for algos)."""
    names: dict[str, str] = {}
    for order in ledger.orders:
        executes = order.exchange_id if order.terms.book is Book.REGULAR else order.child_id
        if executes:
            names[executes] = str(order.id)
    for fact in observation.lookups:
        if isinstance(fact.value, OrderReport) and fact.value.book is Book.REGULAR:
            names.setdefault(fact.value.exchange_id, fact.value.client_id)
    return names


def _named(fill: Fill, names: dict[str, str]) -> Fill:
    if fill.client_id or fill.exchange_order_id not in names:
        return fill
    return replace(fill, client_id=names[fill.exchange_order_id])


def _count(ledger: Ledger) -> Ledger:
    """Return the ledger with each order's executed quantity at least what its fills say."""
    executed: dict[ClientOrderId, Decimal] = {}
    for fill in ledger.fills:
        if (own_id := fill.own_id) is not None:
            executed[own_id] = executed.get(own_id, ZERO) + fill.quantity
    for own_id, quantity in executed.items():
        order = ledger.order(own_id)
        if order is not None and quantity > order.quantity_filled:
            ledger = ledger.with_order(replace(order, quantity_filled=quantity))
    return ledger
