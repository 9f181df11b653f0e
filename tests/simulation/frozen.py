"""A writer frozen at any call through its ports, its successor, and what the frozen one then sends.

Two keepers, one lease in a real file, one venue, one clock. The first keeper is stopped in the
middle of a call, as SIGSTOP does it; time passes, the second one waits out the lease and keeps the
position; then the first goes on where it stood, none the wiser. Every call of a whole life is such
a point: before it took effect, and after it with the answer still to come.

    python -m tests.simulation.frozen               every point
    python -m tests.simulation.frozen --stride 9    each ninth
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from multiprocessing import Pool
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.domain.identity import OrderRole
from engine.domain.limits import Limits
from engine.domain.terms import Rights
from engine.keeper import Keeper
from engine.leasehold import CLOCK_ERROR_MS, Leasehold, Tenure
from engine.simulation.checkers import History, executed_once, naked_windows, never_widened
from engine.simulation.log import read_log
from engine.simulation.mortality import Mortality
from engine.simulation.requests import Request, read_requests
from engine.simulation.world import ACCOUNT, Clock, World
from engine.store.lease import GRACE_MS, TTL_MS
from engine.store.store import Store
from engine.venue.api import PricePoint, Venue
from engine.venue.settings import VenueSettings
from tests.simulation.troubled import FIRST_PRICE, ROUND_TRIP_MS, START_MS, decided_long

LIFE_MS = 46_000
"""Armed, entered, both layers, both targets, TP1, breakeven, and a stop that trails."""

FEED = ((5, "dip"), (9, "90800"), (16, "tp1"), (24, "up"), (32, "further"), (40, "on"))
SUCCESSOR_MS = 15_000
AWAKE_MS = 5_000
TAKEOVER_MS = TTL_MS + GRACE_MS + CLOCK_ERROR_MS


class Frost(Mortality):
    """Counts the calls of a life and stops it at one, until somebody has done their part."""

    def __init__(self, at: int | None = None, *, is_after: bool = False) -> None:
        self.roll: list[tuple[str, ...]] = []
        super().__init__(heard=self.roll.append)
        self.at = at
        self.comes_after = is_after
        self.meanwhile: Callable[[], None] = lambda: None

    def begin(self, *name: str) -> None:
        """Note that a call begins; freeze before it takes effect."""
        super().begin(*name)
        if self.calls - 1 == self.at and not self.comes_after:
            self.meanwhile()

    def end(self) -> None:
        """Note that a call took effect; freeze before its answer is read."""
        super().end()
        if self.calls - 1 == self.at and self.comes_after:
            self.meanwhile()


@dataclass(frozen=True, slots=True)
class Place:
    """The database both keepers share, and the account they keep in it."""

    url: str
    account: str = ACCOUNT


class Rival(World):
    """One of two keepers: its own wire, memory and lease; the venue, clock and file are shared."""

    def __init__(
        self,
        venue: Venue,
        folder: Path,
        clock: Clock,
        frost: Frost,
        *,
        waits: bool = False,
        place: Place | None = None,
    ) -> None:
        self._shared, self._frost, self._waits = clock, frost, waits
        self._place = place or Place(f"sqlite:///{folder}/keeper.db")
        self.lease: Leasehold | None = None
        super().__init__(
            venue, folder / "inbox", Limits(), start_ms=clock.now_ms, latency_ms=ROUND_TRIP_MS
        )

    def _open_store(self) -> Store:
        return Store.at(self._place.url, account=self._place.account, symbol="BTCUSDT")

    def _born(self) -> Keeper:
        self.clock, self.mortality = self._shared, self._frost
        self.lease = Leasehold(self.store, self.notes.append)
        self.lease.take(self.clock.read, waits=self._waits)
        return super()._born()

    def _renewed(self, now_ms: int) -> Tenure:
        assert self.lease is not None
        self.mortality.begin("lease", "renew")
        tenure = self.lease.renew(now_ms)
        self.mortality.end()
        return tenure


@dataclass(frozen=True, slots=True)
class Point:
    """One freeze: at which call of the life, and on which side of its effect."""

    at: int
    is_after: bool


@dataclass(slots=True)
class Thawed:
    """What was found out about one freeze."""

    point: Point
    subject: str
    executed: list[Request]
    refused: int
    events_written: int
    ledger_changed: bool
    wrong: list[str]

    @property
    def is_right(self) -> bool:
        """Return whether the frozen writer did nothing, and the promises held."""
        changed = bool(self.executed or self.events_written or self.ledger_changed)
        return not (changed or self.wrong)


class Stage:
    """A venue with a life written on it, and up to two keepers."""

    def __init__(
        self,
        folder: Path,
        frost: Frost,
        feed: Sequence[tuple[int, str]] = FEED,
        *,
        place: Place | None = None,
    ) -> None:
        (folder / "inbox").mkdir()
        self.folder, self.frost, self.place = folder, frost, place
        self.clock = Clock(START_MS)
        self.venue = Venue(VenueSettings(), now_ms=START_MS, seed=1)
        self.venue.set_price(FIRST_PRICE, START_MS)
        document = decided_long(START_MS, folder / "inbox")
        zone, tp1 = document["entry_zone"], Decimal(str(document["tp1"]))
        assert isinstance(zone, list)
        prices = {
            "dip": min(Decimal(str(edge)) for edge in zone),
            "tp1": tp1,
            "up": tp1 + 300,
            "further": tp1 + 700,
            "on": tp1 + 1_200,
        }
        points = [
            PricePoint(START_MS + at_s * 1_000, prices.get(name) or Decimal(name))
            for at_s, name in feed
        ]
        self.venue.feed_from(iter(points))
        self.first = Rival(self.venue, folder, self.clock, frost, place=place)
        self.second: Rival | None = None

    def live(self) -> None:
        """Let the first keeper live the whole life."""
        self.first.run_until(START_MS + LIFE_MS)

    def take_over(self) -> None:
        """Let time pass until the lease is free for another, which then keeps the position."""
        assert self.first.lease is not None
        held = self.first.lease._lease
        assert held is not None
        free_ms = held.until_ms + GRACE_MS + CLOCK_ERROR_MS
        self.first._pass_to(max(free_ms, self.clock.now_ms))
        self.second = Rival(
            self.venue, self.folder, self.clock, Frost(), waits=True, place=self.place
        )
        self.second.run_until(self.clock.now_ms + SUCCESSOR_MS)

    def close(self) -> None:
        """Let go of both."""
        for rival in (self.first, self.second):
            if rival is not None:
                rival.close()
                if rival.lease is not None and rival.lease._lock is not None:
                    rival.lease._lock.close()


@cache
def roll() -> tuple[tuple[str, ...], ...]:
    """Return the calls of the life that is never frozen, from its second tick on."""
    frost = Frost()
    with _home() as folder:
        stage = Stage(folder, frost)
        stage.live()
        stage.close()
    return tuple(frost.roll)


def points(stride: int = 1) -> Iterator[Point]:
    """Yield every freeze, or each ``stride``-th.

    Of ticks that send nothing one is enough: in the others the same calls change nothing again.
    """
    begun = roll().index(("lease", "renew"))  # before that there is no lease to lose
    every: list[Point] = []
    had_quiet = False
    for tick in _ticks(begun):
        sends = any(roll()[at][0] in ("POST", "DELETE") for at in tick)
        if sends or not had_quiet:
            every += [Point(at, is_after) for at in tick for is_after in (False, True)]
        had_quiet = had_quiet or not sends
    yield from every[::stride]


def _ticks(begun: int) -> Iterator[list[int]]:
    """Yield the calls of each tick: it begins by recalling."""
    tick: list[int] = []
    for at in range(begun, len(roll())):
        if roll()[at] == ("store", "recall") and tick:
            yield tick
            tick = []
        tick.append(at)
    yield tick


def frozen(point: Point, place: Place | None = None) -> Thawed:
    """Freeze a writer at ``point``, let another take over, wake it, and say what it did then."""
    frost = Frost(point.at, is_after=point.is_after)
    with _home() as folder:
        stage = Stage(folder, frost, place=place)
        before: dict[str, int] = {}
        first = stage.first

        def meanwhile() -> None:
            stage.take_over()
            assert stage.second is not None
            before["log"] = len(stage.venue.log_after(0))
            before["events"] = _events(stage.second.store)
            before["ledger"] = hash(repr(stage.second.store.recall()))

        frost.meanwhile = meanwhile
        while not before and stage.clock.now_ms < START_MS + LIFE_MS:
            first.step(START_MS + LIFE_MS)
        first.run_until(stage.clock.now_ms + AWAKE_MS)
        thawed = _judged(stage, point, before)
        stage.close()
    return thawed


def _judged(stage: Stage, point: Point, before: dict[str, int]) -> Thawed:
    second, venue = stage.second, stage.venue
    assert second is not None
    assert stage.first.keeper is not None
    awake = [r for r in read_requests(venue.log_after(0)[before["log"] :]) if r.verb != "GET"]
    events, ledger = _events(second.store), hash(repr(second.store.recall()))
    rights = stage.first.keeper.tenure.rights
    second.run_until(stage.clock.now_ms + SUCCESSOR_MS)
    history = History(read_log(venue.log_after(0)), end_ms=stage.clock.now_ms)
    wrong = [str(f) for c in (never_widened, executed_once) for f in c(history).findings]
    wrong += [f"naked {w}" for w in naked_windows(history)]
    if rights is not Rights.NONE:
        wrong.append(f"the frozen one thinks it may: {rights}")
    if second.keeper is None or second.keeper.tenure.rights is not Rights.LEASED:
        wrong.append("the successor does not hold the lease")
    taken_ms = second.lease._lease.since_ms if second.lease and second.lease._lease else 0
    resting = [order for picture in history.pictures()[-1:] for order in picture.orders]
    wrong += [
        f"an entry of the earlier lease rests: {order.own_id}"
        for order in resting
        if order.own_id and order.own_id.role is OrderRole.ENTRY and order.since_ms < taken_ms
    ]
    return Thawed(
        point,
        " ".join(roll()[point.at]),
        [r for r in awake if r.status == 200],
        sum(r.status != 200 for r in awake),
        events - before["events"],
        ledger != before["ledger"],
        wrong,
    )


def _events(store: Store) -> int:
    account = (store.desk.account,)
    mark = "?" if store.desk.place.is_sqlite else "%s"
    asked = f"SELECT count(*) FROM events WHERE account = {mark}"  # noqa: S608 - a driver's mark
    (row,) = store.desk.rows(asked, account)
    store.desk.end_read()
    return int(row[0])


def _home() -> _Home:
    return _Home()


class _Home:
    """A folder for one stage, with the host's lock in it; in memory where there is such a place."""

    def __enter__(self) -> Path:
        place = Path("/dev/shm")  # noqa: S108 - a folder of our own in it
        self._made = TemporaryDirectory(
            prefix="keeper-frozen-", dir=place if os.access(place, os.W_OK) else None
        )
        folder = Path(self._made.name)
        self._before = os.environ.get("XDG_RUNTIME_DIR")
        os.environ["XDG_RUNTIME_DIR"] = str(folder)
        return folder

    def __exit__(self, *_: object) -> None:
        if self._before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = self._before
        self._made.cleanup()


def main() -> int:
    """Freeze at every point, and name those after which something was not as promised."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    found, refused = 0, 0
    every = list(points(arguments.stride))
    with Pool(arguments.jobs) as pool:
        for thawed in pool.imap_unordered(frozen, every):
            refused += thawed.refused
            if not thawed.is_right:
                found += 1
                sys.stdout.write(f"{thawed}\n")
    sys.stdout.write(
        f"{len(every)} freezes, {refused} requests refused after waking, {found} not right\n"
    )
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
