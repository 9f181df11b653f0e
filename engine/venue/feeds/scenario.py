"""Prices as a scenario writes them: stepwise, or drawn out to straight lines on the tick grid.

Between two rows the price stands at the earlier one unless the scenario asks for steps.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal

from engine.venue.scenario import FeedRow, Scenario
from engine.venue.values import PricePoint


def scenario_feed(
    scenario: Scenario,
    *,
    start_ms: int,
    tick_size: Decimal = Decimal("0.1"),
    speed: Decimal = Decimal(1),
) -> Iterator[PricePoint]:
    """Yield the scenario's prices, its first instant laid at `start_ms`.

    Args:
        scenario: a checked scenario.
        start_ms: epoch milliseconds of the scenario's second 0.
        tick_size: grid of the prices in between; written prices are taken as they stand.
        speed: how many scenario seconds pass in one real second.
    """
    rows: Iterator[FeedRow] = iter(scenario.feed)
    if scenario.feed_step_ms is not None:
        rows = _drawn_out(scenario.feed, scenario.feed_step_ms, tick_size)
    for row in rows:
        at_ms = start_ms + int(row.at_ms / speed)
        yield PricePoint(at_ms=at_ms, last=row.last, mark=row.mark)


def _drawn_out(rows: tuple[FeedRow, ...], step_ms: int, tick_size: Decimal) -> Iterator[FeedRow]:
    for here, there in itertools.pairwise(rows):
        yield here
        span = there.at_ms - here.at_ms
        for passed in range(step_ms, span, step_ms):
            share = Decimal(passed) / span
            mark = (
                _between(here.mark, there.mark, share, tick_size)
                if here.mark is not None and there.mark is not None
                else None
            )
            last = _between(here.last, there.last, share, tick_size)
            yield FeedRow(here.at_ms + passed, last, mark)
    yield rows[-1]


def _between(here: Decimal, there: Decimal, share: Decimal, tick_size: Decimal) -> Decimal:
    ticks = ((here + (there - here) * share) / tick_size).to_integral_value(ROUND_HALF_EVEN)
    return ticks * tick_size
