"""A past for a market that opens now: minutes of a seeded walk that ends at the first price.

A real exchange always has candles; without them a keeper would find neither volatility nor swings
for hours. Only whole minutes before the opening are made.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from random import Random

from engine.venue.feeds.walk import walk_feed
from engine.venue.values import Candle

MINUTE_MS = 60_000
HISTORY_MINUTES = 500
"""As many as one request for candles asks for."""

_POINTS = 12


def made_history(
    end_price: Decimal,
    *,
    now_ms: int,
    seed: int,
    tick_size: Decimal = Decimal("0.1"),
    minutes: int = HISTORY_MINUTES,
) -> Iterator[Candle]:
    """Yield `minutes` candles, oldest first; the last closes at `end_price` before `now_ms`."""
    chance = Random(seed)
    walk = walk_feed("chop", seed=seed, start_price=end_price, start_ms=0, tick_size=tick_size)
    path = [point.last for point in itertools.islice(walk, minutes * _POINTS)]
    # The walk begins at the price, so it is told backwards: then it ends there.
    path.reverse()
    first_ms = now_ms - now_ms % MINUTE_MS - minutes * MINUTE_MS
    for minute in range(minutes):
        prices = path[minute * _POINTS : (minute + 1) * _POINTS]
        opened = prices[0] if minute == 0 else path[minute * _POINTS - 1]
        volume = Decimal(chance.randint(5_000, 60_000)) / 1000
        yield Candle(
            open_ms=first_ms + minute * MINUTE_MS,
            open=opened,
            high=max(opened, *prices),
            low=min(opened, *prices),
            close=prices[-1],
            volume=volume.quantize(Decimal("0.001"), ROUND_HALF_EVEN),
        )
