"""What the campaign found, each in the smallest world that shows it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from engine.domain.decision import Decided
from engine.domain.limits import Limits
from engine.intake import compose, write
from engine.read.trades import trade_documents
from engine.simulation.check_budget import budget
from engine.simulation.draw import START_MS
from engine.simulation.requests import read_requests
from engine.simulation.troubles import store_fails, store_returns
from engine.simulation.world import World
from engine.store.reading import ReadStore
from engine.venue.api import Venue, VenueSettings


def test_a_clock_that_was_never_measured_is_not_asked_for_during_a_silence(tmp_path: Path) -> None:
    """H4: the first question of a keeper's life was answered 429; the clock kept asking."""
    venue = Venue(VenueSettings(market_streams=()), now_ms=START_MS)
    venue.inject({"kind": "rate_limited", "retry_after_s": 5})
    world = World(venue, tmp_path, Limits(), start_ms=START_MS)

    world.run_until(START_MS + 8_000)
    requests = read_requests(venue.log_after(0))
    world.close()

    assert [r.status for r in requests[:1]] == [429]
    assert requests[-1].status == 200
    assert budget(requests, round_trip_ms=world.latency_ms).findings == ()


@pytest.mark.parametrize("has_another_life", [False, True])
def test_a_life_that_ends_while_the_store_takes_nothing_is_a_trade_when_it_is_back(
    tmp_path: Path, has_another_life: bool
) -> None:
    """G5: the ledger in memory had let go of it, and only its opening was ever written down."""
    price = Decimal(90800)
    venue = Venue(VenueSettings(first_price=price, market_streams=()), now_ms=START_MS)
    world = World(venue, tmp_path, Limits(), start_ms=START_MS)

    def decide() -> None:
        now_ms = world.clock.now_ms
        document = compose(Decided.LONG, "BTCUSDT", now_ms, price, Decimal("0.1"), limits=Limits())
        write(document, tmp_path)
        world.run_until(now_ms + 4_000)
        venue.set_price(price - 150, world.clock.now_ms)
        world.run_until(now_ms + 10_000)

    decide()
    store_fails(world, 0)
    venue.hand({"do": "close"}, world.clock.now_ms)
    venue.hand({"do": "cancel_all"}, world.clock.now_ms)  # nothing is left that must be swept
    world.run_until(START_MS + 90_000)
    assert world.venue.house.account.positions["BOTH"].quantity == 0
    store_returns(world, 0)
    world.run_until(START_MS + 110_000)
    if has_another_life:
        venue.set_price(price, world.clock.now_ms)
        world.run_until(START_MS + 130_000)
        decide()
    trades = trade_documents(ReadStore.beside(world.store.desk))
    world.close()

    assert [t["exit_reason"] for t in trades] == ["by_user"]
