"""The records of both books: regular orders, conditional orders, trades.

A regular order lives in the matching engine; a conditional one in the algo service, and becomes a
regular one (its child) when it triggers. Times are exchange milliseconds, except `accepted_ms`,
which is the venue's own clock. Quantities are positive; `sign` is +1 for BUY and -1 for SELL.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

ZERO = Decimal(0)
BUY, SELL = "BUY", "SELL"
SIGN = {BUY: 1, SELL: -1}
CONDITIONAL_TYPES = frozenset(
    {"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"}
)
CLOSING_TYPES = frozenset({"STOP_MARKET", "TAKE_PROFIT_MARKET"})
STOP_TYPES = frozenset({"STOP", "STOP_MARKET"})
TRAILING = "TRAILING_STOP_MARKET"
LIMIT_CHILD_TYPES = frozenset({"STOP", "TAKE_PROFIT"})


def closes(position_side: str, side: str) -> bool:
    """Whether the pair of sides closes by itself, which only hedge mode can say."""
    return (position_side, side) in (("LONG", SELL), ("SHORT", BUY))


class OrderStatus(StrEnum):
    """Where a regular order is in its life."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


OPEN_STATUSES = frozenset({OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED})


class AlgoStatus(StrEnum):
    """Where a conditional order is in its life (exchange reference, section 3.4)."""

    NEW = "NEW"
    TRIGGERING = "TRIGGERING"
    TRIGGERED = "TRIGGERED"
    FINISHED = "FINISHED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


@dataclass(slots=True)
class Order:
    """One order of the matching engine."""

    order_id: int
    client_id: str
    side: str
    type: str
    quantity: Decimal
    price: Decimal
    time_in_force: str
    position_side: str
    reduce_only: bool
    close_position: bool
    created_ms: int
    updated_ms: int
    accepted_ms: int
    status: OrderStatus = OrderStatus.NEW
    executed: Decimal = ZERO
    quote: Decimal = ZERO
    origin: str = ""
    stop_price: Decimal = ZERO
    working_type: str = "CONTRACT_PRICE"
    price_protect: bool = False
    price_match: str = "NONE"
    stp: str = "EXPIRE_MAKER"
    good_till_ms: int = 0
    algo_id: int | None = None
    expiry_reason: str = "0"
    modify_id: int | None = None
    changes: int = 0

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL."""
        return SIGN[self.side]

    @property
    def remaining(self) -> Decimal:
        """What is not executed yet."""
        return self.quantity - self.executed

    @property
    def average(self) -> Decimal:
        """Average execution price, 0 before the first execution."""
        return self.quote / self.executed if self.executed else ZERO

    @property
    def reduces(self) -> bool:
        """Whether it may only make a position smaller."""
        return self.reduce_only or self.close_position or closes(self.position_side, self.side)

    @property
    def is_open(self) -> bool:
        """Whether it can still execute."""
        return self.status in OPEN_STATUSES


@dataclass(slots=True)
class AlgoOrder:
    """One conditional order of the algo service."""

    algo_id: int
    client_id: str
    side: str
    type: str
    quantity: Decimal
    price: Decimal
    trigger_price: Decimal
    time_in_force: str
    position_side: str
    reduce_only: bool
    close_position: bool
    working_type: str
    price_protect: bool
    created_ms: int
    updated_ms: int
    accepted_ms: int
    status: AlgoStatus = AlgoStatus.NEW
    price_match: str = "NONE"
    stp: str = "EXPIRE_MAKER"
    good_till_ms: int = 0
    activate_price: Decimal | None = None
    callback_rate: Decimal | None = None
    activated: bool = False
    extreme: Decimal | None = None
    trigger_ms: int = 0
    child_id: int | None = None
    failure: str = ""

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL."""
        return SIGN[self.side]

    @property
    def needs_position(self) -> bool:
        """Whether the system ends it with the position (closePosition and GTE_GTC)."""
        return self.close_position or self.time_in_force == "GTE_GTC"

    @property
    def reduces(self) -> bool:
        """Whether its child may only make a position smaller."""
        return self.reduce_only or self.close_position or closes(self.position_side, self.side)


@dataclass(slots=True)
class Trade:
    """One execution of an own order."""

    trade_id: int
    order_id: int
    client_id: str
    side: str
    position_side: str
    price: Decimal
    quantity: Decimal
    realized: Decimal
    commission: Decimal
    maker: bool
    time_ms: int
    accepted_ms: int


@dataclass(slots=True)
class Income:
    """One movement of the wallet."""

    kind: str
    amount: Decimal
    info: str
    time_ms: int
    tran_id: int
    trade_id: str = ""
