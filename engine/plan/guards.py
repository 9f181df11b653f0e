"""Guards: what the engine's own condition takes out of a proposal (RULES G4, G5, B6).

A guard may only hold back. Protection is held back by nothing but the lease being somebody
else's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from engine.domain.action import Action, CancelOrder, Configure, Halt, Hold, PlaceOrder, Request
from engine.domain.condition import Condition
from engine.domain.identity import OrderRole
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, Rights
from engine.plan.proposal import Proposal


def permitted(situation: Situation, proposal: Proposal) -> Proposal:
    """Return the proposal without the actions the condition forbids, each with a hold."""
    reasons = {id(a): _why_held(situation, a) for a in proposal.actions}
    held = [(a, r) for a in proposal.actions if (r := reasons[id(a)]) is not None]
    if not held:
        return proposal
    holds = tuple(Hold(_rule_of(a), reason, _name_of(a)) for a, reason in held)
    kept = tuple(a for a in proposal.actions if reasons[id(a)] is None)
    return replace(
        proposal,
        actions=kept,
        holds=proposal.holds + holds,
        life=proposal.life if kept else None,  # what was not asked for did not begin
    )


def _why_held(situation: Situation, action: Action) -> str | None:
    condition = situation.condition
    if condition.rights is Rights.NONE:
        return "lease_held_by_another"
    if isinstance(action, Halt):
        return None  # nothing is sent for it
    if condition.blocked_until_ms > situation.now_ms:
        return "rate_limited"
    if situation.observation.is_hedge and _needs_one_way(action):
        return "hedge_mode"
    is_add_only = condition.rights is Rights.ADD_ONLY or not condition.is_store_writable
    if situation.stands_down and not _only_adds(action):
        return "second_writer"
    if is_add_only and not _only_adds(action):
        return "lease_unreachable" if condition.is_store_writable else "store_unwritable"
    is_entering = action.action_class is ActionClass.ENTER
    if is_entering and condition.halts:
        return "halted"
    if is_entering and condition.is_breaker_open:
        return "breaker_open"
    return _out_of_share(condition, action)


SHARE_PERCENT = {ActionClass.ENTER: 50, ActionClass.MANAGE: 65, ActionClass.RECONCILE: 80}
"""Of the minute's request weight: from there on a class holds still, entries first (RULES H4)."""


def _out_of_share(condition: Condition, action: Request) -> str | None:
    """Return why a class has spent what it may, None for protection and withdrawals of entries."""
    if isinstance(action, CancelOrder) and action.client_id.role is OrderRole.ENTRY:
        return None
    share = SHARE_PERCENT.get(action.action_class)
    if share is None:
        return None
    if condition.weight_used * 100 >= condition.weight_limit * share:
        return "budget_spent"
    is_churned = action.action_class in condition.churned
    return "churn" if is_churned and isinstance(action, PlaceOrder) else None


def _needs_one_way(action: Request) -> bool:
    """Return whether an action makes sense in one-way mode only (RULES H3)."""
    match action:
        case PlaceOrder():
            return action.terms.position_side is None
        case Configure():
            return True
        case CancelOrder():
            return False
        case _:
            assert_never(action)


def _only_adds(action: Request) -> bool:
    """Return whether an action only adds protection, withdraws an entry, or closes (G4)."""
    match action:
        case PlaceOrder():
            return action.terms.role.is_stop or action.terms.role is OrderRole.EMERGENCY
        case CancelOrder():
            return action.client_id.role in (OrderRole.ENTRY, OrderRole.EMERGENCY)
        case Configure():
            return False
        case _:
            assert_never(action)


def _rule_of(action: Action) -> str:
    return action.rule


def _name_of(action: Action) -> str:
    match action:
        case PlaceOrder():
            return str(action.terms.client_id)
        case CancelOrder():
            return str(action.client_id)
        case Configure():
            return action.reason
        case Halt():
            return action.code
        case _:
            assert_never(action)
