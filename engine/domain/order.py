"""Orders: the terms we send, the report the exchange gives, and what we wrote down of both."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.numbers import ZERO
from engine.domain.terms import (
    ActionClass,
    Book,
    OrderSide,
    OrderType,
    Side,
    TimeInForce,
    WorkingPrice,
)


class OrderStatus(StrEnum):
    """The life of an order; an algo order is WORKING while it waits for its trigger."""

    INTENDED = "intended"
    WORKING = "working"
    TRIGGERING = "triggering"
    TRIGGERED = "triggered"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    UNKNOWN = "unknown"

    @property
    def is_final(self) -> bool:
        """Return whether nothing can happen to the order any more."""
        return self in _FINAL

    @property
    def is_resting(self) -> bool:
        """Return whether the exchange holds the order and may still execute it."""
        return self in _RESTING


_FINAL = frozenset(
    {OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.EXPIRED}
)
_RESTING = frozenset(
    {
        OrderStatus.WORKING,
        OrderStatus.TRIGGERING,
        OrderStatus.TRIGGERED,
        OrderStatus.PARTIALLY_FILLED,
    }
)


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """Everything that is sent to place an order; never changed under the same id.

    ``quantity`` is None exactly for closePosition orders, which size themselves.
    ``position_side`` is named in hedge mode and only there (RULES H3).
    """

    client_id: ClientOrderId
    side: OrderSide
    type: OrderType
    quantity: Decimal | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    working_price: WorkingPrice = WorkingPrice.LAST
    reduce_only: bool = False
    close_position: bool = False
    time_in_force: TimeInForce = TimeInForce.GTC
    position_side: Side | None = None

    @property
    def role(self) -> OrderRole:
        """Return why the order exists."""
        return self.client_id.role

    @property
    def book(self) -> Book:
        """Return where the order rests: conditional types live in the Algo service."""
        regular = self.type in (OrderType.LIMIT, OrderType.MARKET)
        return Book.REGULAR if regular else Book.ALGO

    @property
    def can_open(self) -> bool:
        """Return whether executing this order could open or enlarge a position."""
        return not (self.reduce_only or self.close_position)


@dataclass(frozen=True, slots=True)
class OrderReport:
    """What the exchange says about one order at one instant.

    ``quantity_filled`` counts executions of the order itself or, for an algo order, of its child
    (``child_id`` is the child's exchange order id). ``note`` is the exchange's own word on why.
    ``position_side`` is the position it belongs to in hedge mode, None in one-way mode.
    """

    client_id: str
    exchange_id: str
    book: Book
    side: OrderSide
    type: OrderType
    status: OrderStatus
    quantity: Decimal | None
    price: Decimal | None
    trigger_price: Decimal | None
    working_price: WorkingPrice
    reduce_only: bool
    close_position: bool
    quantity_filled: Decimal
    created_ms: int
    updated_ms: int
    child_id: str | None = None
    note: str = ""
    position_side: Side | None = None

    @property
    def own_id(self) -> ClientOrderId | None:
        """Return our id when the order carries one, else None: the order is foreign."""
        return ClientOrderId.parse(self.client_id)


@dataclass(frozen=True, slots=True)
class Order:
    """One own order as the ledger knows it: terms, evidence, fate.

    ``rested_ms`` is the first positive word about it (RULES C1), ``doubtful_since_ms`` the moment
    a list stopped showing it without a contrary word.
    ``dead_after_ms``: from then on a request of unknown fate can no longer execute
    (timestamp + recvWindow + clock error, RULES C4). ``reason`` is the rule that asked for it.
    ``quantity_pushed`` is what the user stream says has executed, at ``pushed_ms``, while no answer
    says as much: it makes cover larger and nothing else (DESIGN section 2).
    """

    terms: OrderTerms
    status: OrderStatus
    reason: str
    action_class: ActionClass
    intended_ms: int
    dead_after_ms: int
    exchange_id: str | None = None
    child_id: str | None = None
    quantity_filled: Decimal = ZERO
    rested_ms: int | None = None
    doubtful_since_ms: int | None = None
    triggered_ms: int | None = None
    finished_ms: int | None = None
    cancel_sent_ms: int | None = None
    code: int = 0
    note: str = ""
    is_adopted: bool = False
    quantity_pushed: Decimal = ZERO
    pushed_ms: int | None = None

    @property
    def id(self) -> ClientOrderId:
        """Return our id of the order."""
        return self.terms.client_id

    @property
    def role(self) -> OrderRole:
        """Return why the order exists."""
        return self.terms.client_id.role

    @property
    def generation(self) -> int:
        """Return the position life the order belongs to."""
        return self.terms.client_id.generation

    @property
    def quantity_remaining(self) -> Decimal:
        """Return what the order may still execute (0 for closePosition and final orders)."""
        if self.terms.quantity is None or self.status.is_final:
            return ZERO
        return max(self.terms.quantity - self.quantity_filled, ZERO)

    @property
    def quantity_untold(self) -> Decimal:
        """Return what only the user stream says has executed."""
        return max(self.quantity_pushed - self.quantity_filled, ZERO)

    @property
    def is_confirmed_resting(self) -> bool:
        """Return whether it rests by evidence and nothing made that doubtful (RULES C1)."""
        return self.status.is_resting and self.doubtful_since_ms is None

    @property
    def may_rest(self) -> bool:
        """Return whether the exchange might hold it: resting, doubtful, or of unknown fate."""
        return self.status not in _FINAL

    @property
    def is_unresolved(self) -> bool:
        """Return whether its own fate is still open: sent, but no word about it yet."""
        return self.status in (OrderStatus.UNKNOWN, OrderStatus.INTENDED)


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution, counted once by the exchange's trade id.

    ``commission`` is what we paid (positive) in ``commission_asset``; ``realized_pnl`` is the
    exchange's own number before commission. ``client_id`` is "" while the order is not known.
    """

    fill_id: str
    exchange_order_id: str
    client_id: str
    side: OrderSide
    price: Decimal
    quantity: Decimal
    commission: Decimal
    commission_asset: str
    realized_pnl: Decimal
    is_maker: bool
    at_ms: int

    @property
    def own_id(self) -> ClientOrderId | None:
        """Return our id of the order that executed, or None for a foreign one."""
        return ClientOrderId.parse(self.client_id)

    def commission_in(self, symbol: str) -> Decimal | None:
        """Return the commission where it was paid in the symbol's margin asset, else None.

        Fees may be burned in another coin; an amount of that is no amount of this.
        """
        return self.commission if symbol.endswith(self.commission_asset) else None

    @property
    def signed_quantity(self) -> Decimal:
        """Return the change of the position: positive for a buy."""
        return self.quantity if self.side is OrderSide.BUY else -self.quantity


def signed(side: Side, quantity: Decimal) -> Decimal:
    """Return a position quantity with the sign of its side."""
    return quantity * side.sign
