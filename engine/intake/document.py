"""One document: from its bytes to a decision, or to the first thing that is wrong with it.

Pure: no clock, no files. Invariants: ``action`` is read first and alone, so that a document that
says flat says so whatever else is broken (RULES D4); the digest is that of the canonical form, or
of the bytes where there is none; a document without a decision has a fault.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from decimal import Decimal

from pydantic import ValidationError

from engine.domain.decision import Decided, Decision, TrailMode
from engine.domain.identity import HASH_WIDTH, base36
from engine.domain.terms import Side
from engine.intake.contradictions import contradiction, zones_of
from engine.intake.jsontext import canonical, parse
from engine.intake.moments import read_moment
from engine.intake.refusals import Code, Fault
from engine.intake.shapes import (
    FlatShape,
    OpeningShape,
    fault_of,
    shown,
    storable,
)

SIZE_MAX = 1 << 20
_FLAT = re.compile(r'"action"\s*:\s*"\s*flat\s*"', re.IGNORECASE)
_SYMBOL = re.compile(r'"symbol"\s*:\s*"([^"\\]*)"')


@dataclass(frozen=True, slots=True)
class Document:
    """What one file says.

    ``made_ms`` is its own timestamp where readable. ``is_ours`` is False when it names another
    symbol, None when its symbol cannot be read. ``has_zones`` tells that it brings liquidation
    zones of its own, which win over a map beside it.
    """

    name: str
    digest: str
    text: str
    made_ms: int | None = None
    is_ours: bool | None = None
    reads_flat: bool = False
    decision: Decision | None = None
    has_zones: bool = False
    fault: Fault | None = None


def sha256(text: str | bytes) -> str:
    """Return the SHA-256 of a text as hexadecimal digits."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def decision_id(digest: str) -> str:
    """Return the six base-36 digits of a decision that go into order ids (RULES G3)."""
    return base36(int(digest, 16) % 36**HASH_WIDTH, HASH_WIDTH)


def read_document(raw: bytes, name: str, symbol: str) -> Document:
    """Return what the file's content says for a keeper of ``symbol``."""
    try:
        text = raw.decode("utf-8-sig")
        parsed = parse(text)
    except ValueError as error:
        return _half_written(raw, name, symbol, str(error))
    tree = parsed.tree
    if not isinstance(tree, dict):
        fault = Fault(Code.NOT_AN_OBJECT, f"a {type(tree).__name__}, not an object")
        return Document(name, sha256(canonical(tree)), storable(text), fault=fault)
    made = read_moment(tree.get("timestamp_iso"), "timestamp_iso")
    base = Document(
        name=name,
        digest=sha256(raw) if parsed.doubled else sha256(canonical(tree)),
        text=storable(text),
        made_ms=made if isinstance(made, int) else None,
        is_ours=_is_ours(tree.get("symbol"), symbol),
        reads_flat=_reads_flat(tree.get("action"), text if parsed.doubled else ""),
    )
    return _judged(base, tree, parsed.doubled, made, symbol)


def _half_written(raw: bytes, name: str, symbol: str, why: str) -> Document:
    """Read out of a broken text what can only lead to less being opened."""
    text = raw.decode("utf-8", "replace")
    named = _SYMBOL.search(text)
    return Document(
        name=name,
        digest=sha256(raw),
        text=storable(text),
        is_ours=_is_ours(None if named is None else named[1], symbol),
        reads_flat=_FLAT.search(text) is not None,
        fault=Fault(Code.UNREADABLE_JSON, f"not a complete JSON document: {why}"),
    )


def _is_ours(given: object, symbol: str) -> bool | None:
    """Return whether the symbol means ours, however it is written; None when it says nothing."""
    return given.strip().upper() == symbol if isinstance(given, str) else None


def _reads_flat(action: object, doubtful_text: str) -> bool:
    is_flat = isinstance(action, str) and action.strip().lower() == Decided.FLAT.value
    return is_flat or _FLAT.search(doubtful_text) is not None


