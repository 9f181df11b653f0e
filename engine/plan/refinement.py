"""What a newer decision of the same side may change: it refines, it never widens (D3, F9, F10).

While the entry works: the same terms refresh the date, other targets touch no order, a tighter
stop is armed beside the old one, anything else asks for a new entry. With a position: targets may
move until done, a frozen zone follows only what is recognisably the same zone.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from engine.domain.action import Hold
from engine.domain.decision import Decision, LiquidationZone
from engine.domain.instrument import Instrument
from engine.domain.limits import Limits
from engine.domain.numbers import plain
from engine.domain.position import Life, Origin, Zone
from engine.domain.situation import Situation
from engine.domain.terms import Side, WorkingPrice
from engine.plan.entry_zone import basis_price, effective_zone, entry_terms, stop_for
from engine.plan.gates.entry import planned_entry
from engine.plan.proposal import NOTHING, Proposal


def refine(situation: Situation) -> Proposal:
    """Take over what a newer decision of our side may change, once per decision."""
    life, instrument = situation.ledger.life, situation.instrument
    decision = newer_decision(situation)
    price = situation.observation.working(WorkingPrice.LAST)
    if life is None or instrument is None or decision is None or price is None:
        return NOTHING
    if decision.id == life.refined_by:
        return NOTHING
    if life.withdrawing is not None and not life.is_open:
        return NOTHING
    if life.closing is not None or life.closed_ms is not None:
        return NOTHING
    if is_own_decision(life, decision):
        life = replace(
            life,
            is_trailing_enabled=decision.is_trailing_enabled,
            trail_mode=decision.trail_mode,
            tp1_fraction=decision.tp1_fraction,
        )
    life = replace(life, refined_by=decision.id)
    life, holds = _targets(life, decision, instrument, price)
    holds += _wider_stop(life, decision, instrument)
    life, more = _zone(life, decision, situation.limits, price)
    if not life.is_open:
        entry = planned_entry(situation)
        if entry is not None and entry.zone is not None:
            life = replace(life, zone_low=entry.zone.low, zone_high=entry.zone.high)
        basis = basis_price(decision, situation.limits, instrument)
        life = replace(life, basis_price=basis, terms=decision.terms)
    return Proposal(life=life, holds=tuple(holds + more))


def newer_decision(situation: Situation) -> Decision | None:
    """Return the inbox's decision when it is fresh, of our side, and newer than the life's."""
    life, decision = situation.ledger.life, situation.inbox.decision
    if life is None or life.origin is Origin.ORPHAN or decision is None:
        return None
    if decision.side is not life.side:
        return None
    if is_own_decision(life, decision):
        return decision
    if decision.made_ms <= life.decision_made_ms:
        return None
    is_fresh = situation.now_ms - decision.made_ms <= situation.limits.decision_stale_ms
    return decision if is_fresh else None


def is_own_decision(life: Life, decision: Decision) -> bool:
    """Return whether an imported life's own decision still lies in the inbox (RULES B4).

    Its ids carry the decision's hash: with the store lost, the text is here all the same.
    """
    return life.origin is Origin.IMPORTED and decision.id == life.decision_id


def asks_for_new_entry(situation: Situation, life: Life, decision: Decision) -> bool:
    """Return whether a newer decision of our side asks for another price, size or wider stop (D3).

    Compared as orders would be: zone, quantity and stop rounded to tick and step. Another target or
    a tighter stop moves the effective zone too; then our price need only stay legal.
    """
    if decision.terms == life.terms or decision.made_ms <= life.decision_made_ms:
        return False
    entry, instrument = planned_entry(situation), situation.instrument
    rates = situation.observation.rates
    terms = entry_terms(
        decision, situation.limits, None if rates is None else rates.value, instrument
    )
    if entry is None or entry.zone is None or terms is None or instrument is None:
        return True
    is_legal = entry.zone.low <= life.limit_price <= entry.zone.high
    stop = stop_for(terms, instrument, life.limit_price)
    is_wider = life.side.is_tighter(life.level_in_force, stop)
    is_moved = False
    if stop == life.level_in_force:
        as_before = replace(terms, basis_price=life.basis_price or terms.basis_price)
        zone = effective_zone(as_before, instrument)
        is_moved = zone is None or (zone.low, zone.high) != (life.zone_low, life.zone_high)
    size = decision.size_usdt
    quantity = None if size is None else instrument.floor_quantity(size / life.limit_price)
    return (
        is_wider
        or is_moved
        or not is_legal
        or quantity != life.planned_quantity
        or decision.leverage != life.leverage
    )


def _targets(
    life: Life, decision: Decision, instrument: Instrument, price: Decimal
) -> tuple[Life, list[Hold]]:
    """Return the life with the decision's targets, except those price has already passed."""
    holds: list[Hold] = []
    if decision.tp1 is not None and life.tp1_done_ms is None and decision.tp1 != life.tp1_price:
        if _is_ahead(life.side, decision.tp1, price):
            life = replace(life, tp1_price=decision.tp1, tp1_fraction=decision.tp1_fraction)
        else:
            holds.append(Hold("refine", "target_behind_price", f"tp1 {decision.tp1} at {price}"))
    if decision.tp2 is not None and decision.tp2 != life.tp2_price:
        if _is_ahead(life.side, decision.tp2, price):
            life = replace(life, tp2_price=decision.tp2)
        else:
            holds.append(Hold("refine", "target_behind_price", f"tp2 {decision.tp2} at {price}"))
    return life, holds


def _wider_stop(life: Life, decision: Decision, instrument: Instrument) -> list[Hold]:
    """Return what is to be recorded of a stop that would widen ours: refused, whatever it is."""
    if decision.stop_loss is None:
        return []
    stop = instrument.price_toward_less_risk(life.side, decision.stop_loss)
    if not life.side.is_tighter(life.level_in_force, stop):
        return []
    return [Hold("refine", "stop_wider", f"{plain(stop)}, in force {plain(life.level_in_force)}")]


def _zone(
    life: Life, decision: Decision, limits: Limits, price: Decimal
) -> tuple[Life, list[Hold]]:
    """Return the life with its frozen zone following the same zone of a later map (RULES F9)."""
    later = _same_zone(life, decision)
    if later is None:
        return life, []
    edge = later.near_edge(life.side)
    if not _is_ahead(life.side, edge, price):
        return life, [Hold("refine", "zone_behind_price", f"{edge} at {price}")]
    if life.zone is not None:
        known = life.zone.near_edge(life.side)
        moved_pct = abs(edge - known) / known * 100
        if moved_pct > limits.zone_move_max_pct:
            return life, [Hold("refine", "zone_moved_too_far", f"{known} to {edge}")]
        if (later.low, later.high) == (life.zone.low, life.zone.high):
            return life, []
    return replace(life, zone=Zone(later.id, later.low, later.high, later.given_id)), []


def _same_zone(life: Life, decision: Decision) -> LiquidationZone | None:
    """Return the zone of a later map that is the frozen one, or the first one ever named."""
    if life.zone is None:
        return next((z for z in decision.zones if z.id == decision.zone_id), None)
    for zone in decision.zones:
        if life.zone.given_id and zone.given_id and zone.id == life.zone.id:
            return zone
    overlapping = [z for z in decision.zones if z.low <= life.zone.high and z.high >= life.zone.low]
    return max(overlapping, key=lambda z: (z.strength, z.id), default=None)


def _is_ahead(side: Side, target: Decimal, price: Decimal) -> bool:
    return side.gain(price, target) > 0
