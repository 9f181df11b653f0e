"""The same commands on Postgres: what people and scripts read must not depend on the database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.cli.home import configure, home_in
from tests.cli.program import keeper

pytestmark = pytest.mark.postgres
VIEWS = (
    *("position_state", "v_positions", "v_orders", "v_fills"),
    *("v_stop_levels", "v_trades", "v_events"),
)


def test_run_and_every_reader_work_on_postgres(tmp_path: Path, postgres_url: str) -> None:
    with home_in(tmp_path) as home:
        configure(home)
        secrets = {**home.secrets, "KEEPER__STORE__URL": postgres_url}

        ran = home.keeper("run", "--ticks", "3", env=secrets)
        read = {
            verb: home.keeper(verb, "--json", env=secrets)
            for verb in ("status", "history", "report", "replay", "check")
        }
        current = home.keeper("db", "current", "--json", env=secrets)

    assert ran.code == 0, ran.err
    assert {verb: r.code for verb, r in read.items()} == dict.fromkeys(read, 0)
    assert read["status"].document["store"] == "postgresql"
    assert all(r.document["schema"] == f"keeper/{verb}/1" for verb, r in read.items())
    assert current.document["revision"] == current.document["head"]
    assert "password" not in current.out


@pytest.mark.slow
def test_the_demo_plays_on_postgres(tmp_path: Path, postgres_url: str) -> None:
    """Every promise of the demo holds there, and the views have the same names."""
    folder = tmp_path / "demo"

    ran = keeper("demo", "--folder", folder, "--pace", "8", "--store", postgres_url, cwd=tmp_path)
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    database = sa.create_engine(postgres_url)
    with database.connect() as connection:
        views = {
            name: connection.exec_driver_sql(f"SELECT * FROM {name} LIMIT 1").first()  # noqa: S608 - constants
            for name in VIEWS
        }
    database.dispose()

    assert ran.code == 0, ran.err + ran.out
    assert report["ok"]
    assert report["database"] == postgres_url, "without its password, if it had one"
    checks = {check["name"]: check for check in report["checks"]}
    assert checks["database_equals_exchange"]["checked"] > 0
    assert [trade["exit_reason"] for trade in report["trades"]] == ["liquidation_exit", "stop"]
    assert [name for name, row in views.items() if row is None] == []
    assert not (folder / "keeper.db").exists()
