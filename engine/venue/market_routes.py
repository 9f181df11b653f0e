"""The public endpoints: time, filters, prices, candles, trades (reference, 5.1 and 5.2)."""

from __future__ import annotations

import json
from bisect import bisect_left
from typing import TYPE_CHECKING

from engine.venue import params
from engine.venue.candles import INTERVALS, MINUTE_MS
from engine.venue.codes import Code, refuse
from engine.venue.listing import exchange_info
from engine.venue.routes import Route, Security, Table
from engine.venue.text import fixed
from engine.venue.ticker_routes import level_size, per_symbol

if TYPE_CHECKING:
    from engine.venue.candles import Row
    from engine.venue.funding import Funding
    from engine.venue.house import House
    from engine.venue.params import Parameters
    from engine.venue.settings import Instrument

Json = dict[str, object]
DEPTHS = {5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1000: 20}
_INFO_HEAD = b'{"timezone":"UTC","serverTime":'


class MarketRoutes:
    """What anybody may ask."""

    __slots__ = ("_funding", "_house", "_info_tail", "_listed", "_symbol")

    def __init__(self, house: House, funding: Funding) -> None:
        """Prepare the constant part of exchangeInfo."""
        self._house = house
        self._funding = funding
        self._symbol = house.settings.symbol
        self._listed: Instrument | None = None
        self._info_tail = b""

    def table(self) -> Table:
        """Return the routes."""
        public = Security.NONE
        return {
            ("GET", "/fapi/v1/ping"): Route(self.ping, 1, public),
            ("GET", "/api/v3/ping"): Route(self.ping, 1, public),
            ("GET", "/fapi/v1/time"): Route(self.time, 1, public),
            ("GET", "/api/v3/time"): Route(self.time, 1, public),
            ("GET", "/fapi/v1/exchangeInfo"): Route(self.exchange_info, 1, public),
            ("GET", "/fapi/v1/depth"): Route(self.depth, _depth_weight, public),
            ("GET", "/fapi/v1/klines"): Route(self.klines, _klines_weight, public),
            ("GET", "/fapi/v1/aggTrades"): Route(self.agg_trades, 20, public),
            ("GET", "/fapi/v1/premiumIndex"): Route(self.premium_index, per_symbol(1, 10), public),
            ("GET", "/fapi/v1/trades"): Route(self.trades, 5, public),
            ("GET", "/fapi/v1/fundingRate"): Route(self.funding_rate, 0, public),
            ("GET", "/fapi/v1/fundingInfo"): Route(self.funding_info, 0, public),
        }

    def ping(self, _: Parameters) -> Json:
        """Answer."""
        return {}

    def time(self, _: Parameters) -> Json:
        """Tell the exchange's time."""
        return {"serverTime": self._house.clock.exchange}

    def exchange_info(self, _: Parameters) -> bytes:
        """Tell filters and limits; all but the time is encoded once, and when they change."""
        house = self._house
        if self._listed is not house.instrument:
            info = json.dumps(exchange_info(house), separators=(",", ":")).encode()
            self._listed, self._info_tail = house.instrument, b"," + info[1:]
        return _INFO_HEAD + str(house.clock.exchange).encode() + self._info_tail

    def depth(self, given: Parameters) -> Json:
        """Show the book: five levels a tick apart stand for all of it."""
        params.symbol(given, self._symbol)
        depth = params.whole(given, "limit")
        if depth is not None and depth > max(DEPTHS):
            raise refuse(Code.BAD_PARAMETER, "limit")
        if depth is not None and depth not in DEPTHS:
            raise refuse(Code.DEPTH_LIMIT, depth)
        house = self._house
        market, digits = house.market, house.instrument.price_precision
        gap = house.instrument.tick_size * house.settings.level_ticks
        size = level_size(house)
        levels = range(min(5, depth or 5))
        return {
            "lastUpdateId": market.update_id,
            "E": house.clock.exchange,
            "T": house.clock.exchange,
            "bids": [[fixed(market.bid - gap * one, digits), size] for one in levels],
            "asks": [[fixed(market.ask + gap * one, digits), size] for one in levels],
        }

    def klines(self, given: Parameters) -> list[list[object]]:
        """Return candles, oldest first, the last one still open."""
        params.symbol(given, self._symbol)
        interval = params.text(given, "interval")
        if interval not in INTERVALS:
            raise refuse(Code.INTERVAL_INVALID)
        house = self._house
        rows = house.market.candles.read(
            interval,
            house.clock.exchange,
            params.whole(given, "starttime"),
            params.whole(given, "endtime"),
            params.limit(given, 500, int(house.switches.klines_maximum)),
        )
        width = INTERVALS[interval] * MINUTE_MS
        digits, amount = house.instrument.price_precision, house.instrument.quantity_precision
        return [_kline(row, width, digits, amount) for row in rows]

    def agg_trades(self, given: Parameters) -> list[Json]:
        """Return public trades: from an id, from a time, else the latest."""
        params.symbol(given, self._symbol)
        trades = self._house.market.trades
        rows = params.limit(given, 500, 1000)
        from_id = params.whole(given, "fromid")
        start, end = params.whole(given, "starttime"), params.whole(given, "endtime")
        low, high = 0, len(trades)
        if from_id is not None and trades:
            low = max(0, from_id - trades[0].trade_id)
        elif start is not None:
            low = bisect_left(trades, start, key=lambda one: one.at_ms)
        if end is not None:
            high = bisect_left(trades, end + 1, key=lambda one: one.at_ms)
        if from_id is None and start is None:
            low = max(0, high - rows)
        house = self._house
        digits, amount = house.instrument.price_precision, house.instrument.quantity_precision
        return [
            {
                "a": one.trade_id,
                "p": fixed(one.price, digits),
                "q": fixed(one.quantity, amount),
                "nq": fixed(one.quantity, amount),
                "f": one.trade_id,
                "l": one.trade_id,
                "T": one.at_ms,
                "m": one.buyer_maker,
            }
            for one in trades[low : min(high, low + rows)]
        ]

    def trades(self, given: Parameters) -> list[Json]:
        """Return the latest public trades, oldest first."""
        params.symbol(given, self._symbol)
        house = self._house
        digits, amount = house.instrument.price_precision, house.instrument.quantity_precision
        return [
            {
                "id": one.trade_id,
                "price": fixed(one.price, digits),
                "qty": fixed(one.quantity, amount),
                "quoteQty": fixed(one.price * one.quantity, 2),
                "time": one.at_ms,
                "isBuyerMaker": one.buyer_maker,
                "isRPITrade": False,
            }
            for one in house.market.trades[-params.limit(given, 500, 1000) :]
        ]

    def premium_index(self, given: Parameters) -> object:
        """Tell mark price and funding."""
        house = self._house
        mark = fixed(house.market.mark, 8)
        row = {
            "symbol": self._symbol,
            "markPrice": mark,
            "indexPrice": mark,
            "estimatedSettlePrice": mark,
            "lastFundingRate": fixed(house.settings.funding_rate, 8),
            "interestRate": "0.00010000",
            "nextFundingTime": self._funding.next_ms,
            "time": house.clock.exchange,
        }
        return row if params.optional_symbol(given, self._symbol) else [row]

    def funding_rate(self, given: Parameters) -> list[Json]:
        """Return past funding rates."""
        params.optional_symbol(given, self._symbol)
        start, end = params.whole(given, "starttime"), params.whole(given, "endtime")
        rows = params.limit(given, 100, 1000)
        past = [
            one
            for one in self._funding.past
            if (start is None or one.time_ms >= start) and (end is None or one.time_ms <= end)
        ]
        chosen = past[:rows] if start is not None else past[-rows:]
        return [
            {
                "symbol": self._symbol,
                "fundingRate": fixed(one.rate, 8),
                "fundingTime": one.time_ms,
                "markPrice": fixed(one.mark, 8),
                "rateType": "Regular",
            }
            for one in chosen
        ]

    def funding_info(self, _: Parameters) -> list[Json]:
        """List symbols with adjusted funding: none."""
        return []


def _depth_weight(given: Parameters) -> int:
    text = given.get("limit", "")
    return DEPTHS.get(int(text), 2) if text.isascii() and text.isdigit() else 10


def _klines_weight(given: Parameters) -> int:
    text = given.get("limit", "")
    rows = int(text) if text.isascii() and text.isdigit() else 500
    if rows < 100:
        return 1
    return 2 if rows < 500 else 5 if rows <= 1000 else 10


def _kline(row: Row, width: int, digits: int, amount: int) -> list[object]:
    return [
        row.open_ms,
        fixed(row.open, digits),
        fixed(row.high, digits),
        fixed(row.low, digits),
        fixed(row.close, digits),
        fixed(row.volume, amount),
        row.open_ms + width - 1,
        fixed(row.quote, 5),
        row.count,
        fixed(row.volume / 2, amount),
        fixed(row.quote / 2, 5),
        "0",
    ]
