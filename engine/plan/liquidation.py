"""How far a stop lies before the liquidation price, by the isolated formula (RULES H1)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.domain.instrument import bracket_of, isolated_liquidation_price
from engine.domain.situation import Situation
from engine.domain.terms import Side


@dataclass(frozen=True, slots=True)
class Prospect:
    """What the liquidation price of an entry depends on, and the stop it must not come near."""

    side: Side
    price: Decimal
    stop: Decimal
    quantity: Decimal
    leverage: int


@dataclass(frozen=True, slots=True)
class Room:
    """The distance from stop to liquidation price, and the least it must be."""

    distance: Decimal
    needed: Decimal


def liquidation_room(situation: Situation, terms: Prospect) -> Room | None:
    """Return the room there is and must be, None while the brackets do not tell.

    Needed is the larger of ``liq_buffer_pct`` of the entry and half of the way to the stop.
    """
    fact = situation.observation.brackets
    bracket = None if fact is None else bracket_of(fact.value, terms.quantity * terms.price)
    if bracket is None or terms.leverage < 1:
        return None
    liquidation = isolated_liquidation_price(
        terms.side, terms.price, terms.quantity, terms.leverage, bracket
    )
    buffer = situation.limits.liq_buffer_pct / 100 * terms.price
    return Room(
        terms.side.gain(liquidation, terms.stop), max(buffer, abs(terms.price - terms.stop) / 2)
    )
