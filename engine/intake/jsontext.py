"""JSON with exact numbers, in and out: text to `Decimal`s, and one canonical text back.

Invariants: no float exists at any point; the canonical text does not depend on white space, key
order or the spelling of a number; a number that is none (NaN, Infinity, absurd magnitude) becomes
an `Unusable` where it stands, so that the rest of the document stays readable (RULES D4).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from engine.domain.numbers import plain

_MAGNITUDE_MAX = 15
_DIGITS_MAX = 40
_JsonScalar = str | bool | None


@dataclass(frozen=True, slots=True)
class Unusable:
    """A number nobody can trade on, as it was written."""

    text: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document's tree, and the keys that some object in it has twice."""

    tree: object
    doubled: tuple[str, ...]


def parse(text: str) -> Parsed:
    """Return what ``text`` says; raises ``ValueError`` when it is not one JSON document."""
    doubled: list[str] = []

    def mapping(pairs: list[tuple[str, object]]) -> dict[str, object]:
        result = dict(pairs)
        if len(result) != len(pairs):
            names = [name for name, _ in pairs]
            doubled.extend(sorted({name for name in names if names.count(name) > 1}))
        return result

    try:
        tree = json.loads(
            text,
            parse_float=_number,
            parse_int=_number,
            parse_constant=Unusable,
            object_pairs_hook=mapping,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return Parsed(tree, tuple(doubled))


def _number(text: str) -> Decimal | Unusable:
    if len(text) > _DIGITS_MAX:
        return Unusable(text[:_DIGITS_MAX])
    try:
        value = Decimal(text)
    except InvalidOperation:
        return Unusable(text)
    if value and not -_MAGNITUDE_MAX <= value.adjusted() <= _MAGNITUDE_MAX:
        return Unusable(text)
    return value


def canonical(value: object) -> str:
    """Return the one text of a value: keys sorted, numbers plain, no white space."""
    return _written(value, None, 0)


def pretty(value: object) -> str:
    """Return a value as people read it: two spaces a level, lists of scalars on one line."""
    return _written(value, 2, 0) + "\n"


def _written(value: object, indent: int | None, depth: int) -> str:
    match value:
        case Decimal():
            return plain(value)
        case Unusable():
            return json.dumps(f"unusable number {value.text}")
        case dict():
            items = sorted(value.items()) if indent is None else value.items()
            colon = ":" if indent is None else ": "
            parts = [
                json.dumps(str(key)) + colon + _written(item, indent, depth + 1)
                for key, item in items
            ]
            return _bracketed("{", "}", parts, indent, depth)
        case list() | tuple():
            parts = [_written(item, indent, depth + 1) for item in value]
            if indent is not None and not any(isinstance(i, dict | list | tuple) for i in value):
                return f"[{', '.join(parts)}]"
            return _bracketed("[", "]", parts, indent, depth)
        case _:
            return json.dumps(value)


def _bracketed(left: str, right: str, parts: list[str], indent: int | None, depth: int) -> str:
    if indent is None or not parts:
        return f"{left}{','.join(parts)}{right}"
    inner = "\n" + " " * (indent * (depth + 1))
    outer = "\n" + " " * (indent * depth)
    return f"{left}{inner}{f',{inner}'.join(parts)}{outer}{right}"
