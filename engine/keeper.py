"""One keeper of one position: its parts, its own condition, one tick at a time.

No module-level state, so that many keepers fit in one process. The loop decides when; this decides
nothing either: it gathers what the engine knows of itself and runs ``tick``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.commands import Commands
from engine.domain.action import CancelOrder, Halt, Outcome, PlaceOrder, Plan
from engine.domain.condition import Condition, HaltReason, OperatorCommand
from engine.domain.drift import Drift
from engine.domain.errors import Indeterminate, Rejected, StoreUnavailable, Unavailable
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.situation import Situation
from engine.exchange.gateway import Gateway
from engine.leasehold import Tenure
from engine.observe import Observer
from engine.plan.planner import make_plan
from engine.store.merging import merge_spool, spool_changes
from engine.store.spool import Spool
from engine.store.store import Store
from engine.tick import Engine, Reads, TickReport, look, tick


class Books:
    """The store, or the last ledger in memory while it is out of reach (RULES G5).

    While the store fails nothing that can open or uncover is sent; what happened meanwhile is
    written as one difference when the store is back.
    """

    def __init__(
        self, store: Store, note: Callable[[str], None], spool: Spool | None = None
    ) -> None:
        """Keep in ``store``; ``note`` is told once when it fails and when it is back."""
        self._store = store
        self._spool = spool
        self._note = note
        self._last = Ledger()
        self._now_ms = 0
        self.is_writable = True
        self.reasons: tuple[str, ...] = ()

    def recall(self) -> Ledger:
        """Return the ledger: the store's, or the one in memory while the store is gone."""
        try:
            stored = self._store.recall()
            if not self.is_writable or self._has_spooled():
                stored = self._brought_back(stored)
        except StoreUnavailable as error:
            self._failed(error)
            return self._last
        if not self.is_writable:
            self.is_writable = True
            self._note("the store is back")
        self._last = stored
        return stored

    def record_intent(
        self,
        now_ms: int,
        recalled: Ledger,
        situation: Situation,
        drifts: Sequence[Drift],
        plan: Plan,
    ) -> frozenset[ClientOrderId]:
        """Write the plan down; return what must not be sent."""
        self._last = plan.ledger
        self._now_ms = now_ms
        if self.is_writable:
            try:
                return self._store.record_intent(
                    now_ms, recalled, situation, drifts, plan, reasons=self.reasons
                )
            except StoreUnavailable as error:
                self._failed(error)
        self._spill(recalled, plan.ledger)
        return frozenset(_needs_a_record(plan))

    def record_outcomes(
        self, now_ms: int, before: Ledger, after: Ledger, outcomes: Sequence[Outcome]
    ) -> None:
        """Write down what became of the plan."""
        self._last = after
        if self.is_writable:
            try:
                self._store.record_outcomes(now_ms, before, after, outcomes)
            except StoreUnavailable as error:
                self._failed(error)
            else:
                return
        self._spill(before, after)

    def _brought_back(self, stored: Ledger) -> Ledger:
        """Return the ledger after the spool and what is in memory were written into the store."""
        if self._spool is not None:
            merge_spool(self._store, self._spool, self._now_ms)
            stored = self._store.recall()
        if not self.is_writable:
            self._store.record_outcomes(self._now_ms, stored, self._last, ())
        return self._store.recall()

    def _has_spooled(self) -> bool:
        return self._spool is not None and not self._spool.is_empty

    def _spill(self, before: Ledger, after: Ledger) -> None:
        """Write what changed into the spool: best effort, protection does not wait for it (G5)."""
        if self._spool is None:
            return
        try:
            spool_changes(self._spool, self._now_ms, before, after, "store unavailable")
        except StoreUnavailable as error:
            self._note(f"neither store nor spool is writable: {error}")

    def _failed(self, error: StoreUnavailable) -> None:
        if self.is_writable:
            self._note(str(error))
        self.is_writable = False


_FREELY_CANCELLED = (OrderRole.ENTRY, OrderRole.EMERGENCY)
"""Their cancels take no cover away: entries are withdrawn, the ladder re-priced, unrecorded."""


def _needs_a_record(plan: Plan) -> list[ClientOrderId]:
    """Return what is never sent unrecorded: what can open, and cancels of cover (RULES G5)."""
    ids: list[ClientOrderId] = []
    for action in plan.actions:
        match action:
            case PlaceOrder() if action.terms.can_open:
                ids.append(action.terms.client_id)
            case CancelOrder() if action.client_id.role not in _FREELY_CANCELLED:
                ids.append(action.client_id)
            case _:
                pass
    return ids


