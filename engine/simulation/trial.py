"""One small world from beginning to end: play it, let it calm down, close it, judge it.

After the drawn time the feed stands still and faults end: then the keeper must come to rest, and,
told to flatten, leave neither position nor order.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.domain.condition import Command
from engine.domain.errors import StoreUnavailable
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.terms import Rights
from engine.leasehold import ADD_ONLY_MS, Tenure
from engine.read.documents import Document, level_document
from engine.read.trades import confirmed, trade_documents
from engine.simulation.account import Account
from engine.simulation.analyst import Analyst, Kind, Wish
from engine.simulation.causes import Naked, Pace
from engine.simulation.checkers import History
from engine.simulation.coverage import cells
from engine.simulation.draw import START_MS, Drawn
from engine.simulation.given import Appeared, Inbox, appeared
from engine.simulation.hedging import ONE_WAY
from engine.simulation.log import Event, Filled, Placed, read_log
from engine.simulation.play import Appear, Calm, Compose, Moment, Play
from engine.simulation.recipes import FLATTEN
from engine.simulation.requests import Rhythm, Span, broken_spans, read_requests
from engine.simulation.rivals import Rivals, Standby, quick_place
from engine.simulation.told import fill_documents, order_documents
from engine.simulation.troubles import (
    FREEZE,
    KILL,
    KILL_IN_STORE,
    RETURN,
    STORE_AWAY,
    STORE_FAILS,
    STORE_LOST,
    TAKEOVER,
    takes_nothing,
)
from engine.simulation.verdict import Asked, Evidence, Violation, digest_of, judge
from engine.simulation.whereabouts import States
from engine.simulation.world import PATIENCE_MS, World
from engine.store.reading import ReadStore
from engine.store.spool import Spool
from engine.tick import TickReport
from engine.venue.api import Venue

CONVERGE_TICKS = 20
REST_TICKS = 3
"""So many empty plans in a row are rest."""

FLATTEN_MS = 120_000
SPOOL_BYTES = 1 << 20
_QUIET_MS = 3_600_000


@dataclass(slots=True)
class Trial:
    """What became of one seed; plain data, for sending between processes."""

    seed: int
    violations: tuple[Violation, ...] = ()
    naked: tuple[Naked, ...] = ()
    totals: Counter[str] = field(default_factory=Counter)
    injected: Counter[str] = field(default_factory=Counter)
    effective: Counter[str] = field(default_factory=Counter)
    states: tuple[str, ...] = ()
    cells: Counter[tuple[str, str]] = field(default_factory=Counter)
    switches: dict[str, str | int] = field(default_factory=dict)
    ticks_to_converge: int | None = None
    digest: str = ""
    cpu_s: float = 0.0


class _Rest:
    """Counts ticks until the keeper rests, once the exchange itself does.

    An order that hangs in TRIGGERING can neither be cancelled nor left alone.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.ticks = 0
        self.empty = 0

    def seen(self, report: TickReport) -> bool:
        """Return whether to stop: at rest, or out of patience."""
        if any(o.status.value.startswith("TRIGGER") for o in self._venue.algo.open.values()):
            return False
        self.ticks += 1
        life = report.ledger.life
        is_covered = life is None or not life.is_open or life.uncovered_quantity == 0
        self.empty = self.empty + 1 if report.plan.is_empty and is_covered else 0
        return self.empty == REST_TICKS or self.ticks >= CONVERGE_TICKS + REST_TICKS

    @property
    def needed(self) -> int | None:
        """Return after how many ticks it rested, None when it did not."""
        return self.ticks - REST_TICKS if self.empty >= REST_TICKS else None


