"""A whole keeper whose store is a real file or server that can be taken away and given back."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from engine.domain.decision import Decided
from engine.domain.errors import StoreUnavailable
from engine.domain.limits import Limits
from engine.intake import compose, write
from engine.leasehold import Leasehold, Tenure
from engine.simulation.checkers import History, executed_once, naked_windows, never_widened
from engine.simulation.log import Event, Placed, read_log
from engine.simulation.world import ACCOUNT, World
from engine.store.spool import Spool
from engine.store.store import Store
from engine.venue.api import PricePoint, Venue
from engine.venue.settings import VenueSettings

START_MS = 1_795_000_020_000
FIRST_PRICE = Decimal(90800)
ROUND_TRIP_MS = 20
INTERVAL_MS = 1_000
SETTLED_MS = 30_000
"""After this the position of a decision given at the start is open and has all its orders."""


def decided_long(now_ms: int, inbox: Path) -> dict[str, object]:
    """Put a fresh long around the first price into the inbox; return its document."""
    document = compose(
        Decided.LONG, "BTCUSDT", now_ms, FIRST_PRICE, Decimal("0.1"), limits=Limits()
    )
    write(document, inbox)
    return document


class TroubledWorld(World):
    """A world with a lease, a spool, and a store at an URL of the test's choosing."""

    def __init__(
        self, folder: Path, url: str, *, holds: bool = True, account: str = ACCOUNT
    ) -> None:
        self.folder = folder
        self.account = account
        self.url = url
        self.inbox = folder / "inbox"
        self.inbox.mkdir()
        self.spool_path = folder / "keeper.spool"
        self.lease: Leasehold | None = None
        venue = Venue(VenueSettings(), now_ms=START_MS, seed=1)
        venue.set_price(FIRST_PRICE, START_MS)
        super().__init__(venue, self.inbox, Limits(), start_ms=START_MS, latency_ms=ROUND_TRIP_MS)
        if holds:
            self.decide(dips=True)
            self.run_until(START_MS + SETTLED_MS)

    def _open_store(self) -> Store:
        """Open the store the way a start does: only the lease touches it."""
        return Store.at(self.url, account=self.account, symbol="BTCUSDT")

    def _renewed(self, now_ms: int) -> Tenure:
        if self.lease is None:
            self.lease = Leasehold(self.store, self.notes.append)
            self.lease.take(self.clock.read, waits=False)
        return self.lease.renew(now_ms)

    @property
    def _spool(self) -> Spool | None:
        if self.lease is None:
            self._renewed(self.clock.now_ms)  # the lease comes first
        try:
            return Spool(self.spool_path)
        except StoreUnavailable:
            return None  # as the program does: a second net, not a condition

    def decide(self, *, dips: bool = False) -> None:
        """Put a fresh long into the inbox; let the price touch its entry if it ``dips``."""
        now_ms = self.clock.now_ms
        document = decided_long(now_ms, self.inbox)
        zone = document["entry_zone"]
        assert isinstance(zone, list)
        if dips:
            dip = PricePoint(now_ms + 5_000, min(Decimal(str(edge)) for edge in zone))
            self.venue.feed_from(iter([dip, PricePoint(now_ms + 9_000, FIRST_PRICE)]))

    def restart(self) -> None:
        """Kill the keeper, and start another on what was written down."""
        if self.keeper is not None:
            self.die()
        if self.lease is not None and self.lease._lock is not None:
            self.lease._lock.close()  # as the kernel does for a dead process
        self.store.close()
        self.lease, self.store = None, self._open_store()
        self.process.due_ms = self.clock.now_ms
        self.keeper = self._born()

    def let_pass(self, seconds: float) -> None:
        """Let the keeper tick for that long."""
        self.run_until(self.clock.now_ms + int(seconds * 1000))

    def uncover(self) -> None:
        """Let somebody cancel every stop."""
        for role in ("stop_primary", "stop_floor"):
            self.venue.hand({"do": "cancel", "role": role}, self.clock.now_ms)

    def events(self) -> list[Event]:
        return read_log(self.venue.log_after(0))

    def history(self) -> History:
        return History(self.events(), end_ms=self.clock.now_ms)

    def placed_since(self, at_ms: int) -> list[Placed]:
        return [e for e in self.events() if isinstance(e, Placed) and e.at_ms >= at_ms]

    def naked_ms(self) -> int:
        """Return the longest time the position stood uncovered, whatever the cause."""
        windows = naked_windows(self.history())
        return max((w.until_ms - w.from_ms for w in windows), default=0)

    def breaches(self) -> list[object]:
        judged = self.history()
        return [*never_widened(judged).findings, *executed_once(judged).findings]

    @property
    def is_writable(self) -> bool:
        assert self.keeper is not None
        return self.keeper.books.is_writable
