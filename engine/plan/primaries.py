"""A primary may be a set of stops at one level: no market child takes more than its maximum (F1).

The quantity to cover is cut into parts of at most ``MARKET_LOT_SIZE.maxQty``. A part that no
resting stop answers for is placed alone; a move places the whole set and retires what the new one
makes superfluous. Every bound on a number of stops counts sets (RULES C4, F1): with one part, the
usual case, it is the number of orders itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from engine.domain.instrument import Instrument
from engine.domain.numbers import ZERO
from engine.domain.order import Order
from engine.domain.situation import Situation
from engine.domain.terms import Side


def parts_of(quantity: Decimal, instrument: Instrument | None) -> tuple[Decimal, ...]:
    """Return the quantities of the ceil(Q / max) primaries that carry ``quantity``, largest first.

    A rest below what any order may carry takes its share from the part before it. Where the
    filters were not read, one order is better than none.
    """
    if instrument is None or quantity <= instrument.market_quantity_max:
        return (quantity,)
    most, least = instrument.market_quantity_max, instrument.tradable_min
    whole, rest = divmod(quantity, most)
    parts = [most] * int(whole)
    if ZERO < rest < least:
        parts[-1], rest = most + rest - least, least
    return (*parts, rest) if rest else tuple(parts)


def parts_to_cover(situation: Situation, quantity: Decimal | None = None) -> tuple[Decimal, ...]:
    """Return the parts of what is to be covered, or of ``quantity``."""
    wanted = situation.quantity_to_cover if quantity is None else quantity
    return parts_of(wanted, situation.instrument)


def missing_parts(parts: Sequence[Decimal], resting: Iterable[Order]) -> tuple[Decimal, ...]:
    """Return the parts for which no stop of at least that quantity rests; each answers for one."""
    left = sorted((o.terms.quantity or ZERO for o in resting), reverse=True)
    missing: list[Decimal] = []
    for part in parts:
        if left and left[0] >= part:
            left.pop(0)
        else:
            missing.append(part)
    return tuple(missing)


def stops_max(situation: Situation) -> int:
    """Return how many primaries may possibly rest at once: so many whole sets (RULES C4)."""
    return situation.limits.possibly_resting_max * len(parts_to_cover(situation))


def carriers(side: Side, need: Decimal, resting: Iterable[Order]) -> tuple[Order, ...]:
    """Return the stops that carry the cover of ``need``: tightest first, no more than it takes.

    At one level those that reach furthest, the later revision where two reach as far. Empty when
    all of them together do not reach: then none can be spared.
    """
    left = list(resting)
    chosen: list[Order] = []
    while left and (need > 0 or not chosen):
        best = left[0]
        for order in left[1:]:
            if _is_preferred(side, need, order, best):
                best = order
        left.remove(best)
        chosen.append(best)
        need -= best.terms.quantity or ZERO
    return () if need > 0 else tuple(chosen)


def _is_preferred(side: Side, need: Decimal, order: Order, best: Order) -> bool:
    gain = side.gain(best.terms.trigger_price or ZERO, order.terms.trigger_price or ZERO)
    if gain != 0:
        return gain > 0
    reaches = min(order.terms.quantity or ZERO, need)
    best_reaches = min(best.terms.quantity or ZERO, need)
    return (reaches, order.id.revision) > (best_reaches, best.id.revision)
