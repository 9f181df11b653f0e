"""Books as plain data and back: dataclasses, decimals and enums to what JSON can hold.

Invariant: `decode(type(x), encode(x)) == x` for every record of the venue; decimals travel as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

Record = TypeVar("Record")


def encode(value: object) -> object:
    """Return the value as dicts, lists, text, numbers and None."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: encode(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): encode(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [encode(inner) for inner in value]
    return value


def decode(kind: type[Record], plain: object) -> Record:
    """Return the record that `encode` made `plain` from."""
    decoded: Record = _decode(kind, plain)
    return decoded


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, localns={"Mapping": Mapping})


def _decode(kind: Any, plain: Any) -> Any:
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        inner = [one for one in get_args(kind) if one is not type(None)]
        return None if plain is None else _decode(inner[0], plain)
    if origin is tuple:
        return tuple(_decode(get_args(kind)[0], one) for one in plain)
    if origin is list:
        return [_decode(get_args(kind)[0], one) for one in plain]
    if origin in (dict, Mapping):
        return {key: _decode(get_args(kind)[1], one) for key, one in plain.items()}
    if isinstance(kind, type) and is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{name: _decode(hints[name], value) for name, value in plain.items()})
    if kind is Decimal:
        return Decimal(plain)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(plain)
    return plain
