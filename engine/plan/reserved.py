"""A close that is refused because own orders hold the quantity: what holds it makes way (F11).

Targets go first: they protect nothing. Stops go last, and only for a stand-in that reserves
nothing, a closePosition stop at the level in force: the floor where it rests there, else the floor
leaves, proven by the primary, and comes back at that level. So cover is whole and never wider at
every step (RULES B2, F2); then the close is tried again in its own form. While an entry may still
fill no stop makes way: the stand-in leaves with the position, and what fills then is naked (A4).
"""

from __future__ import annotations

from engine.domain.action import Action, CancelOrder, Hold, PlaceOrder, Proof
from engine.domain.cover import is_behind
from engine.domain.identity import OrderRole
from engine.domain.order import Order, OrderTerms
from engine.domain.position import Life
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, OrderType
from engine.plan.attempts import PROTECT_ATTEMPTS, must_wait
from engine.plan.proposal import Proposal, cancel
from engine.plan.protection import may_cancel, stand_in, whole_primary, working_price
from engine.plan.withdrawal import is_long_doubtful

RESERVED = frozenset({-2022, -4118})
RESERVED_TWICE = 2
"""Once may be a position read that lagged; twice, and the quantity belongs to other orders."""

_TARGETS = (OrderRole.TP1, OrderRole.TP2, OrderRole.LIQUIDATION_EXIT)
_RULE, _REASON = "close_position", "makes_way"


def is_reserved(situation: Situation, life: Life, attempts: tuple[Order, ...]) -> bool:
    """Return whether the exchange keeps saying that the quantity belongs to other orders.

    Only what this close met counts, and only since the last of our orders made way.
    """
    since_ms = life.closing_ms or 0
    for order in situation.ledger.of_life(*_TARGETS, OrderRole.STOP_PRIMARY):
        since_ms = max(since_ms, order.finished_ms or 0)
    refused = [o for o in attempts if o.code in RESERVED and o.intended_ms >= since_ms]
    return len(refused) >= RESERVED_TWICE


def make_way(situation: Situation, life: Life) -> Proposal | None:
    """Return the next step that frees the quantity, None when nothing of ours holds any."""
    ledger = situation.ledger
    if targets := [o for o in ledger.of_life(*_TARGETS) if o.may_rest]:
        return Proposal(
            actions=tuple(
                cancel(o, _RULE, _REASON, ActionClass.PROTECT)
                for o in targets
                if may_cancel(situation, o)
            )
        )
    primaries = [o for o in ledger.of_life(OrderRole.STOP_PRIMARY) if o.may_rest]
    if not primaries or not ledger.entries_are_final:
        return None  # what fills after the flat has the primary alone (A4)
    instead = stand_in(situation, life)
    if instead is not None:
        return _retired(situation, primaries, instead)
    floors = ledger.of_life(OrderRole.STOP_FLOOR)
    if resting := [o for o in floors if o.may_rest]:
        coming = [o for o in resting if o.terms.trigger_price == life.level_in_force]
        if any(not is_long_doubtful(situation, o) for o in coming):
            return Proposal(holds=(Hold(_RULE, "attempt_works"),))  # on its way, or not yet shown
        whole = whole_primary(situation)
        return None if coming or whole is None else _retired(situation, resting, whole)
    price = situation.observation.working(working_price(situation))
    if price is None or is_behind(life.side, life.level_in_force, price):
        return None
    if must_wait(situation, floors, PROTECT_ATTEMPTS):
        return Proposal(holds=(Hold(_RULE, "backoff"),))
    terms = OrderTerms(
        client_id=situation.next_id(OrderRole.STOP_FLOOR),
        side=life.side.closing,
        type=OrderType.STOP_MARKET,
        trigger_price=life.level_in_force,
        working_price=working_price(situation),
        close_position=True,
    )
    return Proposal(actions=(PlaceOrder(terms, ActionClass.PROTECT, _RULE, _REASON),))


def _retired(situation: Situation, stops: list[Order], proof: Order) -> Proposal:
    actions: list[Action] = [
        CancelOrder(
            client_id=o.id,
            book=o.terms.book,
            action_class=ActionClass.PROTECT,
            rule=_RULE,
            reason=_REASON,
            proof=Proof.TIGHTER_RESTS,
            proven_by=proof.id,
        )
        for o in stops
        if may_cancel(situation, o)
    ]
    return Proposal(actions=tuple(actions))
