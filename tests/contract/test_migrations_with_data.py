"""A migration keeps every row it finds, from every revision and back again, on both databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engine.simulation import world as worlds
from engine.simulation.scenario import Staged, settings_of
from engine.store import migrate, schema
from engine.store import tables as t
from engine.store.connect import Place, make_database
from engine.store.guards import are_in_place
from engine.store.store import Store
from engine.venue.scenario import load_scenario

SCENARIO = Path(__file__).parents[1] / "scenarios" / "tp1_then_breakeven.yaml"
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """Return the rows that a whole life left in every table."""
    scenario = load_scenario(SCENARIO)
    staged = Staged(scenario, settings_of(scenario), tmp_path_factory.mktemp("inbox"))
    try:
        staged.run()
        with staged.world.store.desk.transaction("reading everything") as connection:
            return {
                table.name: [dict(row) for row in connection.execute(table.select()).mappings()]
                for table in t.metadata.sorted_tables
            }
    finally:
        staged.world.close()


def columns_of(connection: sa.Connection) -> dict[str, set[str]]:
    """Return the columns that every table of ours has now."""
    inspector = sa.inspect(connection)
    there = set(inspector.get_table_names())
    return {
        name: {column["name"] for column in inspector.get_columns(name)}
        for name in t.metadata.tables
        if name in there
    }


def fill(url: str, rows: Rows) -> None:
    """Insert the rows, each with the columns its table has at this revision."""
    database = make_database(Place(url))
    with database.begin() as connection:
        columns = columns_of(connection)
        for table in t.metadata.sorted_tables:
            for row in rows[table.name] if table.name in columns else ():
                known = {k: v for k, v in row.items() if k in columns[table.name]}
                if table is t.positions:
                    known["stop_level"] = None  # the levels come after, each tighter than before
                connection.execute(sa.insert(table), known)
        for row in rows["positions"]:
            life = t.positions.c.generation == row["generation"]
            level = {"stop_level": row["stop_level"]}
            connection.execute(sa.update(t.positions).where(life).values(level))
    database.dispose()


def content_of(url: str) -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table that there is, with the columns it has."""
    database = make_database(Place(url))
    with database.begin() as connection:
        found = {}
        for name, names in columns_of(connection).items():
            table = t.metadata.tables[name]
            chosen = [column for column in table.c if column.name in names]
            keys = [column.name for column in table.primary_key.columns]
            found[name] = sorted(
                (dict(row) for row in connection.execute(sa.select(*chosen)).mappings()),
                key=lambda row: [str(row[key]) for key in keys],
            )
    database.dispose()
    return found


def kept(before: Rows, after: Rows) -> bool:
    """Return whether every value that has a place in ``after`` is still there."""
    for name in before.keys() & after.keys():
        shared = set(after[name][0]) if after[name] else set()
        trimmed = [{k: v for k, v in row.items() if k in shared} for row in before[name]]
        known = [{k: row[k] for k in trimmed[0]} for row in after[name]] if trimmed else []
        if trimmed != known:
            return False
    return True


@pytest.mark.parametrize("revision", schema.REVISIONS)
def test_rows_survive_the_way_up(revision: str, empty_url: str, rows: Rows) -> None:
    """A keeper that is brought up to date finds the position it left."""
    migrate.upgrade(empty_url, revision)
    fill(empty_url, rows)
    before = content_of(empty_url)
    assert before["fills"]
    assert before["stop_levels"]

    assert migrate.upgrade(empty_url) == schema.HEAD

    assert kept(before, content_of(empty_url))
    store = Store.open(empty_url, account=worlds.ACCOUNT, symbol="BTCUSDT")
    assert store.recall().generation == rows["ledgers"][0]["generation"]
    store.close()


@pytest.mark.parametrize("revision", schema.REVISIONS)
def test_rows_survive_the_way_down_and_up_again(revision: str, empty_url: str, rows: Rows) -> None:
    """Going back to an older version must not cost the record."""
    migrate.upgrade(empty_url)
    fill(empty_url, rows)
    before = content_of(empty_url)

    assert migrate.downgrade(empty_url, revision) == revision
    older = content_of(empty_url)
    assert kept(before, older)
    assert migrate.upgrade(empty_url) == schema.HEAD

    assert kept(older, content_of(empty_url))  # what only the newer one knows is not made up
    database = make_database(Place(empty_url))
    with database.begin() as connection:
        assert are_in_place(connection)
    database.dispose()


def test_all_the_way_down_leaves_nothing_and_up_again_an_empty_store(
    empty_url: str, rows: Rows
) -> None:
    """The last step takes the tables away; that it can do so with rows in them is the point."""
    migrate.upgrade(empty_url)
    fill(empty_url, rows)

    migrate.downgrade(empty_url, "base")
    assert content_of(empty_url) == {}
    migrate.upgrade(empty_url)

    assert not any(content_of(empty_url).values())
