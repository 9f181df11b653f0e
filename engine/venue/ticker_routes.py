"""The tickers: best bid and ask, last price, the last 24 hours (exchange reference, section 5.1).

Each answers an object for a named symbol and a list of one without a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.venue import params
from engine.venue.book_events import SHOWN_DEPTH
from engine.venue.day import DAY_MS, day_of
from engine.venue.routes import Route, Security, Table, Weight
from engine.venue.text import fixed

if TYPE_CHECKING:
    from engine.venue.house import House
    from engine.venue.params import Parameters

Json = dict[str, object]


class TickerRoutes:
    """Prices in short."""

    __slots__ = ("_house", "_symbol")

    def __init__(self, house: House) -> None:
        """Serve the prices of the house."""
        self._house = house
        self._symbol = house.settings.symbol

    def table(self) -> Table:
        """Return the routes."""
        public = Security.NONE
        return {
            ("GET", "/fapi/v1/ticker/bookTicker"): Route(self.book, per_symbol(2, 5), public),
            ("GET", "/fapi/v1/ticker/price"): Route(self.price, per_symbol(1, 2), public),
            ("GET", "/fapi/v2/ticker/price"): Route(self.price, per_symbol(1, 2), public),
            ("GET", "/fapi/v1/ticker/24hr"): Route(self.day, per_symbol(1, 40), public),
        }

    def book(self, given: Parameters) -> object:
        """Tell best bid and ask."""
        house = self._house
        market, digits = house.market, house.instrument.price_precision
        size = level_size(house)
        row = {
            "symbol": self._symbol,
            "bidPrice": fixed(market.bid, digits),
            "bidQty": size,
            "askPrice": fixed(market.ask, digits),
            "askQty": size,
            "time": house.clock.exchange,
            "lastUpdateId": market.update_id,
        }
        return self._answer(given, row)

    def price(self, given: Parameters) -> object:
        """Tell the last price."""
        house = self._house
        row = {
            "symbol": self._symbol,
            "price": fixed(house.market.last, house.instrument.price_precision),
            "time": house.clock.exchange,
        }
        return self._answer(given, row)

    def day(self, given: Parameters) -> object:
        """Tell what 24 hours of minutes did to the price."""
        house = self._house
        now_ms = house.clock.exchange
        digits, amount = house.instrument.price_precision, house.instrument.quantity_precision
        day = day_of(house.market, now_ms)
        row = {
            "symbol": self._symbol,
            "priceChange": fixed(day.change, digits),
            "priceChangePercent": fixed(day.change_percent, 3),
            "weightedAvgPrice": fixed(day.average, digits),
            "lastPrice": fixed(day.last, digits),
            "lastQty": fixed(day.last_quantity, amount),
            "openPrice": fixed(day.open, digits),
            "highPrice": fixed(day.high, digits),
            "lowPrice": fixed(day.low, digits),
            "volume": fixed(day.volume, amount),
            "quoteVolume": fixed(day.quote, 2),
            "openTime": now_ms - DAY_MS,
            "closeTime": now_ms,
            "firstId": day.first_id,
            "lastId": day.last_id,
            "count": day.count,
        }
        return self._answer(given, row)

    def _answer(self, given: Parameters, row: Json) -> object:
        return row if params.optional_symbol(given, self._symbol) else [row]


def level_size(house: House) -> str:
    """Return what each level of the book shows."""
    size = house.settings.level_quantity
    return SHOWN_DEPTH if size is None else fixed(size, house.instrument.quantity_precision)


def per_symbol(one: int, everything: int) -> Weight:
    """Return the weight of a request that may name a symbol or leave it out."""

    def weight(given: Parameters) -> int:
        return one if given.get("symbol") else everything

    return weight
