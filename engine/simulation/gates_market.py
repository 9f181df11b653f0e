"""The gates that prices decide (RULES E1, E3, E4, E6, H1): spread, distances, liquidation.

Formulas are those of the rules, written again: nothing of the planner's is used. Where a rule
rounds to the tick, the unrounded number is taken, always to the entry's advantage.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from engine.domain.limits import BasisPrice
from engine.domain.numbers import plain
from engine.simulation.account import ANY
from engine.simulation.gate_case import Case
from engine.simulation.given import Given
from engine.simulation.lives import Withdrawn
from engine.simulation.looks import Act, Topic
from engine.simulation.prices import Quoted
from engine.venue.settings import Bracket

MINUTES = 5
"""So many candles are recent, the open one included."""

CENT = Decimal("0.0001")


def spread(case: Case) -> str | None:
    """E3, E7: bid and ask are close together; asked of a chase only where it takes."""
    if not case.is_first and case.entry.time_in_force != "IOC":
        return None
    seen = case.quoted(Topic.BOOK, case.sent)
    best = min(((q.ask - q.bid) / q.bid * 100 for q in seen), default=None)
    if best is None or best <= case.limits.spread_max_pct:
        return None
    return f"{best:.4f} %, {plain(case.limits.spread_max_pct)} at most"


def volatility(case: Case) -> str | None:
    """E3: no recent minute moved more than the limit, as the keeper's last look found them."""
    prices, limit = case.scene.prices, case.limits.volatility_max_pct
    look = case.look(Topic.CANDLES, case.sent)
    if look is None:
        return None  # nothing tells which minutes were recent to the keeper
    worst = prices.widest_minute_pct(look.n, look.at_ms, MINUTES)
    return None if worst <= limit else f"a minute moved {worst:.3f} %, {plain(limit)} at most"


def gap_to_stop(case: Case) -> str | None:
    """E4: the working price of the armed stop, the last one, is on its safe side by the gap."""
    seen = case.quoted(Topic.CANDLES, case.sent)
    if not case.triggers or not seen:
        return None
    least = 2 * case.scene.instrument.tick_size
    share = case.limits.min_gap_pct / 100
    for quoted in seen:
        gap = max(least, quoted.last * share)
        if any((quoted.last - trigger) * case.sign >= gap for trigger in case.triggers):
            return None
    return f"price {plain(seen[-1].last)} at the stop {plain(case.triggers[0])}"


def beyond_the_zone(case: Case) -> str | None:
    """E1: the best price is not beyond the end of the zone that lies on the stop's side."""
    seen = case.quoted(Topic.BOOK, case.sent)
    ends = [_stop_side(paper, case.sign) for paper in case.papers]
    if not seen or any(
        ((q.ask if case.sign > 0 else q.bid) - end) * case.sign >= 0 for q in seen for end in ends
    ):
        return None
    return f"price {plain(seen[-1].last)} beyond {plain(ends[0])}"


def near_enough(case: Case) -> str | None:
    """E6: armed within the entering distance of the effective zone, sent within the leaving one.

    Neither at the first target. Without an armed stop (E9) nothing shows when the life began, nor
    where the first stop never left its keeper: the one that follows belongs to the same arming.
    """
    limits = case.limits
    own = case.entry.own_id
    was_armed_before = own is not None and case.scene.looks.was_armed_before(own)
    if case.armed is not None and not was_armed_before:
        why = _far(case, case.armed, [case.given], limits.enter_distance_pct)
        if why is not None:
            return f"armed {why}"
    why = _far(case, case.sent, _since_armed(case), limits.leave_distance_pct)
    return None if why is None else f"sent {why}"


def waited(case: Case) -> str | None:
    """E6: after a withdrawal for price nothing is armed for a while.

    For price, as far as the log shows: the keeper's look found the price gone, and neither a
    document, nor time, nor a keeper's end, nor another hand was a reason of its own.
    """
    act = case.armed or case.sent
    before = [w for w in case.withdrawn if w.generation < case.generation and w.n < act.n]
    last = max(before, key=lambda w: w.n, default=None)
    if last is None or act.at_ms - last.at_ms >= case.limits.reenter_wait_ms:
        return None
    given = case.inbox.named(last.decision_hash, last.at_ms)
    look = case.look(Topic.CANDLES, Act(last.n, last.at_ms))
    if given is None or look is None or _had_another_reason(case, last, given):
        return None
    sign, limit = given.sign, case.limits.leave_distance_pct
    end = _target_side(case, given, sign)
    for seen in case.scene.prices.during(look.n, last.n):
        away = (seen.last - end) * sign / seen.last * 100
        if (seen.last - given.tp1) * sign < 0 and away <= limit:
            return None
    passed = (act.at_ms - last.at_ms) / 1000
    return f"withdrawn for price {passed:g} s ago"


def _had_another_reason(case: Case, last: Withdrawn, given: Given) -> bool:
    limits, slack_ms = case.limits, case.slack_ms
    since_ms = last.placed_ms - slack_ms
    is_late = last.at_ms - last.placed_ms > limits.entry_timeout_ms - slack_ms
    is_old = last.at_ms - given.made_ms > limits.decision_stale_ms - slack_ms
    others = [g for g in case.inbox.between(since_ms, last.at_ms) if g.id != given.id]
    is_young = any(since_ms <= born_ms <= last.at_ms for born_ms in case.scene.births)
    is_set = case.account.settings_at(last.n)[0] == ANY
    return is_late or is_old or bool(others) or is_young or is_set


