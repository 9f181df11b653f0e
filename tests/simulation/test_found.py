"""What the campaign found, each in the smallest world that shows it."""

from __future__ import annotations

from pathlib import Path

from engine.domain.limits import Limits
from engine.simulation.check_budget import budget
from engine.simulation.draw import START_MS
from engine.simulation.requests import read_requests
from engine.simulation.world import World
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
