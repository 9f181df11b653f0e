"""Seeded price models: the same profile, seed and start give the same path on every machine.

Chance is drawn as integers and the arithmetic is `Decimal`, so no platform's floating point can
make two runs differ. Steps are shares of the price (geometric), shown prices lie on the tick grid.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from random import Random

from engine.venue.values import PricePoint

_BPS = Decimal("0.0001")
STEP_MS = 1000
"""Milliseconds between two points at speed 1."""

_INNER = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class WalkProfile:
    """One way of walking; all shares are basis points of the price per step.

    Attributes:
        spread_bps: standard deviation of one step.
        drift_bps: push of one step in the direction of the present regime.
        pull: share of the distance to the start price taken back in one step.
        regime_steps: how long one direction lasts, at least and at most.
    """

    spread_bps: Decimal
    drift_bps: Decimal = Decimal(0)
    pull: Decimal = Decimal(0)
    regime_steps: tuple[int, int] = (1, 1)


PROFILES: Mapping[str, WalkProfile] = {
    "calm": WalkProfile(spread_bps=Decimal("0.4"), pull=Decimal("0.0005")),
    "trend": WalkProfile(
        spread_bps=Decimal("0.8"), drift_bps=Decimal("0.05"), regime_steps=(600, 3600)
    ),
    "chop": WalkProfile(spread_bps=Decimal(3), pull=Decimal("0.004")),
}
"""The profiles `keeper venue --walk` knows."""


def walk_feed(
    profile: str,
    *,
    seed: int,
    start_price: Decimal,
    start_ms: int,
    tick_size: Decimal = Decimal("0.1"),
    speed: Decimal = Decimal(1),
) -> Iterator[PricePoint]:
    """Yield an endless walk, a point a second, the first at `start_ms` and `start_price`.

    The mark price follows the last price with a lag of a few steps, as the real one does.

    Raises:
        ValueError: unknown profile, or a price, tick size or speed that is not positive.
    """
    if profile not in PROFILES:
        raise ValueError(f"no walk profile {profile!r}; known are {', '.join(PROFILES)}")
    if min(start_price, tick_size, speed) <= 0:
        raise ValueError("start price, tick size and speed must be positive")
    return _walk(
        PROFILES[profile],
        Random(seed),
        start_price,
        start_ms,
        (STEP_MS / speed, tick_size),
    )


def _walk(
    profile: WalkProfile,
    chance: Random,
    start_price: Decimal,
    start_ms: int,
    shown: tuple[Decimal, Decimal],
) -> Iterator[PricePoint]:
    real_step_ms, tick_size = shown
    price = mark = start_price
    direction = 0
    regime_left = 0
    step = 0
    while True:
        last = _on_grid(price, tick_size)
        yield PricePoint(
            at_ms=start_ms + int(step * real_step_ms),
            last=last,
            mark=_on_grid(mark, tick_size / 10),
        )
        if regime_left == 0:
            direction = chance.choice((-1, 1))
            regime_left = chance.randint(*profile.regime_steps)
        regime_left -= 1
        share = (profile.drift_bps * direction + profile.spread_bps * _normal(chance)) * _BPS
        price += price * share + (start_price - price) * profile.pull
        price = max(price.quantize(_INNER), tick_size)
        mark += (price - mark) / 4
        mark = mark.quantize(_INNER)
        step += 1


def _normal(chance: Random) -> Decimal:
    """Draw from nearly a standard normal distribution: twelve uniform integers, summed."""
    return Decimal(sum(chance.randint(-1000, 1000) for _ in range(12))) / 2000


def _on_grid(price: Decimal, grid: Decimal) -> Decimal:
    return max((price / grid).to_integral_value(ROUND_HALF_EVEN), Decimal(1)) * grid
