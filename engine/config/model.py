"""Every setting: its type, its range, its default, and what it means in the rules.

Invariants: an unknown key never gets in; a setting that a rule reads has the default of
``engine.domain.limits.Limits`` and reaches the rules through `Settings.limits` alone; durations end
in ``_s`` (seconds, exact to the millisecond) or ``_ms``; no password shows in ``repr`` or digest.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from engine.domain.limits import BasisPrice, HoldOrClose, KeepOrClose, Limits, NoSplit, OrphanPolicy
from engine.domain.numbers import plain
from engine.domain.terms import WorkingPrice

_RULES: Final = Limits()
_PASSWORD = re.compile(r"(?P<before>://[^:/@]*):[^@/]*@")


def _origin(text: str) -> str:
    """Accept scheme, host and port; a path would be lost silently."""
    text = text.rstrip("/")
    if not re.fullmatch(r"(https?|wss?)://[^/?#\s@]+", text):
        raise ValueError("must be scheme, host and port without a path")
    return text


def _database(text: str) -> str:
    """Accept the two databases the store knows."""
    dialect = text.partition(":")[0].partition("+")[0]
    if dialect not in ("sqlite", "postgresql") or "://" not in text:
        raise ValueError(
            "must be sqlite:///path or postgresql://user@host/database (not postgres://)"
        )
    return text


def _words(value: object) -> object:
    return tuple(shlex.split(value)) if isinstance(value, str) else value


def _seconds(milliseconds: int) -> Decimal:
    return Decimal(plain(Decimal(milliseconds).scaleb(-3)))


def without_password(url: str) -> str:
    """Return a URL whose password, if it has one, is replaced by three stars."""
    return _PASSWORD.sub(r"\g<before>:***@", url)


_Seconds = Annotated[Decimal, Field(ge=0, le=31_536_000, decimal_places=3)]
_PositiveSeconds = Annotated[Decimal, Field(gt=0, le=31_536_000, decimal_places=3)]
_Percent = Annotated[Decimal, Field(gt=0, le=100)]
_Share = Annotated[Decimal, Field(ge=0, le=1)]
_RestOrigin = Annotated[str, AfterValidator(_origin), Field(pattern=r"^https?://")]
_StreamOrigin = Annotated[str, AfterValidator(_origin), Field(pattern=r"^wss?://")]


class Mode(StrEnum):
    """Which exchange the keeper works on when no URL is given."""

    PAPER = "paper"
    DEMO = "demo"
    LIVE = "live"


class RecordTicks(StrEnum):
    """Which ticks get a row of their own."""

    CHANGES = "changes"
    ALL = "all"


class _Group(BaseModel):
    """A group of settings: frozen, and closed to keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Exchange(_Group):
    """Where the exchange answers and how long its answers may take."""

    rest_url: _RestOrigin | None = None
    stream_url: _StreamOrigin | None = None
    recv_window_ms: Annotated[int, Field(ge=100, le=60_000)] = _RULES.recv_window_ms
    recv_window_open_ms: Annotated[int, Field(ge=100, le=60_000)] = _RULES.recv_window_open_ms
    patience_ms: Annotated[int, Field(ge=50, le=60_000)] = 2_000
    user_stream: bool = True


class Store(_Group):
    """Where the keeper writes down what it knows."""

    url: Annotated[str, AfterValidator(_database), Field(repr=False)] = "sqlite:///var/keeper.db"
    spool: Path = Path("var/keeper.spool")


class Loop(_Group):
    """How often the keeper looks."""

    interval_s: Annotated[Decimal, Field(gt=0, le=60, decimal_places=3)] = Decimal(1)

    @property
    def interval_ms(self) -> int:
        """Return the interval in milliseconds."""
        return int(self.interval_s * 1000)


class Ticks(_Group):
    """What is kept of each tick, for replay."""

    record: RecordTicks = RecordTicks.CHANGES


class Live(_Group):
    """The deliberate step to real money."""

    acknowledge: Annotated[str, Field(min_length=1)] | None = None


class Alerts(_Group):
    """Who is told."""

    command: Annotated[tuple[str, ...], BeforeValidator(_words), Field(min_length=1)] | None = None


class Paper(_Group):
    """The simulated exchange of paper mode."""

    state: Path = Path("var/paper")
    wallet: Annotated[Decimal, Field(gt=0)] = Decimal(1000)
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    walk: Annotated[str, Field(min_length=1)] = "trend"
    seed: Annotated[int, Field(ge=0)] = 7
    first_price: Annotated[Decimal, Field(gt=0)] = Decimal(90800)


