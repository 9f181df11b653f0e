"""Connections: SQLite or Postgres by URL, our own transactions, errors that name place and remedy.

SQLite runs with WAL, ``synchronous=FULL``, foreign keys and recursive triggers on; the driver's
implicit transactions are off and every write begins with ``BEGIN IMMEDIATE``, so nothing waits in
the middle of one and a killed migration is undone whole.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import StaticPool

from engine.domain.errors import StoreUnavailable
from engine.store.tables import speak_postgres

BUSY_MS = 80
"""How long a tick waits for another writer: store and spool have 100 ms together (RULES G5)."""

ANSWER_MS = 1_000
"""How long a tick waits for a server that has stopped answering, before it does without."""

FROZEN_MS = 5_000
"""How long a server lets a transaction stand still: a frozen keeper must not block the next."""

OPENING_BUSY_MS = 5_000
"""How long opening and migrating wait for another writer."""


class Place:
    """Where a store is: its URL, its name without password, its file if it has one."""

    def __init__(self, url: str) -> None:
        try:
            parsed = sa.make_url(url)
        except sa.exc.ArgumentError as error:
            raise StoreUnavailable(
                f"store.url is not a database URL: {url.partition('://')[0]}://…",
                remedy="write sqlite:///path/to/keeper.db or postgresql+psycopg://user@host/name",
            ) from error
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.url = parsed
        self.name = parsed.render_as_string(hide_password=True)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self.is_memory = self.is_sqlite and parsed.database in (None, "", ":memory:")
        is_file = self.is_sqlite and not self.is_memory
        self.path = Path(parsed.database) if is_file and parsed.database else None

    @property
    def shown(self) -> str:
        """Return what an error message calls the place."""
        return str(self.path) if self.path is not None else self.name


def make_database(place: Place, *, reads_only: bool = False) -> sa.Engine:
    """Return the SQLAlchemy engine for one connection to ``place``; connects to nothing yet."""
    options: dict[str, Any] = {}
    if place.is_sqlite:
        options["poolclass"] = StaticPool if place.is_memory else sa.pool.NullPool
        options["connect_args"] = {
            "check_same_thread": False,
            "timeout": OPENING_BUSY_MS / 1000,
            "cached_statements": 256,
        }
    else:
        speak_postgres()
        options["poolclass"] = sa.pool.NullPool
        settings = {
            "statement_timeout": 2_000,
            "lock_timeout": 500,
            # A reader may think for long about what it read, and keeps nobody from writing.
            "idle_in_transaction_session_timeout": 0 if reads_only else FROZEN_MS,
            "timezone": "UTC",
        }
        options["connect_args"] = {
            "connect_timeout": 2,
            "application_name": "position-keeper",
            "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
        }
    database = sa.create_engine(place.url, **options)
    if place.is_sqlite:
        _own_transactions(database, reads_only=reads_only)
    else:
        _own_deadlines(database)
    return database


def _own_transactions(database: sa.Engine, *, reads_only: bool) -> None:
    @event.listens_for(database, "connect")
    def _connected(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver begins and commits nothing by itself
        pragmas = ["foreign_keys=ON", "recursive_triggers=ON"]
        if reads_only:
            pragmas.append("query_only=ON")
        else:
            pragmas += ["journal_mode=WAL", "synchronous=FULL"]
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(database, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")


def _own_deadlines(database: sa.Engine) -> None:
    """Let no statement wait longer than its connection's ``patience_s`` for the server's answer.

    The server's own timeouts say nothing while it hangs, or when the network swallows its words.
    """

    @event.listens_for(database, "do_connect")
    def _connect(_dialect: object, _record: object, arguments: Any, options: Any) -> Any:
        from engine.store.bounded import BoundedConnection  # noqa: PLC0415 - only for Postgres

        return BoundedConnection.connect(*arguments, **options)


@contextmanager
def naming(place: Place, doing: str) -> Iterator[None]:
    """Turn every database error inside into ``StoreUnavailable`` with place and remedy."""
    try:
        yield
    except (sa.exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise unavailable(place, doing, error) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "psycopg":
            raise
        raise unavailable(place, doing, error) from error


def unavailable(place: Place, doing: str, error: BaseException) -> StoreUnavailable:
    """Return the error that says what could not be done, where, why, and what helps."""
    cause = getattr(error, "orig", None) or error
    why = " ".join(str(cause).split()) or type(cause).__name__
    return StoreUnavailable(
        f"store {place.shown}: {doing} failed: {why}",
        place=place.shown,
        remedy=_remedy(place, why.lower()),
    )


def _remedy(place: Place, why: str) -> str:
    if "exact number" in why or "significant digits" in why:
        return "a defect of the engine, not of the database: keep the file and report it"
    if not place.is_sqlite:
        return "check that the server runs, that store.url names it, and the role's password"
    if "locked" in why or "busy" in why:
        return "another program holds the file: end it, or give this keeper its own store.url"
    if "full" in why:
        return "free some disk space"
    if "i/o" in why:
        return "look at the disk: it is full, over a quota, or failing"
    if "not a database" in why or "malformed" in why:
        return "the file is damaged: move it away, the keeper rebuilds from the exchange"
    folder = place.path.parent if place.path is not None else Path()
    return f"make {folder} writable for this user, or set store.url to a place that is"


class Desk:
    """One open connection and whose rows it works on; everything in the store works over it."""

    def __init__(self, place: Place, database: sa.Engine, account: str, symbol: str) -> None:
        self.place = place
        self.database = database
        self.account = account
        self.symbol = symbol
        self.owner: dict[str, Any] = {"account": account, "symbol": symbol}
        self.fence: Callable[[sa.Connection], None] | None = None
        self._connection: sa.Connection | None = None
        self._raw: Any = None
        self._busy_ms: int | None = None
        self._writes = 0
        self._trouble: StoreUnavailable | None = None

    @property
    def trouble(self) -> StoreUnavailable | None:
        """Return why every use is refused, None while the store may be used."""
        return self._trouble

    def shut(self, trouble: StoreUnavailable) -> None:
        """Refuse every use with ``trouble`` until ``unshut``.

        What failed once would most likely cost the same wait again, and protection does not wait
        for a database twice (RULES G5).
        """
        self._trouble = trouble
        if not self.place.is_memory:
            self.drop()

    def unshut(self) -> None:
        """Let the store be tried again."""
        self._trouble = None

    @property
    def dialect(self) -> str:
        """Return ``sqlite`` or ``postgresql``."""
        return self.database.dialect.name

    @property
    def connection(self) -> sa.Connection:
        """Return the connection, opened again after it was lost; refused while shut."""
        if self._trouble is not None:
            raise self._trouble
        if self._connection is None or self._connection.invalidated:
            self.drop()
            with naming(self.place, "connecting"):
                self._connection = self.database.connect()
                if self._busy_ms is not None:
                    self.wait_at_most(self._busy_ms)
        return self._connection

    @property
    def raw(self) -> Any:
        """Return the driver's own connection: reading through it costs a tenth."""
        if self._trouble is not None:
            raise self._trouble
        if self._raw is None:
            self._raw = self.connection.connection.driver_connection
        return self._raw

    def drop(self) -> None:
        """Let go of the connection; the next use opens another."""
        connection, self._connection, self._raw = self._connection, None, None
        if connection is not None:
            try:
                if not self.place.is_memory:
                    connection.invalidate()  # nothing is said to a server that may be gone
                connection.close()
            except (sa.exc.SQLAlchemyError, sqlite3.Error):
                connection.invalidate()

    def wait_at_most(self, busy_ms: int) -> None:
        """Bound how long a statement waits for another writer, on this and later connections."""
        self._busy_ms = busy_ms
        if self.place.is_sqlite:
            self.raw.execute(f"PRAGMA busy_timeout={int(busy_ms)}")
        else:
            self.raw.patience_s = max(busy_ms, ANSWER_MS) / 1000
            self.raw.execute(f"SET lock_timeout = {int(busy_ms)}")
            self.raw.commit()

    @contextmanager
    def transaction(self, doing: str, *, is_urgent: bool = False) -> Iterator[sa.Connection]:
        """Run one transaction: committed whole at the end, or rolled back and named.

        The fence is asked first: what a former holder of the lease still writes is refused. An
        urgent one waits no longer for a server's answer than for another writer (RULES G5).
        """
        self._writes += 1
        connection = self.connection
        if not self.place.is_sqlite and self._busy_ms is not None:
            self.raw.patience_s = max(self._busy_ms, 0 if is_urgent else ANSWER_MS) / 1000
        try:
            with naming(self.place, doing), connection.begin():
                if self.fence is not None:
                    self.fence(connection)
                yield connection
        except StoreUnavailable:
            if not self.place.is_memory:
                self.drop()
            raise

    @contextmanager
    def quick(self, doing: str) -> Iterator[Any]:
        """Run one transaction on the driver's own connection, for what is written every tick."""
        raw = self.raw
        try:
            if self.place.is_sqlite:
                raw.execute("BEGIN IMMEDIATE")
            yield raw
            raw.commit()
        except sqlite3.Error as error:
            self._undo(raw)
            raise unavailable(self.place, doing, error) from error
        except Exception as error:
            self._undo(raw)
            if type(error).__module__.partition(".")[0] != "psycopg":
                raise
            raise unavailable(self.place, doing, error) from error

    def _undo(self, raw: Any) -> None:
        try:
            raw.rollback()
        except Exception:  # noqa: BLE001 - whatever the driver says, the connection goes
            self.drop()
            return
        if not self.place.is_memory:
            self.drop()

    def stamp(self) -> tuple[object, ...] | None:
        """Return what differs as soon as anybody may have changed the record since.

        Our own transactions are counted, SQLite tells of everybody else's. None where the database
        cannot tell (Postgres): then everything has to be read. What ``quick`` writes, lease and
        heartbeat, is no part of the record.
        """
        if not self.place.is_sqlite:
            return None
        (version,) = self.rows("PRAGMA data_version", ())[0]
        return version, self._writes, id(self._raw)

    def rows(self, sql: str, parameters: Any) -> list[Any]:
        """Return all rows of one prepared query, as the driver gives them."""
        try:
            return list(self.raw.execute(sql, parameters).fetchall())
        except sqlite3.Error as error:
            raise unavailable(self.place, "reading", error) from error
        except Exception as error:
            if type(error).__module__.partition(".")[0] != "psycopg":
                raise
            self.drop()
            raise unavailable(self.place, "reading", error) from error

    def end_read(self) -> None:
        """End the transaction a read began (Postgres begins one by itself, SQLite does not)."""
        if not self.place.is_sqlite and self._raw is not None:
            self._raw.rollback()
