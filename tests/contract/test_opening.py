"""A store that cannot be had says where it is, why not, and what helps; never a password."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from pathlib import Path

import pytest

from engine.domain.errors import StoreUnavailable
from engine.domain.ledger import Ledger
from engine.store.store import Store

NOBODY = 65534


def _open_error(url: str) -> StoreUnavailable:
    with pytest.raises(StoreUnavailable) as refused:
        Store.open(url, account="a", symbol="BTCUSDT")
    return refused.value


def test_its_folder_is_made(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/var/deep/keeper.db", account="a", symbol="BTCUSDT")

    assert store.recall() == Ledger()
    store.close()


def test_sqlite_runs_with_the_settings_that_keep_what_was_committed(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/keeper.db", account="a", symbol="BTCUSDT")

    found = {
        name: store.desk.raw.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers")
    }

    full = 2
    assert found == {
        "journal_mode": "wal",
        "synchronous": full,
        "foreign_keys": 1,
        "recursive_triggers": 1,
    }
    assert store.desk.raw.isolation_level is None
    store.close()


def test_a_folder_that_cannot_be_written_is_named_with_the_remedy() -> None:
    """The first thing that goes wrong under systemd; root itself is never refused, so a child."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        if os.geteuid() == 0:
            os.setuid(NOBODY)
        try:
            Store.open(f"sqlite:///{folder}/keeper.db", account="a", symbol="BTCUSDT")
        except StoreUnavailable as error:
            os.write(writing, f"{error.exit_code} {error}".encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    folder.rmdir()

    assert said.startswith("6 ")
    assert f"{folder}/keeper.db" in said
    assert f"make {folder} writable" in said


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    error = _open_error(f"sqlite:///{tmp_path}/file/keeper.db")

    assert str(tmp_path / "file") in str(error)
    assert error.exit_code == 6


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "keeper.db"
    path.write_text("this is somebody's shopping list, " * 100)

    error = _open_error(f"sqlite:///{path}")

    assert str(path) in str(error)
    assert "move it away" in error.remedy


def test_a_server_out_of_reach_is_named_without_its_password() -> None:
    error = _open_error("postgresql+psycopg://keeper:s3cret@127.0.0.1:1/keeper")

    assert "127.0.0.1" in str(error)
    assert "s3cret" not in str(error) + error.place + error.remedy


def test_words_that_are_no_url_are_refused() -> None:
    assert "store.url" in str(_open_error("keeper.db"))


def test_a_locked_file_fails_a_write_soon_and_the_next_one_works(tmp_path: Path) -> None:
    """A tick may not hang on somebody's open transaction: 100 ms, then the spool (RULES G5)."""
    path = tmp_path / "keeper.db"
    store = Store.open(f"sqlite:///{path}", account="a", symbol="BTCUSDT")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreUnavailable, match="another program holds the file"):
        store.set_state("k", '"v"', 1)
    other.execute("ROLLBACK")
    other.close()

    store.set_state("k", '"v"', 1)
    assert store.get_state("k") == '"v"'
    busy = store.desk.raw.execute("PRAGMA busy_timeout").fetchone()[0]
    assert busy <= 100
    store.close()