@dataclass(frozen=True, slots=True)
class Parts:
    """What a keeper is made of. ``tenure`` renews the lease; ``is_stream_up`` asks the stream.

    ``obeys``: whether operator commands are carried out; who only looks leaves them where they are.
    """

    store: Store
    intake: Reads
    gateway: Gateway
    limits: Limits
    patience_ms: int
    tenure: Callable[[int], Tenure]
    is_stream_up: Callable[[], bool]
    note: Callable[[str], None]
    spool: Spool | None = None
    obeys: bool = True


class Keeper:
    """Keeps one futures position on one symbol."""

    def __init__(self, parts: Parts) -> None:
        """Put the parts together; nothing is asked or sent before the first tick."""
        self._parts = parts
        self._ticks = 0
        self._tenure = Tenure()
        self._commands = Commands(parts.store)
        self.books = Books(parts.store, parts.note, parts.spool)
        self._engine = Engine(
            books=self.books,
            intake=parts.intake,
            observer=Observer(parts.gateway, patience_ms=parts.patience_ms),
            gateway=parts.gateway,
            itself=self,
            limits=parts.limits,
        )

    @property
    def ticks(self) -> int:
        """Return how many ticks this process began."""
        return self._ticks

    @property
    def tenure(self) -> Tenure:
        """Return the lease as last renewed."""
        return self._tenure

    def tick(self, reasons: tuple[str, ...] = ()) -> TickReport:
        """Run one whole tick."""
        self._ticks += 1
        self.books.reasons = reasons
        self._anchor_if_needed()
        report = tick(self._engine, self._parts.gateway.now_ms(), reasons)
        self._settle(report)
        return report

    def preview(self, recalled: Ledger | None = None) -> tuple[Situation, tuple[Drift, ...], Plan]:
        """Return what a tick would see and do, without recording or doing it.

        ``recalled`` stands in for the recorded ledger: the one an earlier preview arrived at.
        """
        self._ticks += 1
        self._anchor_if_needed()
        now_ms = self._parts.gateway.now_ms()
        ledger = self.books.recall() if recalled is None else recalled
        situation, drifts = look(self._engine, ledger, now_ms)
        return situation, drifts, make_plan(situation)

    def condition(self, now_ms: int) -> Condition:
        """Return everything about the engine a plan may depend on."""
        gateway = self._parts.gateway
        usage = gateway.usage()
        self._tenure = self._parts.tenure(now_ms)
        halts: tuple[HaltReason, ...] = ()
        commands: tuple[OperatorCommand, ...] = ()
        if self.books.is_writable:
            try:
                commands = self._asked(now_ms)
                halts = self._parts.store.halts()
            except StoreUnavailable:
                self.books.is_writable = False
        return Condition(
            tick=self._ticks,
            rights=self._tenure.rights,
            epoch=self._tenure.epoch,
            lease_until_ms=self._tenure.until_ms,
            is_store_writable=self.books.is_writable,
            clock_error_ms=gateway.clock_error_ms(),
            is_stream_up=self._parts.is_stream_up(),
            is_breaker_open=gateway.is_breaker_open,
            is_wire_stuck=gateway.is_wire_stuck,
            weight_used=usage.weight_used,
            weight_limit=usage.weight_limit,
            blocked_until_ms=usage.blocked_until_ms,
            halts=halts,
            commands=commands,
        )

    def anchor_clock(self) -> None:
        """Measure the exchange's clock again; keep the old anchor when that fails."""
        try:
            self._parts.gateway.anchor_clock()
        except (Rejected, Unavailable, Indeterminate) as error:
            self._parts.note(f"clock not measured: {error}")

    def _anchor_if_needed(self) -> None:
        if self._parts.gateway.clock_error_ms() is None:
            self.anchor_clock()

    def _asked(self, now_ms: int) -> tuple[OperatorCommand, ...]:
        return self._commands.obey(now_ms) if self._parts.obeys else self._commands.waiting()

    def _settle(self, report: TickReport) -> None:
        """Persist halts the plan asked for, and close commands that have taken effect."""
        if not self.books.is_writable:
            return
        for action in report.plan.actions:
            if isinstance(action, Halt):
                self._parts.store.add_halt(HaltReason(action.code, action.detail, report.now_ms))
        self._commands.settle(report)
