"""The ratchet: which tighter level the stop moves to now, if any (RULES F3, F4).

Candidates come from breakeven, trailing and newer decisions; the tightest that keeps its distance
from price wins. A level never loosens: a candidate is only ever compared upward.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from engine.domain.action import Hold, Next, PlaceOrder
from engine.domain.cover import is_behind
from engine.domain.identity import OrderRole
from engine.domain.instrument import Instrument
from engine.domain.limits import KeepOrClose
from engine.domain.numbers import ONE, ZERO, plain
from engine.domain.observation import BASE_TAKER_RATE
from engine.domain.position import ExitReason, LevelState, Life, Origin
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, Side
from engine.plan.attempts import MANAGE_ATTEMPTS, must_wait, would_trigger
from engine.plan.primaries import parts_to_cover
from engine.plan.proposal import NOTHING, Proposal
from engine.plan.protection import carrying_primaries, primary_set, working_price
from engine.plan.trailing import trail_candidates

FEES_WAIT_MS = 10_000
"""How long breakeven waits for the entry's trades: what is accepted is visible by then (B3 b)."""

AGREEING_READS = 2


@dataclass(frozen=True, slots=True)
class Candidate:
    """A level somebody asks for, and the reason it is recorded under."""

    level: Decimal
    reason: str


def tighten_stop(situation: Situation) -> Proposal:
    """Move the stop to the tightest candidate; the old one rests until the new one is seen (F1)."""
    life, instrument = situation.ledger.life, situation.instrument
    if life is None or instrument is None or not _may_move(situation, life):
        return NOTHING
    proposal = _asked_for(situation, life, instrument)
    return proposal if proposal is NOTHING or _has_room(situation, life) else NOTHING


def _asked_for(situation: Situation, life: Life, instrument: Instrument) -> Proposal:
    """Return the move that is asked for, whether or not there is room for it."""
    working = working_price(situation)
    price = situation.observation.working(working)
    last = situation.observation.last_price
    if price is None or last is None:
        return NOTHING
    if not situation.ledger.entries_are_final or not life.is_open:
        best = _while_entering(situation, life, instrument, price)
        return NOTHING if best is None else _move(situation, life, instrument, best, price)
    even = _breakeven(situation, life, instrument)
    if even is not None and (_is_crossed(life, even, price) or _was_crossed(situation, even)):
        if situation.limits.breakeven_crossed is KeepOrClose.CLOSE:
            return _close_at_breakeven(situation, life)
        even = None
    asked = _candidates(situation, life, instrument, price, even)
    bound, near = _bound(situation, life), min_distance_price(life.side, price, last)
    tighter = [c for c in asked if life.side.is_tighter(c.level, bound)]
    # One that price has come too near to must not hold back another that keeps its distance.
    gap = gap_of(instrument, situation.limits.min_gap_pct, near)
    far_enough = [c for c in tighter if life.side.gain(c.level, near) >= gap]
    best = tightest(life.side, far_enough or tighter)
    return NOTHING if best is None else _move(situation, life, instrument, best, near)


def _candidates(
    situation: Situation, life: Life, instrument: Instrument, price: Decimal, even: Decimal | None
) -> list[Candidate]:
    """Return every level somebody asks for, in the order that wins a tie."""
    guard = _liquidation_guard(situation, life, instrument, price)
    newer = _from_decision(situation, life, instrument, price)
    asked = [(even, "breakeven"), *((level, "trail") for level in trail_candidates(situation))]
    asked += [(newer, "decision"), (guard, "liquidation_guard")]
    return [Candidate(level, reason) for level, reason in asked if level is not None]


def _while_entering(
    situation: Situation, life: Life, instrument: Instrument, price: Decimal
) -> Candidate | None:
    """Return a newer decision's tighter stop that leaves our limit price legal (RULES D3)."""
    level = _from_decision(situation, life, instrument, price)
    if level is None or not life.side.is_tighter(level, _bound(situation, life)):
        return None
    least = life.limit_price * situation.limits.stop_distance_min_pct / 100
    return (
        Candidate(level, "decision") if life.side.gain(level, life.limit_price) >= least else None
    )