class Deciding(_Group):
    """How decisions are taken in (RULES D)."""

    stale_s: _PositiveSeconds = _seconds(_RULES.decision_stale_ms)
    future_s: _Seconds = _seconds(_RULES.decision_future_ms)
    suspend_grace_s: _Seconds = _seconds(_RULES.suspend_grace_ms)
    cooldown_s: _Seconds = _seconds(_RULES.cooldown_ms)
    on_flat: HoldOrClose = _RULES.on_flat
    on_opposite: HoldOrClose = _RULES.on_opposite


class Risk(_Group):
    """What an entry may cost at most (RULES E3, H)."""

    stop_distance_min_pct: Annotated[Decimal, Field(gt=0, le=20)] = _RULES.stop_distance_min_pct
    rr_minimum: Annotated[Decimal, Field(gt=0, le=100)] = _RULES.rr_minimum
    basis_price: BasisPrice = _RULES.basis_price
    rr_with_fees: bool = _RULES.rr_with_fees
    confidence_min: _Share = _RULES.confidence_min
    leverage_max: Annotated[int, Field(ge=1, le=125)] = _RULES.leverage_max
    notional_max: Annotated[Decimal, Field(gt=0)] = _RULES.notional_max
    margin_share_max_pct: _Percent = _RULES.margin_share_max_pct
    liq_buffer_pct: _Percent = _RULES.liq_buffer_pct
    spread_max_pct: _Percent = _RULES.spread_max_pct
    volatility_max_pct: _Percent = _RULES.volatility_max_pct
    daily_drawdown_limit_pct: Annotated[Decimal, Field(ge=-100, lt=0)] = (
        _RULES.daily_drawdown_limit_pct
    )
    weekly_drawdown_limit_pct: Annotated[Decimal, Field(ge=-100, lt=0)] = (
        _RULES.weekly_drawdown_limit_pct
    )
    trades_per_day_max: Annotated[int, Field(ge=0, le=1000)] = _RULES.trades_per_day_max
    isolated: bool = _RULES.is_isolated
    block_on_foreign_orders: bool = _RULES.block_on_foreign_orders


class Entry(_Group):
    """How an entry is placed, chased and withdrawn (RULES E)."""

    post_only: bool = _RULES.post_only
    enter_distance_pct: _Percent = _RULES.enter_distance_pct
    leave_distance_pct: _Percent = _RULES.leave_distance_pct
    reenter_wait_s: _Seconds = _seconds(_RULES.reenter_wait_ms)
    timeout_s: _PositiveSeconds = _seconds(_RULES.entry_timeout_ms)
    chase_interval_s: _PositiveSeconds = _seconds(_RULES.chase_interval_ms)
    chases_max: Annotated[int, Field(ge=0, le=100)] = _RULES.chases_max
    fallback_confidence: _Share = _RULES.fallback_confidence
    fallback_enabled: bool = _RULES.fallback_enabled
    armed_age_max_s: _PositiveSeconds = _seconds(_RULES.armed_age_max_ms)


class Protection(_Group):
    """How cover is kept, judged and restored (RULES C, F, G)."""

    working_price: WorkingPrice = _RULES.working_price
    trigger_grace_s: _PositiveSeconds = _seconds(_RULES.trigger_grace_ms)
    naked_limit_s: _PositiveSeconds = _seconds(_RULES.naked_limit_ms)
    min_gap_pct: _Percent = _RULES.min_gap_pct
    orphan: OrphanPolicy = _RULES.orphan
    orphan_stop_pct: Annotated[Decimal, Field(gt=0, le=50)] = _RULES.orphan_stop_pct
    zombie_wait_s: _PositiveSeconds = _seconds(_RULES.zombie_wait_ms)
    flat_wait_s: _PositiveSeconds = _seconds(_RULES.flat_wait_ms)
    possibly_resting_max: Annotated[int, Field(ge=2, le=10)] = _RULES.possibly_resting_max


class Targets(_Group):
    """What happens at the targets (RULES F4, F6)."""

    no_split: NoSplit = _RULES.no_split
    breakeven_crossed: KeepOrClose = _RULES.breakeven_crossed


class Trailing(_Group):
    """How the stop follows (RULES F3, F8)."""

    min_step: Annotated[Decimal, Field(ge=0)] = _RULES.min_step
    min_interval_s: _Seconds = _seconds(_RULES.min_interval_ms)
    trail_pct: _Percent = _RULES.trail_pct
    liq_trail_pct: _Percent = _RULES.liq_trail_pct
    approach_pct: _Percent = _RULES.approach_pct
    pivot_k: Annotated[int, Field(ge=1, le=50)] = _RULES.pivot_k
    swing_fresh_s: _Seconds = _seconds(_RULES.swing_fresh_ms)


class Clock(_Group):
    """How far our idea of exchange time may be off (RULES A6, G4)."""

    error_max_s: _PositiveSeconds = _seconds(_RULES.clock_error_max_ms)


