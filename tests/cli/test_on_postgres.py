"""The same commands on Postgres: what people and scripts read must not depend on the database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.home import configure, home_in

pytestmark = pytest.mark.postgres


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
