"""One named difference between the ledger and what the exchange shows (DESIGN section 5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class DriftKind(StrEnum):
    """What differs."""

    ORPHAN_POSITION = "orphan_position"
    PHANTOM_POSITION = "phantom_position"
    QUANTITY_GAP = "quantity_gap"
    SIDE_DIFFERS = "side_differs"
    COVER_TOO_SMALL = "cover_too_small"
    COVER_LOOSE = "cover_loose"
    VANISHED_OWN_ORDER = "vanished_own_order"
    DOUBTFUL_ORDER = "doubtful_order"
    COVER_IN_DOUBT = "cover_in_doubt"
    UNKNOWN_OWN_ORDER = "unknown_own_order"
    FOREIGN_ORDER = "foreign_order"
    TERMS_DIFFER = "terms_differ"
    UNANSWERED = "unanswered"
    STREAM_DIFFERS = "stream_differs"
    STREAM_SILENT = "stream_silent"
    EXCESS = "excess"
    ZOMBIE = "zombie"
    LEVERAGE_CHANGED = "leverage_changed"
    MARGIN_TYPE_CHANGED = "margin_type_changed"
    POSITION_MODE_CHANGED = "position_mode_changed"
    FILTERS_CHANGED = "filters_changed"


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference: what, about which order (or None), in words with both values."""

    kind: DriftKind
    detail: str
    order_id: str | None = None
