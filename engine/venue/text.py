"""How numbers look on the wire: fixed digits in replies, plain and short in stream messages.

Equal numbers look the same, and the same few are told again and again.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

ZERO = Decimal(0)


@lru_cache(maxsize=4096)
def fixed(value: Decimal, digits: int) -> str:
    """Return the number with exactly `digits` decimals; zero has no sign."""
    return f"{value:.{digits}f}" if value else f"{ZERO:.{digits}f}"


def plain(value: Decimal) -> str:
    """Return the number without exponent and without trailing zeros."""
    if not value:
        return "0"
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@lru_cache(maxsize=4096)
def short(value: Decimal, digits: int) -> str:
    """Return the number rounded to `digits` decimals, without trailing zeros."""
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return text if text not in ("", "-0") else "0"
