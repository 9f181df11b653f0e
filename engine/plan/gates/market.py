"""Gates of the market: what the exchange takes, and where price stands (E1, E3, E4, E6, H1)."""

from __future__ import annotations

from decimal import Decimal

from engine.domain.action import GateResult
from engine.domain.numbers import plain
from engine.domain.situation import Situation
from engine.plan.entry_zone import EffectiveZone
from engine.plan.gates.entry import Entry, gate, unknown
from engine.plan.liquidation import Prospect, liquidation_room


def quantity_tradable(situation: Situation, entry: Entry) -> GateResult:
    """E3: at least the minimum quantity, and one market child can close it."""
    instrument = situation.instrument
    if instrument is None or entry.quantity is None:
        return unknown("quantity_tradable", "no quantity")
    low, high = instrument.tradable_min, instrument.market_quantity_max
    return gate(
        "quantity_tradable",
        low <= entry.quantity <= high,
        entry.quantity,
        f"{plain(low)}..{plain(high)}",
    )


def notional_in_bounds(situation: Situation, entry: Entry) -> GateResult:
    """E3: notional at least MIN_NOTIONAL and at most the cap."""
    instrument = situation.instrument
    if instrument is None or entry.quantity is None or entry.zone is None:
        return unknown("notional_in_bounds", "no quantity")
    notional = entry.quantity * entry.zone.first_price
    low, high = instrument.notional_min, situation.limits.notional_max
    return gate(
        "notional_in_bounds", low <= notional <= high, notional, f"{plain(low)}..{plain(high)}"
    )


def liquidation_far(situation: Situation, entry: Entry) -> GateResult:
    """H1: the stop lies before the isolated liquidation price by the buffer."""
    brackets = situation.observation.brackets
    if brackets is None or not entry.quantity or entry.zone is None or entry.decision.side is None:
        return unknown("liquidation_far", "leverage brackets not read")
    price, stop, side = entry.zone.first_price, entry.zone.stop, entry.decision.side
    room = liquidation_room(
        situation, Prospect(side, price, stop, entry.quantity, entry.decision.leverage)
    )
    if room is None:
        return unknown("liquidation_far", "no bracket holds the notional")
    distance, need = room.distance, room.needed
    return gate("liquidation_far", distance >= need, distance.quantize(Decimal("0.1")), need)


def spread_narrow(situation: Situation, entry: Entry | None) -> GateResult:
    """E3: bid and ask are close together."""
    quote = situation.observation.quote
    if quote is None or quote.value.bid <= 0:
        return unknown("spread_narrow", "no quote")
    spread = (quote.value.ask - quote.value.bid) / quote.value.bid * 100
    limit = situation.limits.spread_max_pct
    return gate("spread_narrow", spread <= limit, spread.quantize(Decimal("0.0001")), limit)


def volatility_calm(situation: Situation, entry: Entry | None) -> GateResult:
    """E3: no recent minute moved more than the limit."""
    fact = situation.observation.candles
    if fact is None or not fact.value:
        return unknown("volatility_calm", "no candles")
    worst = max((c.high - c.low) / c.low * 100 for c in fact.value[-5:])
    limit = situation.limits.volatility_max_pct
    return gate("volatility_calm", worst <= limit, worst.quantize(Decimal("0.001")), limit)


def enter_distance(situation: Situation, entry: Entry) -> GateResult:
    """E6, E1: price near the effective zone on the target side, not below its stop-side end."""
    price, quote = situation.observation.last_price, situation.observation.quote
    side, instrument = entry.decision.side, situation.instrument
    if entry.zone is None or price is None or quote is None or side is None or instrument is None:
        return unknown("enter_distance", "no price")
    near, far = _ends(entry.zone, side.sign)
    limit = situation.limits.enter_distance_pct
    distance = max(side.gain(far, price) / price * 100, Decimal(0))
    best = quote.value.ask if side.sign > 0 else quote.value.bid
    detail = "" if side.gain(near, best) >= 0 else "price beyond the stop-side end"
    tp1 = entry.decision.tp1
    if tp1 is not None and side.gain(tp1, price) >= 0:
        detail = "price at TP1"
    passes = distance <= limit and not detail
    return gate("enter_distance", passes, distance.quantize(Decimal("0.001")), limit, detail)


def _ends(zone: EffectiveZone, sign: int) -> tuple[Decimal, Decimal]:
    """Return the zone's stop-side and target-side ends."""
    return (zone.low, zone.high) if sign > 0 else (zone.high, zone.low)


def stop_not_crossed(situation: Situation, entry: Entry) -> GateResult:
    """E4: the working price is on the safe side of the stop by the least gap."""
    price, side = situation.observation.last_price, entry.decision.side
    instrument = situation.instrument
    if price is None or entry.zone is None or side is None or instrument is None:
        return unknown("stop_not_crossed", "no price")
    gap = max(2 * instrument.tick_size, price * situation.limits.min_gap_pct / 100)
    return gate(
        "stop_not_crossed", side.gain(entry.zone.stop, price) >= gap, price, entry.zone.stop
    )
