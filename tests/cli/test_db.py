"""`keeper db` says which schema the store has and moves it, from any folder."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.cli.program import keeper


def test_a_store_goes_up_and_down_again(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    config = home / "config.yaml"
    config.write_text("store: {url: 'sqlite:///var/keeper.db'}\n")

    up = keeper("db", "upgrade", "--json", "--config", config, cwd=elsewhere).document
    down = keeper("db", "downgrade", "base", "--json", "--config", config, cwd=elsewhere).document

    assert (up["before"], up["revision"]) == (None, up["head"])
    assert (down["before"], down["revision"]) == (up["head"], None)
    assert list(elsewhere.iterdir()) == []


def test_a_store_that_cannot_be_written_is_six_and_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "config.yaml").write_text("store: {url: 'sqlite:///file/keeper.db'}\n")

    ran = keeper("db", "upgrade", "--json", cwd=tmp_path)

    assert ran.code == 6
    assert str(tmp_path / "file") in str(ran.document["message"])
    assert ran.document["remedy"]


def test_a_newer_schema_is_six(tmp_path: Path) -> None:
    """An old program on a new store must not guess."""
    (tmp_path / "config.yaml").write_text("store: {url: 'sqlite:///keeper.db'}\n")
    keeper("db", "upgrade", cwd=tmp_path)
    with sqlite3.connect(tmp_path / "keeper.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    ran = keeper("db", "upgrade", "--json", cwd=tmp_path)

    assert ran.code == 6
    assert "9999" in str(ran.document["message"])
