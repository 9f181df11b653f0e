"""The small closed vocabularies: sides, books, order types, prices by name, moments.

Moments are exchange time in integer milliseconds since the epoch (``*_ms``): exact, comparable
with the wire, without time zones; they become RFC 3339 text only where people read them.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum


class OrderSide(StrEnum):
    """The side of an order."""

    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> OrderSide:
        """Return the other order side."""
        return OrderSide.SELL if self is OrderSide.BUY else OrderSide.BUY


class Side(StrEnum):
    """The side of a position; long and short differ by ``sign`` alone."""

    LONG = "long"
    SHORT = "short"

    @property
    def sign(self) -> int:
        """Return +1 for long, -1 for short."""
        return 1 if self is Side.LONG else -1

    @property
    def opposite(self) -> Side:
        """Return the other side."""
        return Side.SHORT if self is Side.LONG else Side.LONG

    @property
    def opening(self) -> OrderSide:
        """Return the side of an order that enlarges this position."""
        return OrderSide.BUY if self is Side.LONG else OrderSide.SELL

    @property
    def closing(self) -> OrderSide:
        """Return the side of an order that reduces this position."""
        return self.opening.opposite

    def gain(self, start: Decimal, end: Decimal) -> Decimal:
        """Return how far ``end`` lies on the profitable side of ``start`` (negative: loss)."""
        return end - start if self is Side.LONG else start - end

    def tighter(self, a: Decimal, b: Decimal) -> Decimal:
        """Return whichever stop leaves less to lose."""
        return max(a, b) if self is Side.LONG else min(a, b)

    def wider(self, a: Decimal, b: Decimal) -> Decimal:
        """Return whichever stop leaves more to lose."""
        return min(a, b) if self is Side.LONG else max(a, b)

    def is_tighter(self, a: Decimal, b: Decimal) -> bool:
        """Return whether stop ``a`` leaves strictly less to lose than stop ``b``."""
        return self.gain(b, a) > 0


class Book(StrEnum):
    """Where an order rests: the matching engine, or the Algo service (conditional orders)."""

    REGULAR = "regular"
    ALGO = "algo"


class OrderType(StrEnum):
    """Order types the keeper sends, reads or merely meets."""

    LIMIT = "limit"
    MARKET = "market"
    STOP_MARKET = "stop_market"
    TAKE_PROFIT_MARKET = "take_profit_market"
    STOP = "stop"
    TAKE_PROFIT = "take_profit"
    TRAILING_STOP_MARKET = "trailing_stop_market"
    OTHER = "other"


class TimeInForce(StrEnum):
    """How long an order works: until cancelled, at once or not at all, post-only."""

    GTC = "GTC"
    IOC = "IOC"
    GTX = "GTX"


class WorkingPrice(StrEnum):
    """The price that fires a conditional order."""

    LAST = "last"
    MARK = "mark"


class ActionClass(StrEnum):
    """What a request is for; decides its share of the request budget (RULES H4)."""

    PROTECT = "protect"
    RECONCILE = "reconcile"
    MANAGE = "manage"
    ENTER = "enter"


class Rights(StrEnum):
    """What the lease permits (RULES G4)."""

    LEASED = "leased"
    ADD_ONLY = "add_only"
    NONE = "none"


class Fate(StrEnum):
    """What is known of a request."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


class Phase(StrEnum):
    """Where a position life stands, as people read it."""

    FLAT = "flat"
    ARMING = "arming"
    ENTERING = "entering"
    OPEN = "open"
    CLOSING = "closing"
    SWEEPING = "sweeping"
