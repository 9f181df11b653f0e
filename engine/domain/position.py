"""A position as the exchange reports it, and the life of ours as the ledger keeps it (RULES A5)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from engine.domain.decision import TrailMode
from engine.domain.numbers import ZERO
from engine.domain.terms import Side


@dataclass(frozen=True, slots=True)
class PositionReport:
    """The exchange's word on our symbol in one-way mode; ``quantity`` is unsigned, 0 when flat.

    ``side`` is None when flat. ``liquidation_price`` is None when the exchange names none.
    """

    side: Side | None
    quantity: Decimal
    entry_price: Decimal
    mark_price: Decimal
    unrealized_pnl: Decimal
    liquidation_price: Decimal | None
    updated_ms: int

    @property
    def is_flat(self) -> bool:
        """Return whether the report says there is no position."""
        return self.quantity == 0

    @property
    def signed_quantity(self) -> Decimal:
        """Return the quantity, negative for a short."""
        return self.quantity if self.side is not Side.SHORT else -self.quantity


@dataclass(frozen=True, slots=True)
class HedgedPositions:
    """The exchange's word on our symbol in hedge mode: one report for each side that is held."""

    sides: tuple[PositionReport, ...]

    @property
    def one_way(self) -> PositionReport:
        """Return what a one-way keeper holds there: certainly nothing."""
        return PositionReport(None, ZERO, ZERO, ZERO, ZERO, None, 0)


@dataclass(frozen=True, slots=True)
class HedgedSide:
    """What is held and not ours, aside from any life: one stop, no more (RULES H3, G1).

    A side of a hedge-mode account, or somebody's position beside a life that is not over yet.
    ``generation`` keeps its stops' ids apart from every life's. ``level`` is where its newest stop
    rested, None until one did: a lost stop is put back there. ``is_covered``: a closePosition stop
    was seen resting, own or foreign. ``gone_ms`` and ``gone_reads``: since when, and in how many
    looks, the side reads flat.
    """

    generation: int
    side: Side
    level: Decimal | None = None
    is_covered: bool = False
    gone_ms: int | None = None
    gone_reads: int = 0


class Origin(StrEnum):
    """How a life came into the ledger (RULES G1)."""

    DECISION = "decision"
    IMPORTED = "imported"
    ORPHAN = "orphan"


class ExitReason(StrEnum):
    """Why a position ended (contracts.md, trade)."""

    STOP = "stop"
    TRAILING_STOP = "trailing_stop"
    BREAKEVEN_STOP = "breakeven_stop"
    TP1 = "tp1"
    TP2 = "tp2"
    LIQUIDATION_EXIT = "liquidation_exit"
    FLAT_DECISION = "flat_decision"
    OPPOSITE_DECISION = "opposite_decision"
    EMERGENCY = "emergency"
    FLATTEN = "flatten"
    BY_USER = "by_user"
    LIQUIDATED = "liquidated"
    ADL = "adl"
    ZOMBIE = "zombie"


class LevelState(StrEnum):
    """What became of a proposed stop level (RULES F3)."""

    PROPOSED = "proposed"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class StopLevel:
    """One stop level of a life: who asked for it, under which revision, what became of it."""

    generation: int
    revision: int
    side: Side
    level: Decimal
    reason: str
    state: LevelState
    proposed_ms: int
    settled_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Zone:
    """The liquidation zone a life leaves at, frozen when it was adopted (RULES F9)."""

    id: str
    low: Decimal
    high: Decimal
    given_id: bool

    def near_edge(self, side: Side) -> Decimal:
        """Return the edge a position of ``side`` reaches first."""
        return self.low if side is Side.LONG else self.high


CLOSE_LIMIT_MS = 30_000
"""How long a close may take before it is a hard error (RULES F11)."""


