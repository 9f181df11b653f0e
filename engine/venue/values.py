"""The values that cross the venue's border: replies, pushes, price points, candles."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from decimal import Decimal


DELAY_HEADER = "X-Venue-Delay-Ms"
"""How late a reply would have come, where the venue's clock stands and nothing can wait."""


class Transport(StrEnum):
    """What the connection does with a reply; whoever carries the reply makes it real."""

    DELIVERED = "delivered"
    LOST_BEFORE = "lost_before"  # closed before the request was executed
    LOST_AFTER = "lost_after"  # executed, then closed without a reply
    TIMEOUT_BEFORE = "timeout_before"  # never executed, and no reply ever comes
    TIMEOUT_AFTER = "timeout_after"  # executed, and no reply ever comes
    REFUSED = "refused"  # the connection was not accepted
    RAW = "raw"  # the body is all that is written on the socket, byte by byte, then it is closed


class Reply(NamedTuple):
    """One HTTP answer, and what the transport makes of it after `delay_ms`.

    `drip_ms` is the pause between two bytes of a raw one.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    transport: Transport = Transport.DELIVERED
    delay_ms: int = 0
    drip_ms: int = 0


@dataclass(frozen=True, slots=True)
class Push:
    """One stream message; `stream` is "user" or a market stream such as "btcusdt@markPrice@1s"."""

    stream: str
    at_ms: int
    event: dict[str, object]


@dataclass(frozen=True, slots=True)
class PricePoint:
    """One price of a feed; `quantity` is what traded there and bounds what resting orders fill."""

    at_ms: int
    last: Decimal
    mark: Decimal | None = None
    quantity: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Candle:
    """One minute of prices, by the time it opens."""

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