def _judged(
    base: Document,
    tree: dict[str, object],
    doubled: tuple[str, ...],
    made: int | Fault,
    symbol: str,
) -> Document:
    decision: Decision | None = None
    has_zones = False
    fault = _first_fault(tree, doubled, made, symbol)
    if fault is None and isinstance(made, int):
        try:
            if tree["action"] == Decided.FLAT.value:
                decision = _flat(base, tree, made, symbol)
            else:
                shape = OpeningShape.model_validate(tree)
                has_zones = shape.position_management.liquidation_zones is not None
                fault = contradiction(Side(str(tree["action"])), shape)
                if fault is None:
                    decision = _opening(base, tree, shape, made, symbol)
        except ValidationError as error:
            fault = fault_of(error)
    return replace(base, decision=decision, has_zones=has_zones, fault=fault)


def _first_fault(
    tree: dict[str, object], doubled: tuple[str, ...], made: int | Fault, symbol: str
) -> Fault | None:
    given, action = tree.get("symbol"), tree.get("action")
    if isinstance(given, str) and given != symbol:
        return Fault(Code.WRONG_SYMBOL, f"for {given}, we keep {symbol}", "symbol", shown(given))
    if doubled:
        return Fault(Code.DUPLICATE_KEY, f"{doubled[0]} is given twice", doubled[0])
    for name in ("symbol", "timestamp_iso", "action"):
        if name not in tree:
            return Fault(Code.MISSING_FIELD, f"{name} is missing", name)
    if not isinstance(given, str):
        return Fault(Code.INVALID_TYPE, "symbol must be text", "symbol", shown(given))
    if isinstance(made, Fault):
        return made
    if action not in [decided.value for decided in Decided]:
        return Fault(Code.UNKNOWN_ACTION, "action is none we know", "action", shown(action))
    return None


def _flat(base: Document, tree: dict[str, object], made_ms: int, symbol: str) -> Decision:
    shape = FlatShape.model_validate(tree)
    return Decision(
        id=decision_id(base.digest),
        digest=base.digest,
        terms=sha256(canonical({"action": Decided.FLAT.value})),
        symbol=symbol,
        made_ms=made_ms,
        action=Decided.FLAT,
        reason=shape.reason or "",
        confidence=shape.confidence if shape.confidence is not None else Decimal(0),
        file_name=base.name,
    )


def _opening(
    base: Document, tree: dict[str, object], shape: OpeningShape, made_ms: int, symbol: str
) -> Decision:
    management = shape.position_management
    structure = management.structure
    return Decision(
        id=decision_id(base.digest),
        digest=base.digest,
        terms=terms_of(str(tree["action"]), shape),
        symbol=symbol,
        made_ms=made_ms,
        action=Decided(str(tree["action"])),
        reason=shape.reason,
        zone_low=shape.entry_zone[0],
        zone_high=shape.entry_zone[1],
        stop_loss=shape.sl,
        tp1=shape.tp1,
        tp2=shape.tp2,
        size_usdt=shape.position_size_usdt,
        leverage=shape.leverage,
        confidence=shape.confidence,
        risk_level=shape.risk_level,
        risk_checks=tuple((k, v is True) for k, v in sorted(shape.risk_checks.items())),
        tp1_fraction=management.tp1_fraction,
        is_trailing_enabled=management.enable_trailing,
        trail_mode=management.trail_mode or TrailMode.STRUCTURE_PLUS_LIQ,
        zone_id=management.liq_tp_zone_id,
        swing_low=None if structure is None else structure.swing_low,
        swing_high=None if structure is None else structure.swing_high,
        zones=zones_of(management.liquidation_zones or []),
        file_name=base.name,
    )


def terms_of(action: str, shape: OpeningShape) -> str:
    """Return the digest of what RULES D3 calls terms, as decided (rounding is the planner's).

    Structure and liquidation zones are evidence, new with every decision, and no part of them.
    """
    management = shape.position_management
    return sha256(
        canonical(
            {
                "side": action,
                "zone": shape.entry_zone,
                "stop": shape.sl,
                "targets": [shape.tp1, shape.tp2],
                "size": shape.position_size_usdt,
                "leverage": shape.leverage,
                "management": [
                    management.tp1_fraction,
                    management.enable_trailing,
                    management.trail_mode,
                    management.liq_tp_zone_id,
                ],
            }
        )
    )
