"""Who covers the position at an instant, and how well: RULES A1 to A3 over the venue's log.

``Replay`` folds the log's events; between two events nothing changes but the grace of stops that
have triggered (A1), and that moment is a step of its own. Written apart from the planner's own
reckoning on purpose: one mistake must not hide the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from engine.domain.identity import ClientOrderId, OrderRole
from engine.simulation.log import Changed, Event, Filled, Placed

ZERO = Decimal(0)
TRIGGER_GRACE_MS = 2_000
_RESTING = frozenset({"NEW", "TRIGGERING", "TRIGGERED"})
_FINAL = frozenset({"FINISHED", "FILLED", "CANCELED", "REJECTED", "EXPIRED"})


@dataclass(frozen=True, slots=True)
class Resting:
    """One order that rests: its terms, its status and since when, what its child executed."""

    terms: Placed
    status: str
    since_ms: int
    executed: Decimal = ZERO

    @property
    def own_id(self) -> ClientOrderId | None:
        """Return our id of the order."""
        return self.terms.own_id

    def covers(self, position: Decimal, at_ms: int, grace_ms: int) -> Decimal:
        """Return how much of the signed ``position`` this order covers (RULES A1)."""
        terms = self.terms
        exit_side = "SELL" if position > 0 else "BUY"
        if terms.type != "STOP_MARKET" or terms.side != exit_side or position == 0:
            return ZERO
        if not (terms.reduce_only or terms.close_position):
            return ZERO
        if self.status != "NEW" and at_ms - self.since_ms >= grace_ms:
            return ZERO
        if terms.close_position or terms.quantity is None:
            return abs(position)
        return max(terms.quantity - self.executed, ZERO)


@dataclass(frozen=True, slots=True)
class Picture:
    """Position and resting orders from ``at_ms`` until ``until_ms``; ``cause`` began it."""

    at_ms: int
    until_ms: int
    position: Decimal
    orders: tuple[Resting, ...]
    grace_ms: int
    cause: Event | None

    @property
    def duration_ms(self) -> int:
        """Return how long the picture stood."""
        return self.until_ms - self.at_ms

    @property
    def naked_quantity(self) -> Decimal:
        """Return position minus what any covering order covers, at least 0 (RULES A2)."""
        covered = sum(
            (o.covers(self.position, self.at_ms, self.grace_ms) for o in self.orders), ZERO
        )
        return max(abs(self.position) - covered, ZERO)

    @property
    def cover_level(self) -> Decimal | None:
        """Return the worst trigger needed for the full quantity, own first (RULES A3).

        None while flat or not fully covered.
        """
        missing = abs(self.position)
        if missing == 0:
            return None
        # Own stops first, tightest first: they are what the keeper answers for.
        tightest_first = sorted(
            (o for o in self.orders if o.covers(self.position, self.at_ms, self.grace_ms) > 0),
            key=lambda o: (o.own_id is None, -self.sign * (o.terms.trigger_price or ZERO)),
        )
        worst: Decimal | None = None
        for order in tightest_first:
            trigger = order.terms.trigger_price
            if trigger is None:
                continue
            worst = trigger if worst is None else self._wider(worst, trigger)
            missing -= order.covers(self.position, self.at_ms, self.grace_ms)
            if missing <= 0:
                return worst
        return None

    @property
    def sign(self) -> int:
        """Return +1 long, -1 short, 0 flat."""
        return (self.position > 0) - (self.position < 0)

    def own(self, *roles: OrderRole) -> tuple[Resting, ...]:
        """Return our resting orders, of these roles when any are named."""
        return tuple(o for o in self.orders if o.terms.is_own(*roles))

    def _wider(self, a: Decimal, b: Decimal) -> Decimal:
        return min(a, b) if self.sign > 0 else max(a, b)


def pictures(
    events: Iterable[Event],
    *,
    end_ms: int,
    position: Decimal = ZERO,
    grace_ms: int = TRIGGER_GRACE_MS,
) -> Iterator[Picture]:
    """Yield what stood between each two events, the last one until ``end_ms``.

    ``position`` is what the account held before the first event. Pictures of zero length are
    yielded too: an order may come and go within one millisecond.
    """
    orders: dict[str, Resting] = {}
    cause: Event | None = None
    at_ms: int | None = None
    for event in events:
        if at_ms is not None:
            yield from _aged(at_ms, event.at_ms, position, orders, grace_ms, cause)
        at_ms, cause = event.at_ms, event
        position = _fold(event, position, orders)
    if at_ms is not None:
        yield from _aged(at_ms, max(at_ms, end_ms), position, orders, grace_ms, cause)


def _fold(event: Event, position: Decimal, orders: dict[str, Resting]) -> Decimal:
    match event:
        case Placed():
            orders[event.exchange_id] = Resting(event, "NEW", event.at_ms)
        case Changed():
            known = orders.get(event.exchange_id)
            if known is not None and event.status in _FINAL:
                del orders[event.exchange_id]
            elif known is not None and event.status != known.status:
                # The grace counts from the trigger, not from each step after it.
                since_ms = event.at_ms if known.status == "NEW" else known.since_ms
                orders[event.exchange_id] = replace(known, status=event.status, since_ms=since_ms)
        case Filled():
            parent = orders.get(event.algo_id or event.exchange_id)
            if parent is not None:
                orders[parent.terms.exchange_id] = replace(
                    parent, executed=parent.executed + event.quantity
                )
            return event.position
    return position


def _aged(
    at_ms: int,
    until_ms: int,
    position: Decimal,
    orders: dict[str, Resting],
    grace_ms: int,
    cause: Event | None,
) -> Iterator[Picture]:
    """Cut the span where the grace of a triggered stop ends."""
    resting = tuple(orders.values())
    ends = sorted(
        {
            order.since_ms + grace_ms
            for order in resting
            if order.status in _RESTING and order.status != "NEW"
        }
    )
    start_ms = at_ms
    for end_ms in ends:
        if start_ms < end_ms < until_ms:
            yield Picture(start_ms, end_ms, position, resting, grace_ms, cause)
            start_ms, cause = end_ms, None
    yield Picture(start_ms, until_ms, position, resting, grace_ms, cause)
