"""Withdrawing an entry in two steps that never share a plan (RULES E5, E6, E8, D3, D4).

Step 1 cancels the entry. Step 2 cancels the armed stop, and needs proof: every entry order of the
generation read by id as final with nothing executed, none of unknown fate, and a position read
made after that which says 0. If anything executed, the stop stays and the life goes on.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from engine.domain.action import CancelOrder, Hold, Proof
from engine.domain.condition import Command
from engine.domain.decision import Decided
from engine.domain.identity import OrderRole
from engine.domain.limits import OrphanPolicy
from engine.domain.order import Order, OrderStatus
from engine.domain.position import Life, Origin
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass
from engine.plan.chase import may_follow_refusal
from engine.plan.entry import never_ran
from engine.plan.liquidation import Prospect, liquidation_room
from engine.plan.proposal import NOTHING, Proposal, cancel
from engine.plan.protection import CANCEL_RETRY_MS
from engine.plan.refinement import asks_for_new_entry

UNSEEN_MAX_MS = 10_000
"""An accepted order is visible within this time; unseen for longer, the entry is not risked."""


def withdraw_entry(situation: Situation) -> Proposal:
    """Cancel the working entry when its reason is gone (step 1)."""
    life = situation.ledger.life
    if life is None or life.origin is Origin.ORPHAN or life.closed_ms is not None:
        return NOTHING
    if life.withdrawing is None:
        if life.is_open and situation.ledger.entries_are_final:
            return NOTHING
        # No decision is known any more that could call an imported life's entry back.
        is_imported = life.origin is Origin.IMPORTED
        why = "recovered" if is_imported else _why_withdraw(situation, life)
        if why is None:
            return NOTHING
        life = replace(life, withdrawing=why, withdrawing_ms=situation.now_ms, chasing_ms=None)
    actions = tuple(
        cancel(entry, "withdraw_entry", life.withdrawing or "withdrawn", ActionClass.RECONCILE)
        for entry in situation.ledger.of_life(OrderRole.ENTRY)
        if entry.may_rest and _may_send(situation, entry.cancel_sent_ms)
    )
    return Proposal(actions=actions, life=life)


def disarm(situation: Situation) -> Proposal:
    """Cancel the armed stops of an entry that provably never filled (step 2)."""
    life = situation.ledger.life
    if life is None or life.withdrawing is None or life.opened_ms is not None:
        return NOTHING
    if not entry_never_filled(situation):
        return Proposal(holds=(Hold("disarm", "entry_not_proven_empty"),))
    return Proposal(
        actions=tuple(
            CancelOrder(
                client_id=order.id,
                book=order.terms.book,
                action_class=ActionClass.RECONCILE,
                rule="disarm",
                reason=life.withdrawing,
                proof=Proof.ENTRY_NEVER_FILLED,
            )
            for order in situation.ledger.of_life()
            if order.role is not OrderRole.ENTRY
            and order.may_rest
            and _may_send(situation, order.cancel_sent_ms)
        )
    )


def entry_never_filled(situation: Situation) -> bool:
    """Return RULES E5's proof: entries final and empty in an earlier tick, position 0 since.

    A position of the other side is somebody else's: our entry did not make it, and our stop, on
    its entry side, covers nothing of it.
    """
    position, side = situation.observation.position, situation.life.side
    entries = situation.ledger.of_life(OrderRole.ENTRY)
    return (
        situation.has_picture
        and position is not None
        and (position.value.side in (None, side.opposite) or _is_covered_beside(situation))
        and all(
            o.status.is_final
            and o.quantity_filled == 0
            and o.finished_ms is not None
            and o.finished_ms <= situation.now_ms
            for o in entries
        )
    )


def _is_covered_beside(situation: Situation) -> bool:
    """Return whether the position is somebody's, and covered otherwise as the policy wants (G1)."""
    beside = situation.ledger.beside
    if beside is None or beside.gone_ms is not None:
        return False
    return beside.is_covered or situation.limits.orphan is OrphanPolicy.IGNORE


def _may_send(situation: Situation, sent_ms: int | None) -> bool:
    return sent_ms is None or situation.now_ms - sent_ms > CANCEL_RETRY_MS


def _why_withdraw(situation: Situation, life: Life) -> str | None:
    """Return the first reason to give the entry up, None when it may go on working."""
    if any(c.command in (Command.FLATTEN, Command.HALT) for c in situation.condition.commands):
        return "operator"
    if situation.condition.halts:
        return "halted"
    if _is_of_an_earlier_lease(situation):
        return "earlier_lease"
    if life.closing is not None:
        return "closing"
    if life.is_open and life.flat_seen_ms is not None:
        return "flat_in_doubt"  # entries go at the first doubt (RULES C2)
    if _quantity_is_spent(situation, life):
        return "quantity_spent"
    if _stop_is_spent(situation):
        return "stop_spent"
    if _entry_was_refused(situation):
        return "entry_rejected"
    if _settings_do_not_fit(situation, life):
        return "settings_changed"
    return _by_inbox(situation, life) or _by_price(situation, life) or _by_time(situation, life)


