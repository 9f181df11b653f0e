"""Protection: the position is always covered, in two layers (RULES F1, A4, C1, C4, E8).

Primary: a reduce-only quantity stop at the level in force for everything that is or may become
position. Floor: a closePosition stop at the initial level that sizes itself and never moves.
Nothing here waits for an answer: a stop of unknown fate is possibly resting, and the next goes
out at once under the next revision.
"""

from __future__ import annotations

from decimal import Decimal

from engine.domain.action import Action, CancelOrder, Hold, PlaceOrder, Proof
from engine.domain.cover import is_behind
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.limits import OrphanPolicy
from engine.domain.numbers import ZERO, plain
from engine.domain.order import Order, OrderStatus, OrderTerms
from engine.domain.position import Origin
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, OrderSide, OrderType, WorkingPrice
from engine.plan.attempts import PROTECT_ATTEMPTS, must_wait
from engine.plan.proposal import NOTHING, Proposal, cancel

GTE_REFUSED = -4509
"""closePosition refused: the Algo service does not see the position yet; retried (F1)."""


def protect_position(situation: Situation) -> Proposal:
    """Place the primary stop that is missing for what is, or may become, position."""
    ledger, limits = situation.ledger, situation.limits
    life = ledger.life
    if life is None or life.closed_ms is not None:
        return NOTHING
    if life.origin is Origin.ORPHAN or not _is_at_stake(situation):
        return NOTHING
    need = situation.quantity_to_cover - _resting_quantity(situation)
    if need <= 0:
        return NOTHING
    primaries = ledger.of_life(OrderRole.STOP_PRIMARY)
    if must_wait(situation, primaries, PROTECT_ATTEMPTS):
        return Proposal(holds=(Hold("protect_position", "backoff"),))
    possibly = [o for o in primaries if _possibly_rests(o)]
    # While one is in doubt, those seen resting count as well: three in all (RULES C4, F1).
    standing = sum(o.may_rest for o in primaries) if possibly else 0
    if standing >= limits.possibly_resting_max:
        return Proposal(holds=(Hold("protect_position", "possibly_resting_max"),))
    working = _working_price(situation)
    price = situation.observation.working(working)
    level = life.level_in_force
    if price is not None and is_behind(life.side, level, price):
        return Proposal(
            holds=(Hold("protect_position", "level_crossed", f"{plain(price)} at {plain(level)}"),)
        )
    instrument = situation.instrument
    most = instrument.market_quantity_max if instrument is not None else situation.quantity_to_cover
    actions: list[Action] = []
    first = ledger.next_revision(OrderRole.STOP_PRIMARY)
    left = situation.quantity_to_cover
    for offset in range(max(1, limits.possibly_resting_max - len(possibly))):
        if left <= 0:
            break
        client_id = ClientOrderId(
            life.decision_id, life.generation, OrderRole.STOP_PRIMARY, first + offset
        )
        actions.append(
            PlaceOrder(
                primary_terms(situation, client_id, level, min(left, most), working),
                ActionClass.PROTECT,
                "protect_position",
                "cover_missing",
            )
        )
        left -= most
    return Proposal(actions=tuple(actions), level_reason=life.stop_reason)


def place_floor(situation: Situation) -> Proposal:
    """Place the closePosition stop at the initial level as soon as anything filled."""
    life = situation.ledger.life
    if life is None or not life.is_open or life.closing is not None or life.quantity == 0:
        return NOTHING
    if life.origin is Origin.ORPHAN and situation.limits.orphan is OrphanPolicy.IGNORE:
        return Proposal(holds=(Hold("place_floor", "orphan_ignored"),))
    floors = situation.ledger.of_life(OrderRole.STOP_FLOOR)
    standing = [o for o in floors if o.may_rest]
    # Beside a primary the floor can wait for its fate; alone, the next goes out at once (C4): the
    # exchange takes one closePosition stop per direction, so a second one can do no harm.
    is_alone = life.origin is Origin.ORPHAN and all(o.is_unresolved for o in standing)
    if standing and not (is_alone and len(standing) < situation.limits.possibly_resting_max):
        return NOTHING
    if _somebody_closes(situation, life.side.closing):
        return Proposal(holds=(Hold("place_floor", "foreign_close_position"),))
    price = situation.observation.working(WorkingPrice.LAST)
    if price is None or is_behind(life.side, life.initial_stop, price):
        return NOTHING
    last = floors[-1] if floors else None
    if (
        last is not None
        and last.status is OrderStatus.REJECTED
        and last.code not in (0, GTE_REFUSED)
    ):
        waits_ms = situation.now_ms - (last.finished_ms or last.intended_ms)
        if waits_ms < situation.limits.zombie_wait_ms and life.origin is not Origin.ORPHAN:
            return Proposal(holds=(Hold("place_floor", "floor_refused", last.note),))
    if must_wait(situation, floors, PROTECT_ATTEMPTS):
        return Proposal(holds=(Hold("place_floor", "backoff"),))
    terms = OrderTerms(
        client_id=situation.next_id(OrderRole.STOP_FLOOR),
        side=life.side.closing,
        type=OrderType.STOP_MARKET,
        trigger_price=life.initial_stop,
        working_price=WorkingPrice.LAST,
        close_position=True,
    )
    return Proposal(
        actions=(PlaceOrder(terms, ActionClass.PROTECT, "place_floor", "floor_missing"),)
    )


