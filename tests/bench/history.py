"""What a long history costs a tick: an empty store beside one that is years old, both in files.

The old store is a real one whose only past life was multiplied with SQL: ten thousand closed
lives with their orders, fills, levels and trades, and a million events.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import sqlalchemy as sa

from engine.domain.decision import Decided
from engine.domain.limits import Limits
from engine.domain.numbers import install_decimal_rules
from engine.domain.terms import Phase
from engine.intake import compose, write
from engine.simulation.world import World
from engine.store import tables as t
from engine.store.store import Store
from engine.venue.api import PricePoint, Venue
from engine.venue.settings import VenueSettings
from tests.bench.figures import Goal, Row, figure

START_MS = 1_795_000_020_000
APART_MS = 8 * 3_600_000
PRICE = Decimal(90800)
TICK_SIZE = Decimal("0.1")
LIVES = 10_000
EVENTS = 1_000_000
ROUNDS = 40
ROUND_MS = 50_000
RATIO_MAX = 1.1


def measure(lives: int = LIVES, events: int = EVENTS) -> Iterator[Row]:
    """Yield ``history_ratio``: CPU time of a tick on the old store over the empty one."""
    install_decimal_rules()
    with _a_world(None) as young, _a_world((lives, events)) as old:
        ratios = []
        for turn in range(ROUNDS):
            # In turns, the first one changing: what else the machine does hits both alike.
            pair = (young, old) if turn % 2 else (old, young)
            spent = {id(world): _spent_ns(world) for world in pair}
            ratios.append(spent[id(old)] / spent[id(young)])
        yield figure("history_ratio", "ratio", ratios, Goal(RATIO_MAX))


def _spent_ns(world: World) -> int:
    begun = time.thread_time_ns()
    world.run_until(world.clock.now_ms + ROUND_MS)
    return time.thread_time_ns() - begun


@contextmanager
def _a_world(history: tuple[int, int] | None) -> Iterator[World]:
    """Give a world with an open position in its second life, on top of so much history."""
    with tempfile.TemporaryDirectory() as name:
        inbox, shelf = Path(name) / "inbox", Path(name) / "shelf"
        inbox.mkdir()
        shelf.mkdir()
        venue = Venue(VenueSettings(), now_ms=START_MS, seed=1)
        venue.set_price(PRICE, START_MS)
        world = World(venue, inbox, Limits(cooldown_ms=0), start_ms=START_MS, shelf=shelf)
        try:
            _live_once(world, inbox)
            if history is not None:
                world.die()
                _age(world.store, *history)
                world.rise()
            _enter(world, inbox)
            yield world
        finally:
            world.close()


def _enter(world: World, inbox: Path) -> None:
    now_ms = world.clock.now_ms
    document = compose(Decided.LONG, "BTCUSDT", now_ms, PRICE, TICK_SIZE, limits=world.limits)
    write(document, inbox)
    zone = document["entry_zone"]
    assert isinstance(zone, list)
    low = min(Decimal(str(edge)) for edge in zone)
    dip = PricePoint(now_ms + 5_000, low)
    world.venue.feed_from(iter([dip, PricePoint(now_ms + 9_000, PRICE)]))
    world.run_until(now_ms + 60_000)
    if world.store.recall().phase is not Phase.OPEN:
        raise SystemExit("bench: the world did not enter")


def _live_once(world: World, inbox: Path) -> None:
    """Play a life to its stop, so that every table has rows of a finished one."""
    _enter(world, inbox)
    now_ms = world.clock.now_ms
    crash = PricePoint(now_ms + 2_000, PRICE * Decimal("0.994"))
    world.venue.feed_from(iter([crash, PricePoint(now_ms + 60_000, PRICE)]))
    world.run_until(now_ms + 120_000)
    if world.store.recall().phase is not Phase.FLAT:
        raise SystemExit("bench: the first life did not end")


def _age(store: Store, lives: int, events: int) -> None:
    """Multiply what the store holds of its one past life; nothing of it is in the ledger."""
    with store.desk.transaction("growing old") as connection:
        for table in (t.positions, t.past_lives, t.orders, t.fills, t.trades, t.stop_levels):
            _multiply(connection, table, lives)
        held = connection.execute(sa.select(sa.func.count()).select_from(t.events)).scalar() or 1
        _multiply(connection, t.events, events // held)
        connection.execute(sa.update(t.ledgers).values(generation=lives + 1))


def _multiply(connection: sa.Connection, table: sa.Table, times: int) -> None:
    """Insert every row of ``table`` again for generations 2 to ``times`` + 1, hours apart."""
    spelled = {
        "generation": "1 + n.i",
        "client_id": "c.client_id || n.i" if table is t.orders else "c.client_id",
        "fill_id": "c.fill_id || n.i",
        "ledger_index": "NULL",
    }
    names = [column.name for column in table.columns if column.name != "id"]
    moments = {name for name in names if name.endswith("_ms")} - {"naked_ms", "loose_ms"}
    spelled |= {name: f"c.{name} - ({times} + 1 - n.i) * {APART_MS}" for name in moments}
    values = [spelled.get(name, f"c.{name}") for name in names]
    connection.exec_driver_sql(
        f"INSERT INTO {table.name} ({', '.join(names)})"  # noqa: S608 - names of our own
        f" SELECT {', '.join(values)} FROM {table.name} AS c,"
        f" (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {times})"
        f" SELECT i FROM n) AS n WHERE c.generation = 1 OR {int(table is t.events)}"
    )
