"""Seeded prices of a small world: a venue's walk, stretched, on legs, with gaps, until it ends."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum

from engine.domain.numbers import ZERO
from engine.venue.feeds.walk import walk_feed
from engine.venue.values import PricePoint

TICK = Decimal("0.1")
MARK_TICK = Decimal("0.01")
MARK_LAG = 4
"""A gap reaches the mark price over about this many points."""


class Which(StrEnum):
    """Which price a gap moves."""

    BOTH = "both"
    LAST = "last"
    MARK = "mark"


@dataclass(frozen=True, slots=True)
class Gap:
    """A jump of the price by ``share`` of it, at ``at_ms`` after the start.

    It stays, or with ``lasts_ms`` is taken back after so long: a crash with its recovery, a wick,
    or two prices that stand apart.
    """

    at_ms: int
    share: Decimal
    lasts_ms: int | None = None
    of: Which = Which.BOTH

    def shift_at(self, passed_ms: int, price: Decimal, of: Which) -> Decimal:
        """Return by how much it moves that price now, when it is to be taken back."""
        if self.lasts_ms is None or self.of not in (Which.BOTH, of):
            return ZERO
        is_on = self.at_ms <= passed_ms < self.at_ms + self.lasts_ms
        return price * self.share if is_on else ZERO


@dataclass(frozen=True, slots=True)
class Leg:
    """A stretch of drift from ``at_ms`` on: this share of the price per second."""

    at_ms: int
    share: Decimal


@dataclass(frozen=True, slots=True)
class Wide:
    """A stretch of time in which the ask stands this share of the price above the bid."""

    at_ms: int
    lasts_ms: int
    share: Decimal


@dataclass(frozen=True, slots=True)
class Market:
    """One price path: which walk, its seed, how much it is stretched, its legs and its jumps.

    ``wides`` are when its book is wide; it is one tick wide otherwise.
    """

    walk: str
    seed: int
    start_price: Decimal
    stretch: Decimal
    legs: tuple[Leg, ...]
    gaps: tuple[Gap, ...]
    length_ms: int
    wides: tuple[Wide, ...] = ()

    def drift_at(self, passed_ms: int) -> Decimal:
        """Return the drift of the leg that ``passed_ms`` after the start lies on."""
        index = bisect_right(self.legs, passed_ms, key=lambda leg: leg.at_ms) - 1
        return ZERO if index < 0 else self.legs[index].share

    def feed(self, start_ms: int) -> Iterator[PricePoint]:
        """Yield a point a second from ``start_ms`` on; the last one's price stands afterwards."""
        origin, mark_shift, shift = self.start_price, ZERO, ZERO
        gaps = sorted((g for g in self.gaps if g.lasts_ms is None), key=lambda gap: gap.at_ms)
        passing = [g for g in self.gaps if g.lasts_ms is not None]
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
            last, mark = last + shift, mark + mark_shift
            last += sum((g.shift_at(passed_ms, last, Which.LAST) for g in passing), ZERO)
            mark += sum((g.shift_at(passed_ms, mark, Which.MARK) for g in passing), ZERO)
            last = _on(last, TICK)
            ask = self._ask_at(passed_ms, last)
            yield replace(point, last=last, mark=_on(mark, MARK_TICK), ask=ask)

    def _ask_at(self, passed_ms: int, last: Decimal) -> Decimal | None:
        """Return the best ask of a wide book, None where the book is not wide."""
        share = sum(
            (w.share for w in self.wides if w.at_ms <= passed_ms < w.at_ms + w.lasts_ms), ZERO
        )
        return _on(last * (1 + share), TICK) if share else None


def _on(price: Decimal, grid: Decimal) -> Decimal:
    """Return the price on its grid, never below a thousand: the venue's own floor is lower."""
    return max((price / grid).to_integral_value(ROUND_HALF_EVEN) * grid, Decimal(1000))
