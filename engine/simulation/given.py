"""What lay in the inbox when, read apart from the keeper's own door.

Gates are judged against what was asked for, and only the inbox says that. A document is a ``Given``
as far as a checker needs its numbers; only the name it has in order ids is taken from where ids
are made. Moments are venue milliseconds, prices in quote currency.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

from engine.intake.document import decision_id, read_document


@dataclass(frozen=True, slots=True)
class Given:
    """One readable document as it appeared; ``same`` is its text without its own moment."""

    id: str
    made_ms: int
    action: str
    zone_low: Decimal
    zone_high: Decimal
    stop: Decimal
    tp1: Decimal
    tp2: Decimal
    size: Decimal
    leverage: int
    confidence: Decimal
    risk_level: int
    is_checked: bool
    same: str
    zones: tuple[Decimal, ...] = ()

    @property
    def sign(self) -> int:
        """Return +1 long, -1 short, 0 flat."""
        return {"long": 1, "short": -1}.get(self.action, 0)


@dataclass(frozen=True, slots=True)
class Appeared:
    """A file of the inbox took this content at this moment; None: removed, or not readable."""

    at_ms: int
    name: str
    given: Given | None


class Inbox:
    """The inbox over time."""

    def __init__(self, appeared: Iterable[Appeared] = ()) -> None:
        """Take what appeared, oldest first."""
        self._appeared: Sequence[Appeared] = tuple(appeared)

    def named(self, decision_hash: str, until_ms: int) -> Given | None:
        """Return the document of that name which had appeared by then."""
        for one in self._appeared:
            if one.at_ms > until_ms:
                return None
            if one.given is not None and one.given.id == decision_hash:
                return one.given
        return None

    def at(self, at_ms: int) -> list[Given]:
        """Return what can be read in the inbox at that moment."""
        files: dict[str, Given | None] = {}
        for one in self._appeared:
            if one.at_ms > at_ms:
                break
            files[one.name] = one.given
        return [given for given in files.values() if given is not None]

    def between(self, from_ms: int, until_ms: int) -> list[Given]:
        """Return what could be read at some moment of that stretch."""
        new = [o.given for o in self._appeared if from_ms < o.at_ms <= until_ms]
        return [*self.at(from_ms), *(given for given in new if given is not None)]


def appeared(at_ms: int, name: str, text: str | None, symbol: str) -> Appeared:
    """Return what becomes of a file's text for a checker of ``symbol``."""
    return Appeared(at_ms, name, None if text is None else _given(text, name, symbol))


def _given(text: str, name: str, symbol: str) -> Given | None:
    try:
        tree = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    except ValueError:
        return None
    if not isinstance(tree, dict) or tree.get("symbol") != symbol:
        return None
    checks = tree.get("risk_checks") or {}
    zone = tree.get("entry_zone") or (0, 0)
    try:
        return Given(
            id=decision_id(read_document(text.encode(), name, symbol).digest),
            made_ms=round(datetime.fromisoformat(str(tree["timestamp_iso"])).timestamp() * 1000),
            action=str(tree["action"]),
            zone_low=Decimal(zone[0]),
            zone_high=Decimal(zone[1]),
            stop=Decimal(tree.get("sl") or 0),
            tp1=Decimal(tree.get("tp1") or 0),
            tp2=Decimal(tree.get("tp2") or 0),
            size=Decimal(tree.get("position_size_usdt") or 0),
            leverage=int(tree.get("leverage") or 0),
            confidence=Decimal(tree.get("confidence") or 0),
            risk_level=int(tree.get("risk_level") or 0),
            is_checked=bool(checks) and all(v is True for v in checks.values()),
            same=json.dumps({**tree, "timestamp_iso": ""}, sort_keys=True, default=str),
            zones=_edges(tree.get("position_management")),
        )
    except (KeyError, TypeError, ValueError, InvalidOperation):
        return None


def _edges(management: object) -> tuple[Decimal, ...]:
    """Return the ends of every liquidation zone a document brings."""
    zones = management.get("liquidation_zones") if isinstance(management, dict) else None
    return tuple(Decimal(end) for zone in zones or () for end in zone["zone"])
