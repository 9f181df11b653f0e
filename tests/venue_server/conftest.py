"""What these tests share: one served venue per test, without a feed."""

from collections.abc import Iterator

import pytest

from tests.venue_server.served import Served


@pytest.fixture
def venue() -> Iterator[Served]:
    """Serve a venue whose price stands still at 90800."""
    with Served("--port", "0") as served:
        yield served
