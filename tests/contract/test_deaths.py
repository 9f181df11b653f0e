"""A process that dies inside a migration or inside the merge of the spool leaves nothing half done.

Real deaths: a forked process vanishes between two statements. What the next one finds is what was
there before, or what was to be there after.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine.domain.order import OrderStatus
from engine.domain.position import LevelState
from engine.store import migrate
from engine.store.connect import Place, make_database
from engine.store.guards import are_in_place
from engine.store.merging import merge_spool, spool_changes
from engine.store.schema import REVISIONS
from engine.store.spool import Spool
from engine.store.store import Store
from tests.contract.ledgers import a_level, a_stop, an_open_ledger
from tests.contract.test_recall_and_record import record
from tests.deaths import dies_before

Picture = dict[str, list[str]]
STEPS = [*pairwise(("base", *REVISIONS)), *pairwise((*reversed(REVISIONS), "base"))]


def picture(url: str) -> Picture:
    """Return every table with its columns and rows, and whether the guards stand."""
    database = make_database(Place(url))
    with database.connect() as connection:
        inspector = sa.inspect(connection)
        found = {
            name: [
                " ".join(sorted(column["name"] for column in inspector.get_columns(name))),
                *sorted(map(str, connection.exec_driver_sql(f"SELECT * FROM {name}").all())),  # noqa: S608
            ]
            for name in inspector.get_table_names()
        }
        if "positions" in found:
            found["guards"] = [str(are_in_place(connection))]
    database.dispose()
    return found


def go(url: str, revision: str, *, is_up: bool) -> None:
    """Migrate there."""
    (migrate.upgrade if is_up else migrate.downgrade)(url, revision)


@pytest.fixture
def database(empty_url: str) -> str:
    """Give a database with a life in it."""
    store = Store.open(empty_url, account="a", symbol="BTCUSDT")
    record(store, an_open_ledger())
    store.close()
    return empty_url


@pytest.mark.parametrize(("start", "goal"), STEPS, ids=["-".join(step) for step in STEPS])
def test_killed_inside_a_migration_the_database_is_what_it_was(
    start: str, goal: str, database: str
) -> None:
    """DESIGN 8: SQLite's own transactions would have left one half done (lesson of our driver)."""
    is_up = start == "base" or (goal != "base" and goal > start)
    migrate.downgrade(database, start)
    before = picture(database)

    at = 0
    while dies_before(at, partial(go, database, goal, is_up=is_up)):
        assert picture(database) == before, f"half done before statement {at}"
        at += 9

    assert at > 9
    after = picture(database)
    assert after != before
    assert migrate.current(database) == (None if goal == "base" else goal)
    go(database, start, is_up=not is_up)
    go(database, goal, is_up=is_up)
    assert picture(database).keys() == after.keys()


def spooled(folder: Path) -> None:
    """Leave a store, and a spool with three ticks of what it could not take."""
    store = Store.open(f"sqlite:///{folder}/keeper.db", account="a", symbol="BTCUSDT")
    ledger = an_open_ledger()
    record(store, ledger)
    store.close()
    spool = Spool(folder / "spool", size=1 << 16)
    for number in range(3):
        level = replace(a_level(f"9040{number}", 2 + number), state=LevelState.PROPOSED)
        after = replace(
            ledger.with_order(a_stop(f"9040{number}", 2 + number, status=OrderStatus.WORKING)),
            levels=(*ledger.levels, level),
        )
        assert spool_changes(spool, 5_000 + number, ledger, after, "store unavailable")
        ledger = after
    spool.close()


def merge(folder: Path) -> None:
    """Merge as a keeper does that finds both."""
    store = Store.open(f"sqlite:///{folder}/keeper.db", account="a", symbol="BTCUSDT")
    spool = Spool(folder / "spool", size=1 << 16)
    merge_spool(store, spool, 9_000)
    assert spool.is_empty
    spool.close()
    store.close()


def test_killed_inside_the_merge_of_the_spool_every_record_is_taken_once(tmp_path: Path) -> None:
    """RULES G5: once, in order, whichever statement was the last."""
    fresh, whole = tmp_path / "fresh", tmp_path / "whole"
    fresh.mkdir()
    spooled(fresh)
    shutil.copytree(fresh, whole)
    merge(whole)
    expected = picture(f"sqlite:///{whole}/keeper.db")
    assert len(expected["spooled"]) == 1 + 3

    deaths = 0
    while True:
        now = tmp_path / f"killed-{deaths}"
        shutil.copytree(fresh, now)
        if not dies_before(deaths, partial(merge, now)):
            break
        deaths += 1
        merge(now)
        assert picture(f"sqlite:///{now}/keeper.db") == expected, f"before statement {deaths - 1}"
        shutil.rmtree(now)

    assert deaths >= 15


def test_killed_while_a_record_is_spooled_the_records_before_it_are_whole(tmp_path: Path) -> None:
    """RULES G5: a record that was not synced was never promised."""
    spool = Spool(tmp_path / "spool", size=1 << 16)
    spool.append("ledger", {"n": 0})

    assert dies_before(0, partial(spool.append, "ledger", {"n": 1}))
    assert not dies_before(1, partial(spool.append, "ledger", {"n": 2}))

    again = Spool(tmp_path / "spool", size=1 << 16)
    assert [found.data["n"] for found in again.records()] == [0, 2]
