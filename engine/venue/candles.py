"""Candles: minutes built from the price path, coarser intervals by aggregation.

Invariants: minutes are consecutive (a minute without a price repeats the last close with no
volume), the last row is still open, open times are aligned to the interval in exchange time.
"""

from __future__ import annotations

from bisect import bisect_left
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.venue.values import Candle

MINUTE_MS = 60_000
GAP_MINUTES_MAX = 20_160  # beyond two weeks a hole stays a hole
ZERO = Decimal(0)
MONDAY_MS = 4 * 24 * 60 * MINUTE_MS  # the epoch was a Thursday; weeks open on Mondays

INTERVALS: dict[str, int] = {
    "1m": 1,
    "3m": 3,
    "5m": 5,
    "15m": 15,
    "30m": 30,
    "1h": 60,
    "2h": 120,
    "4h": 240,
    "6h": 360,
    "8h": 480,
    "12h": 720,
    "1d": 1440,
    "3d": 4320,
    "1w": 10080,
}


class Row:
    """One candle under construction."""

    __slots__ = ("close", "count", "high", "low", "open", "open_ms", "quote", "volume")

    def __init__(self, open_ms: int, price: Decimal) -> None:
        """Open at `price`."""
        self.open_ms = open_ms
        self.open = self.high = self.low = self.close = price
        self.volume = ZERO
        self.quote = ZERO
        self.count = 0

    def touch(self, price: Decimal, quantity: Decimal) -> None:
        """Let one trade count."""
        if price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price
        self.close = price
        self.count += 1
        if quantity:
            self.volume += quantity
            self.quote += quantity * price

    def join(self, later: Row) -> None:
        """Take a later row of the same bucket in."""
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.volume += later.volume
        self.quote += later.quote
        self.count += later.count

    def plain(self) -> list[object]:
        """Return plain data for `Candles.load`."""
        prices = [str(v) for v in (self.open, self.high, self.low, self.close)]
        return [self.open_ms, *prices, str(self.volume), str(self.quote), self.count]


class Candles:
    """The minutes of one symbol, oldest first."""

    __slots__ = ("_opens", "_rows")

    def __init__(self) -> None:
        """Start without a past."""
        self._rows: list[Row] = []
        self._opens: list[int] = []

    def preload(self, candles: Sequence[Candle]) -> None:
        """Put a past before the first own minute; overlapping minutes are ignored."""
        first_own = self._opens[0] if self._opens else None
        past = []
        for candle in candles:
            open_ms = candle.open_ms - candle.open_ms % MINUTE_MS
            if first_own is not None and open_ms >= first_own:
                break
            row = Row(open_ms, candle.open)
            row.high, row.low, row.close = candle.high, candle.low, candle.close
            row.volume, row.quote, row.count = candle.volume, candle.volume * candle.close, 1
            past.append(row)
        self._rows[:0] = past
        self._opens[:0] = [row.open_ms for row in past]

    def touch(self, at_ms: int, price: Decimal, quantity: Decimal) -> Row:
        """Let a trade count at exchange time `at_ms` and return its minute."""
        open_ms = at_ms - at_ms % MINUTE_MS
        if not self._rows or open_ms > self._opens[-1]:
            self._fill_to(open_ms - MINUTE_MS)
            row = Row(open_ms, price)
            self._rows.append(row)
            self._opens.append(open_ms)
        row = self._rows[-1]
        row.touch(price, quantity)
        return row

    def _fill_to(self, open_ms: int) -> None:
        """Repeat the last close for minutes in which nothing traded."""
        if not self._rows:
            return
        last = self._opens[-1]
        if (open_ms - last) // MINUTE_MS > GAP_MINUTES_MAX:
            return
        close = self._rows[-1].close
        for missing in range(last + MINUTE_MS, open_ms + 1, MINUTE_MS):
            self._rows.append(Row(missing, close))
            self._opens.append(missing)

    def read(
        self, interval: str, now_ms: int, start_ms: int | None, end_ms: int | None, limit: int
    ) -> list[Row]:
        """Return at most `limit` rows: the first ones from `start_ms`, else the last."""
        self._fill_to(now_ms - now_ms % MINUTE_MS)
        width = INTERVALS[interval] * MINUTE_MS
        shift = MONDAY_MS if interval == "1w" else 0
        if start_ms is not None:
            first = (
                -((-(start_ms - shift)) // width) * width + shift
            )  # the first bucket at or after
            low = bisect_left(self._opens, first)
            stop = first + limit * width
            if end_ms is not None:
                stop = min(stop, end_ms - (end_ms - shift) % width + width)
            high = bisect_left(self._opens, stop)
        else:
            high = len(self._opens) if end_ms is None else bisect_left(self._opens, end_ms + 1)
            if not high:
                return []
            last = self._opens[high - 1]
            last -= (last - shift) % width
            low = bisect_left(self._opens, last - (limit - 1) * width)
            if end_ms is not None:
                high = bisect_left(self._opens, last + width)
        rows = self._rows[low:high]
        return rows if width == MINUTE_MS else _aggregate(rows, width, shift)

    def dump(self) -> list[list[object]]:
        """Return every minute as plain data."""
        return [row.plain() for row in self._rows]

    def load(self, plain: Sequence[Sequence[object]]) -> None:
        """Restore what `dump` returned."""
        for open_ms, *figures in plain:
            prices = [Decimal(str(v)) for v in figures]
            row = Row(int(str(open_ms)), prices[0])
            row.open, row.high, row.low, row.close, row.volume, row.quote = prices[:6]
            row.count = int(prices[6])
            self._rows.append(row)
            self._opens.append(row.open_ms)


def _aggregate(rows: Sequence[Row], width: int, shift: int) -> list[Row]:
    buckets: list[Row] = []
    for row in rows:
        open_ms = row.open_ms - (row.open_ms - shift) % width
        if not buckets or buckets[-1].open_ms != open_ms:
            bucket = Row(open_ms, row.open)
            buckets.append(bucket)
        buckets[-1].join(row)
    return buckets
