"""A position without a life in the ledger: import ours, recognise what is not ours (RULES G1)."""

from __future__ import annotations

from decimal import Decimal

from engine.domain.drift import Drift, DriftKind
from engine.domain.identity import FOREIGN_HASH, OrderRole
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits, OrphanPolicy
from engine.domain.numbers import ZERO, as_price, plain
from engine.domain.observation import Observation
from engine.domain.order import Order, OrderStatus
from engine.domain.position import LevelState, Life, Origin, PositionReport, StopLevel, Zone
from engine.domain.terms import Side
from engine.domain.values import replace
from engine.domain.wide_stop import wide_level
from engine.reconcile.history import HISTORY_MS
from engine.reconcile.orders import VISIBLE_WITHIN_MS


def fold_orphan(
    ledger: Ledger, observation: Observation, limits: Limits
) -> tuple[Ledger, list[Drift]]:
    """Return the ledger with a life for a position it did not know, and the drift that says so."""
    if observation.position is None or observation.instrument is None:
        return ledger, []
    read = observation.position.value
    if read.is_flat or read.side is None or observation.open_reports is None:
        return ledger, []
    if ledger.life is not None and not _may_be_ours(ledger, ledger.life, observation):
        return _following(ledger, ledger.life, read, observation, limits), []
    if (ours := _import(ledger, read, read.side, observation)) is not None:
        level = plain(ours.level_in_force)
        detail = f"{read.side} {plain(read.quantity)}, imported at level {level}"
        return _adopt(ledger, ours), [Drift(DriftKind.ORPHAN_POSITION, detail)]
    if ledger.life is not None:
        return _following(ledger, ledger.life, read, observation, limits), []
    life = _foreign(ledger, read, read.side, observation, limits)
    detail = f"{read.side} {plain(read.quantity)} is not ours; policy {limits.orphan}"
    ledger = replace(ledger, generation=max(ledger.generation, life.generation), beside=None)
    return _adopt(ledger, life), [Drift(DriftKind.ORPHAN_POSITION, detail)]


def _may_be_ours(ledger: Ledger, life: Life, observation: Observation) -> bool:
    """Return whether history comes only now, to a position that was taken for somebody else's.

    It had to be protected before history could be read; ours keeps its own, tighter level (B2).
    """
    is_foreign = life.origin is Origin.ORPHAN and life.closed_ms is None
    return is_foreign and observation.history is not None and ledger.history_read_ms is None


def _adopt(ledger: Ledger, life: Life) -> Ledger:
    levels = tuple(
        StopLevel(
            generation=life.generation,
            revision=order.id.revision,
            side=life.side,
            level=order.terms.trigger_price,
            reason="imported",
            state=LevelState.CONFIRMED,
            proposed_ms=order.intended_ms,
            settled_ms=order.rested_ms,
        )
        for order in sorted(_stops(ledger, life.generation, life.side), key=lambda o: o.id)
        if order.role is OrderRole.STOP_PRIMARY
        and order.terms.trigger_price is not None
        and order.rested_ms is not None
    )
    ordered = _monotone(levels, life.side)
    return replace(
        ledger,
        life=life,
        levels=ordered,
        # History may have told it as a life that ended: it has not.
        past=tuple(p for p in ledger.past if p.generation != life.generation),
        position_quantity=life.quantity * life.side.sign,
    )


def _monotone(levels: tuple[StopLevel, ...], side: Side) -> tuple[StopLevel, ...]:
    """Return the levels that tightened, in order: what the database accepts as history."""
    kept: list[StopLevel] = []
    for level in levels:
        if not kept or not side.is_tighter(kept[-1].level, level.level):
            kept.append(level)
    return tuple(kept)


def _import(
    ledger: Ledger, read: PositionReport, side: Side, observation: Observation
) -> Life | None:
    """Return the life of a position that own orders explain, at the tightest own level seen."""
    adopted = {o.generation for o in ledger.orders if _was_adopted(o)}
    own = [
        o
        for o in ledger.orders
        if o.role is not OrderRole.PROBE
        and (o.id.decision_hash != FOREIGN_HASH or o.generation in adopted)
    ]
    if not own:
        return None
    generation = max(o.generation for o in own)
    stops = [
        o
        for o in _stops(ledger, generation, side)
        if o.terms.trigger_price is not None
        # What the exchange tells of it took: rejected, it fired and its child was refused (B2).
        and (o.is_adopted or o.status is not OrderStatus.REJECTED)
    ]
    entries = [
        o
        for o in own
        if o.generation == generation
        and o.role is OrderRole.ENTRY
        and o.terms.side is side.opening
        and o.quantity_filled > 0
    ]
    if not stops or not (entries or any(o.status.is_resting for o in stops)):
        return None
    of_life = [o for o in own if o.generation == generation]
    if not entries and generation not in adopted and _never_filled(of_life, observation):
        return None
    if _is_accounted_for(of_life, side):
        return None
    triggers = [o.terms.trigger_price for o in stops if o.terms.trigger_price is not None]
    tightest, widest = triggers[0], triggers[0]
    for trigger in triggers[1:]:
        tightest, widest = side.tighter(tightest, trigger), side.wider(widest, trigger)
    tp1 = [o for o in own if o.generation == generation and o.role is OrderRole.TP1]
    runner = _runner(own, generation)
    taken = any(o.quantity_filled > 0 for o in tp1)
    # When it was opened its trades tell (``fold_entry``); an entry may have rested for long before.
    return Life(
        generation=generation,
        decision_id=stops[0].id.decision_hash,
        decision_made_ms=min((o.intended_ms for o in entries), default=observation.now_ms),
        origin=Origin.IMPORTED,
        side=side,
        armed_ms=min(o.intended_ms for o in (*stops, *entries)),
        planned_quantity=read.quantity,
        limit_price=as_price(read.entry_price),
        initial_stop=widest,
        tp1_price=next((o.terms.trigger_price for o in tp1), None),
        tp2_price=runner if isinstance(runner, Decimal) else None,
        zone=runner if isinstance(runner, Zone) else None,
        tp1_fraction=Decimal("0.5"),
        is_trailing_enabled=True,
        stop_level=tightest,
        stop_reason="imported",
        quantity=read.quantity,
        entry_price=read.entry_price,
        opened_ms=observation.now_ms,
        tp1_done_ms=observation.now_ms if taken else None,
    )


