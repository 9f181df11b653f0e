"""A real keeper starts while a position is open and its store cannot be used (RULES G5).

Lease first, then protection from the exchange alone, add-only and said so; with nothing held and
nothing resting the start ends with exit code 6, as it always did.
"""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from engine.store.schema import REVISIONS
from tests.cli.home import Home, end, home_in
from tests.process.test_kill import entered

pytestmark = pytest.mark.slow


def newer(database: Path) -> None:
    """A newer version has been here."""
    with closing(sqlite3.connect(database)) as other, other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")


@contextmanager
def with_newer_schema(home: Home) -> Iterator[None]:
    """Make the store unusable, and put back what was there."""
    database, kept = home.folder / "var" / "keeper.db", home.folder / "kept"
    for suffix in ("-wal", "-shm"):
        assert not database.with_name(database.name + suffix).exists(), "written back at the end"
    kept.write_bytes(database.read_bytes())
    newer(database)
    try:
        yield
    finally:
        for path in database.parent.glob("keeper.db*"):
            path.unlink()
        database.write_bytes(kept.read_bytes())


def covered(home: Home) -> bool:
    picture = home.picture()
    return picture is not None and picture.position != 0 and picture.naked_quantity == 0


def said(child: subprocess.Popen[str]) -> list[dict[str, object]]:
    """End a keeper and return the documents it said."""
    code, out = end(child, signal.SIGTERM)
    assert code == 0, out
    return [json.loads(line) for line in out.splitlines() if line.startswith('{"schema"')]


def test_protection_comes_before_the_store(tmp_path: Path) -> None:
    """RULES G5, B4: stops gone, store unusable: covered all the same, and the old rows are back."""
    with home_in(tmp_path) as home:
        first = home.start("run")
        entered(home, whole=True)
        home.await_ticks(first)
        end(first, signal.SIGTERM)
        life_before = home.keeper("status", "--json").document["position"]
        with with_newer_schema(home):
            for role in ("stop_primary", "stop_floor"):
                home.hand(do="cancel", role=role)
            child = home.start("run", "--json")
            home.until(lambda: covered(home), "covered without a store")
            documents = said(child)
        child = home.start("run")
        home.await_ticks(child)
        end(child, signal.SIGTERM)
        life = home.keeper("status", "--json").document["position"]
        covers = home.keeper("verify", "--json")

    last = documents[-1]["health"]
    assert isinstance(last, dict)
    assert (last["state"], last["entries_allowed"]) == ("degraded", False)
    assert "store_unwritable" in [reason["code"] for reason in last["reasons"]]
    assert isinstance(life, dict)
    assert isinstance(life_before, dict)
    assert life["id"] == life_before["id"]
    assert covers.code == 0, covers.out


def test_with_nothing_at_stake_a_start_without_store_is_refused(tmp_path: Path) -> None:
    """Contracts: exit code 6, with place and remedy."""
    with home_in(tmp_path) as home:
        assert home.keeper("run", "--ticks", "1").code == 0
        with with_newer_schema(home):
            ran = home.keeper("run", "--json")

    assert ran.code == 6
    assert "keeper.db" in ran.err
    assert "newer version" in ran.err


def test_an_older_schema_is_migrated_within_the_first_command(tmp_path: Path) -> None:
    """RULES G5: after the look that protects, and before the command says what it found."""
    with home_in(tmp_path) as home:
        home.keeper("db", "upgrade")
        home.keeper("db", "downgrade", REVISIONS[0])
        ran = home.keeper("once", "--json")
        current = home.keeper("db", "current", "--json").document

    assert ran.code == 0, ran.err
    health = ran.document["health"]
    assert isinstance(health, dict)
    assert (health["state"], health["store_ok"]) == ("ok", True)
    assert current["revision"] == REVISIONS[-1]
