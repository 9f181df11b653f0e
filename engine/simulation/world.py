"""A whole keeper in a virtual world: real adapter and library, real store, the venue in process.

No threads, no sleeping, no wall clock: time is an integer that moves when the world says so. A
kill abandons every object of the keeper; the venue, the database and the inbox stay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.domain.limits import Limits
from engine.domain.terms import Rights
from engine.exchange.binance.adapter import BinanceExchange
from engine.exchange.binance.client import BinanceAccess, LaneClient
from engine.exchange.binance.clock import ExchangeClock
from engine.exchange.binance.lanes import InlineLanes
from engine.exchange.gateway import Gateway
from engine.intake import Intake
from engine.keeper import Keeper, Parts, Tenure
from engine.loop import pace_ms
from engine.simulation.session import VenueSession
from engine.store.store import Store
from engine.tick import TickReport
from engine.venue.api import Venue

KEY = "simulated-key"
SECRET = "simulated-secret"  # noqa: S105 - opens nothing but a venue in this very process
URL = "http://venue.invalid"
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


class World:
    """One venue, one keeper, one clock."""

    def __init__(
        self,
        venue: Venue,
        inbox: Path,
        limits: Limits,
        *,
        start_ms: int,
        interval_ms: int = 1_000,
        latency_ms: int = 20,
        listener: Callable[[TickReport], None] | None = None,
    ) -> None:
        """Put a keeper beside ``venue``; it reads decisions from the folder ``inbox``.

        ``latency_ms`` is the round trip of one burst of requests.
        """
        self.venue = venue
        self.clock = Clock(start_ms)
        self.limits = limits
        self.ticks = 0
        self.kills = 0
        self.requests = 0
        self._inbox = inbox
        self._interval_ms = interval_ms
        self._latency_ms = latency_ms
        self._listener = listener
        self._in_a_row = 0
        self.notes: list[str] = []
        self._store = Store.open("sqlite://", account=ACCOUNT, symbol=limits.symbol)
        self._exchange: BinanceExchange | None = None
        self.keeper = self._born()

    def _born(self) -> Keeper:
        """Return a keeper as a new process would make it."""
        session = VenueSession(self.venue.handle, KEY, self.clock.read, self._pause)
        client = LaneClient(BinanceAccess(URL, KEY, SECRET, self.limits.symbol))
        client.session = session
        lanes = InlineLanes(client, _Latency(session, self._latency_ms))
        clock = ExchangeClock(self.clock.read, guess_ms=self.clock.now_ms)
        access = BinanceAccess(URL, KEY, SECRET, self.limits.symbol)
        self._exchange = BinanceExchange(access, lanes, clock)
        return Keeper(
            Parts(
                store=self._store,
                intake=Intake(self._inbox, self.limits.symbol, self.limits),
                gateway=Gateway(self._exchange, patience_ms=PATIENCE_MS),
                limits=self.limits,
                patience_ms=PATIENCE_MS,
                tenure=lambda now_ms: Tenure(Rights.LEASED, self.kills + 1, now_ms + 30_000),
                is_stream_up=lambda: False,
                note=self.notes.append,
            )
        )

    def kill(self) -> None:
        """Abandon every object of the keeper, and start a new one on what was written down."""
        self.kills += 1
        self._count_requests()
        self._store = self._store.sibling()
        self._in_a_row = 0
        self.keeper = self._born()

    def run_until(self, until_ms: int) -> None:
        """Let the keeper tick at its own pace until ``until_ms``."""
        while self.clock.now_ms < until_ms:
            self.step(until_ms)

    def step(self, until_ms: int) -> TickReport:
        """Run one tick and let the pause after it pass, at most until ``until_ms``."""
        started_ms = self.clock.now_ms
        self.venue.advance(started_ms)
        report = self.keeper.tick(("interval",))
        self.ticks += 1
        if self._listener is not None:
            self._listener(report)
        pace = pace_ms(report, self._interval_ms, self._in_a_row)
        self._in_a_row = self._in_a_row + 1 if pace == 0 else 0
        due_ms = max(started_ms + pace, self.clock.now_ms + 1)
        self.clock.now_ms = max(min(due_ms, until_ms), self.clock.now_ms)
        self.venue.advance(self.clock.now_ms)
        self.venue.drain_pushes()
        return report

    def close(self) -> None:
        """End the world."""
        self._count_requests()
        self._store.close()

    def _count_requests(self) -> None:
        if self._exchange is not None:
            self.requests += self._exchange.usage().requests
            self._exchange.close()

    def _pause(self, elapsed_ms: int) -> None:
        self.clock.pass_ms(elapsed_ms)


class _Latency:
    """Adds the round trip to what the venue's own delays take."""

    def __init__(self, session: VenueSession, latency_ms: int) -> None:
        self._session = session
        self._latency_ms = latency_ms

    def take_delay_ms(self) -> int:
        return self._session.take_delay_ms() + self._latency_ms

    def pause(self, pause_ms: int) -> None:
        self._session.pause(pause_ms)
