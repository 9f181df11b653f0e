"""The shapes of market stream events, made for the streams the settings name (section 4.4).

Nothing is made for a stream that is not named there: `market_streams=()` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.venue.book_events import BookEvents
from engine.venue.candles import INTERVALS, MINUTE_MS
from engine.venue.day import DAY_MS, day_of
from engine.venue.text import fixed

if TYPE_CHECKING:
    from decimal import Decimal

    from engine.venue.candles import Row
    from engine.venue.day import Day
    from engine.venue.market import Market, MarketTrade
    from engine.venue.outbox import Outbox
    from engine.venue.settings import VenueSettings

Event = dict[str, object]


class MarketEvents:
    """The shapes of market streams, made for the streams the settings name."""

    __slots__ = (
        "_amount",
        "_levels",
        "_price",
        "_settings",
        "_streams",
        "_symbol",
        "last_mark_second",
    )

    def __init__(self, settings: VenueSettings) -> None:
        """Prepare the stream names."""
        self._settings = settings
        self._symbol = settings.symbol
        self._price = settings.instrument.price_precision
        self._amount = settings.instrument.quantity_precision
        self._levels = BookEvents(settings)
        low = settings.symbol.lower()
        self._streams = {suffix: f"{low}@{suffix}" for suffix in settings.market_streams}
        self.last_mark_second = -1

    def after_point(
        self, market: Market, outbox: Outbox, exchange_ms: int, next_funding_ms: int, rate: Decimal
    ) -> None:
        """Send what one price point makes."""
        streams = self._streams
        if not streams:
            return
        for suffix, stream in streams.items():
            if suffix == "bookTicker":
                outbox.market(stream, self._book(market, exchange_ms))
            elif suffix == "aggTrade":
                outbox.market(stream, self._trades(market.trades[-1], exchange_ms))
            elif suffix == "trade":
                outbox.market(stream, self._trade(market.trades[-1], exchange_ms))
            elif suffix == "depth":
                outbox.market(stream, self._levels.changes(market, exchange_ms))
            elif suffix == "depth5":
                outbox.market(stream, self._levels.whole(market, exchange_ms))
            elif suffix.startswith("kline_"):
                interval = suffix.removeprefix("kline_")
                rows = market.candles.read(interval, exchange_ms, None, None, 1)
                outbox.market(stream, self._kline(rows[-1], interval, exchange_ms))
        self.idle(market, outbox, exchange_ms, next_funding_ms, rate)

    def idle(
        self, market: Market, outbox: Outbox, exchange_ms: int, next_funding_ms: int, rate: Decimal
    ) -> None:
        """Send what every new second brings, with a new price or without one."""
        second = exchange_ms // 1000
        if second == self.last_mark_second:
            return
        self.last_mark_second = second
        for suffix, stream in self._streams.items():
            if suffix.startswith("markPrice"):
                outbox.market(stream, self._mark(market, exchange_ms, next_funding_ms, rate))
            elif suffix == "ticker":
                outbox.market(stream, self._day(day_of(market, exchange_ms), exchange_ms))
            elif suffix == "miniTicker":
                outbox.market(stream, self._short_day(day_of(market, exchange_ms), exchange_ms))

    def _day(self, day: Day, now_ms: int) -> Event:
        return self._short_day(day, now_ms) | {
            "e": "24hrTicker",
            "p": fixed(day.change, self._price),
            "P": fixed(day.change_percent, 3),
            "w": fixed(day.average, self._price),
            "Q": fixed(day.last_quantity, self._amount),
            "O": now_ms - DAY_MS,
            "C": now_ms,
            "F": day.first_id,
            "L": day.last_id,
            "n": day.count,
        }

    def _short_day(self, day: Day, now_ms: int) -> Event:
        return {
            "e": "24hrMiniTicker",
            "E": now_ms,
            "s": self._symbol,
            "ps": self._symbol,
            "c": fixed(day.last, self._price),
            "o": fixed(day.open, self._price),
            "h": fixed(day.high, self._price),
            "l": fixed(day.low, self._price),
            "v": fixed(day.volume, self._amount),
            "q": fixed(day.quote, 2),
            "st": 1,
        }

    def _book(self, market: Market, now_ms: int) -> Event:
        size = self._settings.level_quantity
        shown = fixed(size, self._amount) if size is not None else "10.000"
        return {
            "e": "bookTicker",
            "u": market.update_id,
            "E": now_ms,
            "T": now_ms,
            "s": self._symbol,
            "ps": self._symbol,
            "b": fixed(market.bid, self._price),
            "B": shown,
            "a": fixed(market.ask, self._price),
            "A": shown,
            "st": 1,
        }

    def _mark(self, market: Market, now_ms: int, next_funding_ms: int, rate: Decimal) -> Event:
        mark = fixed(market.mark, 8)
        return {
            "e": "markPriceUpdate",
            "E": now_ms,
            "s": self._symbol,
            "p": mark,
            "ap": mark,
            "i": mark,
            "P": mark,
            "r": f"{rate:.8f}",
            "T": next_funding_ms,
            "st": 1,
        }

    def _trade(self, trade: MarketTrade, now_ms: int) -> Event:
        return {
            "e": "trade",
            "E": now_ms,
            "T": trade.at_ms,
            "s": self._symbol,
            "t": trade.trade_id,
            "p": fixed(trade.price, self._price),
            "q": fixed(trade.quantity, self._amount),
            "X": "MARKET",
            "m": trade.buyer_maker,
        }

    def _trades(self, trade: MarketTrade, now_ms: int) -> Event:
        return {
            "e": "aggTrade",
            "E": now_ms,
            "s": self._symbol,
            "a": trade.trade_id,
            "p": fixed(trade.price, self._price),
            "q": fixed(trade.quantity, self._amount),
            "nq": fixed(trade.quantity, self._amount),
            "f": trade.trade_id,
            "l": trade.trade_id,
            "T": trade.at_ms,
            "m": trade.buyer_maker,
            "st": 1,
        }

    def _kline(self, row: Row, interval: str, now_ms: int) -> Event:
        return {
            "e": "kline",
            "E": now_ms,
            "s": self._symbol,
            "k": {
                "t": row.open_ms,
                "T": row.open_ms + INTERVALS[interval] * MINUTE_MS - 1,
                "s": self._symbol,
                "i": interval,
                "f": 1,
                "L": max(1, row.count),
                "o": fixed(row.open, self._price),
                "c": fixed(row.close, self._price),
                "h": fixed(row.high, self._price),
                "l": fixed(row.low, self._price),
                "v": fixed(row.volume, self._amount),
                "n": row.count,
                "x": False,
                "q": fixed(row.quote, 5),
                "V": fixed(row.volume / 2, self._amount),
                "Q": fixed(row.quote / 2, 5),
                "B": "0",
            },
        }