def _close_at_breakeven(situation: Situation, life: Life) -> Proposal:
    return Proposal(
        life=replace(
            life,
            closing=ExitReason.BREAKEVEN_STOP,
            closing_why="breakeven_crossed",
            closing_ms=situation.now_ms,
        )
    )


def tightest(side: Side, candidates: list[Candidate]) -> Candidate | None:
    """Return the candidate that leaves least to lose; the first named wins a tie."""
    best: Candidate | None = None
    for candidate in candidates:
        if best is None or side.is_tighter(candidate.level, best.level):
            best = candidate
    return best


def min_distance_price(side: Side, working: Decimal, last: Decimal) -> Decimal:
    """Return the price a stop must keep its distance from: the nearer of working and last."""
    return side.wider(working, last)


def gap_of(instrument: Instrument, min_gap_pct: Decimal, price: Decimal) -> Decimal:
    """Return the least distance of a new stop from price: max(2 ticks, ``min_gap_pct``) (F3)."""
    return max(2 * instrument.tick_size, price * min_gap_pct / 100)


def _move(
    situation: Situation, life: Life, instrument: Instrument, best: Candidate, price: Decimal
) -> Proposal:
    limits, now_ms = situation.limits, situation.now_ms
    if must_wait(situation, situation.ledger.of_life(OrderRole.STOP_PRIMARY), MANAGE_ATTEMPTS):
        return Proposal(holds=(Hold("tighten_stop", "backoff"),))
    move = Next(best.reason, "now", f"stop_level -> {plain(best.level)}")
    gap = gap_of(instrument, limits.min_gap_pct, price)
    if life.side.gain(best.level, price) < gap:
        hold = Hold("tighten_stop", "min_gap", f"{plain(best.level)} too near {plain(price)}")
        return Proposal(holds=(hold,), nexts=(replace(move, when=f"price {plain(gap)} beyond"),))
    if best.reason == "trail" or best.reason == life.stop_reason == "liquidation_guard":
        step = life.side.gain(life.level_in_force, best.level)
        last_ms = max((lv.proposed_ms for lv in situation.ledger.levels), default=0)
        if step < limits.min_step:
            return Proposal(holds=(Hold("tighten_stop", "min_step"),), nexts=(move,))
        if now_ms - last_ms < limits.min_interval_ms:
            return Proposal(holds=(Hold("tighten_stop", "min_interval"),), nexts=(move,))
    parts = parts_to_cover(situation, _to_carry(situation, life))
    return Proposal(
        actions=tuple(
            PlaceOrder(terms, ActionClass.MANAGE, "tighten_stop", best.reason)
            for terms in primary_set(situation, best.level, parts, working_price(situation))
        ),
        level_reason=best.reason,
    )


def _may_move(situation: Situation, life: Life) -> bool:
    """Return whether the stop may be moved: open, covered, nothing else under way."""
    primaries = situation.ledger.of_life(OrderRole.STOP_PRIMARY)
    # Where no stop is taken while flat a tighter one waits for the fill: refused, it would never
    # be asked for again (RULES E9, F3).
    is_armed = bool(primaries) and situation.ledger.stop_while_flat is not False
    is_live = life.quantity > 0 if life.is_open else is_armed
    return (
        is_live
        and life.closed_ms is None
        and life.closing is None
        and (life.is_open or life.withdrawing is None)
        and life.flat_seen_ms is None
        and life.origin is not Origin.ORPHAN
        and life.uncovered_quantity == 0
        and situation.has_picture
        and not any(o.is_unresolved for o in primaries)
    )


def _has_room(situation: Situation, life: Life) -> bool:
    """Return whether a new set may join those that rest: no spare one among them (RULES F1).

    In the normal course two sets rest at once, while one takes over from the other; three where
    a doubtful one stands beside them.
    """
    primaries = situation.ledger.of_life(OrderRole.STOP_PRIMARY)
    resting = sum(o.is_confirmed_resting for o in primaries)
    standing = sum(o.may_rest for o in primaries)
    parts = len(parts_to_cover(situation, _to_carry(situation, life)))
    return resting == len(carrying_primaries(situation)) and standing + parts <= (
        situation.limits.possibly_resting_max * parts
    )


def _bound(situation: Situation, life: Life) -> Decimal:
    return life.side.tighter(
        situation.ledger.binding_level or life.level_in_force, life.level_in_force
    )