def _was_adopted(order: Order) -> bool:
    """Return whether an order shows that an operator had adopted what it protects (RULES G1).

    What is only protected has one closePosition stop, and never a primary.
    """
    return order.id.decision_hash == FOREIGN_HASH and order.role is OrderRole.STOP_PRIMARY


def _never_filled(own: list[Order], observation: Observation) -> bool:
    """Return whether a life's stop was armed and nothing of ours ever filled (G1, lesson 17).

    Told only by a history that reaches back to its first order and that is no younger than what
    it may lag; an entry that still rests may have filled a moment ago.
    """
    history = observation.history
    if history is None or any(o.role is OrderRole.ENTRY and o.may_rest for o in own):
        return False
    is_whole = min(o.intended_ms for o in own) > history.at_ms - HISTORY_MS
    return is_whole and max(o.intended_ms for o in own) < history.at_ms - VISIBLE_WITHIN_MS


def _is_accounted_for(own: list[Order], side: Side) -> bool:
    """Return whether a life's own orders opened it, closed it whole, and none of them may rest.

    What stands there now is somebody's, opened since: ours would rest under its stops (C2).
    """
    opened, closed = (
        sum((o.quantity_filled for o in own if o.terms.side is which), ZERO)
        for which in (side.opening, side.closing)
    )
    return 0 < opened <= closed and not any(o.may_rest for o in own)


def _runner(own: list[Order], generation: int) -> Decimal | Zone | None:
    """Return TP2's price or the zone of the newest target for the runner, resting or not (B4)."""
    roles = (OrderRole.TP2, OrderRole.LIQUIDATION_EXIT)
    targets = [o for o in own if o.generation == generation and o.role in roles]
    newest = max(targets, key=lambda o: (o.intended_ms, o.id.revision), default=None)
    trigger = None if newest is None else newest.terms.trigger_price
    if newest is None or trigger is None or newest.role is OrderRole.TP2:
        return trigger
    return Zone("recovered", trigger, trigger, given_id=False)


def _foreign(
    ledger: Ledger,
    read: PositionReport,
    side: Side,
    observation: Observation,
    limits: Limits,
) -> Life:
    """Return a life for somebody else's position: one wide stop from the current mark, no more.

    Where one of ours rests for it already, placed beside another life or before the store was lost,
    it is this life's: the exchange takes no second one of its kind.
    """
    level = wide_level(side, read, observation, limits)
    generation = ledger.generation + 1
    if ledger.beside is not None and ledger.beside.side is side:
        generation = ledger.beside.generation
    if (stop := _wide_stop(ledger, side)) is not None:
        generation, level = stop.generation, stop.terms.trigger_price or level
    return Life(
        generation=generation,
        decision_id=FOREIGN_HASH,
        decision_made_ms=observation.now_ms,
        origin=Origin.IMPORTED if limits.orphan is OrphanPolicy.ADOPT else Origin.ORPHAN,
        side=side,
        armed_ms=observation.now_ms,
        planned_quantity=ZERO,
        limit_price=as_price(read.entry_price),
        initial_stop=level,
        stop_reason="orphan",
        quantity=read.quantity,
        entry_price=read.entry_price,
        opened_ms=observation.now_ms,
    )


def _following(
    ledger: Ledger, life: Life, read: PositionReport, observation: Observation, limits: Limits
) -> Ledger:
    """Return the ledger with a foreign position's level from today's mark until a stop rests."""
    is_ours = life.origin is not Origin.ORPHAN or read.side is not life.side
    floors = ledger.of_life(OrderRole.STOP_FLOOR)
    if is_ours or life.closed_ms is not None or any(not o.status.is_final for o in floors):
        return ledger
    if any(o.rested_ms is not None for o in floors):
        return ledger
    level = wide_level(life.side, read, observation, limits)
    return ledger.with_life(replace(life, initial_stop=level))


def _wide_stop(ledger: Ledger, side: Side) -> Order | None:
    """Return the stop of ours that rests for a position of somebody's, if there is one."""
    return next(
        (
            o
            for o in ledger.orders
            if o.id.decision_hash == FOREIGN_HASH
            and o.role is OrderRole.STOP_FLOOR
            and o.status.is_resting
            and o.terms.close_position
            and o.terms.side is side.closing
            and o.terms.position_side is None
        ),
        None,
    )


def _stops(ledger: Ledger, generation: int, side: Side) -> list[Order]:
    return [
        o
        for o in ledger.orders
        if o.generation == generation and o.role.is_stop and o.terms.side is side.closing
    ]
