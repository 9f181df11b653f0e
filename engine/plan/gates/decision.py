"""Gates of the decision: its age, its words, and what became of earlier ones (D2, E3, E6)."""

from __future__ import annotations

from decimal import Decimal

from engine.domain.action import GateResult
from engine.domain.instrument import bracket_of
from engine.domain.numbers import plain
from engine.domain.position import ExitReason
from engine.domain.situation import Situation
from engine.plan.gates.entry import Entry, gate, own_lives, unknown


def decision_fresh(situation: Situation, entry: Entry) -> GateResult:
    """D2: a decision older than ten minutes opens nothing."""
    age_ms = situation.now_ms - entry.decision.made_ms
    limit_ms = situation.limits.decision_stale_ms
    return gate("decision_fresh", age_ms <= limit_ms, age_ms // 1000, limit_ms // 1000, "seconds")


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
    return gate(
        "decision_unused", not used and is_after, detail="" if not used and is_after else detail
    )


def cooldown_over(situation: Situation, entry: Entry) -> GateResult:
    """D2: after a stop-out or emergency close the same terms wait."""
    limit_ms = situation.limits.cooldown_ms
    for past in own_lives(situation):
        reason = past.exit_reason
        was_bad = past.opened_ms is not None and (
            reason is None or reason.value in ("stop", "emergency", "liquidated", "adl")
        )
        since_ms = situation.now_ms - past.closed_ms
        same = past.terms in ("", entry.decision.terms)
        if was_bad and same and since_ms < limit_ms:
            return gate(
                "cooldown_over", passes=False, value=since_ms // 1000, limit=limit_ms // 1000
            )
    return gate("cooldown_over", passes=True, limit=limit_ms // 1000)


FOR_PRICE = frozenset({"price_left", "tp1_reached", "price_below_zone", "stop_spent", "recovered"})
"""Withdrawals after which nothing enters for a while; "recovered": the exchange's history does not
say why. A newer idea, a clock or a refusal need no wait (RULES E6, D3)."""


def reenter_wait_over(situation: Situation, entry: Entry) -> GateResult:
    """E6: after a withdrawal for price nothing enters for a while."""
    limit_ms = situation.limits.reenter_wait_ms
    past = situation.ledger.past
    ended_ms = max((p.closed_ms for p in past if p.withdrawn in FOR_PRICE), default=None)
    if ended_ms is None:
        return gate("reenter_wait_over", passes=True, limit=limit_ms // 1000)
    since_ms = situation.now_ms - ended_ms
    return gate("reenter_wait_over", since_ms >= limit_ms, since_ms // 1000, limit_ms // 1000)


def not_suspended(situation: Situation, entry: Entry) -> GateResult:
    """D4: a newer refused document, or one readable as flat, suspends entries."""
    inbox = situation.inbox
    is_calm = inbox.suspended_since_ms is None and not inbox.reads_flat
    return gate("not_suspended", is_calm, detail="" if is_calm else "a newer document is refused")


def risk_checks_true(situation: Situation, entry: Entry) -> GateResult:
    """E3: the analytics job's own risk checks are present and all true."""
    failed = [name for name, verdict in entry.decision.risk_checks if not verdict]
    has_any = bool(entry.decision.risk_checks)
    return gate("risk_checks_true", has_any and not failed, detail=", ".join(failed))


def risk_level_positive(situation: Situation, entry: Entry) -> GateResult:
    """E3: risk level 0 means do not trade."""
    return gate("risk_level_positive", entry.decision.risk_level > 0, entry.decision.risk_level, 1)


def confidence_enough(situation: Situation, entry: Entry) -> GateResult:
    """E3: confidence above zero and at least the minimum."""
    value, limit = entry.decision.confidence, situation.limits.confidence_min
    return gate("confidence_enough", value > 0 and value >= limit, value, limit)


def leverage_allowed(situation: Situation, entry: Entry) -> GateResult:
    """E3: leverage within the cap and within the bracket of the notional."""
    wanted, cap = entry.decision.leverage, situation.limits.leverage_max
    brackets = situation.observation.brackets
    if brackets is None:
        return unknown("leverage_allowed", "leverage brackets not read")
    bracket = bracket_of(brackets.value, entry.decision.size_usdt or Decimal(0))
    most = cap if bracket is None else min(cap, bracket.leverage_max)
    return gate("leverage_allowed", bracket is not None and 1 <= wanted <= most, wanted, most)


def rr_minimum(situation: Situation, entry: Entry) -> GateResult:
    """E1: somewhere in the zone the reward is at least R times the risk."""
    limit = situation.limits.rr_minimum
    if entry.zone is None:
        return gate("rr_minimum", passes=False, limit=limit, detail="effective zone is empty")
    detail = f"{plain(entry.zone.low)}..{plain(entry.zone.high)} at {plain(entry.zone.first_price)}"
    return gate("rr_minimum", passes=True, limit=limit, detail=detail)
