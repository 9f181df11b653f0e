"""The order book on the streams: five levels a side, told whole or by what changed (section 4.4).

Invariants: what the events of `depth` add up to is what `GET depth` shows; each event's `pu` is the
`u` before it, and its `U` is not above that, so that a client may begin with any snapshot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.venue.text import fixed

if TYPE_CHECKING:
    from engine.venue.market import Market
    from engine.venue.settings import VenueSettings

Event = dict[str, object]
Levels = dict[str, str]
SHOWN_DEPTH = "10.000"
LEVELS = 5
GONE = "0"


class BookEvents:
    """Shapes of `depth` and its parts, and what of the book was told last."""

    __slots__ = ("_amount", "_gap", "_price", "_size", "_symbol", "_told")

    def __init__(self, settings: VenueSettings) -> None:
        """Take digits and sizes from the settings."""
        instrument = settings.instrument
        self._symbol = settings.symbol
        self._price = instrument.price_precision
        self._amount = instrument.quantity_precision
        self._gap = instrument.tick_size * settings.level_ticks
        size = settings.level_quantity
        self._size = SHOWN_DEPTH if size is None else fixed(size, self._amount)
        self._told: tuple[Levels, Levels] = ({}, {})

    def changes(self, market: Market, now_ms: int) -> Event:
        """Tell what changed since the last time."""
        now = self._levels(market)
        sides = []
        for before, after in zip(self._told, now, strict=True):
            gone = {price: GONE for price in before if price not in after}
            new = {price: size for price, size in after.items() if before.get(price) != size}
            sides.append(gone | new)
        self._told = now
        return self._event(market, now_ms, sides[0], sides[1])

    def whole(self, market: Market, now_ms: int) -> Event:
        """Tell all levels there are."""
        bids, asks = self._levels(market)
        return self._event(market, now_ms, bids, asks)

    def _levels(self, market: Market) -> tuple[Levels, Levels]:
        steps = [self._gap * one for one in range(LEVELS)]
        bids = {fixed(market.bid - step, self._price): self._size for step in steps}
        asks = {fixed(market.ask + step, self._price): self._size for step in steps}
        return bids, asks

    def _event(self, market: Market, now_ms: int, bids: Levels, asks: Levels) -> Event:
        before = market.update_id - 1
        return {
            "e": "depthUpdate",
            "E": now_ms,
            "T": now_ms,
            "s": self._symbol,
            "ps": self._symbol,
            "U": before,
            "u": market.update_id,
            "pu": before,
            "b": [list(level) for level in bids.items()],
            "a": [list(level) for level in asks.items()],
            "st": 1,
        }
