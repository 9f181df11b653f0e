"""Prices: last, mark, bid and ask, the candles and trades they leave, and the depth there is.

Invariant: bid < ask always; without their own figures in the feed, bid is the last price and the
ask `spread_ticks` above it, and the mark price is the last price.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from engine.venue.candles import Candles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.venue.settings import VenueSettings
    from engine.venue.values import PricePoint

ZERO = Decimal(0)
TRADES_KEPT = 20_000
FIRST_TRADE_ID = 2890012345


class MarketTrade:
    """One trade of the public."""

    __slots__ = ("at_ms", "buyer_maker", "price", "quantity", "trade_id")

    def __init__(
        self, trade_id: int, price: Decimal, quantity: Decimal, at_ms: int, *, buyer_maker: bool
    ) -> None:
        """Record the trade at exchange time `at_ms`."""
        self.trade_id = trade_id
        self.price = price
        self.quantity = quantity
        self.at_ms = at_ms
        self.buyer_maker = buyer_maker


class Market:
    """The public side of the symbol."""

    __slots__ = (
        "_level_gap",
        "_settings",
        "_spread",
        "ask",
        "bid",
        "candles",
        "last",
        "mark",
        "quantity",
        "trades",
        "update_id",
    )

    def __init__(self, settings: VenueSettings, exchange_ms: int) -> None:
        """Open at the settings' first price."""
        self._settings = settings
        self._spread = settings.instrument.tick_size * settings.spread_ticks
        self._level_gap = settings.instrument.tick_size * settings.level_ticks
        self.candles = Candles()
        self.trades: list[MarketTrade] = []
        self.update_id = 400900217
        self.last = self.mark = self.bid = settings.first_price
        self.ask = settings.first_price + self._spread
        self.quantity: Decimal | None = None
        self.candles.touch(exchange_ms, self.last, ZERO)

    def move(self, point: PricePoint, exchange_ms: int) -> None:
        """Take one price point at exchange time."""
        rose = point.last > self.last
        self.last = point.last
        self.mark = point.mark if point.mark is not None else point.last
        self.bid = point.bid if point.bid is not None else point.last
        self.ask = point.ask if point.ask is not None else self.bid + self._spread
        if self.ask <= self.bid:
            self.ask = self.bid + self._spread
        self.quantity = point.quantity
        self.update_id += 1
        traded = point.quantity if point.quantity is not None else ZERO
        self.candles.touch(exchange_ms, point.last, traded)
        self.note_trade(point.last, traded, exchange_ms, buyer_maker=not rose)

    def note_trade(
        self, price: Decimal, quantity: Decimal, exchange_ms: int, *, buyer_maker: bool
    ) -> None:
        """Append to the public trades; the oldest go once there are many."""
        number = self.trades[-1].trade_id + 1 if self.trades else FIRST_TRADE_ID
        self.trades.append(
            MarketTrade(number, price, quantity, exchange_ms, buyer_maker=buyer_maker)
        )
        if len(self.trades) > TRADES_KEPT:
            del self.trades[: TRADES_KEPT // 2]

    def working_price(self, working_type: str) -> Decimal:
        """Return the price a trigger of this working type is judged by."""
        return self.mark if working_type == "MARK_PRICE" else self.last

    def best(self, sign: int) -> Decimal:
        """Return the price a taker of this sign (buy +1) meets first."""
        return self.ask if sign > 0 else self.bid

    def offers(
        self, sign: int, worst: Decimal | None, wanted: Decimal, *, slipping: bool
    ) -> Iterator[tuple[Decimal, Decimal]]:
        """Yield (price, quantity) for a taker, best first, none beyond `worst`."""
        settings = self._settings
        price = self.best(sign)
        if slipping and settings.slippage_ticks:
            price += sign * settings.instrument.tick_size * settings.slippage_ticks
        left = wanted
        while left > ZERO and (worst is None or (worst - price) * sign >= ZERO):
            here = left if settings.level_quantity is None else min(left, settings.level_quantity)
            if here <= ZERO or price <= ZERO:
                return
            yield price, here
            left -= here
            price += sign * self._level_gap

    def dump(self) -> dict[str, object]:
        """Return prices and candles as plain data; public trades are not kept."""
        return {
            "last": str(self.last),
            "mark": str(self.mark),
            "bid": str(self.bid),
            "ask": str(self.ask),
            "update_id": self.update_id,
            "candles": self.candles.dump(),
        }

    def load(self, plain: Mapping[str, object]) -> None:
        """Restore what `dump` returned."""
        self.last = Decimal(str(plain["last"]))
        self.mark = Decimal(str(plain["mark"]))
        self.bid = Decimal(str(plain["bid"]))
        self.ask = Decimal(str(plain["ask"]))
        self.update_id = int(str(plain["update_id"]))
        candles = plain["candles"]
        if isinstance(candles, list):
            self.candles = Candles()
            self.candles.load(candles)