@dataclass(frozen=True, slots=True)
class Life:
    """One position from the first armed stop to flat with a clean book.

    The terms are copied from the decision when the life begins, so that losing the decision file
    loses nothing. Prices in quote currency, quantities in base currency, ``*_ms`` exchange time.

    ``initial_stop`` is S of RULES E1 and the floor's level; ``stop_level`` the level in force, the
    tightest confirmed one (None until the first stop rests). ``base_quantity`` is the position
    when the entry became final (RULES F6), ``entered_quantity`` what ``entry_commission`` was paid
    for, somebody's additions included. ``untold`` is what of an imported or somebody's position the
    trades we know do not explain, by the last read that none of them may lag. ``withdrawing`` /
    ``closing`` name the reason why the entry is being withdrawn / the position is being closed.
    ``crossed_since_ms``: since when price lies beyond a stop of ours that rested and has no last
    word, or beyond the level in force where cover is missing or wider, while the position stands.
    ``naked_ms``, ``naked_quantity_s``, ``loose_ms`` are RULES A2/A3 as the keeper knew them;
    ``accounted_ms`` is up to where. ``seen_leverage`` and ``seen_isolated`` are the symbol's
    settings as last read since the life began; ``leverage`` is the one its decision asked for.
    """

    generation: int
    decision_id: str
    decision_made_ms: int
    origin: Origin
    side: Side
    armed_ms: int
    planned_quantity: Decimal
    limit_price: Decimal
    initial_stop: Decimal
    zone_low: Decimal | None = None
    zone_high: Decimal | None = None
    basis_price: Decimal | None = None
    tp1_price: Decimal | None = None
    tp2_price: Decimal | None = None
    tp1_fraction: Decimal = ZERO
    leverage: int = 1
    confidence: Decimal = ZERO
    terms: str = ""
    is_trailing_enabled: bool = False
    trail_mode: TrailMode = TrailMode.STRUCTURE_PLUS_LIQ
    zone: Zone | None = None
    swing: Decimal | None = None
    swing_made_ms: int | None = None
    stop_level: Decimal | None = None
    stop_reason: str = "initial"
    quantity: Decimal = ZERO
    entry_price: Decimal | None = None
    entry_commission: Decimal = ZERO
    entered_quantity: Decimal = ZERO
    funding: Decimal = ZERO
    base_quantity: Decimal | None = None
    untold: Decimal | None = None
    liquidation_price: Decimal | None = None
    liquidation_reads: int = 0
    opened_ms: int | None = None
    entry_final_ms: int | None = None
    best_price: Decimal | None = None
    worst_price: Decimal | None = None
    tp1_done_ms: int | None = None
    chasing_ms: int | None = None
    chases: int = 0
    refined_by: str | None = None
    withdrawing: str | None = None
    withdrawing_ms: int | None = None
    closing: ExitReason | None = None
    closing_why: str = ""
    closing_ms: int | None = None
    cover_refused_since_ms: int | None = None
    crossed_since_ms: int | None = None
    flat_seen_ms: int | None = None
    flat_reads: int = 0
    closed_ms: int | None = None
    exit_reason: ExitReason | None = None
    closed_by: str = "keeper"
    clean_reads: int = 0
    swept_ms: int | None = None
    uncovered_quantity: Decimal = ZERO
    naked_ms: int = 0
    naked_quantity_s: Decimal = ZERO
    is_loose: bool = False
    loose_ms: int = 0
    accounted_ms: int | None = None
    seen_leverage: int | None = None
    seen_isolated: bool | None = None

    @property
    def id(self) -> str:
        """Return the life's name in documents: decision id and generation."""
        return f"{self.decision_id}-{self.generation:03d}"

    @property
    def is_open(self) -> bool:
        """Return whether there is a position and it is not proven flat."""
        return self.opened_ms is not None and self.closed_ms is None

    def is_closing_for_long(self, now_ms: int) -> bool:
        """Return whether the ladder has been at it for half a minute, and something is left (F11).

        It goes on; entries halt, and somebody is told every minute.
        """
        if self.closing is None or self.closing_ms is None or self.quantity == 0:
            return False
        return self.closed_ms is None and now_ms - self.closing_ms >= CLOSE_LIMIT_MS

    @property
    def level_in_force(self) -> Decimal:
        """Return the level no stop may be wider than."""
        return self.initial_stop if self.stop_level is None else self.stop_level
