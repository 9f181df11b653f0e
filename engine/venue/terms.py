"""What a client asks for, after parsing: the terms of a regular and of a conditional order."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.venue.orders import SIGN, ZERO, closes


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """The terms of one regular order; `client_id` is empty when the exchange is to choose one."""

    side: str
    type: str
    quantity: Decimal
    price: Decimal = ZERO
    time_in_force: str = "GTC"
    position_side: str = "BOTH"
    reduce_only: bool = False
    client_id: str = ""
    price_match: str = "NONE"
    stp: str = "EXPIRE_MAKER"
    good_till_ms: int = 0
    wants_result: bool = False

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL."""
        return SIGN[self.side]

    @property
    def is_market(self) -> bool:
        """Whether it takes whatever price there is."""
        return self.type == "MARKET"

    @property
    def reduces(self) -> bool:
        """Whether it may only make a position smaller (hedge mode says so by the pair of sides)."""
        return self.reduce_only or closes(self.position_side, self.side)


@dataclass(frozen=True, slots=True)
class AlgoTerms:
    """The terms of one conditional order."""

    side: str
    type: str
    quantity: Decimal
    trigger_price: Decimal
    price: Decimal = ZERO
    time_in_force: str = "GTC"
    position_side: str = "BOTH"
    reduce_only: bool = False
    close_position: bool = False
    working_type: str = "CONTRACT_PRICE"
    price_protect: bool = False
    client_id: str = ""
    price_match: str = "NONE"
    stp: str = "EXPIRE_MAKER"
    good_till_ms: int = 0
    activate_price: Decimal | None = None
    callback_rate: Decimal | None = None

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL."""
        return SIGN[self.side]

    @property
    def needs_position(self) -> bool:
        """Whether it is refused while flat (closePosition and GTE_GTC)."""
        return self.close_position or self.time_in_force == "GTE_GTC"

    @property
    def reduces(self) -> bool:
        """Whether its child may only make a position smaller."""
        return self.reduce_only or self.close_position or closes(self.position_side, self.side)
