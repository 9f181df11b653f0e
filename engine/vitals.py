"""What a running keeper says of itself, once a second, for ``keeper status`` and the views.

Everything here is for people; nothing reads it back into a plan. Keys are stable: moments end in
``_ms``, durations in their unit, amounts are Decimals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.domain.action import Verdict
from engine.domain.decision import Decision
from engine.domain.limits import OrphanPolicy
from engine.domain.position import Origin
from engine.domain.situation import Situation
from engine.domain.terms import Rights
from engine.plan.halts import reasons_to_halt
from engine.tick import TickReport


@dataclass(frozen=True, slots=True)
class Process:
    """What does not change from tick to tick."""

    version: str
    mode: str
    symbol: str
    pid: int
    started_ms: int
    interval_ms: int


def vitals(report: TickReport, process: Process, overruns: int) -> dict[str, Any]:
    """Return the heartbeat's fields after a tick."""
    situation, condition = report.situation, report.situation.condition
    observation = situation.observation
    position = None if observation.position is None else observation.position.value
    reasons = troubles(situation)
    return {
        "version": process.version,
        "mode": process.mode,
        "pid": process.pid,
        "started_ms": process.started_ms,
        "interval_ms": process.interval_ms,
        "tick": condition.tick,
        "last_tick_ms": report.now_ms,
        "overruns": overruns,
        "role": "standby" if condition.rights is Rights.NONE else "active",
        "rights": condition.rights.value,
        "epoch": condition.epoch,
        "stream": "up" if condition.is_stream_up else "down",
        "clock_error_ms": condition.clock_error_ms,
        "breaker": "open" if condition.is_breaker_open else "closed",
        "weight_used": condition.weight_used,
        "weight_limit": condition.weight_limit,
        "is_store_ok": condition.is_store_writable,
        "health": health(situation, reasons),
        "troubles": [{"code": code, "detail": detail} for code, detail in reasons],
        "entries_allowed": not condition.halts
        and condition.rights is Rights.LEASED
        and condition.is_store_writable
        and not condition.is_breaker_open
        and not observation.is_hedge,
        "phase": report.ledger.phase.value,
        "decision": _decision(report),
        "unrealized_pnl": None if position is None else position.unrealized_pnl,
        "liquidation_price": None if position is None else position.liquidation_price,
        "holds": [{"rule": h.rule, "reason": h.reason} for h in report.plan.holds],
    }


def troubles(situation: Situation) -> tuple[tuple[str, str], ...]:
    """Return what is wrong right now, as reason codes with words."""
    condition, found = situation.condition, []
    found += [(halt.code, halt.detail) for halt in condition.halts]
    # Said again beside its halt: as long as it is, a resume without force is refused.
    found += [(reason.code, reason.detail) for reason in reasons_to_halt(situation)]
    if not condition.is_store_writable:
        found.append(("store_unwritable", "no entries; protection goes on from memory"))
    if condition.rights is not Rights.LEASED:
        found.append(("lease_lost", f"rights: {condition.rights}"))
    if situation.ledger.stop_while_flat is False:
        found.append(("fallback_mode", "no stop is taken while flat: it follows the first fill"))
    found += _of_the_exchange(situation)
    if situation.inbox.problem is not None:
        found.append(("decisions_unreadable", situation.inbox.problem))
    if situation.inbox.suspended_since_ms is not None:
        found.append(("suspended", "a newer document is refused; no entries"))
    found += _hedged(situation) + _somebodys(situation)
    if doubted := situation.ledger.cover_in_doubt(situation.now_ms):
        ids = ", ".join(str(order.id) for order in doubted)
        found.append(("cover_in_doubt", f"not shown for 30 s: {ids}"))
    life = situation.ledger.life
    if life is not None and life.is_closing_for_long(situation.now_ms):
        found.append(("closing_for_long", f"{life.quantity} still open: {life.closing_why}"))
    if life is not None and life.uncovered_quantity > 0:
        found.append(("uncovered", f"{life.uncovered_quantity} without a stop"))
    return tuple(found)


def _of_the_exchange(situation: Situation) -> list[tuple[str, str]]:
    """Return what is wrong with the way to the exchange."""
    condition, found = situation.condition, []
    if not situation.has_picture:
        topics = ", ".join(f"{f.topic}: {f.text}" for f in situation.observation.failures[:3])
        found.append(("exchange_unreachable", topics or "position or orders could not be read"))
    if condition.is_wire_stuck:
        found.append(("wire_stuck", "too many requests hang beyond reach: nothing can be sent"))
    if condition.blocked_until_ms > situation.now_ms:
        wait_s = -(-(condition.blocked_until_ms - situation.now_ms) // 1000)
        found.append(("rate_limited", f"the exchange asked for silence, {wait_s} s more"))
    if condition.churned:
        kinds = " and ".join(condition.churned)
        found.append(("churn", f"too many {kinds} orders: none is placed until it calms down"))
    if condition.clock_error_ms is None:
        found.append(("clock_unknown", "the exchange's time was never measured"))
    if condition.is_breaker_open:
        found.append(("breaker_open", "too many failures in a row; no entries"))
    return found


def _somebodys(situation: Situation) -> list[tuple[str, str]]:
    """Return the alarm of a position that is not ours, until it is adopted or gone (RULES G1)."""
    ledger, position = situation.ledger, situation.observation.position
    life, one = ledger.life, ledger.beside
    is_orphan = life is not None and life.origin is Origin.ORPHAN and life.closed_ms is None
    if situation.limits.orphan is OrphanPolicy.IGNORE or not (is_orphan or one is not None):
        return []
    held = "" if position is None else f"{position.value.side} {position.value.quantity} "
    return [("orphan_position", f"{held}is not ours: one stop, no entries; keeper adopt, or close")]


def _hedged(situation: Situation) -> list[tuple[str, str]]:
    """Return the alarm of an account in hedge mode: the held sides and what covers them (H3)."""
    if not situation.observation.is_hedge:
        return []
    sides = [
        f"{one.side} {'has a stop' if one.is_covered else 'WITHOUT A STOP'}"
        for one in situation.ledger.hedged
        if situation.observation.hedged_on(one.side) is not None
    ]
    return [("hedge_mode", "no entries; " + (", ".join(sides) or "no side is held"))]


def health(situation: Situation, reasons: tuple[tuple[str, str], ...]) -> str:
    """Return ``ok``, ``degraded`` or ``halted``."""
    if situation.condition.halts:
        return "halted"
    return "degraded" if reasons else "ok"


def _decision(report: TickReport) -> dict[str, Any] | None:
    decision = report.situation.inbox.decision
    if decision is None:
        return None
    refusals = [g.code for g in report.plan.gates if g.verdict is Verdict.REFUSE]
    return {
        "id": decision.id,
        "action": decision.action.value,
        "made_ms": decision.made_ms,
        "state": _state_of(report, decision, refusals),
        "refusals": refusals,
    }


def _state_of(report: TickReport, decision: Decision, refusals: list[str]) -> str:
    ledger, limits = report.ledger, report.situation.limits
    life = ledger.life
    is_in_use = life is not None and life.decision_id == decision.id
    if is_in_use or ledger.has_used(decision.id):
        return "used"
    if report.now_ms - decision.made_ms > limits.decision_stale_ms:
        return "stale"
    return "refused" if refusals else "waiting"