LIMIT_KEYS: Final[dict[str, str]] = {
    "decision_stale_ms": "decision.stale_s",
    "decision_future_ms": "decision.future_s",
    "suspend_grace_ms": "decision.suspend_grace_s",
    "cooldown_ms": "decision.cooldown_s",
    "on_flat": "decision.on_flat",
    "on_opposite": "decision.on_opposite",
    "is_isolated": "risk.isolated",
    "entry_timeout_ms": "entry.timeout_s",
    "clock_error_max_ms": "clock.error_max_s",
    "recv_window_open_ms": "exchange.recv_window_open_ms",
    "recv_window_ms": "exchange.recv_window_ms",
}
"""Settings whose key differs from the name the rules use; all others are found by name."""


class Settings(_Group):
    """The whole configuration of one keeper; paths are absolute once loaded."""

    mode: Mode = Mode.PAPER
    symbol: Annotated[str, Field(pattern=r"^[A-Z0-9]{3,20}$")] = _RULES.symbol
    decisions: Path = Path("decisions")
    exchange: Exchange = Exchange()
    store: Store = Store()
    loop: Loop = Loop()
    ticks: Ticks = Ticks()
    live: Live = Live()
    alerts: Alerts = Alerts()
    paper: Paper = Paper()
    decision: Deciding = Deciding()
    risk: Risk = Risk()
    entry: Entry = Entry()
    protection: Protection = Protection()
    targets: Targets = Targets()
    trailing: Trailing = Trailing()
    clock: Clock = Clock()

    @property
    def starts_paper_venue(self) -> bool:
        """Return whether the keeper brings its own exchange.

        A URL given with ``mode: paper`` wins: the keeper then works on that exchange with ordinary
        keys, as in live mode.
        """
        return self.mode is Mode.PAPER and self.exchange.rest_url is None

    @property
    def urls(self) -> tuple[str, str] | None:
        """Return where REST and streams are, None where paper mode's own venue will say so."""
        if self.exchange.rest_url is not None:
            rest = self.exchange.rest_url
            return rest, self.exchange.stream_url or stream_beside(rest)
        known = KNOWN_URLS.get(self.mode)
        if known is None:
            return None
        return known[0], self.exchange.stream_url or known[1]

    def limits(self) -> Limits:
        """Return everything the rules may read."""
        return self._limits

    @cached_property
    def _limits(self) -> Limits:
        return Limits(**{name: self._rule_value(name) for name in Limits.__dataclass_fields__})

    def _rule_value(self, name: str) -> Any:
        path = key_of(name)
        value: Any = self
        for part in path.split("."):
            value = getattr(value, part)
        if name.endswith("_ms") and path.endswith("_s"):
            return int(value * 1000)
        return value

    def canonical(self) -> str:
        """Return all settings as canonical JSON: equal settings give equal text, no password."""
        document = self.model_dump(mode="python")
        document["store"]["url"] = without_password(self.store.url)
        return json.dumps(_plainly(document), sort_keys=True, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the canonical form, as hexadecimal digits."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    @classmethod
    def from_canonical(cls, text: str) -> Settings:
        """Return the settings a canonical text describes (a masked password stays masked)."""
        return cls.model_validate(json.loads(text))


KNOWN_URLS: Final[dict[Mode, tuple[str, str]]] = {
    Mode.DEMO: ("https://demo-fapi.binance.com", "wss://demo-fstream.binance.com"),
    Mode.LIVE: ("https://fapi.binance.com", "wss://fstream.binance.com"),
}
"""REST and stream origins by mode; paper mode's are printed by its venue when it is ready."""


def stream_beside(rest_url: str) -> str:
    """Return where streams are when only the REST origin is given: same host, same port."""
    for rest, stream in KNOWN_URLS.values():
        if rest == rest_url:
            return stream
    return "ws" + rest_url.removeprefix("http")


def key_of(limit: str) -> str:
    """Return the configuration key of a field of ``Limits``; raises ``KeyError`` if it has none."""
    if limit in LIMIT_KEYS:
        return LIMIT_KEYS[limit]
    if limit in Settings.model_fields:
        return limit
    spelt = limit.removesuffix("_ms") + "_s" if limit.endswith("_ms") else limit
    for group, field in Settings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel) and spelt in kind.model_fields:
            return f"{group}.{spelt}"
    raise KeyError(limit)


def _plainly(value: object) -> object:
    match value:
        case dict():
            return {str(key): _plainly(item) for key, item in value.items()}
        case list() | tuple():
            return [_plainly(item) for item in value]
        case Decimal():
            return plain(value)
        case Path() | StrEnum():
            return str(value)
        case _:
            return value
