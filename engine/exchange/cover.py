"""What would be left of the cover: the arithmetic behind the gateway's proofs (RULES A, F2).

Only what both the reconciled ledger and this tick's own lists show counts as cover, so a stop that
a list forgot proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from engine.domain.condition import Condition
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.numbers import ZERO
from engine.domain.observation import Observation
from engine.domain.order import Order, OrderReport, OrderStatus
from engine.domain.position import PositionReport
from engine.domain.situation import Situation
from engine.domain.terms import OrderType, Side


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a request is judged by.

    ``known`` is the ledger as reconciled in this tick, before the plan; ``ledger`` is the plan's,
    with its intents. Levels and proofs come from ``known``: the plan cannot vouch for itself.
    """

    situation: Situation
    ledger: Ledger

    @property
    def known(self) -> Ledger:
        """Return the ledger before the plan."""
        return self.situation.ledger

    @property
    def observation(self) -> Observation:
        """Return what this tick saw."""
        return self.situation.observation

    @property
    def condition(self) -> Condition:
        """Return the engine's own state."""
        return self.situation.condition

    @property
    def limits(self) -> Limits:
        """Return the settings rules read."""
        return self.situation.limits

    @property
    def position(self) -> PositionReport | None:
        """Return the observed position, None when it was not read."""
        fact = self.observation.position
        return None if fact is None else fact.value


@dataclass(frozen=True, slots=True)
class Cover:
    """One stop that certainly rests: its trigger and what it closes (None: everything)."""

    client_id: str
    trigger: Decimal
    quantity: Decimal | None


def own_cover(
    grounds: Grounds, side: Side, generation: int | None, without: Iterable[str] = ()
) -> tuple[Cover, ...]:
    """Return own stops for a position of ``side`` that rest by ledger and by this tick's lists.

    ``generation`` None takes every generation; ids in ``without`` do not count.
    """
    excluded = frozenset(without)
    listed = _listed(grounds.observation)
    found = []
    for order in grounds.known.orders:
        name = str(order.id)
        report = listed.get(name)
        if name in excluded or report is None or not _is_cover(order, side):
            continue
        if generation is not None and order.generation != generation:
            continue
        if order.terms.trigger_price is None or report.status is not OrderStatus.WORKING:
            continue  # one that fires already covers, but it proves nothing about what comes after
        quantity = None if order.terms.close_position else report.quantity
        found.append(Cover(name, order.terms.trigger_price, quantity))
    return tuple(found)


def any_cover(grounds: Grounds, side: Side, without: Iterable[str] = ()) -> Decimal | None:
    """Return the quantity all resting stops for ``side`` cover, whoever owns them.

    None means everything: a closePosition stop is among them.
    """
    excluded = frozenset(without)
    total = ZERO
    for report in _listed(grounds.observation).values():
        is_exit = report.reduce_only or report.close_position
        is_stop = report.type is OrderType.STOP_MARKET and report.side is side.closing
        if not (is_exit and is_stop and report.status.is_resting) or report.client_id in excluded:
            continue
        if report.close_position or report.quantity is None:
            return None
        total += report.quantity
    return total


def reaches(covers: Iterable[Cover], quantity: Decimal) -> bool:
    """Return whether these stops together close ``quantity``."""
    total = ZERO
    for cover in covers:
        if cover.quantity is None:
            return True
        total += cover.quantity
    return total >= quantity


def level_of(covers: Iterable[Cover], side: Side, quantity: Decimal) -> Decimal | None:
    """Return the worst trigger needed to reach ``quantity``, tightest first (RULES A3)."""
    ordered = sorted(covers, key=lambda cover: cover.trigger, reverse=side is Side.LONG)
    for count in range(1, len(ordered) + 1):
        if reaches(ordered[:count], quantity):
            return ordered[count - 1].trigger
    return None


def quantity_to_cover(grounds: Grounds, without: ClientOrderId | None = None) -> Decimal | None:
    """Return position plus what own entries may still add (RULES A4), None when not known.

    Entries the plan has only intended count like any other; the one called ``without`` is left out.
    """
    position = grounds.position
    if position is None:
        return None
    known = grounds.known.of_life(OrderRole.ENTRY)
    ids = {order.id for order in known}
    planned = [o for o in grounds.ledger.of_life(OrderRole.ENTRY) if o.id not in ids]
    total = position.quantity
    for order in (*known, *planned):
        if order.id == without:
            continue
        total += (order.terms.quantity or ZERO) if order.is_unresolved else order.quantity_remaining
    return total


def _listed(observation: Observation) -> dict[str, OrderReport]:
    fact = observation.algo_orders
    return {} if fact is None else {report.client_id: report for report in fact.value}


def _is_cover(order: Order, side: Side) -> bool:
    return (
        order.role.is_stop
        and order.is_confirmed_resting
        and order.terms.type is OrderType.STOP_MARKET
        and order.terms.side is side.closing
        and not order.terms.can_open
    )
