"""One written life, played in process against the whole keeper, and how it differs from its file.

Fills, orders and the end are the venue's word; trades and stop levels are what the store says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.config import Settings, load
from engine.domain.numbers import ZERO, plain
from engine.read.documents import Document, level_document
from engine.read.trades import confirmed, trade_documents
from engine.simulation.checkers import History, executed_once, naked_windows, never_widened
from engine.simulation.expectation import differences
from engine.simulation.log import read_log
from engine.simulation.play import Appear, Fault, Hand, Kill, Moment, Play
from engine.simulation.reach import Reach
from engine.simulation.served import served_life
from engine.simulation.told import fill_documents, order_documents
from engine.simulation.world import World
from engine.store.reading import ReadStore
from engine.tick import TickReport
from engine.venue.api import Venue, VenueSettings
from engine.venue.feeds.scenario import scenario_feed
from engine.venue.scenario import MAP_FILE, Scenario, load_scenario
from engine.venue.settings import InitialPosition
from engine.venue.switches import Switches

START = datetime(2026, 1, 5, 10, tzinfo=UTC)
"""When a scenario that names no start begins."""


def play_scenario(path: Path) -> Document:
    """Return the ``keeper/scenario/1`` document of a file, played in this process.

    Raises ``ScenarioError`` for a file that cannot be used and ``InvalidInput`` for overrides
    that are no settings.
    """
    scenario = load_scenario(path)
    settings = settings_of(scenario)
    with TemporaryDirectory(prefix="keeper-scenario-") as folder:
        return Staged(scenario, settings, Path(folder)).played()


def play_over_http(path: Path) -> Document:
    """Return what ``play_scenario`` does, with the venue in a process of its own.

    Real sessions, sockets and lanes, a store in a file; time is virtual all the same. Raises
    ``VenueGone`` beside what ``play_scenario`` raises.
    """
    scenario = load_scenario(path)
    settings = settings_of(scenario)
    with TemporaryDirectory(prefix="keeper-served-") as folder:
        inbox, shelf = Path(folder) / "decisions", Path(folder) / "var"
        inbox.mkdir()
        shelf.mkdir()
        with served_life(path, scenario.symbol, start_ms_of(scenario), shelf) as wire:
            return Staged(scenario, settings, inbox, reach=wire, shelf=shelf).played()


def settings_of(scenario: Scenario) -> Settings:
    """Return the defaults with the scenario's symbol and overrides; the environment is left out."""
    overrides = {"symbol": scenario.symbol, **scenario.config}
    return load(None, {}, overrides)


def start_of(scenario: Scenario) -> datetime:
    """Return when the scenario begins, in UTC."""
    return START if scenario.start is None else scenario.start.astimezone(UTC)


def start_ms_of(scenario: Scenario) -> int:
    """Return when the scenario begins, in milliseconds since the epoch."""
    return _ms(start_of(scenario))


def venue_of(scenario: Scenario, start_ms: int, *, log_reads: bool = False) -> Venue:
    """Return the venue a scenario describes, its prices laid at ``start_ms``.

    ``log_reads``: whether its log holds questions, too, and the weight each of them told.
    """
    standing = scenario.account.position
    position = None
    if standing is not None:
        sign = 1 if standing.side == "long" else -1
        position = InitialPosition(standing.quantity * sign, standing.entry_price)
    venue = Venue(
        VenueSettings(
            symbol=scenario.symbol,
            wallet=scenario.account.wallet,
            position=position,
            first_price=scenario.start_price,
            touch_quantity=scenario.touch_quantity,
            switches=Switches.named(scenario.switches),
            market_streams=(),
            log_reads=log_reads,
        ),
        now_ms=start_ms,
    )
    venue.feed_from(scenario_feed(scenario, start_ms=start_ms))
    return venue


def moments_of(scenario: Scenario, start: datetime) -> Iterator[Moment]:
    """Yield everything that happens beside the prices."""
    start_ms = _ms(start)
    for decision in scenario.decisions:
        files: list[tuple[str, str | None]] = [(decision.file, decision.text(start))]
        if (chart := decision.map_text(start)) is not None:
            files.append((MAP_FILE, chart))
        yield Moment(start_ms + decision.at_ms, Appear(tuple(files)))
    for hand in scenario.hands:
        yield Moment(start_ms + hand.at_ms, Hand(hand.terms))
    for fault in scenario.faults:
        yield Moment(start_ms + fault.at_ms, Fault(fault.terms))
    for kill in scenario.kills:
        what = Kill(
            dead_ms=kill.back_ms - kill.at_ms,
            lose_store=kill.lose_store,
            call=kill.call,
            is_after=kill.after,
        )
        yield Moment(start_ms + kill.at_ms, what)


