"""Exact decimal arithmetic on the exchange's grids.

Every number comes from text; a float never enters (the ``FloatOperation`` trap makes a mixture
an error). Rounding is always named by its direction.
"""

from __future__ import annotations

import decimal
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache

ZERO = Decimal(0)
ONE = Decimal(1)
_PRICE = decimal.Context(prec=15)


def install_decimal_rules() -> None:
    """Set precision and the float trap for this and every later thread's context.

    Must run before threads start: a new thread copies ``decimal.DefaultContext``.
    """
    for context in (decimal.DefaultContext, decimal.getcontext()):
        context.prec = 34
        context.traps[decimal.FloatOperation] = True


def floor_to(value: Decimal, increment: Decimal) -> Decimal:
    """Return the largest multiple of ``increment`` that is not above ``value``."""
    return (value / increment).to_integral_value(ROUND_FLOOR) * increment


def ceil_to(value: Decimal, increment: Decimal) -> Decimal:
    """Return the smallest multiple of ``increment`` that is not below ``value``."""
    return (value / increment).to_integral_value(ROUND_CEILING) * increment


def as_price(value: Decimal) -> Decimal:
    """Return a computed price, such as an average, with as many digits as the store can order."""
    return _PRICE.plus(value)


@lru_cache(maxsize=4096)  # equal numbers have one spelling, and the same are spelled all day
def plain(value: Decimal) -> str:
    """Return the canonical plain notation: no exponent, no trailing zeros, no negative zero.

    The exchange, SQLite columns, documents and digests all see this one spelling.
    """
    if value == 0:
        return "0"
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text
