"""Arm, then enter: the stop rests before the entry is sent (RULES E4).

Clean book, margin type, leverage, both read back, the stop armed for the full quantity and seen
resting; only then the limit order inside the effective zone.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from engine.domain.action import Configure, Hold, PlaceOrder
from engine.domain.decision import Decision
from engine.domain.errors import require
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.order import Order, OrderStatus, OrderTerms
from engine.domain.position import Life, Origin, Zone
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, OrderType, Side, TimeInForce, WorkingPrice
from engine.plan.attempts import MANAGE_ATTEMPTS, must_wait
from engine.plan.entry_zone import EffectiveZone, basis_price
from engine.plan.gates import all_pass, judge, refused_since
from engine.plan.gates.entry import Entry, planned_entry
from engine.plan.proposal import NOTHING, Proposal


def arm(situation: Situation) -> Proposal:
    """Begin a life when every gate passes: set the symbol up, then arm the stop."""
    if situation.ledger.life is not None:
        return NOTHING
    entry = planned_entry(situation)
    if entry is None:
        return NOTHING
    gates = judge(situation, entry)
    zone = entry.zone
    effective = None if zone is None else (zone.low, zone.high)
    if situation.ledger.position_quantity != 0 or not all_pass(gates):
        return Proposal(gates=gates, effective_zone=effective)
    require(zone is not None and entry.quantity, "the gates passed an entry without zone or size")
    assert zone is not None  # noqa: S101 - narrows the type, checked above
    if (setup := _configure(situation, entry.decision)) is not None:
        return Proposal(actions=setup, gates=gates, effective_zone=effective)
    life = _new_life(situation, entry, zone)
    if situation.ledger.stop_while_flat is False:
        return Proposal(life=life, gates=gates, effective_zone=effective)  # fallback mode (E9)
    client_id = ClientOrderId(life.decision_id, life.generation, OrderRole.STOP_PRIMARY, 1)
    terms = OrderTerms(
        client_id=client_id,
        side=life.side.closing,
        type=OrderType.STOP_MARKET,
        quantity=life.planned_quantity,
        trigger_price=life.initial_stop,
        working_price=WorkingPrice.LAST,
        reduce_only=True,
    )
    return Proposal(
        actions=(PlaceOrder(terms, ActionClass.ENTER, "arm", "arm_stop"),),
        life=life,
        level_reason="initial",
        gates=gates,
        effective_zone=effective,
    )


def arm_again(situation: Situation) -> Proposal:
    """Send the stop once more, under the next revision, while none of them is known to rest (C4).

    One that rested and is gone, or that the exchange refused for a reason, ends the life instead.
    """
    life = situation.ledger.life
    if life is None or life.origin is not Origin.DECISION or life.withdrawing is not None:
        return NOTHING
    if life.opened_ms is not None or situation.ledger.of_life(OrderRole.ENTRY):
        return NOTHING
    stops = situation.ledger.of_life(OrderRole.STOP_PRIMARY)
    if not stops or not situation.has_picture or any(not _left_no_trace(o) for o in stops):
        return NOTHING
    if sum(o.is_unresolved for o in stops) >= situation.limits.possibly_resting_max:
        return Proposal(holds=(Hold("arm_again", "possibly_resting_max"),))
    if must_wait(situation, stops, MANAGE_ATTEMPTS):
        return Proposal(holds=(Hold("arm_again", "backoff"),))
    terms = replace(stops[-1].terms, client_id=situation.next_id(OrderRole.STOP_PRIMARY))
    return Proposal(
        actions=(PlaceOrder(terms, ActionClass.ENTER, "arm_again", "arm_stop"),),
        level_reason="initial",
    )


def _left_no_trace(stop: Order) -> bool:
    is_unsent = stop.status is OrderStatus.REJECTED and stop.code == 0
    return stop.rested_ms is None and (stop.is_unresolved or is_unsent)


def enter(situation: Situation) -> Proposal:
    """Send the entry once the armed stop was seen resting a moment ago."""
    life = situation.ledger.life
    if life is None or life.origin is not Origin.DECISION or life.withdrawing is not None:
        return NOTHING
    entries = situation.ledger.of_life(OrderRole.ENTRY)
    if life.is_open or life.closed_ms is not None or not all(never_ran(o) for o in entries):
        return NOTHING
    if must_wait(situation, entries, MANAGE_ATTEMPTS):
        return Proposal(holds=(Hold("enter", "backoff"),))
    if (why := why_not_enter(situation, life) or refused_since(situation)) is not None:
        return Proposal(holds=(Hold("enter", why),))
    terms = OrderTerms(
        client_id=situation.next_id(OrderRole.ENTRY),
        side=life.side.opening,
        type=OrderType.LIMIT,
        quantity=life.planned_quantity,
        price=life.limit_price,
        time_in_force=TimeInForce.GTX if situation.limits.post_only else TimeInForce.GTC,
    )
    return Proposal(actions=(PlaceOrder(terms, ActionClass.ENTER, "enter", "enter"),))


def never_ran(entry: Order) -> bool:
    """Return whether an entry was not sent or left no trace, so that it may be tried anew (C4)."""
    return entry.status is OrderStatus.REJECTED and entry.code == 0 and entry.quantity_filled == 0


def armed_stop(situation: Situation) -> Order | None:
    """Return the armed stop that covers the whole planned quantity by fresh evidence."""
    for order in situation.ledger.of_life(OrderRole.STOP_PRIMARY):
        seen_ms = situation.observation.listed_ms(str(order.id), order.terms.book)
        if (
            order.status is OrderStatus.WORKING
            and order.doubtful_since_ms is None
            and seen_ms is not None
            and situation.now_ms - seen_ms <= situation.limits.armed_age_max_ms
            and (order.terms.quantity or 0) >= situation.life.planned_quantity
        ):
            return order
    return None


def why_not_enter(situation: Situation, life: Life) -> str | None:
    """Return what keeps an entry from being sent right now, None when nothing does."""
    condition, limits = situation.condition, situation.limits
    price, quote = situation.observation.last_price, situation.observation.quote
    stop = armed_stop(situation)
    is_fallback = situation.ledger.stop_while_flat is False
    if is_fallback and not condition.is_stream_up:
        return "stream_down"
    if not is_fallback and (stop is None or stop.terms.trigger_price is None):
        return "stop_not_resting"
    trigger = life.initial_stop if stop is None else stop.terms.trigger_price or life.initial_stop
    if not situation.has_picture or situation.ledger.settled_streak < 2:
        return "picture_unsettled"
    if price is None or quote is None or situation.instrument is None:
        return "price_unknown"
    gap = max(2 * situation.instrument.tick_size, price * limits.min_gap_pct / 100)
    if life.side.gain(trigger, price) < gap:
        return "min_gap"
    best = quote.value.ask if life.side is Side.LONG else quote.value.bid
    near = life.zone_low if life.side is Side.LONG else life.zone_high
    if near is not None and life.side.gain(near, best) < 0:
        return "price_below_zone"
    if situation.inbox.suspended_since_ms is not None or situation.inbox.reads_flat:
        return "suspended"  # nothing is sent until a valid newer document is there (D4)
    if condition.halts or not condition.is_store_writable or condition.is_breaker_open:
        return "not_allowed"
    return None


def _configure(situation: Situation, decision: Decision) -> tuple[Configure, ...] | None:
    """Return what must be set before arming, None when both read back as wanted (RULES E4)."""
    fact, limits = situation.observation.symbol_config, situation.limits
    if fact is None:
        return ()
    actions: list[Configure] = []
    if fact.value.is_isolated is not limits.is_isolated:
        actions.append(
            Configure(None, limits.is_isolated, ActionClass.ENTER, "arm", "margin_type_differs")
        )
    if fact.value.leverage != decision.leverage:
        actions.append(
            Configure(decision.leverage, None, ActionClass.ENTER, "arm", "leverage_differs")
        )
    return tuple(actions) or None


def _new_life(situation: Situation, entry: Entry, zone: EffectiveZone) -> Life:
    decision, side = entry.decision, entry.decision.side
    assert side is not None  # noqa: S101 - an effective zone has a side
    return Life(
        generation=situation.ledger.generation + 1,
        decision_id=decision.id,
        decision_made_ms=decision.made_ms,
        origin=Origin.DECISION,
        side=side,
        armed_ms=situation.now_ms,
        planned_quantity=entry.quantity or Decimal(0),
        limit_price=zone.first_price,
        initial_stop=zone.stop,
        zone_low=zone.low,
        zone_high=zone.high,
        basis_price=basis_price(decision, situation.limits, situation.instrument),
        tp1_price=decision.tp1,
        tp2_price=decision.tp2,
        tp1_fraction=decision.tp1_fraction,
        leverage=decision.leverage,
        confidence=decision.confidence,
        terms=decision.terms,
        is_trailing_enabled=decision.is_trailing_enabled,
        trail_mode=decision.trail_mode,
        zone=_zone(decision),
        swing=decision.swing(side),
        swing_made_ms=decision.made_ms,
    )


def _zone(decision: Decision) -> Zone | None:
    """Return the liquidation zone the decision names, frozen (RULES F9)."""
    found = next((z for z in decision.zones if z.id == decision.zone_id), None)
    return None if found is None else Zone(found.id, found.low, found.high, found.given_id)
