"""The venue's log as checkers read it: what happened, as frozen values in order.

The log is the only witness: nothing here knows what the keeper intended or wrote down. Times are
the venue's milliseconds, quantities positive except ``position``, which is signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.domain.identity import ClientOrderId, OrderRole


@dataclass(frozen=True, slots=True)
class Placed:
    """An order was accepted and rests (or executes at once)."""

    n: int
    at_ms: int
    book: str
    exchange_id: str
    client_id: str
    side: str
    type: str
    quantity: Decimal | None
    trigger_price: Decimal | None
    reduce_only: bool
    close_position: bool
    position_side: str = "BOTH"

    @property
    def own_id(self) -> ClientOrderId | None:
        """Return our id when the order carries one."""
        return ClientOrderId.parse(self.client_id)

    def is_own(self, *roles: OrderRole) -> bool:
        """Return whether it is ours and, when roles are named, of one of them."""
        own = self.own_id
        return own is not None and (not roles or own.role in roles)


@dataclass(frozen=True, slots=True)
class Changed:
    """An order took another status; ``by`` is who did it: api, hand, system or market."""

    n: int
    at_ms: int
    book: str
    exchange_id: str
    status: str
    by: str


@dataclass(frozen=True, slots=True)
class Filled:
    """An execution; ``algo_id`` names the conditional order whose child executed, if any.

    ``position`` is the signed position after it.
    """

    n: int
    at_ms: int
    exchange_id: str
    algo_id: str | None
    client_id: str
    side: str
    price: Decimal
    quantity: Decimal
    position: Decimal

    @property
    def own_id(self) -> ClientOrderId | None:
        """Return our id of the order that executed."""
        return ClientOrderId.parse(self.client_id)


Event = Placed | Changed | Filled
