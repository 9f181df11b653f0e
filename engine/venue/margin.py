"""Brackets, maintenance margin and the liquidation price.

MM = |notional at mark| * r - cum, liquidation when the margin balance is at or below it, and LP =
(WB + cum - s*Q*E) / (Q*r - s*Q) with the bracket that holds at LP (exchange reference, section 8).
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.venue.settings import Bracket

ZERO = Decimal(0)


def bracket_of(table: Sequence[Bracket], notional: Decimal) -> Bracket:
    """Return the bracket a notional falls into; above the last cap the last one holds."""
    for bracket in table:
        if notional <= bracket.notional_cap:
            return bracket
    return table[-1]


def maintenance_margin(table: Sequence[Bracket], notional: Decimal) -> Decimal:
    """Return what a position of this notional (positive) must keep."""
    if not notional:
        return ZERO
    bracket = bracket_of(table, notional)
    return notional * bracket.ratio - bracket.cum


def notional_max(table: Sequence[Bracket], leverage: int) -> Decimal:
    """Return the largest position the leverage allows."""
    allowed = [one.notional_cap for one in table if one.leverage_max >= leverage]
    return max(allowed, default=ZERO)


def liquidation_price(
    table: Sequence[Bracket], wallet: Decimal, quantity: Decimal, entry_price: Decimal
) -> Decimal:
    """Return the mark price of liquidation for a signed quantity, or 0 if no price liquidates it.

    `wallet` is the isolated wallet, or for cross margin the cross wallet less the maintenance
    margin of other positions plus their unrealised profit.
    """
    if not quantity:
        return ZERO
    size, sign = abs(quantity), 1 if quantity > 0 else -1
    found = ZERO
    for bracket in table:
        numerator = wallet + bracket.cum - sign * size * entry_price
        price = numerator / (size * bracket.ratio - sign * size)
        if price <= ZERO:
            continue
        notional = size * price
        if bracket.notional_floor <= notional <= bracket.notional_cap:
            return price
        if bracket is table[-1] and notional > bracket.notional_cap:
            found = price
    return found


def bankruptcy_price(wallet: Decimal, quantity: Decimal, entry_price: Decimal) -> Decimal:
    """Return the price at which the margin is exactly gone (never below 0)."""
    return max(ZERO, entry_price - wallet / quantity)
