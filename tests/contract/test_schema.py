"""The schema: the migrations build it whole or not at all, and guards and views survive them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from engine.domain.errors import StoreUnavailable
from engine.store import guards, migrate, schema, tables, views
from engine.store.connect import Place, make_database
from engine.store.store import Store


def _installed(url: str) -> tuple[list[str], list[str]]:
    """Return the names of our triggers and views in the database."""
    database = make_database(Place(url), reads_only=True)
    with database.connect() as connection:
        if database.dialect.name == "sqlite":
            triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        else:
            triggers = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
        found = sorted(connection.exec_driver_sql(triggers).scalars())
        seen = sorted(sa.inspect(connection).get_view_names())
    database.dispose()
    return found, seen


def test_guards_and_views_are_there_after_every_migration(empty_url: str) -> None:
    """A rebuilt table loses its triggers without a word; then nothing refuses a wider stop."""
    name = Place(empty_url).url.get_backend_name()
    wanted = (list(guards.trigger_names(name)), sorted(views.NAMES))
    assert migrate.is_behind(empty_url)

    migrate.upgrade(empty_url)
    assert _installed(empty_url) == wanted
    assert (migrate.current(empty_url), migrate.is_behind(empty_url)) == (schema.HEAD, False)

    for revision in reversed(schema.REVISIONS[:-1]):
        migrate.downgrade(empty_url, revision)
        assert _installed(empty_url) == wanted, revision
    migrate.downgrade(empty_url, "base")
    assert _installed(empty_url) == ([], [])
    assert migrate.upgrade(empty_url) == schema.HEAD
    assert _installed(empty_url) == wanted


def test_installing_twice_changes_nothing(empty_url: str) -> None:
    migrate.upgrade(empty_url)
    before = _installed(empty_url)
    database = make_database(Place(empty_url))

    with database.begin() as connection:
        guards.install(connection)

    database.dispose()
    assert _installed(empty_url) == before


def test_a_dropped_guard_is_put_back_at_the_next_start(empty_url: str) -> None:
    """An operator who repaired something by hand must not leave the ratchet open."""
    Store.open(empty_url, account="a", symbol="BTCUSDT").close()
    whole = _installed(empty_url)
    database = make_database(Place(empty_url))
    on_table = "" if database.dialect.name == "sqlite" else " ON stop_levels"
    with database.begin() as connection:
        connection.exec_driver_sql(f"DROP TRIGGER stop_levels_insert{on_table}")
    database.dispose()

    Store.open(empty_url, account="a", symbol="BTCUSDT").close()

    assert _installed(empty_url) == whole


def test_the_migrations_give_the_schema_the_tables_describe(empty_url: str) -> None:
    migrate.upgrade(empty_url)
    database = make_database(Place(empty_url), reads_only=True)

    with database.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, tables.metadata)

    database.dispose()
    assert differences == []


def test_a_store_in_memory_has_the_schema_of_the_migrations(tmp_path: Path) -> None:
    """Simulation creates it in one script, for speed; it must prove things about the real one."""
    url = f"sqlite:///{tmp_path}/keeper.db"
    migrate.upgrade(url)
    memory = Store.open("sqlite://", account="a", symbol="BTCUSDT")

    with sqlite3.connect(tmp_path / "keeper.db") as migrated:
        assert _definitions(memory.desk.raw) == _definitions(migrated)
    migrated.close()
    memory.close()


def _definitions(connection: sqlite3.Connection) -> dict[str, str]:
    rows = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'"
    )
    return {name: "".join(sql.split()) for name, sql in rows}


def test_the_revisions_named_are_those_of_the_scripts() -> None:
    scripts = ScriptDirectory.from_config(migrate.configuration())

    assert tuple(s.revision for s in reversed(list(scripts.walk_revisions()))) == schema.REVISIONS
    assert all(s.doc for s in scripts.walk_revisions())


def test_a_newer_schema_is_refused_by_name(empty_url: str) -> None:
    migrate.upgrade(empty_url)
    database = make_database(Place(empty_url))
    with database.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9001'")
    database.dispose()

    with pytest.raises(StoreUnavailable, match=f"9001.*{schema.HEAD}") as refused:
        Store.open(empty_url, account="a", symbol="BTCUSDT")

    assert refused.value.exit_code == 6
    assert "newer version" in refused.value.remedy


def test_an_empty_database_is_left_alone_when_told_to(empty_url: str) -> None:
    with pytest.raises(StoreUnavailable, match="keeper db upgrade"):
        Store.open(empty_url, account="a", symbol="BTCUSDT", migrate=False)

    assert migrate.current(empty_url) is None


def test_a_migration_killed_between_two_statements_leaves_nothing(tmp_path: Path) -> None:
    """Half a schema is one no version can read; the next start must find the one before."""
    total = _run_killed(f"sqlite:///{tmp_path}/whole.db", None)
    assert total > 30

    for kill_at in range(1, total, max(total // 12, 1)):
        path = tmp_path / f"{kill_at}.db"

        _run_killed(f"sqlite:///{path}", kill_at)

        with sqlite3.connect(path) as connection:
            assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [], kill_at
        connection.close()
        assert migrate.upgrade(f"sqlite:///{path}") == schema.HEAD


def _run_killed(url: str, kill_at: int | None) -> int:
    """Upgrade in a child that ends without a goodbye before statement ``kill_at``; count them."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _upgrade_and_count(url, kill_at, lambda n: os.write(writing, b"%d " % n))
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        return int(pipe.read().split()[-1])


def _upgrade_and_count(url: str, kill_at: int | None, tell: Callable[[int], Any]) -> None:
    count = 0

    @sa.event.listens_for(sa.Engine, "before_cursor_execute")
    def _count(*_: object) -> None:
        nonlocal count
        count += 1
        tell(count)
        if count == kill_at:
            os._exit(9)

    migrate.upgrade(url)