def _far(case: Case, act: Act, papers: Sequence[Given], limit_pct: Decimal) -> str | None:
    seen = case.quoted(Topic.CANDLES, act)
    ends = [_target_side(case, paper, case.sign) for paper in papers]
    target = max((paper.tp1 for paper in papers), key=lambda tp1: tp1 * case.sign)
    best: Decimal | None = None
    for quoted in seen:
        if (quoted.last - target) * case.sign >= 0:
            continue
        away = min((quoted.last - end) * case.sign for end in ends) / quoted.last * 100
        best = away if best is None else min(best, away)
    if not seen or (best is not None and best <= limit_pct):
        return None
    if best is None:
        return f"at the first target {plain(target)}"
    return f"{best:.3f} % from the zone, {plain(limit_pct)} at most"


def _since_armed(case: Case) -> Sequence[Given]:
    """Return the papers, and what appeared for our side while the stop was armed (D3)."""
    since_ms = (case.sent if case.armed is None else case.armed).at_ms - case.slack_ms
    later = case.inbox.between(since_ms, case.sent.at_ms)
    return [*case.papers, *(paper for paper in later if paper.sign == case.sign)]


def _stop_side(paper: Given, sign: int) -> Decimal:
    return paper.zone_low if sign > 0 else paper.zone_high


def _target_side(case: Case, paper: Given, sign: int) -> Decimal:
    """Return the end of the effective zone where the reward is least, unrounded (E1)."""
    limits = case.limits
    ratio, share = limits.rr_minimum, limits.stop_distance_min_pct / 100
    target = paper.tp1
    if limits.basis_price is not BasisPrice.TP1:
        target = max(paper.tp1, paper.tp2, key=lambda price: price * sign)
    by_stop = (target + ratio * paper.stop) / (1 + ratio)
    by_distance = target / (1 + sign * ratio * share)
    edge = paper.zone_high if sign > 0 else paper.zone_low
    return min((edge, by_stop, by_distance), key=lambda price: price * sign)


def liquidation(case: Case) -> str | None:
    """H1: the stop lies before the isolated liquidation price by the buffer."""
    quantity, leverage = case.entry.quantity, case.given.leverage
    if not quantity or leverage < 1:
        return None
    bracket = bracket_at(case)
    if bracket is None:
        return f"no bracket holds {plain(case.cost)}"
    sign, price = case.sign, case.price
    kept = price * (1 - Decimal(sign) / leverage) - sign * bracket.cum / quantity
    liquidated = kept / (1 - sign * bracket.ratio)
    stops = case.triggers or [_stop_of(case)]
    stop = max(stops, key=lambda trigger: trigger * sign)
    room = (stop - liquidated) * sign
    needed = max(case.limits.liq_buffer_pct / 100 * price, abs(price - stop) / 2)
    if room >= needed - CENT:
        return None
    return f"liquidated at {liquidated:.1f}, {room:.1f} behind the stop, {needed:.1f} at least"


def _stop_of(case: Case) -> Decimal:
    """Return the stop the rules give that price: the wider of the document's and the least (E1)."""
    least = case.price * (1 - case.sign * case.limits.stop_distance_min_pct / 100)
    return min((case.given.stop, least), key=lambda stop: stop * case.sign)


def bracket(case: Case) -> str | None:
    """E3: the bracket of the notional allows the leverage."""
    its = bracket_at(case)
    if its is None or case.given.leverage <= its.leverage_max:
        return None
    return f"leverage {case.given.leverage} for {plain(case.cost)}, {its.leverage_max} at most"


def bracket_at(case: Case) -> Bracket | None:
    """Return the bracket that holds the notional."""
    table = case.scene.brackets
    return next((b for b in table if b.notional_floor <= case.cost <= b.notional_cap), None)


def tradable(case: Case) -> str | None:
    """E3: at least the least quantity, and one market child can close it."""
    instrument, quantity = case.scene.instrument, case.entry.quantity or Decimal(0)
    low = max(instrument.quantity_min, instrument.market_quantity_min)
    if low <= quantity <= instrument.market_quantity_max:
        return None
    return f"{plain(quantity)} outside {plain(low)}..{plain(instrument.market_quantity_max)}"


def taken_at_market(case: Case) -> str | None:
    """E7: an order that takes has the confidence for it, and a price not far from the book."""
    if case.entry.time_in_force != "IOC":
        return None
    limits = case.limits
    if case.given.confidence < limits.fallback_confidence:
        return f"confidence {plain(case.given.confidence)}"
    slip = 1 + case.sign * limits.fallback_slippage_pct / 100
    seen: Sequence[Quoted] = case.quoted(Topic.BOOK, case.sent)
    bounds = [(q.ask if case.sign > 0 else q.bid) * slip for q in seen]
    if not bounds or any((bound - case.price) * case.sign >= 0 for bound in bounds):
        return None
    return f"{plain(case.price)} beyond {bounds[-1]:.1f}"
