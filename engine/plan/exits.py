"""Targets: TP1 takes its part, one target for the runner, and the sweep after flat (RULES F6, F9).

Targets are placed once the entry is final, on the base quantity; a target whose price is already
reached is executed at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from engine.domain.action import Action, CancelOrder, Hold, PlaceOrder, Proof
from engine.domain.again import last_answer
from engine.domain.identity import OrderRole
from engine.domain.instrument import Instrument
from engine.domain.limits import NoSplit, TargetStyle
from engine.domain.order import Order, OrderStatus, OrderTerms
from engine.domain.position import ExitReason, Life, Origin
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, OrderType, WorkingPrice
from engine.plan.attempts import MANAGE_ATTEMPTS, must_wait, was_reached
from engine.plan.proposal import NOTHING, Proposal, acting, cancel
from engine.plan.protection import is_seen_resting, may_cancel

TARGET_PRICE = WorkingPrice.LAST
"""Targets fire on traded prices: what the position can be sold at."""


@dataclass(frozen=True, slots=True)
class Split:
    """How the base divides: TP1's part (None: everything) and whether a runner remains."""

    tp1_quantity: Decimal | None
    has_runner: bool


@last_answer
def split_of(life: Life, instrument: Instrument, policy: NoSplit) -> Split:
    """Return the split of RULES F6; both parts must be tradable, else the policy decides."""
    base = life.base_quantity or life.quantity
    part = instrument.floor_quantity(base * life.tp1_fraction)
    part = min(part, instrument.market_quantity_max)  # one market child takes no more (RULES F1)
    if part >= instrument.tradable_min and base - part >= instrument.tradable_min:
        return Split(part, has_runner=True)
    if part >= base or policy is NoSplit.TP1:
        return Split(None, has_runner=False)
    return Split(None, has_runner=True)


def take_first_target(situation: Situation) -> Proposal:
    """Keep TP1 resting for its part, or execute it when its price is already reached."""
    life, instrument = _manageable(situation)
    if life is None or instrument is None or life.tp1_price is None:
        return NOTHING
    if life.tp1_done_ms is not None:
        return NOTHING
    split = split_of(life, instrument, situation.limits.no_split)
    if split.tp1_quantity is None and split.has_runner:
        return _touch(situation, life)
    orders = situation.ledger.of_life(OrderRole.TP1)
    target = instrument.price_toward_more_risk(life.side, life.tp1_price)
    working = [o for o in orders if o.may_rest]
    outdated = [o for o in working if not _fits(o, target, split.tp1_quantity)]
    if working:
        return acting(_cancels(situation, outdated, "take_first_target"))
    price = situation.observation.working(TARGET_PRICE)
    is_told = was_reached(situation, orders)
    if price is None or (not is_told and must_wait(situation, orders, MANAGE_ATTEMPTS)):
        return NOTHING
    quantity = split.tp1_quantity
    is_reached = is_told or life.side.gain(target, price) >= 0
    if not is_reached and _lacks_cover(situation, life):
        return NOTHING
    if is_reached and quantity is None:
        return _close(situation, life, ExitReason.TP1)
    rests = situation.limits.tp1_style is TargetStyle.RESTING and quantity is not None
    waiting = OrderType.LIMIT if rests else OrderType.TAKE_PROFIT_MARKET
    terms = OrderTerms(
        client_id=situation.next_id(OrderRole.TP1),
        side=life.side.closing,
        type=OrderType.MARKET if is_reached else waiting,
        quantity=quantity,
        price=target if rests and not is_reached else None,
        trigger_price=None if rests or is_reached else target,
        working_price=TARGET_PRICE,
        reduce_only=quantity is not None,
        close_position=quantity is None,
    )
    reason = "tp1_reached" if is_reached else "tp1_missing"
    return Proposal(actions=(PlaceOrder(terms, ActionClass.MANAGE, "take_first_target", reason),))


def keep_runner_target(situation: Situation) -> Proposal:
    """Keep one closePosition target for what TP1 leaves: the zone exit, or TP2."""
    life, instrument = _manageable(situation)
    if life is None or instrument is None:
        return NOTHING
    orders = situation.ledger.of_life(OrderRole.TP2, OrderRole.LIQUIDATION_EXIT)
    working = [o for o in orders if o.may_rest]
    if not split_of(life, instrument, situation.limits.no_split).has_runner:
        # Newer targets left no runner: TP1 takes everything, and the exchange takes one such
        # target a direction.
        return acting(_cancels(situation, working, "keep_runner_target"))
    wanted = runner_target(life, instrument)
    if wanted is None:
        return NOTHING
    role, trigger = wanted
    if working:
        outdated = [o for o in working if o.role is not role or o.terms.trigger_price != trigger]
        return acting(_cancels(situation, outdated, "keep_runner_target"))
    price = situation.observation.working(TARGET_PRICE)
    same = [o for o in orders if o.role is role]
    is_told = was_reached(situation, same)
    if price is None or (not is_told and must_wait(situation, same, MANAGE_ATTEMPTS)):
        return NOTHING
    if is_told or life.side.gain(trigger, price) >= 0:
        return _close(situation, life, ExitReason(role.value))
    if _lacks_cover(situation, life):
        return NOTHING
    terms = OrderTerms(
        client_id=situation.next_id(role),
        side=life.side.closing,
        type=OrderType.TAKE_PROFIT_MARKET,
        trigger_price=trigger,
        working_price=TARGET_PRICE,
        close_position=True,
    )
    return Proposal(
        actions=(PlaceOrder(terms, ActionClass.MANAGE, "keep_runner_target", f"{role}_missing"),)
    )


