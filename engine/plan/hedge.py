"""An account in hedge mode: each held side gets one stop that closes it, and nothing else (H3).

The stop names its side and sizes itself. Whatever closes a side already, ours or somebody's, is
left alone: the exchange takes one such stop a direction. The position is never closed from here.
Somebody's position beside a life of ours gets the same stop, in one-way mode (RULES G1).
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from engine.domain.action import Hold, PlaceOrder
from engine.domain.cover import closes_side, covers_now
from engine.domain.identity import FOREIGN_HASH, ClientOrderId, OrderRole
from engine.domain.limits import OrphanPolicy
from engine.domain.order import Order, OrderStatus, OrderTerms
from engine.domain.position import HedgedSide, PositionReport
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, OrderType, Side, WorkingPrice
from engine.domain.wide_stop import is_placeable, wide_level
from engine.plan.attempts import PROTECT_ATTEMPTS, must_wait
from engine.plan.proposal import NOTHING, Proposal

RULE = "protect_hedged"
BESIDE = "protect_beside"
DIRECTION_TAKEN = -4130
"""Refused because one rests already in that direction: no news that a hurry would help."""


def protect_hedged(situation: Situation) -> Proposal:
    """Place the stop that a held side of a hedge-mode account lacks."""
    actions: list[PlaceOrder] = []
    holds: list[Hold] = []
    for one in situation.ledger.hedged:
        held = situation.observation.hedged_on(one.side)
        if held is None:
            continue
        asked = _missing(situation, one, held, position_side=one.side)
        if isinstance(asked, PlaceOrder):
            actions.append(asked)
        elif asked is not None:
            holds.append(asked)
    if not (actions or holds):
        return NOTHING
    return Proposal(actions=tuple(actions), holds=tuple(holds))


def protect_beside(situation: Situation) -> Proposal:
    """Place the stop for somebody's position beside a life of ours that is not over (RULES G1)."""
    one, fact = situation.ledger.beside, situation.observation.position
    if one is None or fact is None or fact.value.side is not one.side:
        return NOTHING
    if situation.limits.orphan is OrphanPolicy.IGNORE:
        return Proposal(holds=(Hold(BESIDE, "orphan_ignored", one.side),))
    asked = _missing(situation, one, fact.value, position_side=None)
    if asked is None:
        return NOTHING
    if isinstance(asked, Hold):
        return Proposal(holds=(replace(asked, rule=BESIDE),))
    return Proposal(actions=(replace(asked, rule=BESIDE, reason="floor_missing"),))


def _missing(
    situation: Situation, one: HedgedSide, held: PositionReport, *, position_side: Side | None
) -> PlaceOrder | Hold | None:
    """Return the stop to place for one side, why it is held back, or None: one rests."""
    stops = [o for o in situation.ledger.orders if o.generation == one.generation]
    grace_ms = situation.limits.trigger_grace_ms
    if any(covers_now(o, situation.now_ms, grace_ms) for o in stops):
        return None
    reports = situation.observation.open_reports or ()
    if any(r.own_id is None and closes_side(r, one.side) for r in reports):
        return Hold(RULE, "foreign_close_position", one.side)
    # Beside a life of ours its own floor took the direction: once that is no longer listed, the
    # refusal says nothing any more.
    is_free = position_side is None and not any(closes_side(r, one.side) for r in reports)
    if must_wait(situation, stops, PROTECT_ATTEMPTS if is_free else _at_once(stops)):
        return Hold(RULE, "backoff", one.side)
    possibly = [o for o in stops if o.is_unresolved or o.doubtful_since_ms is not None]
    if sum(o.may_rest for o in possibly) >= situation.limits.possibly_resting_max:
        return Hold(RULE, "possibly_resting_max", one.side)
    level = _level(situation, one, held)
    if level is None:
        return Hold(RULE, "level_crossed", one.side)
    revision = 1 + max((o.id.revision for o in stops), default=0)
    terms = OrderTerms(
        client_id=ClientOrderId(FOREIGN_HASH, one.generation, OrderRole.STOP_FLOOR, revision),
        side=one.side.closing,
        type=OrderType.STOP_MARKET,
        trigger_price=level,
        working_price=WorkingPrice.LAST,
        close_position=True,
        position_side=position_side,
    )
    return PlaceOrder(terms, ActionClass.PROTECT, RULE, "hedge_mode")


def _level(situation: Situation, one: HedgedSide, held: PositionReport) -> Decimal | None:
    """Return where the stop goes: where it was, else from the current mark, None where it cannot.

    A level that price or liquidation has passed since protects nothing any more.
    """
    observation = situation.observation
    if one.level is not None and is_placeable(one.side, one.level, held, observation):
        return one.level
    level = wide_level(one.side, held, observation, situation.limits)
    return level if is_placeable(one.side, level, held, observation) else None


def _at_once(stops: list[Order]) -> int:
    """Return how many refusals in a row are followed by the next attempt without a pause."""
    last = max(stops, key=lambda o: o.id.revision, default=None)
    is_taken = (
        last is not None and last.status is OrderStatus.REJECTED and last.code == DIRECTION_TAKEN
    )
    return 0 if is_taken else PROTECT_ATTEMPTS
