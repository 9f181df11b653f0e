"""The liquidation map beside the decision: advice that never invalidates it (RULES F9)."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from engine.domain.decision import LiquidationZone
from engine.intake.contradictions import zone_fault, zones_of
from engine.intake.document import sha256
from engine.intake.jsontext import parse
from engine.intake.moments import read_moment
from engine.intake.refusals import Code, Fault
from engine.intake.shapes import MapShape, fault_of, storable

MAP_NAME = "liquidation_map.json"


@dataclass(frozen=True, slots=True)
class LiquidationMap:
    """What the map file says: zones, or a fault and none."""

    digest: str
    text: str
    as_of_ms: int | None = None
    zones: tuple[LiquidationZone, ...] = ()
    fault: Fault | None = None


def read_map(raw: bytes, symbol: str) -> LiquidationMap:
    """Return the map's zones, strongest naming included; a map that is wrong has none."""
    text = storable(raw.decode("utf-8", "replace"))
    digest = sha256(raw)

    def refused(code: Code, message: str, cause: Fault | None = None) -> LiquidationMap:
        field, value = (None, None) if cause is None else (cause.field, cause.value)
        return LiquidationMap(digest, text, fault=Fault(code, message, field, value))

    try:
        parsed = parse(raw.decode("utf-8-sig"))
    except ValueError as error:
        return refused(Code.MAP_UNREADABLE, f"not a complete JSON document: {error}")
    tree = parsed.tree
    named = tree.get("symbol") if isinstance(tree, dict) else None
    if isinstance(named, str) and named != symbol:
        cause = Fault(Code.MAP_WRONG_SYMBOL, "", "symbol", named)
        return refused(Code.MAP_WRONG_SYMBOL, f"a map of {named}, we keep {symbol}", cause)
    if parsed.doubled:
        return refused(Code.MAP_INVALID, f"{parsed.doubled[0]} is given twice")
    try:
        shape = MapShape.model_validate(tree)
    except ValidationError as error:
        cause = fault_of(error)
        return refused(Code.MAP_INVALID, cause.message, cause)
    as_of = read_moment(shape.as_of, "as_of")
    if isinstance(as_of, Fault):
        return refused(Code.MAP_INVALID, as_of.message, as_of)
    shapes = [*shape.below_price, *shape.above_price]
    wrong = zone_fault(shapes, "below_price and above_price")
    if wrong is not None:
        return refused(Code.MAP_INVALID, wrong.message, wrong)
    return LiquidationMap(digest, text, as_of, zones_of(shapes))
