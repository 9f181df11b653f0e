"""The entry gates, one ordered list; every gate speaks every time (RULES E3).

A gate compares one value with one limit and gives a verdict. Nothing enters unless all pass; a
value that is not known is not zero, it refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from engine.domain.action import GateResult, Verdict
from engine.domain.decision import Decision
from engine.domain.equity import Opening, day_start, drawdown_pct
from engine.domain.identity import FOREIGN_HASH
from engine.domain.instrument import bracket_of
from engine.domain.ledger import PastLife
from engine.domain.numbers import plain
from engine.domain.position import ExitReason
from engine.domain.situation import Situation
from engine.domain.terms import Rights
from engine.plan.entry_zone import EffectiveZone, effective_zone, entry_terms
from engine.plan.liquidation import Prospect, liquidation_room


@dataclass(frozen=True, slots=True)
class Entry:
    """What an entry would be: its prices and quantity, as far as they can be computed."""

    decision: Decision
    zone: EffectiveZone | None
    quantity: Decimal | None


Gate = Callable[[Situation, Entry], GateResult]


def planned_entry(situation: Situation) -> Entry | None:
    """Return the entry the newest decision asks for, None when it asks for none."""
    decision, instrument = situation.inbox.decision, situation.instrument
    if decision is None or decision.side is None:
        return None
    if instrument is None:
        return Entry(decision, None, None)
    rates = situation.observation.rates
    terms = entry_terms(
        decision, situation.limits, None if rates is None else rates.value, instrument
    )
    zone = None if terms is None else effective_zone(terms, instrument)
    quantity = None
    if zone is not None and decision.size_usdt is not None:
        quantity = instrument.floor_quantity(decision.size_usdt / zone.first_price)
    return Entry(decision, zone, quantity)


def judge(situation: Situation, entry: Entry) -> tuple[GateResult, ...]:
    """Return every gate's verdict, in order."""
    return tuple(gate(situation, entry) for gate in GATES)


def all_pass(results: tuple[GateResult, ...]) -> bool:
    """Return whether an entry is allowed."""
    return all(r.verdict in (Verdict.PASS, Verdict.SHRINK) for r in results)


def _gate(
    code: str, passes: object, value: object = None, limit: object = None, detail: str = ""
) -> GateResult:
    verdict = Verdict.PASS if passes else Verdict.REFUSE
    return GateResult(code, verdict, _text(value), _text(limit), detail)


def _unknown(code: str, detail: str) -> GateResult:
    return GateResult(code, Verdict.REFUSE, None, None, detail)


def _text(value: object) -> str | None:
    if value is None:
        return None
    return plain(value) if isinstance(value, Decimal) else str(value)