def _is_of_an_earlier_lease(situation: Situation) -> bool:
    """Return whether an entry works that a holder intended who may only be frozen (RULES G4)."""
    condition = situation.condition
    since_ms = condition.lease_since_ms
    return (
        condition.is_takeover
        and since_ms is not None
        and any(
            entry.may_rest and entry.intended_ms < since_ms
            for entry in situation.ledger.of_life(OrderRole.ENTRY)
        )
    )


def _quantity_is_spent(situation: Situation, life: Life) -> bool:
    """Return whether entries could execute more than the decision's quantity (RULES B3, D1).

    One that was given up for dead came back beside its successor.
    """
    entries = situation.ledger.of_life(OrderRole.ENTRY)
    total = sum((o.quantity_filled + o.quantity_remaining for o in entries), Decimal(0))
    return total > life.planned_quantity and any(o.may_rest for o in entries)


def _stop_is_spent(situation: Situation) -> bool:
    """Return whether no armed stop rests any more although an entry may fill (RULES E8)."""
    stops = situation.ledger.of_life(OrderRole.STOP_PRIMARY)
    if situation.ledger.stop_while_flat is False:
        # The refusal by which the mode was found out is no news: the stop follows the fill (E9).
        opened_ms = situation.life.opened_ms
        stops = tuple(
            o
            for o in stops
            if o.status is not OrderStatus.REJECTED
            or (opened_ms is not None and o.intended_ms > opened_ms)
        )
    was_armed = any(
        o.rested_ms is not None
        or o.code != 0
        or (o.status.is_final and o.status is not OrderStatus.REJECTED)
        for o in stops
    )
    return was_armed and not any(
        o.status is OrderStatus.WORKING and not is_long_doubtful(situation, o) for o in stops
    )


def is_long_doubtful(situation: Situation, stop: Order) -> bool:
    """Return whether a stop stays unseen for longer than an accepted order may (RULES C1, B3 b)."""
    since_ms = stop.doubtful_since_ms
    return since_ms is not None and situation.now_ms - since_ms > UNSEEN_MAX_MS


def _entry_was_refused(situation: Situation) -> bool:
    entries = situation.ledger.of_life(OrderRole.ENTRY)
    if not situation.ledger.entries_are_final or all(never_ran(o) for o in entries):
        return False  # what left no trace is tried anew under the next id
    return not may_follow_refusal(situation, situation.life, entries)


def _settings_do_not_fit(situation: Situation, life: Life) -> bool:
    """Return whether another hand set what this entry must not be filled with (RULES E4, H1).

    Neither is set back beside an order: the margin type has to be the configured one, and the
    stop still has to lie well before the liquidation price of another leverage.
    """
    if life.seen_isolated is not None and life.seen_isolated is not situation.limits.is_isolated:
        return True
    leverage = life.seen_leverage
    if leverage is None or leverage == life.leverage:
        return False
    room = liquidation_room(
        situation,
        Prospect(life.side, life.limit_price, life.initial_stop, life.planned_quantity, leverage),
    )
    return leverage > situation.limits.leverage_max or room is None or room.distance < room.needed


def _by_inbox(situation: Situation, life: Life) -> str | None:
    inbox, now_ms, limits = situation.inbox, situation.now_ms, situation.limits
    if inbox.reads_flat:
        return "flat_decision"
    suspended_ms = inbox.suspended_since_ms
    if suspended_ms is not None and now_ms - suspended_ms >= limits.suspend_grace_ms:
        return "suspended"
    decision = inbox.decision
    made_ms = life.decision_made_ms
    if decision is not None and decision.made_ms >= life.decision_made_ms:
        made_ms = decision.made_ms
        if decision.action is Decided.FLAT:
            return "flat_decision"
        if decision.side is not life.side:
            return "opposite_decision"
        if asks_for_new_entry(situation, life, decision):
            return "newer_terms"
    if now_ms - made_ms > limits.decision_stale_ms:
        return "decision_stale"
    return None


def _by_price(situation: Situation, life: Life) -> str | None:
    price = situation.observation.last_price
    if price is None or life.zone_low is None or life.zone_high is None:
        return None
    side = life.side
    if life.tp1_price is not None and side.gain(life.tp1_price, price) >= 0:
        return "tp1_reached"
    near, far = (
        (life.zone_low, life.zone_high) if side.sign > 0 else (life.zone_high, life.zone_low)
    )
    distance_pct = side.gain(far, price) / price * Decimal(100)
    if distance_pct > situation.limits.leave_distance_pct:
        return "price_left"
    # Beyond the stop-side end a resting limit would have filled; not sent yet, it must not be.
    is_sent = bool(situation.ledger.of_life(OrderRole.ENTRY))
    return "price_below_zone" if not is_sent and side.gain(near, price) < 0 else None


def _by_time(situation: Situation, life: Life) -> str | None:
    waited_ms = situation.now_ms - life.armed_ms
    return "entry_timeout" if waited_ms > situation.limits.entry_timeout_ms else None
