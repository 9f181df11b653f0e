"""The venue: one call takes a request as it was sent and gives the reply as it goes out.

Time comes in with every call and never runs by itself; chance is seeded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.venue.settings import VenueSettings
from engine.venue.values import Candle, PricePoint, Push, Reply, Transport

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from decimal import Decimal

__all__ = ["Candle", "PricePoint", "Push", "Reply", "Transport", "Venue", "VenueSettings"]


class Venue:
    """A strict simulated exchange with one account and one symbol."""

    def __init__(
        self, settings: VenueSettings | None = None, *, now_ms: int, seed: int = 0
    ) -> None:
        """Open for business at `now_ms`; everything random follows from `seed`."""
        raise NotImplementedError

    def handle(
        self, verb: str, path: str, query: str, body: str, key: str | None, now_ms: int
    ) -> Reply:
        """Answer one request; `query` and `body` are the raw text as sent."""
        raise NotImplementedError

    def advance(self, now_ms: int) -> None:
        """Let time pass: due price points, triggers, funding, expiries, delayed pushes."""
        raise NotImplementedError

    def set_price(
        self,
        last: Decimal,
        now_ms: int,
        *,
        mark: Decimal | None = None,
        quantity: Decimal | None = None,
    ) -> None:
        """Move the price now; `quantity` bounds what resting orders fill at this point."""
        raise NotImplementedError

    def feed_from(self, feed: Iterator[PricePoint]) -> None:
        """Take prices from `feed`; `advance` pulls the points that are due."""
        raise NotImplementedError

    def preload_candles(self, candles: Sequence[Candle]) -> None:
        """Give the market a past."""
        raise NotImplementedError

    def drain_pushes(self) -> list[Push]:
        """Take the stream messages that are due, oldest first."""
        raise NotImplementedError

    def hand(self, hand: Mapping[str, object], now_ms: int) -> None:
        """Do what somebody else does to this account (scenario key "hands")."""
        raise NotImplementedError

    def inject(self, fault: Mapping[str, object]) -> int:
        """Arm a fault and return its number."""
        raise NotImplementedError

    def faults(self) -> list[dict[str, object]]:
        """List the faults with how often each has struck."""
        raise NotImplementedError

    def clear_faults(self) -> None:
        """Disarm every fault."""
        raise NotImplementedError

    def force(self, what: str, now_ms: int) -> None:
        """Force a "liquidation" or an "adl" close now."""
        raise NotImplementedError

    def skew(self, skew_ms: int) -> None:
        """Set the exchange's clock off by `skew_ms`."""
        raise NotImplementedError

    def state(self) -> dict[str, object]:
        """Describe everything for the admin interface, JSON-able."""
        raise NotImplementedError

    def log_after(self, sequence: int) -> list[dict[str, object]]:
        """Return the log entries after `sequence`."""
        raise NotImplementedError

    def dump(self) -> dict[str, object]:
        """Return the whole books, JSON-able, for `load`."""
        raise NotImplementedError

    @classmethod
    def load(cls, books: Mapping[str, object]) -> Venue:
        """Open again from what `dump` returned."""
        raise NotImplementedError
