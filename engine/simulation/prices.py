"""The market as the venue's log tells it: last, mark, bid and ask, and the minutes they make.

What stood when somebody looked is found by the number of the log entry, not by its millisecond:
several things happen in one. Minutes are counted in exchange time, as the venue's own candles are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from engine.domain.numbers import ZERO
from engine.simulation.stretches import between, during

Entry = Mapping[str, object]
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Quoted:
    """One price point; ``minute`` is the candle it counts in, by its number since the epoch."""

    n: int
    at_ms: int
    last: Decimal
    mark: Decimal
    bid: Decimal
    ask: Decimal
    minute: int


class Prices:
    """Prices over time; a venue that logs none gives none."""

    def __init__(self, entries: Sequence[Entry] = ()) -> None:
        """Read the prices of a log, and how far the exchange's clock was off."""
        self._points: list[Quoted] = []
        self._skews: list[tuple[int, int]] = [(0, 0)]
        for entry in entries:
            if entry["kind"] == "skew":
                self._skews.append((_int(entry["n"]), _int(entry["skew_ms"])))
            elif entry["kind"] == "price":
                self._points.append(self._point(entry))

    def _point(self, entry: Entry) -> Quoted:
        at_ms, last = _int(entry["at_ms"]), Decimal(str(entry["last"]))
        minute = (at_ms + self._skews[-1][1]) // MINUTE_MS
        if self._points:  # a clock set back opens no earlier candle
            minute = max(minute, self._points[-1].minute)
        bid, ask = entry.get("bid", entry["last"]), entry.get("ask", entry["last"])
        return Quoted(
            _int(entry["n"]), at_ms, last, Decimal(str(entry["mark"])),
            Decimal(str(bid)), Decimal(str(ask)), minute,
        )  # fmt: skip

    def within(self, from_ms: int, until_ms: int) -> list[Decimal]:
        """Return every last and mark price that stood at some moment of that stretch."""
        points = self.between(from_ms, until_ms)
        return [price for point in points for price in (point.last, point.mark)]

    def between(self, from_ms: int, until_ms: int) -> Sequence[Quoted]:
        """Return what stood at some moment of that stretch, oldest first."""
        return between(self._points, from_ms, until_ms)

    def during(self, from_n: int, until_n: int) -> Sequence[Quoted]:
        """Return what stood between two entries of the log, oldest first."""
        return during(self._points, from_n, until_n)

    def widest_minute_pct(self, n: int, at_ms: int, minutes: int) -> Decimal:
        """Return the largest range of the last few minutes, the open one included, in percent.

        As a look at entry ``n``, at this moment, found them; a minute without a price has none.
        """
        now = (at_ms + self._skew_at(n)) // MINUTE_MS
        high: dict[int, Decimal] = {}
        low: dict[int, Decimal] = {}
        index = bisect_left(self._points, n, key=lambda p: p.n) - 1
        if index >= 0:
            now = max(now, self._points[index].minute)
        while index >= 0 and (point := self._points[index]).minute > now - minutes:
            high[point.minute] = max(high.get(point.minute, point.last), point.last)
            low[point.minute] = min(low.get(point.minute, point.last), point.last)
            index -= 1
        return max(((high[m] - low[m]) / low[m] * 100 for m in high), default=ZERO)

    def _skew_at(self, n: int) -> int:
        return self._skews[bisect_left(self._skews, n, key=lambda s: s[0]) - 1][1]


def _int(value: object) -> int:
    return int(str(value))
