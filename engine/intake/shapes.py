"""The shapes of the documents at the door, as pydantic models over exact numbers.

Invariants: types are strict (a number in quotes is no number, 1 is no verdict); fields we do not
know are ignored here and kept in the stored original; every refusal carries one of our codes.
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from engine.domain.decision import TrailMode
from engine.intake.jsontext import Unusable
from engine.intake.refusals import Code, Fault

_SIGNIFICANT = Context(prec=15)
"""More digits than any price grid has; a float's noise digits end here (the store keeps 15)."""


def _number(value: object) -> Decimal:
    if isinstance(value, Unusable):
        raise PydanticCustomError(Code.NOT_A_NUMBER.value, "is no number to trade on")
    if not isinstance(value, Decimal):
        raise PydanticCustomError(Code.INVALID_TYPE.value, "must be a number")
    return _SIGNIFICANT.plus(value)


def _positive(value: object) -> Decimal:
    number = _number(value)
    if number <= 0:
        raise PydanticCustomError(Code.NOT_POSITIVE.value, "must be above 0")
    return number


def _whole(value: object) -> int:
    number = _number(value)
    if number != number.to_integral_value():
        raise PydanticCustomError(Code.INVALID_TYPE.value, "must be a whole number")
    return int(number)


def _leverage(value: object) -> int:
    number = _whole(value)
    if number < 1:
        raise PydanticCustomError(Code.NOT_POSITIVE.value, "must be 1 or more")
    return number


def _share(value: object) -> Decimal:
    number = _number(value)
    if not 0 <= number <= 1:
        raise PydanticCustomError(Code.OUT_OF_RANGE.value, "must lie between 0 and 1")
    return number


def _trail_mode(value: object) -> TrailMode:
    for mode in TrailMode:
        if value == mode.value:
            return mode
    raise PydanticCustomError(Code.UNKNOWN_TRAIL_MODE.value, "is no trail mode")


def _any_numbers(value: object) -> object:
    for item in value if isinstance(value, list) else [value]:
        if item is not None:
            _number(item)
    return value


def _text(value: object) -> object:
    return storable(value) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_text)]
Number = Annotated[Decimal, BeforeValidator(_number)]
Positive = Annotated[Decimal, BeforeValidator(_positive)]
Share = Annotated[Decimal, BeforeValidator(_share)]
Pair = Annotated[list[Positive], Field(min_length=2, max_length=2)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class ZoneShape(_Shape):
    """A liquidation zone; ``side`` decides nothing (RULES F9)."""

    id: Annotated[Text, Field(min_length=1, max_length=64)] | None = None
    price: Positive
    zone: Pair
    strength: Share


class StructureShape(_Shape):
    """The swing levels a stop may follow."""

    swing_low: Positive | None = None
    swing_high: Positive | None = None


class ManagementShape(_Shape):
    """How the position is managed once it is open."""

    tp1_fraction: Share
    enable_trailing: bool
    trail_mode: Annotated[TrailMode, BeforeValidator(_trail_mode)] | None = None
    liq_tp_zone_id: Text | None = None
    structure: StructureShape | None = None
    liquidation_zones: list[ZoneShape] | None = None


class OpeningShape(_Shape):
    """A long or short decision."""

    reason: Text = ""
    entry_zone: Pair
    sl: Positive
    tp1: Positive
    tp2: Positive | None = None
    risk_level: Annotated[int, BeforeValidator(_whole), Field(ge=0, le=100)]
    position_size_usdt: Positive
    leverage: Annotated[int, BeforeValidator(_leverage), Field(le=125)]
    confidence: Share
    risk_checks: Annotated[dict[Text, bool | None], Field(min_length=1)]
    position_management: ManagementShape


class FlatShape(_Shape):
    """A flat decision: price fields null, absent or zero, and nothing that is no number."""

    reason: Text | None = None
    entry_zone: Annotated[Any, BeforeValidator(_any_numbers)] = None
    sl: Number | None = None
    tp1: Number | None = None
    tp2: Number | None = None
    risk_level: Number | None = None
    position_size_usdt: Number | None = None
    leverage: Number | None = None
    confidence: Number | None = None
    risk_checks: dict[str, Any] | None = None
    position_management: dict[str, Any] | None = None


class MapShape(_Shape):
    """A liquidation map in the analytics job's own format."""

    symbol: str
    as_of: str
    below_price: list[ZoneShape]
    above_price: list[ZoneShape]


_OUR_CODES = frozenset(code.value for code in Code)
_RANGES = frozenset({"greater_than_equal", "less_than_equal", "string_too_short"})


def fault_of(error: ValidationError) -> Fault:
    """Return the first thing a shape found wrong; the message names the other fields."""
    items = error.errors(include_url=False, include_context=False)
    first = items[0]
    fields = list(dict.fromkeys(_path(item["loc"]) for item in items))
    also = f" (also wrong: {', '.join(fields[1:])})" if len(fields) > 1 else ""
    code = _code(first["type"])
    value = None if code is Code.MISSING_FIELD else shown(first["input"])
    message = "is missing" if code is Code.MISSING_FIELD else _lower(first["msg"])
    return Fault(code, f"{fields[0]} {message}{also}", fields[0], value)


def _code(kind: str) -> Code:
    if kind in _OUR_CODES:
        return Code(kind)
    if kind == "missing":
        return Code.MISSING_FIELD
    return Code.OUT_OF_RANGE if kind in _RANGES else Code.INVALID_TYPE


def _path(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc)


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def shown(value: object) -> str:
    """Return a value as a refusal shows it, cut where it is long."""
    if isinstance(value, Unusable):
        text = value.text
    elif isinstance(value, bool) or value is None:
        text = {True: "true", False: "false", None: "null"}[value]
    else:
        text = storable(str(value))
    return text if len(text) <= 80 else text[:77] + "..."


def storable(text: str) -> str:
    """Return ``text`` without what no database takes as text: NUL and lone surrogates."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
