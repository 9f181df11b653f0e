"""How a document that has the right shape contradicts itself: zone, stop, targets, management.

Written once for both sides; the first contradiction found is the one reported.
"""

from __future__ import annotations

from decimal import Decimal

from engine.domain.decision import LiquidationZone
from engine.domain.terms import Side
from engine.intake.refusals import Code, Fault
from engine.intake.shapes import ManagementShape, OpeningShape, ZoneShape, shown


def zones_of(shapes: list[ZoneShape]) -> tuple[LiquidationZone, ...]:
    """Return zones with ids: their own, else ``cluster_N`` counting from the strongest."""
    ranked = sorted(range(len(shapes)), key=lambda i: (-shapes[i].strength, i))
    rank = {index: number for number, index in enumerate(ranked, start=1)}
    return tuple(
        LiquidationZone(
            id=shape.id or f"cluster_{rank[index]}",
            price=shape.price,
            low=shape.zone[0],
            high=shape.zone[1],
            strength=shape.strength,
            given_id=shape.id is not None,
        )
        for index, shape in enumerate(shapes)
    )


def zone_fault(shapes: list[ZoneShape], field: str) -> Fault | None:
    """Return what is wrong among liquidation zones: a reversed one, an id given twice."""
    for index, shape in enumerate(shapes):
        if shape.zone[0] > shape.zone[1]:
            path = f"{field}.{index}.zone"
            return Fault(Code.ZONE_REVERSED, f"{path} is reversed", path, _pair(shape.zone))
    seen: set[str] = set()
    for zone in zones_of(shapes):
        if zone.id in seen:
            return Fault(Code.DUPLICATE_ZONE_ID, f"{zone.id} names two zones", field, zone.id)
        seen.add(zone.id)
    return None


def contradiction(side: Side, shape: OpeningShape) -> Fault | None:
    """Return how the document contradicts itself: zone, stop, targets, management."""
    low, high = shape.entry_zone
    stop_end, target_end = (low, high) if side is Side.LONG else (high, low)
    rows = (
        (low <= high, Code.ZONE_REVERSED, "entry_zone", _pair(shape.entry_zone)),
        (
            side.gain(shape.sl, stop_end) > 0,
            Code.STOP_NOT_BEYOND_ZONE,
            "sl",
            shown(shape.sl),
        ),
        (
            side.gain(target_end, shape.tp1) > 0,
            Code.TARGET_WRONG_SIDE,
            "tp1",
            shown(shape.tp1),
        ),
        (
            shape.tp2 is None or side.gain(shape.tp1, shape.tp2) >= 0,
            Code.TARGETS_OUT_OF_ORDER,
            "tp2",
            shown(shape.tp2),
        ),
    )
    for holds, code, field, value in rows:
        if not holds:
            zone = _pair(shape.entry_zone)
            text = f"a {side.value} with entry_zone {zone} cannot have {field} {value}"
            return Fault(code, text, field, value)
    return _management_fault(shape.position_management, has_tp2=shape.tp2 is not None)


def _management_fault(management: ManagementShape, *, has_tp2: bool) -> Fault | None:
    group = "position_management"
    fraction = management.tp1_fraction
    if fraction == 0:
        text = "nothing would leave at TP1"
        return Fault(Code.OUT_OF_RANGE, text, f"{group}.tp1_fraction", shown(fraction))
    if fraction < 1 and not has_tp2:
        return Fault(Code.MISSING_FIELD, "tp2 is missing, and a part stays after TP1", "tp2")
    if management.enable_trailing and management.trail_mode is None:
        text = "trail_mode is missing, and trailing is enabled"
        return Fault(Code.MISSING_FIELD, text, f"{group}.trail_mode")
    structure = management.structure
    if (
        structure is not None
        and structure.swing_low is not None
        and structure.swing_high is not None
        and structure.swing_low >= structure.swing_high
    ):
        pair = _pair([structure.swing_low, structure.swing_high])
        text = "swing_low must be below swing_high"
        return Fault(Code.STRUCTURE_REVERSED, text, f"{group}.structure", pair)
    return zone_fault(management.liquidation_zones or [], f"{group}.liquidation_zones")


def _pair(values: list[Decimal]) -> str:
    return f"[{shown(values[0])}, {shown(values[1])}]"
