"""Two writers race on the never-widen rule, each on a connection of its own; the wider one loses.

RULES B2: whoever comes second is judged by what the first has committed, also where it looked
before that. And a writer whose lease has passed to another writes nothing at all (RULES G4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Barrier, Event
from typing import Any

import pytest
import sqlalchemy as sa

from engine.domain.errors import LeaseHeld, LeaseLost, StoreUnavailable
from engine.domain.position import LevelState
from engine.domain.terms import Side
from engine.store import tables as t
from engine.store.lease import Lease
from engine.store.mapping import LEVEL
from engine.store.store import Store
from tests.contract.conftest import Shelter
from tests.contract.ledgers import a_level, a_stop, an_open_ledger, d
from tests.contract.test_recall_and_record import record

PATIENCE_MS = 5_000
HOLDS_S = 0.3
IN_FORCE = {Side.LONG: "90380", Side.SHORT: "91220"}
TIGHTER = {Side.LONG: "90600", Side.SHORT: "91000"}
BETWEEN = {Side.LONG: "90500", Side.SHORT: "91100"}
"""Tighter than the level in force when looked at, wider than what the other one commits."""


@dataclass
class Writers:
    """Two stores of one keeper's record, over two connections, used by two threads."""

    one: Store
    two: Store
    pool: ThreadPoolExecutor

    def race(self, first: Callable[[Any], object], second: Callable[[Any], object]) -> Future[None]:
        """Run ``second`` while ``first`` has written and not yet committed."""
        begun, done = Event(), Event()

        def hold() -> None:
            with self.one.desk.transaction("the first") as connection:
                first(connection)
                begun.set()
                done.wait(HOLDS_S)

        def follow() -> None:
            assert begun.wait(PATIENCE_MS)
            with self.two.desk.transaction("the second") as connection:
                second(connection)

        holding = self.pool.submit(hold)
        following = self.pool.submit(follow)
        holding.result()
        return following


@pytest.fixture(params=["file", pytest.param("postgres", marks=pytest.mark.postgres)])
def writers(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Writers]:
    """Give both databases that know more than one connection."""
    shelter = (
        Shelter("postgres", request.getfixturevalue("postgres_shared"))
        if request.param == "postgres"
        else Shelter("file", f"sqlite:///{tmp_path}/keeper.db")
    )
    one = shelter.fresh()
    two = shelter.again(one)
    for store in (one, two):
        store.desk.wait_at_most(PATIENCE_MS)
    with ThreadPoolExecutor(2) as pool:
        yield Writers(one, two, pool)
    shelter.close()


def proposal(store: Store, level: str, revision: int, side: Side, state: LevelState) -> Any:
    row = store.desk.owner | LEVEL.row(a_level(level, revision, state, side=side))
    return lambda connection: connection.execute(sa.insert(t.stop_levels), row)


def move(store: Store, level: str) -> Any:
    p = t.positions
    ours = sa.and_(p.c.account == store.desk.account, p.c.symbol == store.desk.symbol)
    return lambda connection: connection.execute(
        sa.update(p).where(ours).values(stop_level=d(level))
    )


@pytest.mark.parametrize("side", Side)
def test_a_level_proposed_beside_a_tighter_one_is_refused(writers: Writers, side: Side) -> None:
    """The second saw the old level only; the database judges it by the new one."""
    record(writers.one, an_open_ledger(side, IN_FORCE[side]))
    seen = writers.two.recall().binding_level
    assert seen is not None
    assert side.is_tighter(d(BETWEEN[side]), seen), "legal by what the second one has read"

    second = writers.race(
        proposal(writers.one, TIGHTER[side], 2, side, LevelState.CONFIRMED),
        proposal(writers.two, BETWEEN[side], 3, side, LevelState.PROPOSED),
    )

    with pytest.raises(StoreUnavailable, match="widen"):
        second.result()
    assert [level.level for level in writers.two.recall().levels] == [
        d(IN_FORCE[side]),
        d(TIGHTER[side]),
    ]


