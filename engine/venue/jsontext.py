"""JSON text with exact numbers: a `Decimal` is written with the digits it has.

The standard encoder knows no `Decimal`, and going through float would change prices.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal


def json_text(value: object) -> str:
    """Return `value` as one line of JSON, keys in the order given.

    A number that is not finite is written as `NaN` or `Infinity`, which is not JSON: scenarios
    use that to show how broken documents are refused.

    Raises:
        TypeError: for anything but mappings, sequences, text, numbers, booleans and None.
    """
    match value:
        case None | bool() | int() | str():
            return json.dumps(value, ensure_ascii=False)
        case Decimal():
            return _number(value)
        case Mapping():
            pairs = (f"{json.dumps(str(key))}: {json_text(item)}" for key, item in value.items())
            return "{" + ", ".join(pairs) + "}"
        case Sequence():
            return "[" + ", ".join(json_text(item) for item in value) + "]"
        case _:
            raise TypeError(f"no JSON for {type(value).__name__}")


def _number(value: Decimal) -> str:
    if value.is_finite():
        return format(value, "f")
    if value.is_nan():
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
