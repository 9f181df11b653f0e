"""What a written life expects, held against what happened.

Of a mapping the keys it names count, of a list every item in its order; numbers are compared as
numbers, however they are written. A text such as "<= 1.2" or ">= 3" bounds a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation

from engine.read.documents import Document


def differences(expected: Mapping[str, object], got: Mapping[str, object]) -> list[Document]:
    """Return every difference: where, what was expected, what was there."""
    found: list[Document] = []
    _compare("", expected, got, found)
    return found


def _compare(path: str, expected: object, got: object, found: list[Document]) -> None:
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        for key, value in expected.items():
            _compare(f"{path}/{key}", value, got.get(key), found)
    elif _is_list(expected) and _is_list(got):
        for index in range(max(len(expected), len(got))):  # type: ignore[arg-type]  # both are lists
            _compare(f"{path}/{index}", _at(expected, index), _at(got, index), found)
    elif not _same(expected, got):
        found.append({"path": path, "expected": _plain(expected), "got": _plain(got)})


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _at(values: object, index: int) -> object:
    """Return an item, None behind the end."""
    assert isinstance(values, Sequence)  # noqa: S101 - narrows the type, checked by the caller
    return values[index] if index < len(values) else None


def _same(expected: object, got: object) -> bool:
    if expected == got and isinstance(expected, bool) is isinstance(got, bool):
        return True
    a, b = _number(expected), _number(got)
    if isinstance(expected, str) and expected[:2] in ("<=", ">=") and b is not None:
        bound = Decimal(expected[2:].strip())
        return b <= bound if expected.startswith("<=") else b >= bound
    return a is not None and a == b


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _plain(value: object) -> object:
    """Return the value as JSON can carry it."""
    match value:
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case Decimal():
            return str(value)
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value
