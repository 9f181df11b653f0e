"""Where somebody else's position gets its one stop: far away, but where it still saves something.

``orphan_stop_pct`` from the current mark, inside liquidation, outside the spread (RULES G1, H3).
One arithmetic for a position that is not ours in one-way mode and for each side in hedge mode.
"""

from __future__ import annotations

from decimal import Decimal

from engine.domain.instrument import Instrument
from engine.domain.limits import Limits
from engine.domain.observation import Observation
from engine.domain.position import PositionReport
from engine.domain.terms import Side

GAP_TICKS = 2


def wide_level(
    side: Side, held: PositionReport, observation: Observation, limits: Limits
) -> Decimal:
    """Return the stop level for a position that is not ours, on the tick where filters are known.

    So near to liquidation that the buffer does not fit, half of what is left to it.
    """
    mark = observation.mark_price or held.mark_price
    level = mark * (1 - side.sign * limits.orphan_stop_pct / 100)
    liquidation = held.liquidation_price
    if liquidation is not None:
        inside = liquidation + side.sign * mark * limits.liq_buffer_pct / 100
        if side.gain(inside, mark) <= 0:
            inside = (liquidation + mark) / 2
        level = side.tighter(level, inside)
    instrument = None if observation.instrument is None else observation.instrument.value
    if instrument is None:
        return level
    level = instrument.price_toward_less_risk(side, level)
    edge = _edge(side, observation, instrument, limits)
    return level if edge is None else side.wider(level, edge)


def is_placeable(
    side: Side, level: Decimal, held: PositionReport, observation: Observation
) -> bool:
    """Return whether a stop at ``level`` would rest: not fire at once, nor come after liquidation.

    Without a price nothing would be known of either.
    """
    nearest = nearest_price(side, observation)
    if nearest is None or side.gain(level, nearest) <= 0:
        return False
    liquidation = held.liquidation_price
    return liquidation is None or side.gain(liquidation, level) > 0


def nearest_price(side: Side, observation: Observation) -> Decimal | None:
    """Return the price that is nearest to a stop of ``side``: last, mark, or the exit's quote.

    A side of the book that is empty is quoted as 0 and says nothing.
    """
    prices = [p for p in (observation.last_price, observation.mark_price) if p is not None]
    if observation.quote is not None:
        quote = observation.quote.value
        prices.append(quote.bid if side is Side.LONG else quote.ask)
    prices = [price for price in prices if price > 0]
    if not prices:
        return None
    nearest = prices[0]
    for price in prices[1:]:
        nearest = side.wider(nearest, price)
    return nearest


def _edge(
    side: Side, observation: Observation, instrument: Instrument, limits: Limits
) -> Decimal | None:
    """Return the tightest level that keeps clear of every price around (RULES F3)."""
    nearest = nearest_price(side, observation)
    if nearest is None:
        return None
    gap = max(GAP_TICKS * instrument.tick_size, nearest * limits.min_gap_pct / 100)
    return instrument.price_toward_more_risk(side, nearest - side.sign * gap)
