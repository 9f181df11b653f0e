"""One served venue per file; every test leaves it flat, with nothing resting."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.served import FIRST_PRICE, Served

# Loopback is never behind a proxy, whatever the shell says.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"


KEEPERS = frozenset(
    """
    GET exchangeInfo, GET time, GET leverageBracket, GET account, GET balance, GET positionRisk,
    POST leverage, POST marginType, GET symbolConfig, GET commissionRate, GET positionSide/dual,
    POST order, GET order, DELETE order, GET openOrders, GET allOrders, DELETE allOpenOrders,
    POST algoOrder, GET algoOrder, DELETE algoOrder, GET openAlgoOrders, GET allAlgoOrders,
    DELETE algoOpenOrders, GET userTrades, GET income, GET klines, GET premiumIndex,
    GET ticker/price, GET ticker/bookTicker, POST listenKey, PUT listenKey
    """.replace("\n", " ").split(", ")
)
"""What the keeper asks for, and what only its operator would: each client must have called it."""


@pytest.fixture(scope="module")
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """Serve a venue for the tests of one file; all of them together call what the keeper calls."""
    one = Served(tmp_path_factory.mktemp("venue"))
    try:
        yield one
        asked = request.config
        is_whole = not asked.option.keyword and not any("::" in word for word in asked.args)
        if is_whole and not request.session.testsfailed:
            assert {word.strip() for word in KEEPERS} - one.called() == set()
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
