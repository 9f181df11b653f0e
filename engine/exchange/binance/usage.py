"""What the exchange said about our request weight and order counts, gathered from every lane.

Invariants: a counter is only told for the window it belongs to; a new minute starts at 0. A silence
is measured by the monotonic clock: it was told as a length, and no step of the exchange's time may
make it shorter or longer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from engine.exchange.binance.fates import Headers
from engine.exchange.port import Usage

MINUTE_MS = 60_000
TEN_SECONDS_MS = 10_000
WEIGHT = "x-mbx-used-weight-1m"
ORDERS_1M = "x-mbx-order-count-1m"
ORDERS_10S = "x-mbx-order-count-10s"


_LIMITS = {
    "REQUEST_WEIGHT 1 MINUTE": "weight_limit",
    "ORDERS 10 SECOND": "orders_10s_limit",
    "ORDERS 1 MINUTE": "orders_1m_limit",
}


class _Window:
    """The highest count reported inside the present window of exchange time."""

    def __init__(self, length_ms: int) -> None:
        self._length_ms = length_ms
        self._index = -1
        self._count = 0

    def note(self, header: str | None, now_ms: int) -> None:
        if header is None or not header.isdecimal():
            return
        index = now_ms // self._length_ms
        count = int(header)
        self._count = max(self._count, count) if index == self._index else count
        self._index = index

    def at(self, now_ms: int) -> int:
        return self._count if now_ms // self._length_ms == self._index else 0


class UsageMeter:
    """Counts requests, weights, failures and blocks; every lane reports to it."""

    def __init__(self, weight_limit: int, monotonic_ms: Callable[[], int]) -> None:
        self._monotonic_ms = monotonic_ms
        self._lock = threading.Lock()
        self._limits = {"weight_limit": weight_limit}
        self._weight = _Window(MINUTE_MS)
        self._orders_1m = _Window(MINUTE_MS)
        self._orders_10s = _Window(TEN_SECONDS_MS)
        self._requests = 0
        self._weight_spent = 0
        self._failures = 0
        self._silent_until_ms: int | None = None  # monotonic

    def take_limits(self, told: object) -> None:
        """Take the limits exchangeInfo tells; what cannot be read leaves those known before."""
        for row in told if isinstance(told, list) else ():
            if not isinstance(row, Mapping):
                continue
            about = f"{row.get('rateLimitType')} {row.get('intervalNum')} {row.get('interval')}"
            name, limit = _LIMITS.get(about), row.get("limit")
            if name is not None and isinstance(limit, int) and limit > 0:
                with self._lock:
                    self._limits[name] = limit

    def note(
        self, requests: int, weight: int, headers: Headers | None, now_ms: int, *, is_answered: bool
    ) -> None:
        """Count requests that left, of this weight each, and take the counters of their answer.

        ``is_answered``: it tells something, whatever it says; the exchange is there.
        """
        with self._lock:
            self._requests += requests
            self._weight_spent += requests * weight
            self._failures = 0 if is_answered else self._failures + 1
            if headers is not None:
                self._weight.note(headers.get(WEIGHT), now_ms)
                self._orders_1m.note(headers.get(ORDERS_1M), now_ms)
                self._orders_10s.note(headers.get(ORDERS_10S), now_ms)

    def note_failure(self) -> None:
        """Count a request that got no answer in time."""
        with self._lock:
            self._failures += 1

    def block(self, pause_ms: int) -> None:
        """Keep silent for that long (429/418); a block never gets shorter."""
        with self._lock:
            until_ms = self._monotonic_ms() + pause_ms
            self._silent_until_ms = max(self._silent_until_ms or until_ms, until_ms)

    def is_blocked(self) -> bool:
        """Return whether nothing may be sent now."""
        until_ms = self._silent_until_ms
        return until_ms is not None and self._monotonic_ms() < until_ms

    def usage(self, now_ms: int) -> Usage:
        """Return the counters as of now, which is exchange time."""
        with self._lock:
            silent_until_ms, since_ms = self._silent_until_ms, self._monotonic_ms()
            left_ms = 0 if silent_until_ms is None else silent_until_ms - since_ms
            return Usage(
                weight_used=self._weight.at(now_ms),
                **self._limits,
                orders_10s=self._orders_10s.at(now_ms),
                orders_1m=self._orders_1m.at(now_ms),
                blocked_until_ms=now_ms + left_ms if left_ms > 0 else 0,
                requests=self._requests,
                weight_spent=self._weight_spent,
                consecutive_failures=self._failures,
            )
