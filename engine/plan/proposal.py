"""What a rule asks for, and the situation after it.

A rule looks at a Situation and gives a Proposal; the situation *after* a proposal has its intents
in the ledger, so every rule sees what the rules before it asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

from engine.domain.action import Action, CancelOrder, GateResult, Halt, Hold, Next, PlaceOrder
from engine.domain.condition import HaltReason
from engine.domain.identity import OrderRole
from engine.domain.ledger import Ledger
from engine.domain.order import Order, OrderStatus, OrderTerms
from engine.domain.position import LevelState, Life, StopLevel
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one rule asks for. ``life`` replaces the life; ``level_reason`` names a stop's level."""

    actions: tuple[Action, ...] = ()
    holds: tuple[Hold, ...] = ()
    life: Life | None = None
    level_reason: str | None = None
    gates: tuple[GateResult, ...] = ()
    effective_zone: tuple[Decimal, Decimal] | None = None
    nexts: tuple[Next, ...] = field(default=())


NOTHING = Proposal()


def acting(actions: tuple[Action, ...]) -> Proposal:
    """Return what asks for these actions, ``NOTHING`` when there are none."""
    return Proposal(actions=actions) if actions else NOTHING


def after(situation: Situation, proposal: Proposal) -> Situation:
    """Return the situation with the proposal's intents written into the ledger.

    A halt it asks for stands for every rule that follows.
    """
    if proposal.life is None and not proposal.actions:
        return situation
    ledger = situation.ledger
    if proposal.life is not None:
        ledger = replace(
            ledger,
            life=proposal.life,
            generation=max(ledger.generation, proposal.life.generation),
        )
    for action in proposal.actions:
        if isinstance(action, PlaceOrder):
            ledger = ledger.with_order(_intent(situation, action))
            if action.terms.role is OrderRole.STOP_PRIMARY:
                reason = proposal.level_reason or action.reason
                ledger = _with_level(ledger, action.terms, reason, situation.now_ms)
        elif isinstance(action, CancelOrder):
            order = ledger.order(action.client_id)
            if order is not None:
                ledger = ledger.with_order(replace(order, cancel_sent_ms=situation.now_ms))
    asked = tuple(
        HaltReason(action.code, action.detail, situation.now_ms)
        for action in proposal.actions
        if isinstance(action, Halt)
    )
    condition = situation.condition
    if asked:
        condition = replace(condition, halts=(*condition.halts, *asked))
    return replace(situation, ledger=ledger, condition=condition)


def _intent(situation: Situation, action: PlaceOrder) -> Order:
    terms = action.terms
    window = (
        situation.limits.recv_window_open_ms if terms.can_open else situation.limits.recv_window_ms
    )
    error = situation.condition.clock_error_ms or 0
    return Order(
        terms=terms,
        status=OrderStatus.INTENDED,
        reason=action.reason,
        action_class=action.action_class,
        intended_ms=situation.now_ms,
        dead_after_ms=situation.now_ms + window + error,
    )


def _with_level(ledger: Ledger, terms: OrderTerms, reason: str, now_ms: int) -> Ledger:
    life = ledger.life
    if life is None or terms.trigger_price is None:
        return ledger
    level = StopLevel(
        generation=terms.client_id.generation,
        revision=terms.client_id.revision,
        side=life.side,
        level=terms.trigger_price,
        reason=reason,
        state=LevelState.PROPOSED,
        proposed_ms=now_ms,
    )
    return replace(ledger, levels=(*ledger.levels, level))


def cancel(
    order: Order, rule: str, reason: str, action_class: ActionClass = ActionClass.MANAGE
) -> CancelOrder:
    """Return the cancel of an order that is not a stop."""
    return CancelOrder(order.id, order.terms.book, action_class, rule, reason)
