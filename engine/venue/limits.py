"""What a caller has spent: request weight, order counts, and the bans that follow excess.

Invariants: inside a ban nothing passes; the counters belong to windows of exchange time (a minute,
ten seconds) and start over with them; only order requests touch the order counters (exchange
reference, 2.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.venue.codes import Code, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.venue.settings import RateLimits

MINUTE_MS = 60_000
TEN_SECONDS_MS = 10_000
COUNTERS = (
    "_bans",
    "_blocked_status",
    "_blocked_until",
    "_minute",
    "_ten",
    "_violations",
    "orders_10s",
    "orders_1m",
    "weight",
)
LONGEST_BAN_S = 3 * 24 * 3600
"""Each ban is twice as long as the one before, up to three days."""
OUR_ADDRESS = "127.0.0.1"


class Limits:
    """The counters of one address and one account."""

    __slots__ = ("_limits", *COUNTERS)

    def __init__(self, limits: RateLimits) -> None:
        """Start with nothing spent."""
        self._limits = limits
        self._minute = self._ten = -1
        self.weight = self.orders_10s = self.orders_1m = 0
        self._violations = self._bans = 0
        self._blocked_until = self._blocked_status = 0

    def charge(self, weight: int, orders_10s: int, orders_1m: int, now_ms: int) -> None:
        """Count one request, or refuse it with 429 or 418."""
        self._turn(now_ms)
        if now_ms < self._blocked_until:
            self._refuse_blocked(now_ms)
        self.weight += weight
        if self.weight > self._limits.weight_1m:
            self._violations += 1
            if self._violations > self._limits.ban_after:
                self.block(418, min(self._limits.ban_s << self._bans, LONGEST_BAN_S), now_ms)
                self._bans += 1
                self._refuse_blocked(now_ms)
            raise refuse(
                Code.TOO_MANY_REQUESTS,
                OUR_ADDRESS,
                self._limits.weight_1m,
                retry_after_s=_seconds(MINUTE_MS - now_ms % MINUTE_MS),
            )
        if orders_10s or orders_1m:
            self._count_orders(orders_10s, orders_1m, now_ms)

    def _count_orders(self, orders_10s: int, orders_1m: int, now_ms: int) -> None:
        if self.orders_10s + orders_10s > self._limits.orders_10s:
            raise refuse(
                Code.TOO_MANY_ORDERS,
                self._limits.orders_10s,
                "10 SECOND",
                retry_after_s=_seconds(TEN_SECONDS_MS - now_ms % TEN_SECONDS_MS),
            )
        if self.orders_1m + orders_1m > self._limits.orders_1m:
            raise refuse(
                Code.TOO_MANY_ORDERS,
                self._limits.orders_1m,
                "1 MINUTE",
                retry_after_s=_seconds(MINUTE_MS - now_ms % MINUTE_MS),
            )
        self.orders_10s += orders_10s
        self.orders_1m += orders_1m

    def block(self, status: int, seconds: int, now_ms: int) -> None:
        """Refuse everything with `status` (429 or 418) for `seconds`."""
        self._blocked_status = status
        self._blocked_until = now_ms + seconds * 1000

    def _refuse_blocked(self, now_ms: int) -> None:
        left = _seconds(self._blocked_until - now_ms)
        if self._blocked_status == 418:
            raise refuse(Code.BANNED, OUR_ADDRESS, self._blocked_until, retry_after_s=left)
        raise refuse(
            Code.TOO_MANY_REQUESTS, OUR_ADDRESS, self._limits.weight_1m, retry_after_s=left
        )

    def dump(self) -> dict[str, int]:
        """Return the counters as plain data."""
        return {name.lstrip("_"): getattr(self, name) for name in COUNTERS}

    def load(self, plain: Mapping[str, int]) -> None:
        """Restore what `dump` returned."""
        for name in COUNTERS:
            setattr(self, name, plain.get(name.lstrip("_"), 0))

    def _turn(self, now_ms: int) -> None:
        """Start the windows over when their time has come."""
        minute, ten = now_ms // MINUTE_MS, now_ms // TEN_SECONDS_MS
        if ten != self._ten:
            self._ten = ten
            self.orders_10s = 0
            if minute != self._minute:
                self._minute = minute
                self.weight = self.orders_1m = 0
                if now_ms >= self._blocked_until:
                    self._violations = 0


def _seconds(milliseconds: int) -> int:
    return max(1, -(-milliseconds // 1000))
