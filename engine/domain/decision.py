"""The trading instruction somebody else's analytics gives us, as one value (DESIGN section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from engine.domain.terms import Side


class Decided(StrEnum):
    """What the decision asks for (``action`` in the document)."""

    LONG = "long"
    SHORT = "short"
    FLAT = "flat"


_SIDE = {Decided.LONG: Side.LONG, Decided.SHORT: Side.SHORT}


class TrailMode(StrEnum):
    """Which evidence may move the stop after TP1 (RULES F8)."""

    STRUCTURE_PLUS_LIQ = "structure_plus_liq"
    STRUCTURE = "structure"
    LIQ = "liq"


@dataclass(frozen=True, slots=True)
class LiquidationZone:
    """A price range where others' liquidations are expected.

    ``given_id`` tells whether the analytics job named it: such ids may persist from map to map,
    ids we generate live within one map only (RULES F9). ``strength`` is 0..1.
    """

    id: str
    price: Decimal
    low: Decimal
    high: Decimal
    strength: Decimal
    given_id: bool

    def near_edge(self, side: Side) -> Decimal:
        """Return the edge a position of ``side`` reaches first."""
        return self.low if side is Side.LONG else self.high


@dataclass(frozen=True, slots=True)
class Decision:
    """A valid decision for our symbol.

    ``id`` is the six-digit base-36 hash used in order ids, ``digest`` the whole SHA-256 of the
    canonical form. Price fields are None for ``flat``. Prices in quote currency,
    ``size_usdt`` is notional at the limit price (RULES D1). ``terms`` digests what RULES D3 calls
    the decision's terms. ``risk_checks`` holds name and verdict, None for a missing verdict.
    """

    id: str
    digest: str
    terms: str
    symbol: str
    made_ms: int
    action: Decided
    reason: str
    zone_low: Decimal | None = None
    zone_high: Decimal | None = None
    stop_loss: Decimal | None = None
    tp1: Decimal | None = None
    tp2: Decimal | None = None
    size_usdt: Decimal | None = None
    leverage: int = 1
    confidence: Decimal = Decimal(0)
    risk_level: int = 0
    risk_checks: tuple[tuple[str, bool], ...] = ()
    tp1_fraction: Decimal = Decimal("0.5")
    is_trailing_enabled: bool = False
    trail_mode: TrailMode = TrailMode.STRUCTURE_PLUS_LIQ
    zone_id: str | None = None
    swing_low: Decimal | None = None
    swing_high: Decimal | None = None
    zones: tuple[LiquidationZone, ...] = ()
    file_name: str = ""

    @property
    def side(self) -> Side | None:
        """Return the side to open, None for flat."""
        return _SIDE.get(self.action)

    def swing(self, side: Side) -> Decimal | None:
        """Return the structure level a stop of ``side`` may follow."""
        return self.swing_low if side is Side.LONG else self.swing_high


@dataclass(frozen=True, slots=True)
class Refusal:
    """A document that is not a valid decision: reason code, field, value and remedy.

    ``made_ms`` is its own timestamp when readable; ``suspends`` tells whether it is a newer
    document for our symbol, which suspends entries after a grace period (RULES D4).
    """

    digest: str
    code: str
    message: str
    file_name: str
    seen_ms: int
    field: str | None = None
    value: str | None = None
    remedy: str | None = None
    made_ms: int | None = None
    suspends: bool = False


@dataclass(frozen=True, slots=True)
class Inbox:
    """What the decision folder says at one look.

    ``decision`` is the newest valid one for our symbol (stale or not); ``refusals`` are documents
    refused at this look, each reported once; ``suspended_since_ms`` is when a newer, refused
    document was first seen; ``reads_flat`` is a document readable as flat whatever else is
    broken (RULES D4).
    ``consecutive_looks`` counts looks in a row that gave this very decision (RULES D5).
    """

    decision: Decision | None = None
    refusals: tuple[Refusal, ...] = ()
    suspended_since_ms: int | None = None
    reads_flat: bool = False
    consecutive_looks: int = 0
    problem: str | None = None
