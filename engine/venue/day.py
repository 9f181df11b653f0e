"""What 24 hours of minutes did to the price: for the ticker endpoint and the ticker streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.venue.text import ZERO

if TYPE_CHECKING:
    from decimal import Decimal

    from engine.venue.market import Market

DAY_MINUTES = 24 * 60
DAY_MS = DAY_MINUTES * 60_000


@dataclass(frozen=True, slots=True)
class Day:
    """The last 24 hours; trade ids are -1 while nothing traded."""

    open: Decimal
    high: Decimal
    low: Decimal
    last: Decimal
    last_quantity: Decimal
    volume: Decimal
    quote: Decimal
    count: int
    first_id: int
    last_id: int

    @property
    def change(self) -> Decimal:
        """Price now minus price then."""
        return self.last - self.open

    @property
    def change_percent(self) -> Decimal:
        """The change in percent of the price then."""
        return self.change / self.open * 100

    @property
    def average(self) -> Decimal:
        """Average price by volume, the last price where nothing traded."""
        return self.quote / self.volume if self.volume else self.last


def day_of(market: Market, now_ms: int) -> Day:
    """Sum up the minutes until `now_ms` exchange time."""
    rows = market.candles.read("1m", now_ms, None, None, DAY_MINUTES)
    trades = market.trades
    return Day(
        open=rows[0].open,
        high=max(one.high for one in rows),
        low=min(one.low for one in rows),
        last=market.last,
        last_quantity=trades[-1].quantity if trades else ZERO,
        volume=sum((one.volume for one in rows), ZERO),
        quote=sum((one.quote for one in rows), ZERO),
        count=sum(one.count for one in rows),
        first_id=trades[0].trade_id if trades else -1,
        last_id=trades[-1].trade_id if trades else -1,
    )
