"""Why a document is refused: every code once, with what it means and what its writer can do.

``decisions/README.md`` shows the same table; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """The stable reason codes of refused documents."""

    UNREADABLE_FILE = "unreadable_file"
    TOO_LARGE = "too_large"
    UNREADABLE_JSON = "unreadable_json"
    DUPLICATE_KEY = "duplicate_key"
    NOT_AN_OBJECT = "not_an_object"
    WRONG_SYMBOL = "wrong_symbol"
    MISSING_FIELD = "missing_field"
    INVALID_TYPE = "invalid_type"
    NOT_A_NUMBER = "not_a_number"
    OUT_OF_RANGE = "out_of_range"
    NOT_POSITIVE = "not_positive"
    UNKNOWN_ACTION = "unknown_action"
    UNKNOWN_TRAIL_MODE = "unknown_trail_mode"
    TIMESTAMP_INVALID = "timestamp_invalid"
    TIMESTAMP_WITHOUT_OFFSET = "timestamp_without_offset"
    FROM_FUTURE = "from_future"
    OLDER_THAN_ADOPTED = "older_than_adopted"
    SAME_TIMESTAMP = "same_timestamp"
    ZONE_REVERSED = "zone_reversed"
    STOP_NOT_BEYOND_ZONE = "stop_not_beyond_zone"
    TARGET_WRONG_SIDE = "target_wrong_side"
    TARGETS_OUT_OF_ORDER = "targets_out_of_order"
    STRUCTURE_REVERSED = "structure_reversed"
    DUPLICATE_ZONE_ID = "duplicate_zone_id"
    MAP_UNREADABLE = "map_unreadable"
    MAP_INVALID = "map_invalid"
    MAP_WRONG_SYMBOL = "map_wrong_symbol"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code says, and the remedy it is reported with."""

    says: str
    remedy: str


MEANINGS: dict[Code, Meaning] = {
    Code.UNREADABLE_FILE: Meaning(
        "the file is there and cannot be opened", "let the keeper's user read it"
    ),
    Code.TOO_LARGE: Meaning(
        "the file is larger than 1 MiB; it was not read", "write one decision, and nothing else"
    ),
    Code.UNREADABLE_JSON: Meaning(
        "not a complete JSON document in UTF-8 (half-written?)",
        "write to a temporary name in the same folder, then rename",
    ),
    Code.DUPLICATE_KEY: Meaning("one object has the same key twice", "give each key once"),
    Code.NOT_AN_OBJECT: Meaning("the document is not a JSON object", "write {...}"),
    Code.WRONG_SYMBOL: Meaning(
        "the document is for another symbol", "give each symbol its own folder"
    ),
    Code.MISSING_FIELD: Meaning("a field or block is missing", "add it"),
    Code.INVALID_TYPE: Meaning(
        "the value has the wrong JSON type", "numbers without quotes, true or false for verdicts"
    ),
    Code.NOT_A_NUMBER: Meaning(
        "NaN, Infinity, or a number beyond 10^15", "write what was computed, or do not decide"
    ),
    Code.OUT_OF_RANGE: Meaning("the value lies outside its range", "see the table of fields"),
    Code.NOT_POSITIVE: Meaning(
        "a price, size or leverage is zero or negative", "write a value above 0"
    ),
    Code.UNKNOWN_ACTION: Meaning("the action is none we know", "use long, short or flat"),
    Code.UNKNOWN_TRAIL_MODE: Meaning(
        "the trail mode is none we know", "use structure_plus_liq, structure or liq"
    ),
    Code.TIMESTAMP_INVALID: Meaning(
        "timestamp_iso is not an ISO 8601 moment", "write it like 2025-12-05T10:05:00Z"
    ),
    Code.TIMESTAMP_WITHOUT_OFFSET: Meaning(
        "timestamp_iso does not say in which offset it is", "append Z or +00:00"
    ),
    Code.FROM_FUTURE: Meaning(
        "timestamp_iso lies too far ahead of exchange time", "set the writer's clock"
    ),
    Code.OLDER_THAN_ADOPTED: Meaning(
        "older than the decision adopted last", "write the moment at which it was decided"
    ),
    Code.SAME_TIMESTAMP: Meaning(
        "another valid document has the same timestamp; the lexically last file name won",
        "write one decision per moment",
    ),
    Code.ZONE_REVERSED: Meaning("the zone's first price is above its second", "write [low, high]"),
    Code.STOP_NOT_BEYOND_ZONE: Meaning(
        "the stop lies on or inside the entry zone, or on its wrong side",
        "long: sl below entry_zone[0]; short: sl above entry_zone[1]",
    ),
    Code.TARGET_WRONG_SIDE: Meaning(
        "a target lies inside the entry zone or on its wrong side",
        "long: tp1 above entry_zone[1]; short: tp1 below entry_zone[0]",
    ),
    Code.TARGETS_OUT_OF_ORDER: Meaning(
        "tp2 is nearer than tp1", "long: tp2 at or above tp1; short: at or below"
    ),
    Code.STRUCTURE_REVERSED: Meaning(
        "swing_low is not below swing_high", "write the lower price as swing_low"
    ),
    Code.DUPLICATE_ZONE_ID: Meaning("two liquidation zones share an id", "give each its own"),
    Code.MAP_UNREADABLE: Meaning(
        "liquidation_map.json cannot be read; the decision stands without it",
        "write to a temporary name in the same folder, then rename",
    ),
    Code.MAP_INVALID: Meaning(
        "liquidation_map.json is not such a map; the decision stands without it",
        "see the map's format",
    ),
    Code.MAP_WRONG_SYMBOL: Meaning(
        "liquidation_map.json is for another symbol; the decision stands without it",
        "give each symbol its own folder",
    ),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a document; ``field`` is a dotted path, ``value`` what stood there."""

    code: Code
    message: str
    field: str | None = None
    value: str | None = None

    @property
    def remedy(self) -> str:
        """Return what the document's writer can do."""
        return MEANINGS[self.code].remedy
