"""Migrations: Alembic run over our own connection and transaction, imported only when needed.

The scripts are ``engine/_migrations`` in an installed package and ``migrations`` beside the package
in a checkout. A migration runs whole or not at all: SQLite's DDL is transactional once the driver
stops committing by itself, and Postgres's always was.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError

import engine
from engine.domain.errors import StoreUnavailable
from engine.store.connect import Place, make_database, naming
from engine.store.schema import HEAD, REVISIONS, revision_of

_LOCK = 0x6B70  # one migration at a time on a Postgres server


def scripts() -> Path:
    """Return the folder of migration scripts."""
    package = Path(engine.__file__).parent
    for folder in (package / "_migrations", package.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise StoreUnavailable(
        "the migration scripts are missing from this installation",
        place=str(package),
        remedy="install position-keeper again",
    )


def configuration() -> Config:
    """Return Alembic's configuration; there is no alembic.ini to keep in step."""
    config = Config()
    config.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(url: str, revision: str = "head") -> str | None:
    """Bring the database at ``url`` to ``revision``; return the revision it has then."""
    return upgrade_place(Place(url), revision)


def upgrade_place(place: Place, revision: str = "head") -> str | None:
    """Bring the database at ``place`` to ``revision``; return the revision it has then."""
    return _run(place, lambda config: command.upgrade(config, revision), "migrating")


def downgrade(url: str, revision: str) -> str | None:
    """Take the database at ``url`` back to ``revision`` (or ``base``)."""
    return _run(Place(url), lambda config: command.downgrade(config, revision), "downgrading")


def current(url: str) -> str | None:
    """Return the revision of the database at ``url``, None when it has no schema."""
    place = Place(url)
    if place.path is not None and not place.path.exists():
        return None
    database = make_database(place, reads_only=True)
    with naming(place, "reading its schema's revision"), database.connect() as connection:
        return revision_of(connection)


def is_behind(url: str) -> bool:
    """Return whether migrations wait for the database at ``url``."""
    revision = current(url)
    return revision is None or (revision in REVISIONS and revision != HEAD)


def _run(place: Place, run: Callable[[Config], None], doing: str) -> str | None:
    config = configuration()
    database = make_database(place)
    try:
        with naming(place, doing), database.connect() as connection:
            if place.is_sqlite:
                # Rebuilding a table drops the old one, which foreign keys would refuse.
                connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")  # type: ignore[union-attr]
            with connection.begin():
                _run_in(connection, place, config, run)
                return revision_of(connection)
    except CommandError as error:
        raise StoreUnavailable(
            f"store {place.shown}: {doing} failed: {error}",
            place=place.shown,
            remedy="run the version that made this schema, or give this one another store.url",
        ) from error
    finally:
        database.dispose()


def _run_in(
    connection: sa.Connection, place: Place, config: Config, run: Callable[[Config], None]
) -> None:
    if not place.is_sqlite:
        raw: Any = connection.connection.driver_connection
        raw.patience_s = None  # a big table is rebuilt for minutes
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    config.attributes["connection"] = connection
    run(config)
    if place.is_sqlite:
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if broken:
            raise sa.exc.IntegrityError("foreign_key_check", broken, Exception(str(broken[0])))