@pytest.mark.parametrize("side", Side)
def test_a_position_moved_beside_a_tighter_move_is_refused(writers: Writers, side: Side) -> None:
    """The same for the level in force on the position's own row."""
    record(writers.one, an_open_ledger(side, IN_FORCE[side]))

    second = writers.race(move(writers.one, TIGHTER[side]), move(writers.two, BETWEEN[side]))

    with pytest.raises(StoreUnavailable, match="widen"):
        second.result()
    life = writers.two.recall().life
    assert life is not None
    assert life.stop_level == d(TIGHTER[side])


def test_whatever_two_writers_do_at_once_the_levels_only_tighten(writers: Writers) -> None:
    """Both propose and confirm as fast as they can; each row is legal after those before it."""
    record(writers.one, an_open_ledger())
    together = Barrier(2)

    def hammer(store: Store, offset: int) -> int:
        together.wait()
        refused = 0
        for step in range(12):
            level = str(90_400 + (step * 37 + offset * 23) % 120)
            try:
                with store.desk.transaction("hammering") as connection:
                    revision = 10 + step * 2 + offset
                    for state in (LevelState.PROPOSED, LevelState.CONFIRMED):
                        proposal(store, level, revision, Side.LONG, state)(connection)
            except StoreUnavailable:
                refused += 1
        return refused

    both = [
        writers.pool.submit(hammer, store, offset)
        for offset, store in enumerate((writers.one, writers.two))
    ]
    refused = sum(one.result() for one in both)

    confirmed = [x.level for x in writers.one.recall().levels if x.state is LevelState.CONFIRMED]
    assert confirmed == sorted(confirmed)
    assert refused > 0


def test_who_lost_the_lease_writes_nothing(writers: Writers) -> None:
    """RULES G4: a frozen keeper wakes in mid tick, and the books are somebody else's."""
    frozen = Lease.claim(writers.one, 1_000, ttl_ms=1_000, grace_ms=0)
    ledger = an_open_ledger()
    record(writers.one, ledger)
    Lease.claim(writers.two, 2_000, ttl_ms=1_000, grace_ms=0)
    late = replace(ledger, orders=(*ledger.orders, a_stop("90400", 2)))

    with pytest.raises(LeaseLost, match=f"epoch {frozen.epoch} has passed to {frozen.epoch + 1}"):
        record(writers.one, late)
    record(writers.two, ledger)

    assert writers.two.recall() == ledger


def test_a_newer_schema_is_written_by_nobody_who_does_not_know_it(writers: Writers) -> None:
    """RULES G5: another version migrated meanwhile."""
    Lease.claim(writers.one, 1_000)
    revision = "SELECT version_num FROM alembic_version"
    with writers.two.desk.transaction("looking") as connection:
        ours = connection.exec_driver_sql(revision).scalar()
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    try:
        with pytest.raises(StoreUnavailable, match="its schema has become 9999"):
            record(writers.one, an_open_ledger())
    finally:
        with writers.two.desk.transaction("looking") as connection:
            set_back = sa.text("UPDATE alembic_version SET version_num = :ours")
            connection.execute(set_back, {"ours": ours})


@pytest.mark.postgres
def test_a_transaction_frozen_on_a_server_does_not_keep_the_lease(
    postgres_shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RULES G4: it holds the row; the server ends it, and the successor claims."""
    monkeypatch.setattr("engine.store.connect.FROZEN_MS", 300)
    shelter = Shelter("postgres", postgres_shared)
    one = shelter.fresh()
    two = shelter.again(one)
    two.desk.wait_at_most(PATIENCE_MS)
    Lease.claim(one, 1_000, ttl_ms=1_000, grace_ms=0)
    one.desk.connection.begin()
    one.desk.connection.execute(sa.select(t.leases.c.epoch).with_for_update())

    assert Lease.claim(two, 2_000, ttl_ms=1_000, grace_ms=0).epoch == 2
    with pytest.raises(LeaseHeld):
        Lease.claim(shelter.again(two), 2_001, ttl_ms=1_000, grace_ms=0)

    one.desk.drop()
    shelter.close()
