"""Protection: the position is always covered, in two layers (RULES F1, A4, C1, C4, E8).

Primary: a reduce-only quantity stop at the level in force for everything that is or may become
position. Floor: a closePosition stop at the initial level that sizes itself and never moves.
Nothing here waits for an answer: a stop of unknown fate is possibly resting, and the next goes
out at once under the next revision.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from engine.domain.action import CancelOrder, Hold, PlaceOrder, Proof
from engine.domain.cover import is_behind
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.limits import OrphanPolicy
from engine.domain.numbers import ZERO, plain
from engine.domain.order import Order, OrderStatus, OrderTerms
from engine.domain.position import Life, Origin
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, OrderSide, OrderType, WorkingPrice
from engine.plan.attempts import PROTECT_ATTEMPTS, must_wait
from engine.plan.primaries import carriers, missing_parts, parts_to_cover, stops_max
from engine.plan.proposal import NOTHING, Proposal, acting, cancel

GTE_REFUSED = -4509
"""closePosition refused: the Algo service does not see the position yet; retried (F1)."""


def protect_position(situation: Situation) -> Proposal:
    """Place the primary stop that is missing for what is, or may become, position."""
    ledger = situation.ledger
    life = ledger.life
    if life is None or life.closed_ms is not None:
        return NOTHING
    if life.origin is Origin.ORPHAN or not _is_at_stake(situation):
        return NOTHING
    reaching = _reaching(situation)
    reached = sum((o.terms.quantity or ZERO for o in reaching), ZERO)
    if reached >= situation.quantity_to_cover or _has_made_way(situation, life):
        return NOTHING
    primaries = ledger.of_life(OrderRole.STOP_PRIMARY)
    if must_wait(situation, primaries, PROTECT_ATTEMPTS):
        return Proposal(holds=(Hold("protect_position", "backoff"),))
    possibly = [o for o in primaries if _possibly_rests(o)]
    # While one is in doubt, those seen resting count as well: three sets in all (RULES C4, F1).
    standing = sum(o.may_rest for o in primaries) if possibly else 0
    room = stops_max(situation) - standing
    if room <= 0:
        return Proposal(holds=(Hold("protect_position", "possibly_resting_max"),))
    working = working_price(situation)
    price = situation.observation.working(working)
    level = _on_tick(situation, life.level_in_force)
    if price is not None and is_behind(life.side, level, price):
        return Proposal(
            holds=(Hold("protect_position", "level_crossed", f"{plain(price)} at {plain(level)}"),)
        )
    missing = missing_parts(parts_to_cover(situation), reaching)[:room]
    return Proposal(
        actions=tuple(
            PlaceOrder(terms, ActionClass.PROTECT, "protect_position", "cover_missing")
            for terms in primary_set(situation, level, missing, working)
        ),
        level_reason=life.stop_reason,
    )


def place_floor(situation: Situation) -> Proposal:
    """Place the closePosition stop at the initial level as soon as anything filled."""
    life = situation.ledger.life
    if life is None or not life.is_open or life.quantity == 0 or _is_being_closed(situation, life):
        return NOTHING
    if life.origin is Origin.ORPHAN and situation.limits.orphan is OrphanPolicy.IGNORE:
        return Proposal(holds=(Hold("place_floor", "orphan_ignored"),))
    floors = situation.ledger.of_life(OrderRole.STOP_FLOOR)
    standing = [o for o in floors if o.may_rest]
    # Beside a primary that is seen the floor can wait for its fate; alone, the next goes out at
    # once (C4): the exchange takes one closePosition stop a direction, a second can do no harm.
    is_alone = not any(map(is_seen_resting, situation.ledger.of_life(OrderRole.STOP_PRIMARY)))
    is_unanswered = is_alone and all(o.is_unresolved for o in standing)
    if standing and not (is_unanswered and len(standing) < situation.limits.possibly_resting_max):
        return NOTHING
    if _somebody_closes(situation, life.side.closing):
        return Proposal(holds=(Hold("place_floor", "foreign_close_position"),))
    price = situation.observation.working(WorkingPrice.LAST)
    level = _on_tick(situation, life.initial_stop)
    if price is None or is_behind(life.side, level, price):
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
        trigger_price=level,
        working_price=WorkingPrice.LAST,
        close_position=True,
    )
    return Proposal(
        actions=(PlaceOrder(terms, ActionClass.PROTECT, "place_floor", "floor_missing"),)
    )


def retire_spare_stops(situation: Situation) -> Proposal:
    """Cancel primaries that a tighter one, seen resting for everything, made superfluous (F2).

    And orders of an earlier life that show up beside this one, its stops once ours is seen (G6).
    What is of a later one is another writer's: a stop of his goes only where ours is as tight, and
    anything else of his stays (G2, G4).
    """
    life = situation.ledger.life
    if life is None or life.closed_ms is not None or not situation.has_picture:
        return NOTHING
    resting = [o for o in situation.ledger.of_life(OrderRole.STOP_PRIMARY) if is_seen_resting(o)]
    keep = _carriers(situation, resting)
    if not keep and life.origin is Origin.ORPHAN:  # covered by its one stop, which sizes itself
        keep = tuple(o for o in (stand_in(situation, life),) if o is not None)
    strays = [
        o
        for o in situation.ledger.earlier_orders
        if may_cancel(situation, o)
        and (o.generation < life.generation or _is_outdone(situation, keep, o))
    ]
    others = tuple(
        cancel(o, "retire_spare_stops", "earlier_life", ActionClass.RECONCILE)
        for o in strays
        if not o.role.is_stop
    )
    if not keep:
        return acting(others)
    # A tighter one that is too small carries the level: it stays until a whole set rests there.
    spare = [o for o in resting if o not in keep and may_cancel(situation, o)]
    spare.sort(key=lambda o: life.side.sign * (o.terms.trigger_price or ZERO))  # widest first (C4)
    spare += [o for o in strays if o.role.is_stop]
    return acting(
        others
        + tuple(
            CancelOrder(
                client_id=o.id,
                book=o.terms.book,
                action_class=ActionClass.RECONCILE,
                rule="retire_spare_stops",
                reason="tighter_rests",
                proof=Proof.TIGHTER_RESTS,
                proven_by=keep[-1].id,
            )
            for o in spare
        )
    )


def _is_outdone(situation: Situation, keep: tuple[Order, ...], theirs: Order) -> bool:
    """Return whether a stop of another writer is no tighter than ours that carry everything."""
    trigger = theirs.terms.trigger_price
    if not keep or trigger is None or not theirs.role.is_stop:
        return False
    side = situation.life.side
    return not any(side.is_tighter(trigger, o.terms.trigger_price or trigger) for o in keep)


def primary_set(
    situation: Situation, level: Decimal, parts: Sequence[Decimal], working: WorkingPrice
) -> tuple[OrderTerms, ...]:
    """Return the primaries of these quantities at one level, under the next revisions (F1).

    Exit side, reduce-only quantity, good till cancelled.
    """
    life = situation.life
    first = situation.ledger.next_revision(OrderRole.STOP_PRIMARY)
    return tuple(
        OrderTerms(
            client_id=ClientOrderId(
                life.decision_id, life.generation, OrderRole.STOP_PRIMARY, first + offset
            ),
            side=life.side.closing,
            type=OrderType.STOP_MARKET,
            quantity=quantity,
            trigger_price=level,
            working_price=working,
            reduce_only=True,
        )
        for offset, quantity in enumerate(parts)
    )


def stand_in(situation: Situation, life: Life) -> Order | None:
    """Return the closePosition stop of ours that rests at the level in force, or tighter.

    It covers everything and reserves nothing: beside a close it may replace the primary (F11).
    """
    for order in situation.ledger.of_life(OrderRole.STOP_FLOOR):
        trigger = order.terms.trigger_price
        if (
            trigger is not None
            and is_seen_resting(order)
            and not life.side.is_tighter(life.level_in_force, trigger)
        ):
            return order
    return None


def _is_being_closed(situation: Situation, life: Life) -> bool:
    """Return whether a close is under way beside which no floor is needed.

    Ours keeps its primary meanwhile. Somebody's, to be flattened as it is found, has none: what an
    attempt has left of it gets its stop (B1).
    """
    if life.closing is None:
        return False
    was_tried = bool(situation.ledger.of_life(OrderRole.EMERGENCY))
    return not (life.origin is Origin.ORPHAN and was_tried)


def _on_tick(situation: Situation, level: Decimal) -> Decimal:
    """Return a level of this life as the exchange takes it now, never wider (RULES E2, B2).

    It was on the tick when it was laid; the exchange may have listed the symbol anew since.
    """
    instrument, side = situation.instrument, situation.life.side
    return level if instrument is None else instrument.price_toward_less_risk(side, level)


def _has_made_way(situation: Situation, life: Life) -> bool:
    """Return whether the close took the primaries away for a stand-in that rests."""
    since_ms = life.closing_ms
    if life.closing is None or since_ms is None or stand_in(situation, life) is None:
        return False
    sent = [o.cancel_sent_ms for o in situation.ledger.of_life(OrderRole.STOP_PRIMARY)]
    return any(sent_ms is not None and sent_ms >= since_ms for sent_ms in sent)


def whole_primary(situation: Situation) -> Order | None:
    """Return the widest of the primaries seen resting that carry everything, if they do."""
    carrying = carrying_primaries(situation)
    return carrying[-1] if carrying else None


def carrying_primaries(situation: Situation) -> tuple[Order, ...]:
    """Return the primaries seen resting that carry the cover; what rests beside is spare (F2)."""
    primaries = situation.ledger.of_life(OrderRole.STOP_PRIMARY)
    return _carriers(situation, [o for o in primaries if is_seen_resting(o)])


def working_price(situation: Situation) -> WorkingPrice:
    """Return the price primaries fire on: last while an entry may fill, else as configured (E4)."""
    is_final = situation.ledger.entries_are_final and situation.life.is_open
    return situation.limits.working_price if is_final else WorkingPrice.LAST


def _is_at_stake(situation: Situation) -> bool:
    """Return whether there is a position, or an entry that may still make one.

    An account that takes no stop while flat is asked for none before the first fill (RULES E9).
    """
    if situation.life.quantity > 0:
        return True
    return situation.ledger.stop_while_flat is not False and not situation.ledger.entries_are_final


def _reaching(situation: Situation) -> list[Order]:
    """Return the own primaries at the level in force or tighter, by evidence (RULES A1, F1)."""
    life, now_ms = situation.life, situation.now_ms
    found: list[Order] = []
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
            found.append(order)
    return found


def is_seen_resting(order: Order) -> bool:
    """Return whether the exchange's own word, and nothing against it, says that it rests (C1)."""
    return order.status is OrderStatus.WORKING and order.is_confirmed_resting


def _possibly_rests(order: Order) -> bool:
    return order.is_unresolved or (order.may_rest and order.doubtful_since_ms is not None)


def _carriers(situation: Situation, resting: list[Order]) -> tuple[Order, ...]:
    return carriers(situation.life.side, situation.quantity_to_cover, resting)


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


def may_cancel(situation: Situation, order: Order) -> bool:
    """Return whether a cancel may be sent: the first, or again after a second."""
    sent_ms = order.cancel_sent_ms
    return sent_ms is None or situation.now_ms - sent_ms > CANCEL_RETRY_MS


CANCEL_RETRY_MS = 1_000
"""A cancel whose order still rests is sent again after this time."""
