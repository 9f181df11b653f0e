"""What every test group shares: how Hypothesis draws, and a Postgres for whoever asks for one.

Hypothesis repeats itself in `make test` (profile `ci`: the same examples on every run) and wanders
in `make explore` (profile `explore`: fresh examples, many more, failures kept in .hypothesis).
"""

import os
import signal
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import PostgresMissing, running_postgres

settings.register_profile(
    "ci",
    derandomize=True,
    database=None,
    deadline=None,  # a busy machine is not a defect
    max_examples=100,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],  # the same machine
)
settings.register_profile(
    "explore",
    derandomize=False,
    deadline=timedelta(seconds=10),
    max_examples=5_000,
    stateful_step_count=100,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# A shell that starts the run in the background lets it ignore Ctrl-C, and every process it starts
# inherits that; some tests press Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the SQLAlchemy URL of an empty Postgres, one server for the whole session.

    `KEEPER_TEST_POSTGRES_URL` names another one; where no binaries are published, its tests skip.
    """
    given = os.environ.get("KEEPER_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    try:
        with running_postgres() as url:
            yield url
    except PostgresMissing as missing:
        pytest.skip(str(missing))
