"""Bringing a database to the schema this version speaks, and recognising the others."""

from __future__ import annotations

from functools import cache

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from engine.domain.errors import StoreUnavailable
from engine.store import tables as t
from engine.store.connect import Desk, naming
from engine.store.guards import are_in_place, install, statements

REVISIONS = ("0001", "0002")
"""Every revision of the schema, oldest first; the migrations of the same numbers build them."""

HEAD = REVISIONS[-1]


class SchemaBehind(StoreUnavailable):
    """The database is fine, but its schema waits for a migration."""


def revision_of(connection: sa.Connection) -> str | None:
    """Return the schema's revision, None for a database without one."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    row = connection.exec_driver_sql("SELECT version_num FROM alembic_version").first()
    return None if row is None else str(row[0])


def bring_up(desk: Desk, *, migrate: bool, creates: bool) -> None:
    """Bring the schema to ``HEAD``; raises ``StoreUnavailable`` when it is newer, or must not.

    ``creates``: whether an empty database gets the schema; ``migrate``: whether an older one does.
    """
    if desk.place.is_memory:
        _create_in_memory(desk)
        return
    with desk.transaction("reading its schema's revision") as connection:
        revision = revision_of(connection)
        if revision == HEAD and not are_in_place(connection):
            install(connection)  # somebody dropped a trigger: without it nothing is refused
        if revision is None and creates and not sa.inspect(connection).get_table_names():
            _create(connection)
            return
    if revision == HEAD:
        return
    if revision is not None and revision not in REVISIONS:
        raise StoreUnavailable(
            f"store {desk.place.shown}: its schema is {revision}, this version knows up to {HEAD}",
            place=desk.place.shown,
            remedy="run the newer version, or give this one another store.url",
        )
    if not migrate:
        raise SchemaBehind(
            f"store {desk.place.shown}: its schema is {revision or 'empty'}, needed is {HEAD}",
            place=desk.place.shown,
            remedy="run: keeper db upgrade",
        )
    from engine.store.migrate import upgrade_place  # noqa: PLC0415 - Alembic, only when behind

    desk.drop()
    upgrade_place(desk.place)


def _create(connection: sa.Connection) -> None:
    """Create all in an empty database: nothing is migrated, so Alembic stays unimported.

    A keeper lives for months after its first start; 12 MB of a migration tool would live with it.
    The schema is the migrations' own (a test compares them).
    """
    t.metadata.create_all(connection)
    install(connection)
    connection.exec_driver_sql(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
        " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
    )
    connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{HEAD}')")  # noqa: S608 - a constant


def _create_in_memory(desk: Desk) -> None:
    """Create all in one script: the same schema as the migrations' (a test compares them)."""
    with naming(desk.place, "creating the schema"):
        if not desk.raw.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall():
            desk.raw.executescript(_memory_script())


@cache
def _memory_script() -> str:
    dialect = sqlite.dialect()
    parts = []
    for table in t.metadata.sorted_tables:
        parts.append(str(CreateTable(table).compile(dialect=dialect)))
        parts += [
            str(CreateIndex(index).compile(dialect=dialect))
            for index in sorted(table.indexes, key=lambda index: str(index.name))
        ]
    parts.append("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    parts.append(f"INSERT INTO alembic_version VALUES ('{HEAD}')")  # noqa: S608 - a constant
    parts += statements("sqlite")
    return "BEGIN;\n" + ";\n".join(parts) + ";\nCOMMIT;"


__all__ = ["HEAD", "REVISIONS", "SchemaBehind", "bring_up", "install", "revision_of"]
