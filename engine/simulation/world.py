"""A whole keeper in a virtual world: real adapter and library, real store, the venue in reach.

No sleeping, no wall clock, no threads that are not waited for: time is an integer that moves when
the world says so. A kill abandons every object of the keeper; the venue, the database and the
inbox stay. It comes between two ticks, or at any call through the two ports (``mortality``). What
others do happens at its own moment, between two requests of one tick if that is when it is due.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.domain.drift import DriftKind
from engine.domain.limits import Limits
from engine.domain.terms import Rights
from engine.exchange.binance.adapter import BinanceExchange
from engine.exchange.binance.clock import ExchangeClock
from engine.exchange.gateway import Gateway
from engine.exchange.port import NOTHING_HEARD, Heard, Usage
from engine.intake import Intake
from engine.keeper import Keeper, Parts
from engine.leasehold import Tenure
from engine.loop import pace_ms
from engine.simulation.mortality import Killed, Mortality, MortalStore, count_statements
from engine.simulation.reach import ByCall, Passage, Reach
from engine.simulation.stream import Listening, WorldStream
from engine.store.spool import Spool
from engine.store.store import Store
from engine.tick import TickReport
from engine.venue.api import Venue
from engine.venue.values import Push, Reply

ACCOUNT = "simulated"
PATIENCE_MS = 2_000


@dataclass(slots=True)
class Clock:
    """The virtual clock: exchange time and monotonic time at once."""

    now_ms: int

    def read(self) -> int:
        """Return the present moment."""
        return self.now_ms

    def pass_ms(self, elapsed_ms: int) -> None:
        """Let time pass."""
        self.now_ms += elapsed_ms


@dataclass(slots=True, eq=False)
class Process:
    """What the process of a keeper holds: everything that is gone with it but what it wrote."""

    store: Store
    keeper: Keeper | None = None
    exchange: BinanceExchange | None = None
    stream: WorldStream[Any] | None = None
    reasons: list[str] = field(default_factory=list)
    in_a_row: int = 0
    due_ms: int = 0


class World:
    """One venue, one keeper, one clock."""

    def __init__(  # noqa: PLR0913 - what a world is made of
        self,
        venue: Venue | Reach,
        inbox: Path,
        limits: Limits,
        *,
        start_ms: int,
        interval_ms: int = 1_000,
        latency_ms: int = 20,
        listener: Callable[[TickReport], None] | None = None,
        shelf: Path | None = None,
        streams: bool = False,
    ) -> None:
        """Put a keeper beside ``venue``; it reads decisions from the folder ``inbox``.

        ``latency_ms`` is the round trip of one burst of requests; half of it is how long a push
        travels, where the keeper has its user stream (``streams``). The store is in memory, or a
        file in the folder ``shelf``.
        """
        self.reach: Reach = ByCall(venue) if isinstance(venue, Venue) else venue
        self.clock = Clock(start_ms)
        self.limits = limits
        self.interval_ms = interval_ms
        self.latency_ms = latency_ms
        self.ticks = 0
        self.kills = 0
        self.mortality = Mortality()
        self.statements = Mortality()
        self.meanwhile: Callable[[int], None] | None = None
        self.notes: list[str] = []
        self._inbox = inbox
        self._shelf = shelf
        self._stores = 0
        self._listener = listener
        self._streams = streams
        self._spent = 0
        self.process = self._new_process()
        self._begin()

    @property
    def keeper(self) -> Keeper | None:
        """Return the keeper, None while nobody lives."""
        return self.process.keeper

    @keeper.setter
    def keeper(self, keeper: Keeper | None) -> None:
        self.process.keeper = keeper

    @property
    def store(self) -> Store:
        """Return the store of the keeper's process."""
        return self.process.store

    @store.setter
    def store(self, store: Store) -> None:
        self.process.store = store

    @property
    def is_bereaved(self) -> bool:
        """Return whether a keeper died that has not risen again."""
        return self.keeper is None

    @property
    def venue(self) -> Venue:
        """Return the venue of this process; raises ``TypeError`` where it is another's."""
        if not isinstance(self.reach, ByCall):
            raise TypeError("the venue of this world is served by another process")
        return self.reach.venue

    @property
    def record(self) -> Store:
        """Return the store as somebody beside the keeper uses it."""
        return self.process.store

    def _new_process(self) -> Process:
        return Process(self._new_store(), due_ms=self.clock.now_ms)

    def _begin(self) -> None:
        """Let the first keeper live."""
        self.keeper = self._born()

    def _new_store(self) -> Store:
        self._stores += 1
        return self._open_store()

    def _open_store(self) -> Store:
        file = "" if self._shelf is None else f"/{self._shelf / f'keeper-{self._stores}.db'}"
        return Store.open(f"sqlite://{file}", account=ACCOUNT, symbol=self.limits.symbol)

    def _born(self) -> Keeper:
        """Return a keeper as a new process would make it."""
        exchange = self.process.exchange or self._connected()
        return Keeper(
            Parts(
                store=MortalStore(self.process.store.desk, self.mortality),
                intake=Intake(self._inbox, self.limits.symbol, self.limits),
                gateway=Gateway(exchange, patience_ms=PATIENCE_MS),
                limits=self.limits,
                patience_ms=PATIENCE_MS,
                tenure=self._renewed,
                watch=self._watch,
                is_stream_up=self._is_stream_up,
                hear=self._hear,
                note=self.notes.append,
                spool=self._spool,
            )
        )

    def _connected(self) -> BinanceExchange:
        """Return the way of a new process to the exchange, with its own idea of the time."""
        access = self.reach.access(self.limits.symbol)
        passage = Passage(
            now_ms=self.clock.read,
            pause=self._pause,
            latency_ms=self.latency_ms,
            begin=self._begin_request,
            end=self.mortality.end,
            handle=self._handle,
        )
        lanes = self.reach.lanes(access, passage)
        clock = ExchangeClock(self.clock.read, guess_ms=self.clock.now_ms)
        self.process.exchange = BinanceExchange(access, lanes, clock)
        return self.process.exchange

    def _pause(self, pause_ms: int) -> None:
        """Let a process wait for an answer."""
        self.clock.pass_ms(pause_ms)

    def _is_stream_up(self) -> bool:
        return self.process.stream is not None and self.process.stream.is_up

    def _hear(self) -> Heard:
        return NOTHING_HEARD if self.process.stream is None else self.process.stream.heard()

    def _watch(self, now_ms: int) -> None:
        """Look whose the lease is: in a world with one keeper nobody else wants it."""

    def _renewed(self, now_ms: int) -> Tenure:
        """Return the lease: in a world with one keeper it is always that one's."""
        return Tenure(Rights.LEASED, self.kills + 1, now_ms + 30_000)

    @property
    def _spool(self) -> Spool | None:
        """Return where the keeper writes while its store is away: nowhere, if it cannot be."""
        return None

    def die_between_statements(self) -> None:
        """Let the keeper's deaths be counted in statements of the store, too (``statements``)."""
        count_statements(self.store.desk, self.statements)

    @property
    def requests_made(self) -> int:
        """Return how many requests left so far, the dead keepers' included."""
        return self._spent + self.usage.requests

    def die(self) -> None:
        """Abandon every object of the keeper; what it wrote down stays."""
        if self.keeper is None:
            return
        self.kills += 1
        self._count_requests()
        self._end_stream()
        self.keeper = None
        self.mortality.spare()
        self.statements.spare()
        self.process.in_a_row = 0

    def rise(self, *, lose_store: bool = False) -> None:
        """Start a new keeper on what was written down, or on nothing; it ticks at once."""
        if self.keeper is not None:
            self.die()
        if lose_store:
            self.store.close()
            self.store = self._new_store()
        elif self._shelf is None:
            self.store = self.store.sibling()
        else:
            self.store.close()
            self.store = self._open_store()
        self.process.due_ms = self.clock.now_ms
        self.keeper = self._born()

    @property
    def usage(self) -> Usage:
        """Return the living keeper's request counters."""
        return self.process.exchange.usage() if self.process.exchange is not None else Usage()

    def stand_still(self, frozen_ms: int, _play_on: Callable[[int], object]) -> None:
        """Let time pass for all but the keeper, which is stopped in the middle of a call.

        ``_play_on`` plays the world up to a moment, where there is anybody else to be played.
        """
        self.clock.pass_ms(frozen_ms)
        self._happen()

    def kill(self) -> None:
        """Let the keeper die and a new one rise in the same instant."""
        self.die()
        self.rise()

    def run_until(self, until_ms: int) -> None:
        """Let the keeper tick at its own pace until ``until_ms``."""
        while self.clock.now_ms < until_ms:
            self.step(until_ms)

    def step(self, until_ms: int) -> TickReport | None:
        """Run the next tick if it is due by ``until_ms``, and let time pass up to the one after.

        None: no tick, because none is due yet or nobody lives, or because the keeper died in it.
        """
        keeper = self.keeper
        self._pass_to(until_ms if keeper is None else min(self.process.due_ms, until_ms))
        if keeper is None or (self.process.due_ms >= until_ms and not self.process.reasons):
            return None
        started_ms = self.clock.now_ms
        reasons = tuple(dict.fromkeys(self.process.reasons)) or ("interval",)
        self.process.reasons = []
        try:
            report = keeper.tick(reasons)
        except Killed:
            self.ticks += 1
            self.die()
            return None
        self.ticks += 1
        if self._listener is not None:
            self._listener(report)
        pace = pace_ms(report, self.interval_ms, self.process.in_a_row)
        self.process.in_a_row = self.process.in_a_row + 1 if pace == 0 else 0
        self.process.due_ms = max(started_ms + pace, self.clock.now_ms + 1)
        if self._streams:
            self._tend_stream(report)
        self._pass_to(min(self.process.due_ms, until_ms))
        return report

    def _pass_to(self, now_ms: int) -> None:
        """Let time pass up to ``now_ms``, never back; or only until the stream wakes the loop."""
        if self.process.stream is None:
            self.clock.now_ms = max(now_ms, self.clock.now_ms)
            self._happen()
            return
        self._happen()
        while not self.process.reasons and self.clock.now_ms < now_ms:
            due_ms = min(now_ms, self.process.stream.next_ms(), self.reach.next_due())
            self.clock.now_ms = max(due_ms, self.clock.now_ms + 1)
            self._happen()

    def _happen(self) -> None:
        """Let happen what others, the venue and the stream have for this moment."""
        now_ms = self.clock.now_ms
        if self.meanwhile is not None:
            self.meanwhile(now_ms)
        self.reach.advance(now_ms)
        self._hand_on(self.reach.drain_pushes())
        if self.process.stream is not None:
            self.process.stream.pass_to(now_ms)

    def _hand_on(self, pushes: list[Push]) -> None:
        """Give the stream what the venue sent."""
        if self.process.stream is not None:
            self.process.stream.take(pushes)

    def _tend_stream(self, report: TickReport) -> None:
        """Connect after the first tick, and anew where the stream stands and tells nothing."""
        exchange = self.process.exchange
        if self.process.stream is None and exchange is not None:
            listening = Listening(
                wake=self._wake,
                now_ms=self.clock.read,
                exchange_ms=exchange.now_ms,
                gate=exchange.gate,
                travel_ms=self.latency_ms // 2,
            )
            self.process.stream = self.reach.stream(self.limits.symbol, listening)
            self.process.stream.pass_to(self.clock.now_ms)
        elif self.process.stream is not None and any(
            drift.kind is DriftKind.STREAM_SILENT for drift in report.drifts
        ):
            self.process.stream.rebuild()

    def _wake(self, reason: str) -> None:
        """Let the next tick come at once."""
        self.process.reasons.append(reason)

    def _end_stream(self) -> None:
        if self.process.stream is not None:
            self.process.stream.close()
        self.process.stream, self.process.reasons = None, []

    def _handle(
        self, verb: str, path: str, query: str, body: str, key: str | None, now_ms: int
    ) -> Reply:
        """Pass one request to the venue of this process."""
        self._begin_request(now_ms, verb, path, query or body)
        reply = self.venue.handle(verb, path, query, body, key, now_ms)
        self.mortality.end()
        return reply

    def _begin_request(self, now_ms: int, *name: str) -> None:
        """Let happen what others did until now; the request that follows may be the last call."""
        if self.meanwhile is not None:
            self.meanwhile(now_ms)
        self.mortality.begin(*name)

    def close(self) -> None:
        """End the world."""
        self._end_stream()
        self._count_requests()
        self.store.close()

    def _count_requests(self) -> None:
        if self.process.exchange is not None:
            self._spent += self.process.exchange.usage().requests
            self.process.exchange.close()
            self.process.exchange = None
