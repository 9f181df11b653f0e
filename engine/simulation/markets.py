"""Seeded prices of a small world: a venue's walk, stretched, on legs, with gaps, until it ends."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal

from engine.domain.numbers import ZERO
from engine.venue.feeds.walk import walk_feed
from engine.venue.values import PricePoint

TICK = Decimal("0.1")
MARK_TICK = Decimal("0.01")
MARK_LAG = 4
"""A gap reaches the mark price over about this many points."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A jump of the price by ``share`` of it, at ``at_ms`` after the start."""

    at_ms: int
    share: Decimal


@dataclass(frozen=True, slots=True)
class Leg:
    """A stretch of drift from ``at_ms`` on: this share of the price per second."""

    at_ms: int
    share: Decimal


@dataclass(frozen=True, slots=True)
class Market:
    """One price path: which walk, its seed, how much it is stretched, its legs and its jumps."""

    walk: str
    seed: int
    start_price: Decimal
    stretch: Decimal
    legs: tuple[Leg, ...]
    gaps: tuple[Gap, ...]
    length_ms: int

    def drift_at(self, passed_ms: int) -> Decimal:
        """Return the drift of the leg that ``passed_ms`` after the start lies on."""
        index = bisect_right(self.legs, passed_ms, key=lambda leg: leg.at_ms) - 1
        return ZERO if index < 0 else self.legs[index].share

    def feed(self, start_ms: int) -> Iterator[PricePoint]:
        """Yield a point a second from ``start_ms`` on; the last one's price stands afterwards."""
        origin, mark_shift, shift = self.start_price, ZERO, ZERO
        gaps = list(self.gaps)
        for point in walk_feed(
            self.walk, seed=self.seed, start_price=origin, start_ms=start_ms, tick_size=TICK
        ):
            passed_ms = point.at_ms - start_ms
            if passed_ms > self.length_ms:
                return
            last = origin + (point.last - origin) * self.stretch
            shift += (last + shift) * self.drift_at(passed_ms)
            while gaps and gaps[0].at_ms <= passed_ms:
                shift += last * gaps.pop(0).share
            mark_shift += (shift - mark_shift) / MARK_LAG
            mark = origin + ((point.mark or point.last) - origin) * self.stretch
            yield replace(
                point, last=_on(last + shift, TICK), mark=_on(mark + mark_shift, MARK_TICK)
            )


def _on(price: Decimal, grid: Decimal) -> Decimal:
    """Return the price on its grid, never below a thousand: the venue's own floor is lower."""
    return max((price / grid).to_integral_value(ROUND_HALF_EVEN) * grid, Decimal(1000))
