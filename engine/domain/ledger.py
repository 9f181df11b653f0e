"""What we wrote down: the ledger a tick recalls, folds evidence into, and records again."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.domain.equity import Equity
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.numbers import ZERO
from engine.domain.order import Fill, Order
from engine.domain.position import ExitReason, HedgedSide, LevelState, Life, StopLevel
from engine.domain.terms import Phase, Side
from engine.domain.values import replace

DOUBT_ALARM_MS = 30_000
"""How long cover may stay in doubt before it is an alarm (RULES C1)."""

NOT_SENT = "not_sent"
"""Why a life ended of which nothing ever reached the exchange."""


@dataclass(frozen=True, slots=True)
class PastLife:
    """What later lives must know of one that ended (RULES D2, G6)."""

    generation: int
    decision_id: str
    terms: str
    opened_ms: int | None
    closed_ms: int
    exit_reason: ExitReason | None
    withdrawn: str | None
    side: Side | None = None


class _Finds:
    """Room beside a ledger for what was looked up in it: no field, so no part of what it says."""

    __slots__ = ("_are_entries_final", "_found")
    _found: dict[tuple[OrderRole, ...], tuple[Order, ...]]
    _are_entries_final: bool | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "_found", {})
        object.__setattr__(self, "_are_entries_final", None)


@dataclass(frozen=True, slots=True)
class Ledger(_Finds):
    """The engine's memory; everything a plan may depend on besides decision and observation.

    ``orders`` holds every own order that is not final, and all orders of the current life.
    ``fills`` are the current life's. ``levels`` are the current life's stop levels, oldest first.
    ``position_quantity`` is signed, from the last settled picture; ``settled_streak`` counts
    settled pictures in a row (RULES C3). ``history_read_ms`` is when the exchange's history was
    read into this ledger (None: never; nothing enters before, RULES D2).
    ``stop_while_flat`` is what the probe, or the first armed stop, found at ``stop_while_flat_ms``:
    None unknown, or in doubt (RULES E9). ``hedged`` are the sides of a hedge-mode account that get
    a stop and nothing else (RULES H3); ``beside`` is somebody's position beside a life of ours that
    is not over: it gets the same (RULES G1). ``filters`` are the symbol's as last seen, in words.
    """

    generation: int = 0
    life: Life | None = None
    orders: tuple[Order, ...] = ()
    fills: tuple[Fill, ...] = ()
    levels: tuple[StopLevel, ...] = ()
    past: tuple[PastLife, ...] = ()
    position_quantity: Decimal = ZERO
    settled_streak: int = 0
    last_fill_ms: int = 0
    history_read_ms: int | None = None
    stop_while_flat: bool | None = None
    stop_while_flat_ms: int | None = None
    equity: Equity | None = None
    adopted_decision_ms: int = 0
    hedged: tuple[HedgedSide, ...] = ()
    beside: HedgedSide | None = None
    filters: str = ""

    def order(self, client_id: ClientOrderId) -> Order | None:
        """Return the order of that id."""
        for order in self.orders:  # a loop: this is asked dozens of times a tick
            known = order.terms.client_id
            if known is client_id or known == client_id:
                return order
        return None

    def of_life(self, *roles: OrderRole) -> tuple[Order, ...]:
        """Return the current life's orders of these roles (all roles when none is named)."""
        found = self._found.get(roles)
        if found is None:  # asked dozens of times a tick, and answered once
            found = self._found[roles] = self._of_life(roles)
        return found

    def _of_life(self, roles: tuple[OrderRole, ...]) -> tuple[Order, ...]:
        if self.life is None:
            return ()
        generation = self.life.generation
        return tuple(
            [
                order
                for order in self.orders
                if (client_id := order.terms.client_id).generation == generation
                and (not roles or client_id.role in roles)
            ]
        )

    def has_used(self, decision_id: str) -> bool:
        """Return whether a life was armed for this decision (RULES D2, E6).

        A life whose stop never left us used nothing up.
        """
        return any(p.decision_id == decision_id and p.withdrawn != NOT_SENT for p in self.past)

    @property
    def is_equity_outdated(self) -> bool:
        """Return whether a position closed since equity was read: its result is not in it yet."""
        if self.equity is None:
            return False
        known_ms = self.equity.known_ms
        return any(p.opened_ms is not None and p.closed_ms > known_ms for p in self.past)

    def cover_in_doubt(self, now_ms: int) -> tuple[Order, ...]:
        """Return stops that should cover something and were not shown for 30 s (RULES C1).

        The present life's while it is not over, and those of what is held aside.
        """
        doubted = [
            o
            for o in self.orders
            if o.doubtful_since_ms is not None and now_ms - o.doubtful_since_ms >= DOUBT_ALARM_MS
        ]
        if not doubted:
            return ()
        life = self.life
        generations = {one.generation for one in self.aside}
        if life is not None and life.closed_ms is None:
            generations.add(life.generation)
        return tuple(
            o for o in doubted if o.role.is_stop and o.may_rest and o.generation in generations
        )

    @property
    def phase(self) -> Phase:
        """Return where the current life stands, as people read it."""
        life = self.life
        if life is None or life.swept_ms is not None:
            return Phase.FLAT
        if life.closed_ms is not None:
            return Phase.SWEEPING
        if life.opened_ms is None:
            return Phase.ENTERING if self.of_life(OrderRole.ENTRY) else Phase.ARMING
        return Phase.OPEN if life.closing is None else Phase.CLOSING

    @property
    def earlier_orders(self) -> tuple[Order, ...]:
        """Return orders of earlier generations without a final word (RULES G6)."""
        generation = None if self.life is None else self.life.generation
        return tuple(
            o
            for o in self.orders
            if o.generation != generation and o.may_rest and not self.is_aside(o)
        )

    def hedged_side(self, side: Side) -> HedgedSide | None:
        """Return what we know of a held side of a hedge-mode account (RULES H3)."""
        return next((one for one in self.hedged if one.side is side), None)

    @property
    def aside(self) -> tuple[HedgedSide, ...]:
        """Return everything held that is nobody's life: it gets one stop and nothing else."""
        return self.hedged if self.beside is None else (*self.hedged, self.beside)

    def is_aside(self, order: Order) -> bool:
        """Return whether the order covers what is held aside from any life (RULES H3, G1)."""
        return any(order.generation == one.generation for one in self.aside)

    def with_order(self, order: Order) -> Ledger:
        """Return the ledger with ``order`` put in place of the one of its id, or added."""
        known = self.order(order.id)
        if known is order:
            return self
        if known is None:
            return replace(self, orders=(*self.orders, order))
        return replace(self, orders=tuple([order if o is known else o for o in self.orders]))

    def with_life(self, life: Life | None) -> Ledger:
        """Return the ledger with the current life replaced."""
        return replace(self, life=life)

    def next_revision(self, role: OrderRole) -> int:
        """Return the revision the next order of ``role`` in this life takes (RULES G3)."""
        return 1 + max((o.id.revision for o in self.of_life(role)), default=0)

    @property
    def entries_are_final(self) -> bool:
        """Return whether no entry of this life can execute any more, nor is to be replaced."""
        known = self._are_entries_final
        if known is None:
            is_chased = self.life is not None and self.life.chasing_ms is not None
            known = not is_chased and not any(o.may_rest for o in self.of_life(OrderRole.ENTRY))
            object.__setattr__(self, "_are_entries_final", known)
        return known

    @property
    def binding_level(self) -> Decimal | None:
        """Return what a new proposal must not be wider than (RULES F3).

        The tightest confirmed level and proposals of unknown fate bind; refused ones do not.
        """
        if self.life is None:
            return None
        bound: Decimal | None = self.life.stop_level
        for level in self.levels:
            if level.state in (LevelState.CONFIRMED, LevelState.PROPOSED):
                side = self.life.side
                bound = level.level if bound is None else side.tighter(bound, level.level)
        return bound
