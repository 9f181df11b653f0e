"""Chasing an entry that price ran away from, and the bounded market fallback (RULES E7, E1).

The stop is fixed once and not moved for a chase; every later price stays inside the interval that
E1 leaves for that stop. A replacement carries only the remainder, and is computed after its
predecessor was read final; the armed stop covers the whole planned quantity throughout.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from engine.domain.action import CancelOrder, Hold, PlaceOrder
from engine.domain.identity import OrderRole
from engine.domain.instrument import Instrument
from engine.domain.limits import Limits
from engine.domain.numbers import ONE, ZERO
from engine.domain.observation import Quote, Rates
from engine.domain.order import Order, OrderStatus, OrderTerms
from engine.domain.position import Life, Origin
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, OrderType, Side, TimeInForce
from engine.plan.entry import why_not_enter
from engine.plan.proposal import NOTHING, Proposal, cancel
from engine.plan.protection import CANCEL_RETRY_MS

POST_ONLY_REFUSED = -5022


def chase_entry(situation: Situation) -> Proposal:
    """Replace an entry that waited too long at a price the market left, at most ``chases_max``."""
    life, instrument = situation.ledger.life, situation.instrument
    if life is None or instrument is None or life.origin is not Origin.DECISION:
        return NOTHING
    if life.withdrawing is not None or life.closing is not None or life.closed_ms is not None:
        return NOTHING
    entries = situation.ledger.of_life(OrderRole.ENTRY)
    if not entries:
        return NOTHING
    if life.chasing_ms is None:
        return _begin(situation, life, instrument, entries)
    working = [o for o in entries if o.may_rest]
    if working:
        late = [o for o in working if _may_cancel_again(situation, o)]
        return Proposal(actions=tuple(_cancel(o) for o in late))
    return _replace(situation, life, instrument, entries)


def legal_interval(
    life: Life, limits: Limits, instrument: Instrument, rates: Rates | None = None
) -> tuple[Decimal, Decimal]:
    """Return stop-side and target-side end of the prices a later entry may have (RULES E1).

    Long: [max(zone_low, S/(1-m)), min(zone_high, (T + R*S)/(1+R))], rounded inside; short mirrored.
    Where fees are counted they shrink the reward. The ends may be crossed: no price is legal then.
    """
    side, sign, stop = life.side, life.side.sign, life.initial_stop
    m, r = limits.stop_distance_min_pct / 100, limits.rr_minimum
    near = stop / (ONE - sign * m)
    far = ((life.basis_price or stop) + r * stop) / (ONE + r)
    if limits.rr_with_fees and rates is not None:
        far *= (ONE - sign * rates.taker) / (ONE + sign * rates.maker)
    low, high = life.zone_low, life.zone_high
    if low is not None and high is not None:
        near = side.tighter(near, low if sign > 0 else high)
        far = side.wider(far, high if sign > 0 else low)
    return (
        instrument.price_toward_less_risk(side, near),
        instrument.price_toward_more_risk(side, far),
    )


def _begin(
    situation: Situation, life: Life, instrument: Instrument, entries: tuple[Order, ...]
) -> Proposal:
    last = entries[-1]
    if may_follow_refusal(situation, life, entries):
        return Proposal(life=replace(life, chasing_ms=situation.now_ms))
    if last.status not in (OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED):
        return NOTHING
    if last.cancel_sent_ms is not None or last.doubtful_since_ms is not None:
        return NOTHING
    waited_ms = situation.now_ms - (last.rested_ms or situation.now_ms)
    if waited_ms < situation.limits.chase_interval_ms:
        return NOTHING
    wanted = _next_price(situation, life, instrument)
    if wanted is None or last.terms.price is None:
        return NOTHING
    price, _ = wanted
    if life.side.gain(last.terms.price, price) <= 0:
        return NOTHING
    return Proposal(actions=(_cancel(last),), life=replace(life, chasing_ms=situation.now_ms))


def _replace(
    situation: Situation, life: Life, instrument: Instrument, entries: tuple[Order, ...]
) -> Proposal:
    """Place the remainder at the new price; give the chase up where there is none."""
    given_up = Proposal(life=replace(life, chasing_ms=None))
    if any(o.finished_ms is None or o.finished_ms > situation.now_ms for o in entries):
        return Proposal(holds=(Hold("chase_entry", "entry_not_read_final"),))
    wanted = _next_order(situation, life, instrument, entries)
    if wanted is None:
        return given_up
    remainder, price, force = wanted
    if (why := why_not_enter(situation, life)) is not None:
        waited_ms = situation.now_ms - (life.chasing_ms or situation.now_ms)
        is_late = waited_ms > situation.limits.chase_interval_ms
        return given_up if is_late else Proposal(holds=(Hold("chase_entry", why),))
    terms = OrderTerms(
        client_id=situation.next_id(OrderRole.ENTRY),
        side=life.side.opening,
        type=OrderType.LIMIT,
        quantity=remainder,
        price=price,
        time_in_force=force,
    )
    return Proposal(
        actions=(PlaceOrder(terms, ActionClass.ENTER, "chase_entry", _reason(force)),),
        life=replace(life, chasing_ms=None, chases=life.chases + 1),
    )


def may_follow_refusal(situation: Situation, life: Life, entries: tuple[Order, ...]) -> bool:
    """Return whether an order refused as post-only (-5022) is followed by another (RULES E7).

    By a chase, or, with the chases spent, by the immediate order where its gates allow one.
    """
    last, instrument = entries[-1], situation.instrument
    is_refused = last.status is OrderStatus.REJECTED and last.code == POST_ONLY_REFUSED
    if not is_refused or instrument is None:
        return False
    return _next_order(situation, life, instrument, entries) is not None


def _next_order(
    situation: Situation, life: Life, instrument: Instrument, entries: tuple[Order, ...]
) -> tuple[Decimal, Decimal, TimeInForce] | None:
    """Return remainder, price and force of what comes next, None where nothing may or can."""
    wanted = _next_price(situation, life, instrument)
    if wanted is None:
        return None
    price, force = wanted
    remainder = life.planned_quantity - sum((o.quantity_filled for o in entries), ZERO)
    if remainder < instrument.tradable_min or remainder * price < instrument.notional_min:
        return None
    return remainder, price, force


def _next_price(
    situation: Situation, life: Life, instrument: Instrument
) -> tuple[Decimal, TimeInForce] | None:
    """Return the next legal price and its force: chase, then one bounded IOC, then nothing."""
    quote, limits = situation.observation.quote, situation.limits
    rates = situation.observation.rates
    fees = None if rates is None else rates.value
    near, far = legal_interval(life, limits, instrument, fees)
    if quote is None or life.side.gain(near, far) < 0:
        return None
    joining = quote.value.bid if life.side is Side.LONG else quote.value.ask
    if life.chases < limits.chases_max:
        price = life.side.tighter(life.side.wider(joining, far), near)
        return price, TimeInForce.GTX if limits.post_only else TimeInForce.GTC
    if life.chases > limits.chases_max or not _fallback_allowed(life, limits, quote.value):
        return None
    taking = quote.value.ask if life.side is Side.LONG else quote.value.bid
    slipped = taking * (ONE + life.side.sign * limits.fallback_slippage_pct / 100)
    bound = instrument.price_toward_more_risk(life.side, life.side.wider(slipped, far))
    is_legal = life.side.gain(near, bound) >= 0  # price may have come back meanwhile
    return (bound, TimeInForce.IOC) if is_legal and life.side.gain(taking, bound) >= 0 else None


def _fallback_allowed(life: Life, limits: Limits, quote: Quote) -> bool:
    spread_pct = (quote.ask - quote.bid) / quote.bid * 100
    return (
        limits.fallback_enabled
        and life.confidence >= limits.fallback_confidence
        and spread_pct <= limits.spread_max_pct
    )


def _reason(force: TimeInForce) -> str:
    return "market_fallback" if force is TimeInForce.IOC else "chase"


def _cancel(order: Order) -> CancelOrder:
    return cancel(order, "chase_entry", "chase", ActionClass.ENTER)


def _may_cancel_again(situation: Situation, order: Order) -> bool:
    sent_ms = order.cancel_sent_ms
    return sent_ms is not None and situation.now_ms - sent_ms > CANCEL_RETRY_MS
