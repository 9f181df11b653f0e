"""From one price to the next: what the move meets, in the order it meets it.

Invariant: between two price points the price is taken to run straight from one to the other, the
mark price beside it; resting orders and triggers act in the order of their share of that way, at
the same share resting orders first. So a gap over an entry and its stop fills the entry and then
stops it, as it would on the way down. The switch `same_point_order` can let all triggers act first
instead: then the stop fires at nothing and the fill stands uncovered (open question 22).
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from engine.venue.orders import TRAILING, ZERO, AlgoOrder, Order

if TYPE_CHECKING:
    from engine.venue.algo import AlgoBook
    from engine.venue.matching import RegularBook

ONE = Decimal(1)
Meeting = tuple[Decimal, int, int, Order | AlgoOrder]


def walk(
    book: RegularBook,
    algo: AlgoBook,
    last_before: Decimal,
    mark_before: Decimal,
    quantity: Decimal | None,
) -> None:
    """Let everything act that the new price reached; `quantity` bounds resting fills together."""
    market = book.house.market
    resting, triggers = book.reached(), algo.reached()
    if not resting and not triggers:
        return
    met: list[Meeting] = [
        (_share(one.price, last_before, market.last), 1, one.order_id, one) for one in resting
    ]
    triggers_first = book.house.switches.same_point_order == "triggers_first"
    for trigger in triggers:
        share = ONE
        if trigger.type != TRAILING:
            by_mark = trigger.working_type == "MARK_PRICE"
            before = mark_before if by_mark else last_before
            share = _share(
                trigger.trigger_price, before, market.working_price(trigger.working_type)
            )
        met.append((share, 0 if triggers_first else 2, trigger.algo_id, trigger))
    if triggers_first:
        met.sort(key=lambda one: (one[1], one[0], one[2]))
    else:
        met.sort(key=lambda one: one[:3])
    left = quantity
    for *_, one in met:
        if isinstance(one, AlgoOrder):
            algo.trigger(one)
        else:
            executed = book.fill_resting(one, left)
            left = None if left is None else left - executed


def _share(price: Decimal, before: Decimal, now: Decimal) -> Decimal:
    """Return how much of the way from `before` to `now` lies before `price`, from 0 to 1."""
    if now == before:
        return ZERO
    return min(ONE, max(ZERO, (price - before) / (now - before)))
