"""The Postgres of the dev set starts, serves and is gone afterwards."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from tests.postgres import running_postgres

pytestmark = pytest.mark.postgres


def test_a_throw_away_postgres_serves_and_leaves_nothing_behind() -> None:
    """The store's contract runs on it; leftover servers or folders would add up on a machine."""
    with running_postgres() as url:
        connections = create_engine(url)
        with connections.connect() as connection:
            answer = connection.execute(text("select 1.10::numeric")).scalar_one()
        connections.dispose()
        folder = Path(str(make_url(url).query["host"]))

    assert (str(answer), folder.exists()) == ("1.10", False)