def retire_spare_stops(situation: Situation) -> Proposal:
    """Cancel primaries that a tighter one, seen resting for everything, made superfluous (F2).

    And orders of an earlier life that show up beside this one, its stops once ours is seen (G6).
    """
    life = situation.ledger.life
    if life is None or life.closed_ms is not None or not situation.has_picture:
        return NOTHING
    resting = [
        o
        for o in situation.ledger.of_life(OrderRole.STOP_PRIMARY)
        if o.status is OrderStatus.WORKING and o.is_confirmed_resting
    ]
    keep = _keeper(situation, resting)
    strays = [o for o in situation.ledger.earlier_orders if _may_cancel(situation, o)]
    others = tuple(
        cancel(o, "retire_spare_stops", "earlier_life", ActionClass.RECONCILE)
        for o in strays
        if not o.role.is_stop
    )
    if keep is None:
        return Proposal(actions=others)
    # A tighter one that is too small carries the level: it stays until a whole one rests there.
    spare = [o for o in resting if o is not keep and _is_as_tight(situation, keep, o)]
    spare = [o for o in spare if _may_cancel(situation, o)]
    spare += [o for o in strays if o.role.is_stop]
    return Proposal(
        actions=others
        + tuple(
            CancelOrder(
                client_id=o.id,
                book=o.terms.book,
                action_class=ActionClass.RECONCILE,
                rule="retire_spare_stops",
                reason="tighter_rests",
                proof=Proof.TIGHTER_RESTS,
                proven_by=keep.id,
            )
            for o in spare
        )
    )


def primary_terms(
    situation: Situation,
    client_id: ClientOrderId,
    level: Decimal,
    quantity: Decimal,
    working: WorkingPrice,
) -> OrderTerms:
    """Return a primary stop: exit side, reduce-only quantity, good till cancelled (RULES F1)."""
    return OrderTerms(
        client_id=client_id,
        side=situation.life.side.closing,
        type=OrderType.STOP_MARKET,
        quantity=quantity,
        trigger_price=level,
        working_price=working,
        reduce_only=True,
    )


def working_price(situation: Situation) -> WorkingPrice:
    """Return the price primaries fire on: last while an entry may fill, else as configured (E4)."""
    return _working_price(situation)


def _working_price(situation: Situation) -> WorkingPrice:
    is_final = situation.ledger.entries_are_final and situation.life.is_open
    return situation.limits.working_price if is_final else WorkingPrice.LAST


def _is_at_stake(situation: Situation) -> bool:
    """Return whether there is a position, or an entry that may still make one.

    An account that takes no stop while flat is asked for none before the first fill (RULES E9).
    """
    if situation.life.quantity > 0:
        return True
    return situation.ledger.stop_while_flat is not False and not situation.ledger.entries_are_final


def _resting_quantity(situation: Situation) -> Decimal:
    """Return what own primaries reach at the level in force, by evidence (RULES A1, F1)."""
    life, now_ms = situation.life, situation.now_ms
    total = ZERO
    for order in situation.ledger.of_life(OrderRole.STOP_PRIMARY):
        trigger = order.terms.trigger_price
        if trigger is None or life.side.is_tighter(life.level_in_force, trigger):
            continue
        is_firing = order.status in (OrderStatus.TRIGGERING, OrderStatus.TRIGGERED)
        fires_for_ms = now_ms - (order.triggered_ms or now_ms)
        fires = is_firing and fires_for_ms < situation.limits.trigger_grace_ms
        rests = order.status is OrderStatus.WORKING and order.doubtful_since_ms is None
        # An order intended by an earlier rule of this very plan counts: it is on its way.
        on_its_way = order.status is OrderStatus.INTENDED and order.intended_ms == now_ms
        if rests or fires or on_its_way:
            total += order.terms.quantity or ZERO
    return total


def _possibly_rests(order: Order) -> bool:
    return order.is_unresolved or (order.may_rest and order.doubtful_since_ms is not None)


def _keeper(situation: Situation, resting: list[Order]) -> Order | None:
    """Return the stop that carries the level for everything, None when no single one does."""
    side, need = situation.life.side, situation.quantity_to_cover
    best: Order | None = None
    for order in resting:
        trigger, quantity = order.terms.trigger_price, order.terms.quantity
        if trigger is None or quantity is None or quantity < need:
            continue
        if best is None or best.terms.trigger_price is None:
            best = order
        elif not side.is_tighter(best.terms.trigger_price, trigger):
            best = order  # at least as tight, and a later revision
    return best


def _is_as_tight(situation: Situation, keep: Order, other: Order) -> bool:
    kept, trigger = keep.terms.trigger_price, other.terms.trigger_price
    side = situation.life.side
    return kept is not None and trigger is not None and not side.is_tighter(trigger, kept)


def _somebody_closes(situation: Situation, closing: OrderSide) -> bool:
    """Return whether a foreign closePosition stop rests: the exchange takes one a direction."""
    return any(
        r.own_id is None
        and r.close_position
        and r.type is OrderType.STOP_MARKET
        and r.side is closing
        and r.status is OrderStatus.WORKING
        for r in situation.observation.open_reports or ()
    )


def _may_cancel(situation: Situation, order: Order) -> bool:
    sent_ms = order.cancel_sent_ms
    return sent_ms is None or situation.now_ms - sent_ms > CANCEL_RETRY_MS


CANCEL_RETRY_MS = 1_000
"""A cancel whose order still rests is sent again after this time."""