def runner_target(life: Life, instrument: Instrument) -> tuple[OrderRole, Decimal] | None:
    """Return role and trigger of the runner's one target (RULES F9).

    The zone's near edge where it lies between TP1 and TP2, else TP2.
    """
    side = life.side
    if life.zone is not None:
        edge = instrument.price_toward_more_risk(side, life.zone.near_edge(side))
        start = life.tp1_price or life.entry_price or life.limit_price
        is_before_tp2 = life.tp2_price is None or side.gain(edge, life.tp2_price) > 0
        if side.gain(start, edge) > 0 and is_before_tp2:
            return OrderRole.LIQUIDATION_EXIT, edge
    if life.tp2_price is None:
        return None
    return OrderRole.TP2, instrument.price_toward_more_risk(side, life.tp2_price)


def sweep(situation: Situation) -> Proposal:
    """Cancel every own order that may rest once flat is proven; foreign ones are not touched."""
    life = situation.ledger.life
    if life is not None and (life.closed_ms is None or life.swept_ms is not None):
        return NOTHING
    if life is None and situation.ledger.position_quantity != 0:
        return NOTHING
    if not situation.has_picture:
        return Proposal(holds=(Hold("sweep", "picture_missing"),))
    rest = [
        o
        for o in situation.ledger.orders
        if o.may_rest
        and not situation.ledger.is_aside(o)
        and may_cancel(situation, o)
        and not (o.role.is_stop and _may_need(situation, o))
    ]
    return Proposal(
        actions=tuple(
            CancelOrder(
                client_id=o.id,
                book=o.terms.book,
                action_class=ActionClass.RECONCILE,
                rule="sweep",
                reason="flat",
                proof=Proof.FLAT_PROVEN,
            )
            for o in rest
        )
    )


def _may_need(situation: Situation, stop: Order) -> bool:
    """Return whether an entry of the stop's life may still fill, or did so a moment ago (E5, C2).

    Its position may not be seen yet; without a life nobody else counts what it executed.
    """
    for order in situation.ledger.orders:
        if order.role is not OrderRole.ENTRY or order.generation != stop.generation:
            continue
        age_ms = situation.now_ms - (order.finished_ms or situation.now_ms)
        is_young = order.quantity_filled > 0 and age_ms < situation.limits.flat_wait_ms
        if order.may_rest or (is_young and situation.ledger.life is None):
            return True
    return False


def _manageable(situation: Situation) -> tuple[Life | None, Instrument | None]:
    """Return life and instrument when targets may be kept: open, entry final, not closing."""
    life = situation.ledger.life
    if (
        life is None
        or not life.is_open
        or life.quantity == 0
        or life.closing is not None
        or life.flat_seen_ms is not None
        or life.origin is Origin.ORPHAN
        or not situation.ledger.entries_are_final
        or life.base_quantity is None
    ):
        return None, None
    return life, situation.instrument


def _lacks_cover(situation: Situation, life: Life) -> bool:
    """Return whether cover is missing, not seen, or passed by price: no time to lay targets (B1).

    Where price has passed it and the position stands, the stop is firing, or it was not there and
    the close follows (C1, F4).
    """
    stops = situation.ledger.of_life(OrderRole.STOP_PRIMARY, OrderRole.STOP_FLOOR)
    is_seen = any(is_seen_resting(stop) for stop in stops)
    return not is_seen or life.uncovered_quantity > 0 or life.crossed_since_ms is not None


def _touch(situation: Situation, life: Life) -> Proposal:
    """Mark TP1 done by touch alone: nothing leaves, breakeven is armed (``no_split: runner``)."""
    best = life.best_price
    if life.tp1_price is None or best is None or life.side.gain(life.tp1_price, best) < 0:
        return NOTHING
    return Proposal(life=replace(life, tp1_done_ms=situation.now_ms))


def _close(situation: Situation, life: Life, reason: ExitReason) -> Proposal:
    return Proposal(
        life=replace(
            life, closing=reason, closing_why="target_reached", closing_ms=situation.now_ms
        )
    )


def _fits(order: Order, trigger: Decimal, quantity: Decimal | None) -> bool:
    terms = order.terms
    if order.status is not OrderStatus.WORKING or terms.type is OrderType.MARKET:
        return True  # firing or executing: leave it alone
    price = terms.price if terms.type is OrderType.LIMIT else terms.trigger_price
    return price == trigger and terms.quantity == quantity


def _cancels(situation: Situation, orders: list[Order], rule: str) -> tuple[Action, ...]:
    return tuple(cancel(o, rule, "target_outdated") for o in orders if may_cancel(situation, o))
