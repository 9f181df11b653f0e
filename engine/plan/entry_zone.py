"""The effective zone: where inside the decision's zone two to one really holds (RULES E1).

One code path for both sides: prices are compared by ``side.gain``. For a limit price p the stop
is S(p), the nearer of the decision's stop and the 0.35 % level; ok(p) says the reward to the
basis price is at least R times the risk. ok is monotone in p, rounding included, so the allowed
prices are an interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from typing import assert_never

from engine.domain.decision import Decision
from engine.domain.instrument import Instrument
from engine.domain.limits import BasisPrice, Limits, NoSplit
from engine.domain.numbers import ONE, ZERO
from engine.domain.observation import Rates
from engine.domain.terms import Side

_STORED = Context(prec=15)
"""As many digits as the store keeps of a price."""


@dataclass(frozen=True, slots=True)
class EntryTerms:
    """What the zone is computed from; ``fee_in``/``fee_out`` are 0 unless fees are counted."""

    side: Side
    zone_low: Decimal
    zone_high: Decimal
    stop_loss: Decimal
    basis_price: Decimal
    stop_distance: Decimal
    rr_minimum: Decimal
    fee_in: Decimal = ZERO
    fee_out: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class EffectiveZone:
    """The allowed limit prices, lowest and highest, with the first price and its stop."""

    low: Decimal
    high: Decimal
    first_price: Decimal
    stop: Decimal


def entry_terms(
    decision: Decision, limits: Limits, rates: Rates | None, instrument: Instrument | None = None
) -> EntryTerms | None:
    """Return the terms of a long or short decision, None when it lacks them (flat)."""
    side = decision.side
    basis = basis_price(decision, limits, instrument)
    if (
        side is None
        or basis is None
        or decision.zone_low is None
        or decision.zone_high is None
        or decision.stop_loss is None
    ):
        return None
    count_fees = limits.rr_with_fees and rates is not None
    return EntryTerms(
        side=side,
        zone_low=decision.zone_low,
        zone_high=decision.zone_high,
        stop_loss=decision.stop_loss,
        basis_price=basis,
        stop_distance=limits.stop_distance_min_pct / 100,
        rr_minimum=limits.rr_minimum,
        fee_in=rates.maker if rates is not None and count_fees else ZERO,
        fee_out=rates.taker if rates is not None and count_fees else ZERO,
    )


def basis_price(
    decision: Decision, limits: Limits, instrument: Instrument | None = None
) -> Decimal | None:
    """Return T of RULES E1: the target the minimum reward is measured to.

    ``weighted`` counts the planned quantities, as they will be split on the step.
    """
    if decision.tp1 is None:
        return None
    tp2 = decision.tp1 if decision.tp2 is None else decision.tp2
    match limits.basis_price:
        case BasisPrice.TP1:
            return decision.tp1
        case BasisPrice.TP2:
            return tp2
        case BasisPrice.WEIGHTED:
            share = _tp1_share(decision, limits, instrument)
            return _STORED.plus(decision.tp1 * share + tp2 * (ONE - share))
        case _:
            assert_never(limits.basis_price)


def _tp1_share(decision: Decision, limits: Limits, instrument: Instrument | None) -> Decimal:
    """Return which share of the planned quantity leaves at TP1 (RULES F6)."""
    low, high, size = decision.zone_low, decision.zone_high, decision.size_usdt
    if instrument is None or low is None or high is None or size is None:
        return decision.tp1_fraction
    quantity = instrument.floor_quantity(size / ((low + high) / 2))
    part = instrument.floor_quantity(quantity * decision.tp1_fraction)
    least = instrument.tradable_min
    if part >= least and quantity - part >= least:
        return part / quantity
    return ONE if part >= quantity or limits.no_split is NoSplit.TP1 else ZERO


def stop_for(terms: EntryTerms, instrument: Instrument, price: Decimal) -> Decimal:
    """Return S(p): the decision's stop rounded toward less risk, or the 0.35 % level if wider."""
    side = terms.side
    given = instrument.price_toward_less_risk(side, terms.stop_loss)
    least = instrument.price_toward_more_risk(side, price * (ONE - side.sign * terms.stop_distance))
    return side.wider(given, least)


def reward_covers_risk(terms: EntryTerms, price: Decimal, stop: Decimal) -> bool:
    """Return ok(p): reward to the basis price at least R times the risk to ``stop``."""
    sign = terms.side.sign
    paid = price * (ONE + sign * terms.fee_in)
    reward = sign * (terms.basis_price * (ONE - sign * terms.fee_out) - paid)
    risk = sign * (paid - stop * (ONE - sign * terms.fee_out))
    return reward >= terms.rr_minimum * risk


def effective_zone(terms: EntryTerms, instrument: Instrument) -> EffectiveZone | None:
    """Return the allowed interval with p0 and S(p0), or None when it is empty.

    The bound on the target side is the closed form of RULES E1 rounded inside, then moved tick
    by tick toward the stop until ok holds with the rounded stop (at most ceil(R) steps).
    """
    side, sign = terms.side, terms.side.sign
    toward_stop = instrument.price_toward_more_risk
    near = toward_stop(side.opposite, terms.zone_low if sign > 0 else terms.zone_high)
    far_end = terms.zone_high if sign > 0 else terms.zone_low
    far = toward_stop(side, side.wider(side.wider(far_end, _by_stop(terms)), _by_distance(terms)))
    steps = int(terms.rr_minimum.to_integral_value(ROUND_CEILING))
    for _ in range(steps + 1):
        if reward_covers_risk(terms, far, stop_for(terms, instrument, far)):
            break
        far -= sign * instrument.tick_size
    else:
        return None
    if side.gain(near, far) < 0:
        return None
    first = toward_stop(side, (near + far) / 2)
    return EffectiveZone(
        low=min(near, far),
        high=max(near, far),
        first_price=first,
        stop=stop_for(terms, instrument, first),
    )


def price_is_legal(
    terms: EntryTerms, instrument: Instrument, price: Decimal, stop: Decimal
) -> bool:
    """Return whether a later price of an entry whose stop is fixed stays inside RULES E1."""
    if not terms.zone_low <= price <= terms.zone_high:
        return False
    distance = terms.side.gain(stop, price)
    return (
        price % instrument.tick_size == 0
        and distance >= price * terms.stop_distance
        and reward_covers_risk(terms, price, stop)
    )


def _by_stop(terms: EntryTerms) -> Decimal:
    """Return the last price at which the decision's own stop gives the reward."""
    sign, r = terms.side.sign, terms.rr_minimum
    exit_share, entry_share = ONE - sign * terms.fee_out, ONE + sign * terms.fee_in
    return (terms.basis_price + r * terms.stop_loss) * exit_share / ((ONE + r) * entry_share)


def _by_distance(terms: EntryTerms) -> Decimal:
    """Return the last price at which the 0.35 % stop gives the reward."""
    sign, r = terms.side.sign, terms.rr_minimum
    exit_share, entry_share = ONE - sign * terms.fee_out, ONE + sign * terms.fee_in
    share = (ONE + r) * entry_share - r * (ONE - sign * terms.stop_distance) * exit_share
    return terms.basis_price * exit_share / share