def run_trial(drawn: Drawn, log: list[Mapping[str, object]] | None = None) -> Trial:
    """Play and judge one small world; ``log`` takes what its venue noted, if anybody wants it."""
    venue = Venue(drawn.venue, now_ms=START_MS, seed=drawn.seed)
    venue.feed_from(drawn.market.feed(START_MS))
    with TemporaryDirectory(prefix="keeper-trial-", dir=quick_place()) as folder:
        inbox = Path(folder)
        world = _stage(drawn, venue, inbox)
        try:
            trial = _Course(drawn, world, inbox).run()
            if log is not None:
                log += venue.log_after(0)
            return trial
        finally:
            world.close()


def _stage(drawn: Drawn, venue: Venue, inbox: Path) -> World:
    """Return the world for a drawn one: with one keeper, or with two."""
    if drawn.standby is Standby.NOWHERE:
        return _Stage(
            venue,
            inbox,
            drawn.limits,
            start_ms=START_MS,
            interval_ms=drawn.interval_ms,
            latency_ms=drawn.latency_ms,
            streams=drawn.streams,
            shelf=inbox if drawn.is_on_disk else None,
        )
    return Rivals(
        venue,
        inbox,
        drawn.limits,
        start_ms=START_MS,
        interval_ms=drawn.interval_ms,
        latency_ms=drawn.latency_ms,
        streams=drawn.streams,
        standby=drawn.standby,
    )


class _Stage(World):
    """A world whose keeper has a spool beside its inbox, for when the store takes nothing.

    ``without`` is when a keeper began on a store that takes nothing: lease and books are out of
    its reach until the store is back, so it may only add protection (RULES G4, G5). It ends where
    nothing is held and nothing rests, as the program does, and is started again.
    """

    without: tuple[int, ...] = ()

    @property
    def _spool(self) -> Spool | None:
        return Spool(self._inbox / ".spool", size=SPOOL_BYTES)

    def rise(self, *, lose_store: bool = False) -> None:
        """Start a new keeper; on a store that takes nothing it begins without one."""
        self.store.desk.unshut()  # the dead one's doubts died with it
        if self._shelf is not None:
            # The kernel closes what a dead process had open; here its last frames still hold it.
            self.store.close()
            gc.collect()
        super().rise(lose_store=lose_store)
        if takes_nothing(self):
            self.without = (*self.without, self.clock.now_ms)
            self.store.shut(StoreUnavailable("it takes nothing", place="sqlite://"))
            self.keeper = self._born()

    def step(self, until_ms: int) -> TickReport | None:
        """Run the next tick; a start without a store ends where nothing is at stake."""
        report = super().step(until_ms)
        if report is None or self.keeper is None or self.store.trouble is None:
            return report
        if not self.keeper.books.was_ever_open and report.is_nothing_at_stake:
            self.die()
        return report

    def _renewed(self, now_ms: int) -> Tenure:
        if self.store.trouble is None or self.keeper is None or self.keeper.books.was_ever_open:
            return super()._renewed(now_ms)
        return Tenure(Rights.ADD_ONLY, until_ms=now_ms + ADD_ONLY_MS)


