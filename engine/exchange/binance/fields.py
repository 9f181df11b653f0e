"""Read single fields of exchange payloads: exact numbers, named failures.

A field that is missing or not what it should be raises ``Indeterminate`` with its name: a payload
we cannot read says nothing about what happened, and a missing number is not zero (RULES C6).
Payloads come from a JSON reader that turns fractions into ``Decimal`` and refuses NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from engine.domain.errors import Indeterminate

Row = Mapping[str, object]

_MAGNITUDE_MAX = 24  # no price, quantity or amount has more digits before or after the point
_FLAGS = {"true": True, "false": False}


def row(payload: object, what: str) -> Row:
    """Return ``payload`` as a JSON object."""
    if not isinstance(payload, dict):
        raise Indeterminate(f"{what}: an object was expected, not {_shown(payload)}")
    return payload


def rows(payload: object, what: str) -> list[object]:
    """Return ``payload`` as a JSON array."""
    if not isinstance(payload, list):
        raise Indeterminate(f"{what}: an array was expected, not {_shown(payload)}")
    return payload


def decimal(value: object, name: str) -> Decimal:
    """Return an exact finite number from JSON text, integer or fraction."""
    if isinstance(value, str):
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise Indeterminate(f"{name}: {_shown(value)} is not a number") from None
    elif isinstance(value, Decimal):
        number = value
    elif isinstance(value, int) and not isinstance(value, bool):
        number = Decimal(value)
    else:
        raise Indeterminate(f"{name}: {_shown(value)} is not a number")
    if not number.is_finite() or (number and abs(number.adjusted()) > _MAGNITUDE_MAX):
        raise Indeterminate(f"{name}: {_shown(value)} is not a usable number")
    return number


def number(fields: Row, name: str) -> Decimal:
    """Return the number called ``name``."""
    return decimal(fields.get(name), name)


def number_or_none(fields: Row, name: str) -> Decimal | None:
    """Return the number called ``name``; None when absent, empty or null."""
    value = fields.get(name)
    return None if value is None or value == "" else decimal(value, name)


def positive_or_none(fields: Row, name: str) -> Decimal | None:
    """Return the number called ``name``; None when the exchange names none (absent, empty, 0)."""
    value = number_or_none(fields, name)
    return None if value is None or value <= 0 else value


def whole(fields: Row, name: str) -> int:
    """Return the integer called ``name``; integer text counts, a fraction does not."""
    value = fields.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lstrip("-").isdecimal() and len(value) <= _MAGNITUDE_MAX:
        return int(value)
    raise Indeterminate(f"{name}: {_shown(value)} is not an integer")


def whole_or_none(fields: Row, name: str) -> int | None:
    """Return the integer called ``name``; None when absent, empty or null."""
    return None if fields.get(name) in (None, "") else whole(fields, name)


def text(fields: Row, name: str) -> str:
    """Return the text called ``name``."""
    value = fields.get(name)
    if not isinstance(value, str):
        raise Indeterminate(f"{name}: {_shown(value)} is not text")
    return value


def text_or_empty(fields: Row, name: str) -> str:
    """Return the text called ``name``; "" when absent or null."""
    return "" if fields.get(name) is None else text(fields, name)


def identifier(fields: Row, name: str) -> str:
    """Return an id as text, whether it was sent as integer or text."""
    value = fields.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value:
        return value
    raise Indeterminate(f"{name}: {_shown(value)} is not an id")


def flag(fields: Row, name: str) -> bool:
    """Return the boolean called ``name``; the words true and false count in any case."""
    value = fields.get(name)
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _FLAGS:
        return _FLAGS[value.lower()]
    raise Indeterminate(f"{name}: {_shown(value)} is not a boolean")


def flag_or_false(fields: Row, name: str) -> bool:
    """Return the boolean called ``name``; False when absent or null."""
    return False if fields.get(name) is None else flag(fields, name)


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