def _was_crossed(situation: Situation, even: Decimal) -> bool:
    """Return whether the exchange just refused breakeven because price was there (RULES F4)."""
    primaries = situation.ledger.of_life(OrderRole.STOP_PRIMARY)
    return would_trigger(primaries) and primaries[-1].terms.trigger_price == even


def _is_crossed(life: Life, even: Decimal, price: Decimal) -> bool:
    is_still_to_come = life.side.is_tighter(even, life.level_in_force)
    return is_still_to_come and is_behind(life.side, even, price)


def _breakeven(situation: Situation, life: Life, instrument: Instrument) -> Decimal | None:
    """Return breakeven plus costs once TP1 is done, None before (RULES F5)."""
    if life.tp1_done_ms is None or life.entry_price is None:
        return None
    if _are_fees_to_come(situation, life, life.tp1_done_ms):
        return None
    rates = situation.observation.rates
    return breakeven_level(
        life, instrument, BASE_TAKER_RATE if rates is None else rates.value.taker
    )


def _are_fees_to_come(situation: Situation, life: Life, done_ms: int) -> bool:
    """Return whether the entry's trades will be told in a moment: lists lag, above all at a start.

    Without its fees breakeven would be laid too loose, and moved again.
    """
    entries = situation.ledger.of_life(OrderRole.ENTRY)
    executed = sum((o.quantity_filled for o in entries), ZERO)
    return life.entered_quantity < executed and situation.now_ms - done_ms < FEES_WAIT_MS


def breakeven_level(life: Life, instrument: Instrument, taker_rate: Decimal) -> Decimal:
    """Return the level at which exit proceeds pay entry, its fees and funding (RULES F5, E2).

    Long: (entry + fees per unit + funding paid per unit) / (1 - taker); short mirrored. Rounded
    toward less risk.
    """
    entry = life.entry_price or life.limit_price
    quantity = life.base_quantity or life.quantity
    sign = life.side.sign
    fees = life.entry_commission / (life.entered_quantity or quantity)
    funding = max(-life.funding, Decimal(0)) / quantity
    level = (entry + sign * (fees + funding)) / (ONE - sign * taker_rate)
    return instrument.price_toward_less_risk(life.side, level)


def _from_decision(
    situation: Situation, life: Life, instrument: Instrument, price: Decimal
) -> Decimal | None:
    """Return the stop of a newer decision of our side, if it keeps its distance (RULES F10)."""
    decision = situation.inbox.decision
    if decision is None or decision.side is not life.side or decision.stop_loss is None:
        return None
    is_newer = decision.made_ms > life.decision_made_ms
    is_fresh = situation.now_ms - decision.made_ms <= situation.limits.decision_stale_ms
    if not is_newer or not is_fresh:
        return None
    level = instrument.price_toward_less_risk(life.side, decision.stop_loss)
    distance = price * situation.limits.stop_distance_min_pct / 100
    was_refused = any(
        lv.state is LevelState.REFUSED and lv.level == level for lv in situation.ledger.levels
    )
    if was_refused or life.side.gain(level, price) < distance:
        return None
    return level


def _to_carry(situation: Situation, life: Life) -> Decimal:
    """Return what a new set of primaries must carry: A4's quantity, a planned entry included."""
    return max(situation.quantity_to_cover, _planned(situation, life))


def _planned(situation: Situation, life: Life) -> Decimal:
    """Return what an entry that is armed, working or chased may still make of the position (A4)."""
    is_final = life.is_open and situation.ledger.entries_are_final
    return Decimal(0) if is_final else life.planned_quantity


def _liquidation_guard(
    situation: Situation, life: Life, instrument: Instrument, price: Decimal
) -> Decimal | None:
    """Return a level before the liquidation price when the stop lies beyond it (RULES H1, C6).

    Only what two reads in a row agree on; a missing liquidation price is none.
    """
    liquidation = life.liquidation_price
    if liquidation is None or life.liquidation_reads < AGREEING_READS:
        return None
    buffer = price * situation.limits.liq_buffer_pct / 100
    if life.side.gain(liquidation, life.level_in_force) >= buffer:
        return None
    return instrument.price_toward_less_risk(life.side, liquidation + life.side.sign * buffer)