def decision_fresh(situation: Situation, entry: Entry) -> GateResult:
    """D2: a decision older than ten minutes opens nothing."""
    age_ms = situation.now_ms - entry.decision.made_ms
    limit_ms = situation.limits.decision_stale_ms
    return _gate("decision_fresh", age_ms <= limit_ms, age_ms // 1000, limit_ms // 1000, "seconds")


def decision_unused(situation: Situation, entry: Entry) -> GateResult:
    """D2: a decision opens once; whatever arrived while a position existed is consumed."""
    used = situation.ledger.has_used(entry.decision.id)
    opened = [p for p in situation.ledger.past if p.opened_ms is not None]
    last = max(opened, key=lambda p: p.closed_ms, default=None)
    # The opposite decision that closed the position may open the other side once; what was made
    # for our side meanwhile is consumed.
    ends_at_ms = 0 if last is None else last.closed_ms
    is_opposite = last is not None and last.side is not entry.decision.side
    if last is not None and last.exit_reason is ExitReason.OPPOSITE_DECISION and is_opposite:
        ends_at_ms = last.opened_ms or 0
    is_after = entry.decision.made_ms > ends_at_ms
    detail = "already used" if used else "made before the last position closed"
    return _gate(
        "decision_unused", not used and is_after, detail="" if not used and is_after else detail
    )


def cooldown_over(situation: Situation, entry: Entry) -> GateResult:
    """D2: after a stop-out or emergency close the same terms wait."""
    limit_ms = situation.limits.cooldown_ms
    for past in _ours(situation):
        reason = past.exit_reason
        was_bad = past.opened_ms is not None and (
            reason is None or reason.value in ("stop", "emergency", "liquidated", "adl")
        )
        since_ms = situation.now_ms - past.closed_ms
        same = past.terms in ("", entry.decision.terms)
        if was_bad and same and since_ms < limit_ms:
            return _gate(
                "cooldown_over", passes=False, value=since_ms // 1000, limit=limit_ms // 1000
            )
    return _gate("cooldown_over", passes=True, limit=limit_ms // 1000)


def _ours(situation: Situation) -> list[PastLife]:
    """Return the past lives that an entry of ours began: what was only protected was no trade."""
    return [p for p in situation.ledger.past if p.decision_id != FOREIGN_HASH]


FOR_PRICE = frozenset({"price_left", "tp1_reached", "price_below_zone", "stop_spent", "recovered"})
"""Withdrawals after which nothing enters for a while; "recovered": the exchange's history does not
say why. A newer idea, a clock or a refusal need no wait (RULES E6, D3)."""


def reenter_wait_over(situation: Situation, entry: Entry) -> GateResult:
    """E6: after a withdrawal for price nothing enters for a while."""
    limit_ms = situation.limits.reenter_wait_ms
    past = situation.ledger.past
    ended_ms = max((p.closed_ms for p in past if p.withdrawn in FOR_PRICE), default=None)
    if ended_ms is None:
        return _gate("reenter_wait_over", passes=True, limit=limit_ms // 1000)
    since_ms = situation.now_ms - ended_ms
    return _gate("reenter_wait_over", since_ms >= limit_ms, since_ms // 1000, limit_ms // 1000)


def not_suspended(situation: Situation, entry: Entry) -> GateResult:
    """D4: a newer refused document, or one readable as flat, suspends entries."""
    inbox = situation.inbox
    is_calm = inbox.suspended_since_ms is None and not inbox.reads_flat
    return _gate("not_suspended", is_calm, detail="" if is_calm else "a newer document is refused")


def risk_checks_true(situation: Situation, entry: Entry) -> GateResult:
    """E3: the analytics job's own risk checks are present and all true."""
    failed = [name for name, verdict in entry.decision.risk_checks if not verdict]
    has_any = bool(entry.decision.risk_checks)
    return _gate("risk_checks_true", has_any and not failed, detail=", ".join(failed))


def risk_level_positive(situation: Situation, entry: Entry) -> GateResult:
    """E3: risk level 0 means do not trade."""
    return _gate("risk_level_positive", entry.decision.risk_level > 0, entry.decision.risk_level, 1)


def confidence_enough(situation: Situation, entry: Entry) -> GateResult:
    """E3: confidence above zero and at least the minimum."""
    value, limit = entry.decision.confidence, situation.limits.confidence_min
    return _gate("confidence_enough", value > 0 and value >= limit, value, limit)


def leverage_allowed(situation: Situation, entry: Entry) -> GateResult:
    """E3: leverage within the cap and within the bracket of the notional."""
    wanted, cap = entry.decision.leverage, situation.limits.leverage_max
    brackets = situation.observation.brackets
    if brackets is None:
        return _unknown("leverage_allowed", "leverage brackets not read")
    bracket = bracket_of(brackets.value, entry.decision.size_usdt or Decimal(0))
    most = cap if bracket is None else min(cap, bracket.leverage_max)
    return _gate("leverage_allowed", bracket is not None and 1 <= wanted <= most, wanted, most)


def rr_minimum(situation: Situation, entry: Entry) -> GateResult:
    """E1: somewhere in the zone the reward is at least R times the risk."""
    limit = situation.limits.rr_minimum
    if entry.zone is None:
        return _gate("rr_minimum", passes=False, limit=limit, detail="effective zone is empty")
    detail = f"{plain(entry.zone.low)}..{plain(entry.zone.high)} at {plain(entry.zone.first_price)}"
    return _gate("rr_minimum", passes=True, limit=limit, detail=detail)


def quantity_tradable(situation: Situation, entry: Entry) -> GateResult:
    """E3: at least the minimum quantity, and one market child can close it."""
    instrument = situation.instrument
    if instrument is None or entry.quantity is None:
        return _unknown("quantity_tradable", "no quantity")
    low, high = instrument.tradable_min, instrument.market_quantity_max
    return _gate(
        "quantity_tradable",
        low <= entry.quantity <= high,
        entry.quantity,
        f"{plain(low)}..{plain(high)}",
    )


def notional_in_bounds(situation: Situation, entry: Entry) -> GateResult:
    """E3: notional at least MIN_NOTIONAL and at most the cap."""
    instrument = situation.instrument
    if instrument is None or entry.quantity is None or entry.zone is None:
        return _unknown("notional_in_bounds", "no quantity")
    notional = entry.quantity * entry.zone.first_price
    low, high = instrument.notional_min, situation.limits.notional_max
    return _gate(
        "notional_in_bounds", low <= notional <= high, notional, f"{plain(low)}..{plain(high)}"
    )


def margin_available(situation: Situation, entry: Entry) -> GateResult:
    """E3: the initial margin and fees are really free."""
    account = situation.observation.account
    if account is None or entry.quantity is None or entry.zone is None:
        return _unknown("margin_available", "balance not read")
    need = entry.quantity * entry.zone.first_price / max(entry.decision.leverage, 1)
    free = account.value.available * situation.limits.margin_share_max_pct / 100
    return _gate("margin_available", need <= free, need.quantize(Decimal("0.01")), free)


def liquidation_far(situation: Situation, entry: Entry) -> GateResult:
    """H1: the stop lies before the isolated liquidation price by the buffer."""
    brackets = situation.observation.brackets
    if brackets is None or not entry.quantity or entry.zone is None or entry.decision.side is None:
        return _unknown("liquidation_far", "leverage brackets not read")
    price, stop, side = entry.zone.first_price, entry.zone.stop, entry.decision.side
    room = liquidation_room(
        situation, Prospect(side, price, stop, entry.quantity, entry.decision.leverage)
    )
    if room is None:
        return _unknown("liquidation_far", "no bracket holds the notional")
    distance, need = room.distance, room.needed
    return _gate("liquidation_far", distance >= need, distance.quantize(Decimal("0.1")), need)


def spread_narrow(situation: Situation, entry: Entry | None) -> GateResult:
    """E3: bid and ask are close together."""
    quote = situation.observation.quote
    if quote is None or quote.value.bid <= 0:
        return _unknown("spread_narrow", "no quote")
    spread = (quote.value.ask - quote.value.bid) / quote.value.bid * 100
    limit = situation.limits.spread_max_pct
    return _gate("spread_narrow", spread <= limit, spread.quantize(Decimal("0.0001")), limit)


def volatility_calm(situation: Situation, entry: Entry | None) -> GateResult:
    """E3: no recent minute moved more than the limit."""
    fact = situation.observation.candles
    if fact is None or not fact.value:
        return _unknown("volatility_calm", "no candles")
    worst = max((c.high - c.low) / c.low * 100 for c in fact.value[-5:])
    limit = situation.limits.volatility_max_pct
    return _gate("volatility_calm", worst <= limit, worst.quantize(Decimal("0.001")), limit)


def enter_distance(situation: Situation, entry: Entry) -> GateResult:
    """E6, E1: price near the effective zone on the target side, not below its stop-side end."""
    price, quote = situation.observation.last_price, situation.observation.quote
    side, instrument = entry.decision.side, situation.instrument
    if entry.zone is None or price is None or quote is None or side is None or instrument is None:
        return _unknown("enter_distance", "no price")
    near, far = _ends(entry.zone, side.sign)
    limit = situation.limits.enter_distance_pct
    distance = max(side.gain(far, price) / price * 100, Decimal(0))
    best = quote.value.ask if side.sign > 0 else quote.value.bid
    detail = "" if side.gain(near, best) >= 0 else "price beyond the stop-side end"
    tp1 = entry.decision.tp1
    if tp1 is not None and side.gain(tp1, price) >= 0:
        detail = "price at TP1"
    passes = distance <= limit and not detail
    return _gate("enter_distance", passes, distance.quantize(Decimal("0.001")), limit, detail)


def stop_not_crossed(situation: Situation, entry: Entry) -> GateResult:
    """E4: the working price is on the safe side of the stop by the least gap."""
    price, side = situation.observation.last_price, entry.decision.side
    instrument = situation.instrument
    if price is None or entry.zone is None or side is None or instrument is None:
        return _unknown("stop_not_crossed", "no price")
    gap = max(2 * instrument.tick_size, price * situation.limits.min_gap_pct / 100)
    return _gate(
        "stop_not_crossed", side.gain(entry.zone.stop, price) >= gap, price, entry.zone.stop
    )


def trades_left_today(situation: Situation, entry: Entry | None) -> GateResult:
    """H2: own positions with a first fill today (UTC) below the cap; somebody's do not count."""
    start_ms = day_start(situation.now_ms)
    today = sum(1 for p in _ours(situation) if (p.opened_ms or 0) >= start_ms)
    limit = situation.limits.trades_per_day_max
    return _gate("trades_left_today", today < limit, today, limit)


def drawdown_day(situation: Situation, entry: Entry | None) -> GateResult:
    """H2: the day's loss stays above its limit; once reached, it stays reached for the day."""
    equity, limit = situation.ledger.equity, situation.limits.daily_drawdown_limit_pct
    opening = None if equity is None else equity.day
    flows = Decimal(0) if equity is None else equity.flows_day
    return _drawdown("drawdown_day", situation, opening, flows, limit)


def drawdown_week(situation: Situation, entry: Entry | None) -> GateResult:
    """H2: the week's loss stays above its limit; once reached, it stays reached for the week."""
    equity, limit = situation.ledger.equity, situation.limits.weekly_drawdown_limit_pct
    opening = None if equity is None else equity.week
    flows = Decimal(0) if equity is None else equity.flows_week
    return _drawdown("drawdown_week", situation, opening, flows, limit)


def _drawdown(
    code: str, situation: Situation, opening: Opening | None, flows: Decimal, limit: Decimal
) -> GateResult:
    equity = situation.ledger.equity
    if equity is None or opening is None:
        return _unknown(code, "equity_unknown: the period's opening could not be rebuilt")
    if situation.ledger.is_equity_outdated:
        return _unknown(code, "balance not read since the last position closed")
    fell = drawdown_pct(equity.now, opening.equity, flows)
    if fell is None:
        return _unknown(code, "equity_unknown: no capital at the period's opening")
    passes = not opening.is_latched and fell > limit
    detail = "reached earlier in this period" if opening.is_latched else ""
    return _gate(code, passes, fell.quantize(Decimal("0.001")), limit, detail)


def history_read(situation: Situation, entry: Entry) -> GateResult:
    """D2: with an empty ledger nothing enters before the exchange's history was read."""
    return _gate("history_read", situation.ledger.history_read_ms is not None)


def book_clean(situation: Situation, entry: Entry) -> GateResult:
    """G6: every own order of earlier generations has a final word."""
    rest = situation.ledger.earlier_orders
    return _gate("book_clean", not rest, len(rest), 0, ", ".join(str(o.id) for o in rest))


def no_foreign_orders(situation: Situation, entry: Entry | None) -> GateResult:
    """E3: the policy on other people's orders on the symbol."""
    reports = situation.observation.open_reports
    if reports is None:
        return _unknown("no_foreign_orders", "order lists not read")
    foreign = sum(1 for r in reports if r.own_id is None)
    allowed = not situation.limits.block_on_foreign_orders or foreign == 0
    return _gate("no_foreign_orders", allowed, foreign)


def account_usable(situation: Situation, entry: Entry | None) -> GateResult:
    """E3, H3: one-way mode, single-asset margin, symbol trading."""
    mode, instrument = situation.observation.account_mode, situation.instrument
    if mode is None or instrument is None:
        return _unknown("account_usable", "account mode not read")
    usable = (
        not situation.observation.is_hedge
        and not mode.value.is_multi_assets
        and instrument.is_trading
    )
    return _gate("account_usable", usable)


def clock_in_step(situation: Situation, entry: Entry | None) -> GateResult:
    """E3: exchange time is known well enough to judge ages and windows."""
    error, limit = situation.condition.clock_error_ms, situation.limits.clock_error_max_ms
    return _gate("clock_in_step", error is not None and error <= limit, error, limit)


def picture_settled(situation: Situation, entry: Entry) -> GateResult:
    """C3: two settled pictures in a row."""
    streak = situation.ledger.settled_streak
    return _gate("picture_settled", streak >= 2, streak, 2)


def lease_held(situation: Situation, entry: Entry) -> GateResult:
    """G4: everything that enlarges needs the lease."""
    return _gate(
        "lease_held", situation.condition.rights is Rights.LEASED, situation.condition.rights
    )


def not_halted(situation: Situation, entry: Entry) -> GateResult:
    """DESIGN 7: a halt stops entries until an operator resumes."""
    halts = situation.condition.halts
    return _gate("not_halted", not halts, detail=", ".join(h.code for h in halts))


def store_writable(situation: Situation, entry: Entry) -> GateResult:
    """G5: write-ahead is mandatory for what can open."""
    return _gate("store_writable", situation.condition.is_store_writable)


def budget_free(situation: Situation, entry: Entry) -> GateResult:
    """H4: entries stop at half of the request weight."""
    condition = situation.condition
    limit = condition.weight_limit // 2
    return _gate("budget_free", condition.weight_used < limit, condition.weight_used, limit)


def breaker_closed(situation: Situation, entry: Entry) -> GateResult:
    """DESIGN 7: an exchange in trouble is not entered."""
    return _gate("breaker_closed", not situation.condition.is_breaker_open)


def stop_while_flat(situation: Situation, entry: Entry) -> GateResult:
    """E9: an account that takes no stop while flat is entered only with the user stream up."""
    known = situation.ledger.stop_while_flat
    is_fallback = known is False
    passes = not is_fallback or situation.condition.is_stream_up
    detail = "fallback mode: the stop follows the first fill" if is_fallback else ""
    return _gate("stop_while_flat", passes, "unknown" if known is None else known, detail=detail)


def _ends(zone: EffectiveZone, sign: int) -> tuple[Decimal, Decimal]:
    """Return the zone's stop-side and target-side ends."""
    return (zone.low, zone.high) if sign > 0 else (zone.high, zone.low)


WHILE_WAITING: tuple[Callable[[Situation, Entry | None], GateResult], ...] = (
    spread_narrow,
    volatility_calm,
    trades_left_today,
    drawdown_day,
    drawdown_week,
    no_foreign_orders,
    account_usable,
    clock_in_step,
)
"""What is asked again when the entry is sent: an armed stop may have waited for minutes (E9, E4).

Left out is what arming itself has changed, and what withdraws the entry by another rule (E6, D2).
None of them looks at the document: one that was taken away meanwhile says nothing against what it
had said, but the market may.
"""


def refused_since(situation: Situation) -> str | None:
    """Return the first gate that would not let an armed entry go now, None when all would."""
    for gate in WHILE_WAITING:
        result = gate(situation, None)
        if result.verdict is not Verdict.PASS:
            return result.code
    return None


GATES: tuple[Gate, ...] = (
    decision_fresh,
    decision_unused,
    cooldown_over,
    reenter_wait_over,
    not_suspended,
    risk_checks_true,
    risk_level_positive,
    confidence_enough,
    leverage_allowed,
    rr_minimum,
    quantity_tradable,
    notional_in_bounds,
    margin_available,
    liquidation_far,
    spread_narrow,
    volatility_calm,
    enter_distance,
    stop_not_crossed,
    trades_left_today,
    drawdown_day,
    drawdown_week,
    history_read,
    book_clean,
    no_foreign_orders,
    account_usable,
    clock_in_step,
    picture_settled,
    lease_held,
    not_halted,
    store_writable,
    breaker_closed,
    budget_free,
    stop_while_flat,
)
