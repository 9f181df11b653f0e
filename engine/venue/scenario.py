"""A written life: prices, decisions, hands and faults on one time line, as frozen values.

The scenario file is a contract with people who never read this code, so every refusal names the
field, the value found there and what to write instead. Times inside a scenario are whole
milliseconds after its start, numbers are `Decimal` made from the text of the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from engine.venue.jsontext import json_text

DECISION_FILE = "decision.json"
MAP_FILE = "liquidation_map.json"

DEFAULT_DECISION: Mapping[str, object] = {
    "symbol": "BTCUSDT",
    "action": "long",
    "reason": "trend_up_etf_support_liq_below",
    "entry_zone": [90700, 90900],
    "sl": 90380,
    "tp1": 91600,
    "tp2": 92900,
    "risk_level": 2,
    "position_size_usdt": 1200,
    "leverage": 3,
    "confidence": Decimal("0.74"),
    "risk_checks": {
        "daily_dd_ok": True,
        "weekly_dd_ok": True,
        "max_trades_per_day_ok": True,
        "session_ok": True,
        "no_major_news": True,
    },
    "position_management": {
        "tp1_fraction": Decimal("0.5"),
        "enable_trailing": True,
        "trail_mode": "structure_plus_liq",
        "liq_tp_zone_id": "cluster_1",
    },
}
"""What a scenario's decision says where the file is silent."""


class ScenarioError(ValueError):
    """A scenario file that cannot be used.

    Attributes:
        file: path of the scenario as given.
        field: dotted place inside the file, empty for the file as a whole.
        value: what was found there, as text.
        remedy: what to write instead.
    """

    def __init__(
        self, message: str, *, file: str, field: str = "", value: str = "", remedy: str = ""
    ) -> None:
        """Keep the parts beside the sentence made of them."""
        self.file, self.field, self.value, self.remedy = file, field, value, remedy
        place = f"{file}: {field}" if field else file
        found = f" (found {value})" if value else ""
        advice = f"; {remedy}" if remedy else ""
        super().__init__(f"{place}: {message}{found}{advice}")


@dataclass(frozen=True, slots=True)
class FeedRow:
    """One written price: milliseconds after the start, last price, mark price or None."""

    at_ms: int
    last: Decimal
    mark: Decimal | None = None


@dataclass(frozen=True, slots=True)
class StartingPosition:
    """A position that stands when the scenario begins; side is `long` or `short`."""

    side: str
    quantity: Decimal
    entry_price: Decimal


@dataclass(frozen=True, slots=True)
class StartingAccount:
    """Wallet balance in the margin asset, and the position if there is one."""

    wallet: Decimal = Decimal(1000)
    position: StartingPosition | None = None


@dataclass(frozen=True, slots=True)
class WrittenDecision:
    """A document that appears in the inbox at `at_ms`; either fields or a raw text."""

    at_ms: int
    fields: Mapping[str, object] = field(default_factory=dict)
    raw: str | None = None
    file: str = DECISION_FILE
    liquidation_map: Mapping[str, object] | None = None

    def text(self, start: datetime) -> str:
        """Return the file's content when the scenario starts at `start` (aware)."""
        if self.raw is not None:
            return self.raw
        made = {"timestamp_iso": _rfc3339(start + timedelta(milliseconds=self.at_ms))}
        return json_text({**made, **self.fields})

    def map_text(self, start: datetime) -> str | None:
        """Return the content of the liquidation map that lies beside it, if any."""
        if self.liquidation_map is None:
            return None
        made = {"as_of": _rfc3339(start + timedelta(milliseconds=self.at_ms))}
        return json_text({**made, **self.liquidation_map})


@dataclass(frozen=True, slots=True)
class WrittenHand:
    """Somebody else acts on the account at `at_ms`; `terms` is what the venue's hand takes."""

    at_ms: int
    terms: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class WrittenFault:
    """A fault that is armed at `at_ms`; `terms` is what the venue's fault desk takes."""

    at_ms: int
    terms: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class WrittenKill:
    """The keeper dies at `at_ms` and starts again at `back_ms`, with or without its store.

    `call` counts its calls of exchange and store from `at_ms` on (0: the next); it dies at that
    one, before it takes effect or `after`. None: between two ticks.
    """

    at_ms: int
    back_ms: int
    lose_store: bool = False
    call: int | None = None
    after: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole file, checked; everything in it is ordered by time.

    `touch_quantity` is the most that resting orders fill at one price (None: all of it); `stream`
    says whether the keeper has its user stream. `expect` holds what must be found: of a mapping the
    keys it names, of a list every item in its order.
    """

    name: str
    symbol: str
    account: StartingAccount
    config: Mapping[str, object]
    feed: tuple[FeedRow, ...]
    decisions: tuple[WrittenDecision, ...]
    hands: tuple[WrittenHand, ...]
    faults: tuple[WrittenFault, ...]
    kills: tuple[WrittenKill, ...]
    until_ms: int
    expect: Mapping[str, object]
    why: str
    switches: Mapping[str, str]
    start: datetime | None = None
    feed_step_ms: int | None = None
    touch_quantity: Decimal | None = None
    stream: bool = False

    @property
    def start_price(self) -> Decimal:
        """Last price at the start: that of the first feed row."""
        return self.feed[0].last


def load_scenario(path: Path) -> Scenario:
    """Read and check a scenario file.

    Raises:
        ScenarioError: unreadable, not YAML, or against the format; names field, value, remedy.
    """
    # Imported here: the door needs pydantic and YAML, the values above need neither.
    from engine.venue.scenario_door import parse_scenario  # noqa: PLC0415 - it imports us

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ScenarioError(
            f"cannot be read: {reason}", file=str(path), remedy="give the path of a scenario file"
        ) from error
    return parse_scenario(text, name=path.stem, file=str(path))


def _rfc3339(moment: datetime) -> str:
    utc = moment.astimezone(UTC)
    return utc.strftime("%Y-%m-%dT%H:%M:%S.") + f"{utc.microsecond // 1000:03d}Z"