class _Course:
    """The stages of one trial."""

    def __init__(self, drawn: Drawn, world: World, inbox: Path) -> None:
        self._drawn = drawn
        self._world = world
        self._analyst = Analyst(drawn.market, START_MS)
        moments = [Moment(START_MS + w.at_ms, self._composed(w)) for w in drawn.wishes]
        moments += [Moment(START_MS + at_ms, what) for at_ms, what in drawn.happenings]
        self._play = Play(world, inbox, moments)
        self._broken: list[Violation] = []
        self._needed: int | None = None
        self._appeared: list[Appeared] = []
        self._flatten_ms: int | None = None

    def run(self) -> Trial:
        """Play every stage, then judge."""
        try:
            self._play.run(START_MS + self._drawn.length_ms)
            self._come_to_rest()
            self._flatten()
        except Exception as error:  # noqa: BLE001 - a keeper that breaks is a finding, not an end
            self._fault("converged", f"the keeper broke: {type(error).__name__}: {error}")
        return self._judged()

    def _composed(self, wish: Wish) -> Compose:
        def write(world: World, at_ms: int) -> Appear:
            appear = self._analyst.write(wish, world, at_ms)
            symbol = self._drawn.limits.symbol
            self._appeared += [appeared(at_ms, name, text, symbol) for name, text in appear.files]
            return appear

        return Compose(write)

    def _come_to_rest(self) -> None:
        world, rest = self._world, _Rest(self._world.venue)
        self._play.add(world.clock.now_ms, Calm())
        for last in (RETURN, ONE_WAY):
            self._play.add(world.clock.now_ms, last)
        self._play.run(world.clock.now_ms + _QUIET_MS, rest.seen)
        self._needed = rest.needed
        if rest.needed is None:
            self._fault("converged", f"still acting after {CONVERGE_TICKS} quiet ticks")

    def _flatten(self) -> None:
        world = self._world
        self._flatten_ms = now_ms = world.clock.now_ms
        self._play.add(now_ms, self._composed(Wish(0, Kind.FLAT, 0)))
        world.statements.spare()  # what an operator's process writes is no statement of the keeper
        world.record.add_command(Command.FLATTEN, by="trial", why="the end", at_ms=now_ms)
        self._play.run(now_ms + FLATTEN_MS, self._is_over)
        venue = world.venue
        rest = [o.client_id for o in venue.book.open.values()]
        rest += [o.client_id for o in venue.algo.open.values()]
        rest = [name for name in rest if ClientOrderId.parse(name) is not None]
        held = [p.quantity for p in venue.house.account.positions.values() if p.quantity]
        if rest or held:
            text = f"after flatten: position {held or 0}, orders {', '.join(sorted(rest)) or 0}"
            self._fault("no_leftovers", text)

    def _is_over(self, report: TickReport) -> bool:
        return report.ledger.life is None and report.plan.is_empty and not report.ledger.orders

    def _fault(self, checker: str, detail: str) -> None:
        self._broken.append(Violation(checker, self._world.clock.now_ms, 0, "flat", detail))

    def _judged(self) -> Trial:
        world, entries = self._world, self._world.venue.log_after(0)
        world.statements.spare()  # nor is what is read to judge
        world.record.desk.unshut()  # whoever was waiting for it: reading needs no writes
        events = read_log(entries)
        history = History(events, end_ms=world.clock.now_ms)
        reader = ReadStore.beside(world.record.desk)
        is_whole = not self._broken and not self._play.lost_stores
        broken = broken_spans(entries, PATIENCE_MS)
        imposed = [*self._unkept(), *broken, *self._waited_on(broken)]
        requests = read_requests(entries)
        evidence = Evidence(
            entries,
            events,
            history,
            Pace(world.interval_ms, world.latency_ms, Rhythm(requests)),
            imposed,
            trade_documents(reader),
            is_whole,
            requests,
            Asked(
                Inbox(self._appeared),
                self._drawn.limits,
                Account(entries, self._drawn.venue.wallet),
                self._flatten_ms,
                self._drawn.venue.brackets,
                [at_ms for name, at_ms in self._play.befell if name == FLATTEN],
            ),
            self._untold(),
        )
        violations, naked = judge(evidence)
        states = States(entries)
        levels = _levels(reader)
        others = self._others()
        struck = [str(f["kind"]) for f in self._play.struck if f["struck"]]
        by_hand = Counter(f"hand_{e['do']}" for e in entries if e["kind"] == "hand")
        in_vain = Counter(f"hand_{e['do']}" for e in entries if e["kind"] == "hand_refused")
        apart = Counter(name for name, _ in others)
        return Trial(
            seed=self._drawn.seed,
            violations=(*violations, *self._broken),
            naked=naked,
            totals=self._totals(events, levels),
            injected=Counter(str(e["fault"]) for e in entries if e["kind"] == "fault")
            + Counter({KILL: self._play.kills_wanted, FREEZE: self._play.freezes_wanted})
            + Counter({name: n for name, n in apart.items() if name not in (KILL, FREEZE)})
            + by_hand,
            effective=Counter(struck) + apart + (by_hand - in_vain),
            states=states.seen,
            cells=cells(entries, states, others),
            switches=self._drawn.venue.switches.plain(),
            ticks_to_converge=self._needed,
            digest=digest_of(
                {
                    "orders": order_documents(entries),
                    "fills": fill_documents(entries),
                    "levels": levels,
                    "events": [
                        {name: row[name] for name in _EVENT}
                        for row in reader.events(limit=1_000_000)
                    ],
                }
            ),
        )

    def _unkept(self) -> list[Span]:
        """Return when nobody who was awake kept the position."""
        if isinstance(self._world, Rivals):
            return self._world.unkept()
        return [Span(from_ms, to_ms) for from_ms, to_ms in self._play.absences + self._play.freezes]

    def _waited_on(self, broken: Sequence[Span]) -> list[Span]:
        """Return for how long who stood still in an answerless call waited on for it, awake."""
        return [
            Span(to_ms, to_ms + PATIENCE_MS)
            for from_ms, to_ms in self._play.freezes
            if any(span.from_ms <= from_ms < span.until_ms for span in broken)
        ]

    def _untold(self) -> list[int]:
        """Return when somebody came who may not know what the exchange told others before."""
        untold = [at_ms for _, at_ms in (*self._play.absences, *self._play.freezes)]
        if isinstance(self._world, Rivals):
            untold += self._world.takeovers + self._world.untold
        return untold

    @property
    def _takeovers(self) -> list[int]:
        return self._world.takeovers if isinstance(self._world, Rivals) else []

    def _others(self) -> list[tuple[str, int]]:
        """Return what went wrong that no venue knows of: deaths, freezes, stores."""
        others = [(name, at_ms) for name, at_ms in self._play.befell if name in _KNOWN_HERE]
        if isinstance(self._world, _Stage):
            others += [(STORE_AWAY, at_ms) for at_ms in self._world.without]
        others += [(FREEZE, from_ms) for from_ms, _ in self._play.freezes]
        others += [(TAKEOVER, at_ms) for at_ms in self._takeovers]
        for died_ms, kill in self._play.deaths:
            others.append((KILL_IN_STORE if kill.is_statement else KILL, died_ms))
            if kill.lose_store:
                others.append((STORE_LOST, died_ms))
        return others

    def _totals(self, events: list[Event], levels: list[Document]) -> Counter[str]:
        world = self._world
        placed = [e for e in events if isinstance(e, Placed) and e.is_own()]
        lives = {e.own_id.generation for e in placed if e.own_id is not None}
        primaries = {
            (e.own_id.generation, e.trigger_price)
            for e in placed
            if e.own_id is not None and e.is_own(OrderRole.STOP_PRIMARY)
        }
        return Counter(
            lives=len(lives),
            sim_ms=world.clock.now_ms - START_MS,
            ticks=world.ticks,
            requests=world.requests_made,
            orders=len(placed),
            fills=sum(1 for e in events if isinstance(e, Filled)),
            stop_moves=len(primaries) - len({generation for generation, _ in primaries}),
            kills=len(self._play.absences),
            takeovers=len(self._takeovers),
            halts=len(world.record.halts()),
            levels=len(levels),
        )


_KNOWN_HERE = frozenset({STORE_FAILS})
_EVENT = ("at_ms", "tick", "kind", "reason", "order_id", "generation", "text", "data")


def _levels(reader: ReadStore) -> list[Document]:
    lives = sorted(reader.lives(limit=100_000), key=lambda life: life.generation)
    return [
        {"generation": life.generation, **level_document(level)}
        for life in lives
        for level in confirmed(reader, life.generation)
    ]
