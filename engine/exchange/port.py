"""What an exchange promises and how it fails: batch reads, batch sends, fates.

An adapter never decides and never retries. Reads go out together and come back as facts;
requests go out together and each comes back with its fate. Deadlines are the adapter's duty:
neither call may outlast ``patience_ms``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from engine.domain.action import Outcome, Request
from engine.domain.instrument import Bracket, Instrument
from engine.domain.observation import (
    AccountMode,
    AccountReport,
    Candle,
    Fact,
    Failure,
    Income,
    MarkQuote,
    NotFound,
    Question,
    Quote,
    Rates,
    StreamWord,
    SymbolConfig,
)
from engine.domain.order import Fill, OrderReport
from engine.domain.position import HedgedPositions, PositionReport

Value = (
    PositionReport
    | HedgedPositions
    | tuple[OrderReport, ...]
    | OrderReport
    | NotFound
    | Quote
    | MarkQuote
    | tuple[Candle, ...]
    | tuple[Fill, ...]
    | Instrument
    | tuple[Bracket, ...]
    | AccountReport
    | SymbolConfig
    | AccountMode
    | Rates
    | tuple[Income, ...]
)


class Answer(NamedTuple):
    """One question and what came back: a value of the topic's type, or why there is none.

    ``at_ms`` is exchange time when the answer arrived.
    """

    question: Question
    at_ms: int
    value: Value | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What the user stream said since it was last asked; ``stream`` is None while it is down."""

    orders: tuple[Fact[OrderReport], ...] = ()
    stream: StreamWord | None = None


NOTHING_HEARD = Heard()


@dataclass(frozen=True, slots=True)
class Permit:
    """What one request may use: its recvWindow, stamped before the lease check (RULES C5, G4).

    ``stamp_ms`` is exchange time taken before the check that permitted the request; the adapter
    signs with exactly this timestamp and window.
    """

    request: Request
    stamp_ms: int
    recv_window_ms: int


class Usage(NamedTuple):
    """What the exchange last said about our request weight and order counts, and any block.

    The limits are those of its live host until it told its own.
    ``requests`` and ``weight_spent`` count everything this process sent so far.
    """

    weight_used: int = 0
    weight_limit: int = 2400
    orders_10s: int = 0
    orders_1m: int = 0
    orders_10s_limit: int = 300
    orders_1m_limit: int = 1200
    blocked_until_ms: int = 0
    requests: int = 0
    weight_spent: int = 0
    consecutive_failures: int = 0


@dataclass(frozen=True, slots=True)
class KeyRights:
    """What the API key may do, as far as the exchange tells; None: it does not."""

    can_trade: bool
    can_withdraw: bool | None
    is_ip_restricted: bool | None


class Gate(Protocol):
    """Closed while the exchange wants silence (429/418): then nothing leaves, whoever asks."""

    def is_blocked(self) -> bool:
        """Return whether nothing may be sent now."""

    def block(self, pause_ms: int) -> None:
        """Keep silent from now on for that long; a block never gets shorter."""


class Exchange(Protocol):
    """One symbol on one account of one exchange."""

    def now_ms(self) -> int:
        """Return exchange time: the anchor plus monotonic time."""

    def clock_error_ms(self) -> int | None:
        """Return the bound on the error of ``now_ms``, None before the first anchoring."""

    def anchor_clock(self) -> None:
        """Measure the exchange's clock; raises ``Unavailable`` or ``Indeterminate``."""

    def ask(self, questions: Sequence[Question], patience_ms: int) -> tuple[Answer, ...]:
        """Ask everything at once; one answer per question, in the same order. Never raises."""

    def send(self, permits: Sequence[Permit], patience_ms: int) -> tuple[Outcome, ...]:
        """Send everything at once; one outcome per permit, in the same order. Never raises."""

    def usage(self) -> Usage:
        """Return the request counters as last reported."""

    @property
    def is_stuck(self) -> bool:
        """Return whether too many calls hang beyond the reach of any deadline."""

    def key_rights(self, patience_ms: int) -> KeyRights:
        """Return what the API key may do; raises ``Rejected`` when the key is refused."""

    def close(self) -> None:
        """Release connections and threads."""
