"""The three places a store can be: a file, memory, a Postgres server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine.store.store import Store

_NUMBERS = count(1)


@dataclass
class Shelter:
    """Where stores of one test live; every call of ``fresh`` is another, empty store."""

    kind: str
    url: str
    opened: list[Store] = field(default_factory=list)

    def fresh(self, account: str | None = None, symbol: str = "BTCUSDT") -> Store:
        """Open a store that holds nothing yet."""
        store = Store.open(self.url, account=account or f"a{next(_NUMBERS)}", symbol=symbol)
        self.opened.append(store)
        return store

    def again(self, store: Store) -> Store:
        """Return what a restarted process finds where ``store`` wrote."""
        desk = store.desk
        if self.kind == "memory":
            return store.sibling()
        store = Store.open(self.url, account=desk.account, symbol=desk.symbol)
        self.opened.append(store)
        return store

    def close(self) -> None:
        """Close every store opened so far."""
        while self.opened:
            self.opened.pop().close()

    def beside(self, store: Store, account: str, symbol: str) -> Store:
        """Return the store of another keeper in the same database."""
        if self.kind == "memory":
            return store.sibling(account=account, symbol=symbol)
        return self.fresh(account, symbol)


@pytest.fixture(scope="session")
def new_postgres_database(postgres_url: str) -> Callable[[], str]:
    """Return a maker of empty databases on the session's server."""

    def make() -> str:
        name = f"keeper_{next(_NUMBERS)}"
        admin = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        admin.dispose()
        url = sa.make_url(postgres_url).set(database=name)
        return url.render_as_string(hide_password=False)

    return make


@pytest.fixture(scope="session")
def postgres_shared(new_postgres_database: Callable[[], str]) -> str:
    """Return one database for all tests that keep to their own account."""
    return new_postgres_database()


@pytest.fixture(params=["memory", "file", pytest.param("postgres", marks=pytest.mark.postgres)])
def shelter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shelter]:
    """Give each place in turn: one contract for all of them."""
    if request.param == "postgres":
        found = Shelter("postgres", request.getfixturevalue("postgres_shared"))
    elif request.param == "file":
        found = Shelter("file", f"sqlite:///{tmp_path}/var/keeper.db")
    else:
        found = Shelter("memory", "sqlite://")
    yield found
    found.close()


@pytest.fixture(params=["file", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of a database without any schema."""
    if request.param == "postgres":
        make: Callable[[], str] = request.getfixturevalue("new_postgres_database")
        return make()
    return f"sqlite:///{tmp_path}/keeper.db"
