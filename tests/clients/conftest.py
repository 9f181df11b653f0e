"""One served venue per file; every test leaves it flat, with nothing resting."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.served import FIRST_PRICE, Served

# Loopback is never behind a proxy, whatever the shell says.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve a venue for the tests of one file."""
    one = Served(tmp_path_factory.mktemp("venue"))
    try:
        yield one
    finally:
        one.end()


@pytest.fixture
def venue(served: Served) -> Iterator[Served]:
    """Give the venue with its price at the start, and see that the test tidied up."""
    served.price(FIRST_PRICE)
    yield served
    assert served.leftovers() == {"positions": [], "orders": [], "algo_orders": []}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a place for files."""
    return tmp_path
