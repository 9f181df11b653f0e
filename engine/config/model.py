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

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from engine.config.rules import (
    RULES,
    Clock,
    Deciding,
    Entry,
    Group,
    Protection,
    Risk,
    Targets,
    Trailing,
)
from engine.domain.limits import Limits
from engine.domain.numbers import plain

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


def without_password(url: str) -> str:
    """Return a URL whose password, if it has one, is replaced by three stars."""
    return _PASSWORD.sub(r"\g<before>:***@", url)


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


class Exchange(Group):
    """Where the exchange answers and how long its answers may take."""

    rest_url: _RestOrigin | None = None
    stream_url: _StreamOrigin | None = None
    recv_window_ms: Annotated[int, Field(ge=100, le=60_000)] = RULES.recv_window_ms
    recv_window_open_ms: Annotated[int, Field(ge=100, le=60_000)] = RULES.recv_window_open_ms
    patience_ms: Annotated[int, Field(ge=50, le=60_000)] = 2_000
    user_stream: bool = True


class Store(Group):
    """Where the keeper writes down what it knows."""

    url: Annotated[str, AfterValidator(_database), Field(repr=False)] = "sqlite:///var/keeper.db"
    spool: Path = Path("var/keeper.spool")
    lease_s: Annotated[Decimal, Field(ge=2, le=600, decimal_places=3)] = Decimal(15)


class Loop(Group):
    """How often the keeper looks."""

    interval_s: Annotated[Decimal, Field(gt=0, le=60, decimal_places=3)] = Decimal(1)

    @property
    def interval_ms(self) -> int:
        """Return the interval in milliseconds."""
        return int(self.interval_s * 1000)


class Ticks(Group):
    """What is kept of each tick, for replay."""

    record: RecordTicks = RecordTicks.CHANGES
    keep_days: Annotated[int, Field(ge=0, le=3650)] = 30


class Live(Group):
    """The deliberate step to real money."""

    acknowledge: Annotated[str, Field(min_length=1)] | None = None


class AlertKind(StrEnum):
    """Which events ``alerts.command`` gets: alarms, the kinds of events, or all of them."""

    ALL = "all"
    ALARM = "alarm"
    OPERATOR = "operator"
    FILL = "fill"
    DRIFT = "drift"
    REFUSED = "refused"
    RULE = "rule"
    SEEN = "seen"
    INTENT = "intent"
    SENT = "sent"
    ANSWERED = "answered"


_ALERT_KINDS = (AlertKind.ALARM, AlertKind.OPERATOR, AlertKind.FILL, AlertKind.DRIFT)


class Alerts(Group):
    """Who is told, and of what."""

    command: Annotated[tuple[str, ...], BeforeValidator(_words), Field(min_length=1)] | None = None
    kinds: Annotated[tuple[AlertKind, ...], BeforeValidator(_words), Field(min_length=1)] = (
        _ALERT_KINDS
    )
    timeout_s: Annotated[Decimal, Field(gt=0, le=60, decimal_places=3)] = Decimal(10)


class LogFormat(StrEnum):
    """How log lines look: for people, for programs, or what fits where they go."""

    AUTO = "auto"
    HUMAN = "human"
    JSON = "json"


class Logs(Group):
    """What the keeper says while it runs, and the files it keeps of its transactions."""

    format: LogFormat = LogFormat.AUTO
    folder: Path | None = None
    keep_days: Annotated[int, Field(ge=0, le=3650)] = 0


class Paper(Group):
    """The simulated exchange of paper mode."""

    state: Path = Path("var/paper")
    wallet: Annotated[Decimal, Field(gt=0)] = Decimal(1000)
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    walk: Annotated[str, Field(min_length=1)] = "trend"
    seed: Annotated[int, Field(ge=0)] = 7
    first_price: Annotated[Decimal, Field(gt=0)] = Decimal(90800)


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


class Settings(Group):
    """The whole configuration of one keeper; paths are absolute once loaded."""

    mode: Mode = Mode.PAPER
    symbol: Annotated[str, Field(pattern=r"^[A-Z0-9]{3,20}$")] = RULES.symbol
    decisions: Path = Path("decisions")
    exchange: Exchange = Exchange()
    store: Store = Store()
    loop: Loop = Loop()
    ticks: Ticks = Ticks()
    live: Live = Live()
    alerts: Alerts = Alerts()
    logs: Logs = Logs()
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
        given: dict[str, Any] = {}
        for name in Limits.__dataclass_fields__:
            path = key_of(name)
            if path is not None:  # a limit without a key keeps its default; a test refuses such
                given[name] = self._rule_value(name, path)
        return Limits(**given)

    def _rule_value(self, name: str, path: str) -> Any:
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


def key_of(limit: str) -> str | None:
    """Return the configuration key of a field of ``Limits``, None if it has none."""
    if limit in LIMIT_KEYS:
        return LIMIT_KEYS[limit]
    if limit in Settings.model_fields:
        return limit
    spelt = limit.removesuffix("_ms") + "_s" if limit.endswith("_ms") else limit
    for group, field in Settings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel) and spelt in kind.model_fields:
            return f"{group}.{spelt}"
    return None


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
