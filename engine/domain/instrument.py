"""What the exchange lets us trade: increments, bounds and leverage brackets of one symbol."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.domain.numbers import ceil_to, floor_to
from engine.domain.terms import Side


@dataclass(frozen=True, slots=True)
class Instrument:
    """Filters of one symbol as exchangeInfo gives them (binance-usdm.md section 5.2).

    Prices in quote currency, quantities in base currency. ``market_quantity_max`` bounds a single
    market child, so it also bounds what one stop can close.
    """

    symbol: str
    margin_asset: str
    tick_size: Decimal
    step_size: Decimal
    price_min: Decimal
    price_max: Decimal
    quantity_min: Decimal
    quantity_max: Decimal
    market_quantity_min: Decimal
    market_quantity_max: Decimal
    notional_min: Decimal
    multiplier_up: Decimal
    multiplier_down: Decimal
    is_trading: bool

    def floor_price(self, price: Decimal) -> Decimal:
        """Round a price down to the tick."""
        return floor_to(price, self.tick_size)

    def ceil_price(self, price: Decimal) -> Decimal:
        """Round a price up to the tick."""
        return ceil_to(price, self.tick_size)

    def price_toward_less_risk(self, side: Side, price: Decimal) -> Decimal:
        """Round a stop to the tick so that it leaves no more to lose (RULES E2)."""
        return self.ceil_price(price) if side is Side.LONG else self.floor_price(price)

    def price_toward_more_risk(self, side: Side, price: Decimal) -> Decimal:
        """Round a price to the tick away from profit for ``side``."""
        return self.floor_price(price) if side is Side.LONG else self.ceil_price(price)

    def floor_quantity(self, quantity: Decimal) -> Decimal:
        """Round a quantity down to the step (RULES E2: quantities down)."""
        return floor_to(quantity, self.step_size)

    @property
    def tradable_min(self) -> Decimal:
        """Return the least quantity any order of ours may carry."""
        return max(self.quantity_min, self.market_quantity_min)


@dataclass(frozen=True, slots=True)
class Bracket:
    """One leverage bracket: maintenance ratio and deduction for a range of notionals."""

    notional_floor: Decimal
    notional_cap: Decimal
    leverage_max: int
    maintenance_ratio: Decimal
    deduction: Decimal


def bracket_of(brackets: tuple[Bracket, ...], notional: Decimal) -> Bracket | None:
    """Return the bracket that holds ``notional``, or None when no bracket reaches it."""
    return next((b for b in brackets if b.notional_floor <= notional <= b.notional_cap), None)


def isolated_liquidation_price(
    side: Side, entry_price: Decimal, quantity: Decimal, leverage: int, bracket: Bracket
) -> Decimal:
    """Return where an isolated position would be liquidated (RULES H1)."""
    deduction_per_unit = bracket.deduction / quantity
    share = Decimal(1) / leverage
    if side is Side.LONG:
        return (entry_price * (1 - share) - deduction_per_unit) / (1 - bracket.maintenance_ratio)
    return (entry_price * (1 + share) + deduction_per_unit) / (1 + bracket.maintenance_ratio)
