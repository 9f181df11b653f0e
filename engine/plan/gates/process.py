"""Gates of the keeper itself: clock, pictures, lease, halts, store, budget (C3, G4, G5, H4)."""

from __future__ import annotations

from engine.domain.action import GateResult
from engine.domain.situation import Situation
from engine.domain.terms import Rights
from engine.plan.gates.entry import Entry, gate


def clock_in_step(situation: Situation, entry: Entry | None) -> GateResult:
    """E3: exchange time is known well enough to judge ages and windows."""
    error, limit = situation.condition.clock_error_ms, situation.limits.clock_error_max_ms
    return gate("clock_in_step", error is not None and error <= limit, error, limit)


def picture_settled(situation: Situation, entry: Entry) -> GateResult:
    """C3: two settled pictures in a row."""
    streak = situation.ledger.settled_streak
    return gate("picture_settled", streak >= 2, streak, 2)


def lease_held(situation: Situation, entry: Entry) -> GateResult:
    """G4: everything that enlarges needs the lease."""
    return gate(
        "lease_held", situation.condition.rights is Rights.LEASED, situation.condition.rights
    )


def not_halted(situation: Situation, entry: Entry) -> GateResult:
    """DESIGN 7: a halt stops entries until an operator resumes."""
    halts = situation.condition.halts
    return gate("not_halted", not halts, detail=", ".join(h.code for h in halts))


def store_writable(situation: Situation, entry: Entry) -> GateResult:
    """G5: write-ahead is mandatory for what can open."""
    return gate("store_writable", situation.condition.is_store_writable)


def budget_free(situation: Situation, entry: Entry) -> GateResult:
    """H4: entries stop at half of the request weight."""
    condition = situation.condition
    limit = condition.weight_limit // 2
    return gate("budget_free", condition.weight_used < limit, condition.weight_used, limit)


def breaker_closed(situation: Situation, entry: Entry) -> GateResult:
    """DESIGN 7: an exchange in trouble is not entered."""
    return gate("breaker_closed", not situation.condition.is_breaker_open)