class Staged:
    """A scenario put on stage: its world, its time line and every refusal of a document.

    ``more`` is what happens beside what the file says. The inbox is the folder ``inbox``, the
    store in memory, or a file in the folder ``shelf``. A venue that is reached otherwise than by
    call (``reach``) plays the prices, hands and faults of the file itself.
    """

    def __init__(
        self,
        scenario: Scenario,
        settings: Settings,
        inbox: Path,
        more: Iterable[Moment] = (),
        *,
        reach: Reach | None = None,
        shelf: Path | None = None,
    ) -> None:
        self.scenario = scenario
        self.start_ms = start_ms_of(scenario)
        self.listeners: list[Callable[[TickReport], None]] = []
        self._refusals: list[Document] = []
        self.world = World(
            venue_of(scenario, self.start_ms) if reach is None else reach,
            inbox,
            settings.limits(),
            start_ms=self.start_ms,
            interval_ms=int(settings.loop.interval_s * 1000),
            listener=self._listen,
            shelf=shelf,
            streams=scenario.stream,
        )
        moments = moments_of(scenario, start_of(scenario))
        if reach is not None:
            moments = (m for m in moments if not isinstance(m.what, Hand | Fault))
        self.play = Play(self.world, inbox, (*moments, *more))

    def run(self) -> None:
        """Play it to its end."""
        self.play.run(self.start_ms + self.scenario.until_ms)

    def _listen(self, report: TickReport) -> None:
        self._refusals.extend(
            {"code": str(r.code), "file": r.file_name, "message": r.message}
            for r in report.situation.inbox.refusals
        )
        for listener in self.listeners:
            listener(report)

    def document(self) -> Document:
        """Return what became of it, and how that differs from what the file expects."""
        return _document(self.scenario, self.world, self._refusals)

    def played(self) -> Document:
        """Play it to its end, take the stage down and return what became of it."""
        try:
            self.run()
            return self.document()
        finally:
            self.world.close()


def _document(scenario: Scenario, world: World, refusals: list[Document]) -> Document:
    entries = world.reach.log()
    reader = ReadStore.beside(world.store.desk)
    lives = sorted(reader.lives(limit=1000), key=lambda life: life.generation)
    orders = order_documents(entries)
    got: Document = {
        "trades": trade_documents(reader),
        "stop_levels": [
            level_document(level) for life in lives for level in confirmed(reader, life.generation)
        ],
        "orders": orders,
        "fills": fill_documents(entries),
        "refusals": refusals,
        "placed": placed_of(orders),
        "judged": judged_of(scenario, entries, world.clock.now_ms),
        "final": final_of(world.reach),
    }
    found = differences(scenario.expect, got)
    head: Document = {"schema": "keeper/scenario/1", "name": scenario.name, "ok": not found}
    return {**head, **got, "differences": found}


def placed_of(orders: list[Document]) -> Document:
    """Return how many orders of each role were accepted."""
    return dict(sorted(Counter(str(order["role"]) for order in orders).items()))


def judged_of(scenario: Scenario, entries: list[dict[str, object]], end_ms: int) -> Document:
    """Return what the checkers say of the venue's log: naked time, and every breach in words."""
    standing = scenario.account.position
    held = ZERO if standing is None else standing.quantity
    sign = -1 if standing is not None and standing.side == "short" else 1
    history = History(read_log(entries), end_ms=end_ms, position=held * sign)
    return {
        "naked_s": sum(w.duration_ms for w in naked_windows(history)) / 1000,
        "widened": [f.detail for f in never_widened(history).findings],
        "doubled": [f.detail for f in executed_once(history).findings],
    }


def final_of(reach: Reach) -> Document:
    """Return the signed position and how many orders of anybody rest at the end."""
    held, orders = reach.standing()
    return {"position": plain(held), "orders": orders}


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
