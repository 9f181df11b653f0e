"""One keeper of one position: its parts, its own condition, one tick at a time.

No module-level state, so that many keepers fit in one process. The loop decides when; this decides
nothing either: it gathers what the engine knows of itself and runs ``tick``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.books import Books
from engine.commands import Commands
from engine.domain.action import Halt, Plan
from engine.domain.condition import Condition, HaltReason, OperatorCommand
from engine.domain.drift import Drift
from engine.domain.errors import (
    Indeterminate,
    LeaseLost,
    Rejected,
    StoreUnavailable,
    Unavailable,
)
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.situation import Situation
from engine.domain.terms import Rights
from engine.exchange.gateway import Gateway
from engine.exchange.port import NOTHING_HEARD, Heard
from engine.leasehold import Tenure
from engine.observe import Observer
from engine.plan.planner import make_plan
from engine.store.spool import Spool
from engine.store.store import Store
from engine.tick import Engine, Reads, TickReport, look, tick


@dataclass(frozen=True, slots=True)
class Parts:
    """What a keeper is made of. ``tenure`` renews the lease; ``is_stream_up`` asks the stream.

    ``obeys``: whether operator commands are carried out; who only looks leaves them where they are.
    ``watch`` looks whose the lease is while it cannot be renewed.
    ``hear`` takes what the user stream said since it was last asked.
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
    watch: Callable[[int], None] = lambda _: None
    hear: Callable[[], Heard] = lambda: NOTHING_HEARD


class Keeper:
    """Keeps one futures position on one symbol."""

    def __init__(self, parts: Parts) -> None:
        """Put the parts together; nothing is asked or sent before the first tick."""
        self._parts = parts
        self._ticks = 0
        self._tenure = Tenure()
        self._halts: tuple[HaltReason, ...] = ()
        self._commands = Commands(parts.store)
        self.books = Books(parts.store, parts.note, parts.spool)
        self._engine = Engine(
            books=self.books,
            intake=parts.intake,
            observer=Observer(parts.gateway, patience_ms=parts.patience_ms, hear=parts.hear),
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
        if not self.books.is_writable:
            now_ms = self._parts.gateway.now_ms()
            if self.books.try_to_return(now_ms, self._parts.tenure) and not self.books.is_writable:
                self._parts.watch(now_ms)
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
        if self._tenure.trouble is not None:
            # The same wait is not paid twice before the requests leave (G5).
            self.books.lose(self._tenure.trouble, is_told=True)
        commands: tuple[OperatorCommand, ...] = ()
        if self.books.is_writable and self._tenure.rights is not Rights.NONE:
            try:
                commands = self._asked(now_ms)
                self._halts = self._parts.store.halts()
            except StoreUnavailable as error:
                self.books.lose(error)
        return Condition(
            tick=self._ticks,
            rights=self._tenure.rights,
            epoch=self._tenure.epoch,
            lease_until_ms=self._tenure.until_ms,
            lease_since_ms=self._tenure.since_ms,
            is_takeover=self._tenure.is_takeover,
            is_store_writable=self.books.is_writable,
            clock_error_ms=gateway.clock_error_ms(),
            is_stream_up=self._parts.is_stream_up(),
            is_breaker_open=gateway.is_breaker_open,
            is_wire_stuck=gateway.is_wire_stuck,
            churned=gateway.churned,
            weight_used=usage.weight_used,
            weight_limit=usage.weight_limit,
            blocked_until_ms=usage.blocked_until_ms,
            halts=self._halts,
            overruled=self._commands.overruled,
            commands=commands,
        )

    def take_limits(self, limits: Limits) -> None:
        """Keep to other limits from the next tick on; the store records them with it."""
        self._parts = replace(self._parts, limits=limits)
        self._engine = replace(self._engine, limits=limits)

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
        if not self.books.is_writable or self._tenure.rights is Rights.NONE:
            return
        try:
            for action in report.plan.actions:
                if isinstance(action, Halt):
                    halt = HaltReason(action.code, action.detail, report.now_ms)
                    self._parts.store.add_halt(halt)
            self._commands.settle(report)
        except StoreUnavailable as error:
            self.books.lose(error)
        except LeaseLost as lost:
            self._parts.note(str(lost))
