"""When a position must be closed now, and the ladder that closes it until flat (RULES F4, F11).

Steps: reduce-only MARKET in slices; where the exchange refuses that form or leaves a remainder,
reduce-only LIMIT IOC at the edge of the price band; then LIMIT GTC at the best opposite price,
re-priced each second; dust that none of them takes, a closePosition target one tick away.
Stops stay where they are until flat is proven, unless they are what the close is refused for.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from engine.domain.action import Action, Hold, PlaceOrder
from engine.domain.condition import Command
from engine.domain.decision import Decided
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.instrument import Instrument
from engine.domain.limits import HoldOrClose, OrphanPolicy
from engine.domain.order import Order, OrderStatus, OrderTerms
from engine.domain.position import ExitReason, Life, Origin
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, OrderSide, OrderType, TimeInForce
from engine.plan.attempts import PROTECT_ATTEMPTS, WOULD_TRIGGER, must_wait
from engine.plan.excess import EXCESS, is_held_fast
from engine.plan.proposal import NOTHING, Proposal, cancel
from engine.plan.reserved import is_reserved, make_way

MARKET_REFUSED = frozenset({-4131, -1008})
REPRICE_MS = 1_000
CONFIRMING_LOOKS = 2


def begin_closing(situation: Situation) -> Proposal:
    """Decide that the position must be closed now, and say why; the ladder does it."""
    life = situation.ledger.life
    if life is None or not life.is_open or life.closing is not None or life.quantity == 0:
        return NOTHING
    if life.flat_seen_ms is not None and life.origin is not Origin.DECISION:
        return NOTHING  # this look shows nothing that stands, and no trade says otherwise (C2)
    why = _why_close(situation, life)
    if why is None:
        return NOTHING
    reason, detail = why
    return Proposal(
        life=replace(life, closing=reason, closing_why=detail, closing_ms=situation.now_ms)
    )


def _why_close(situation: Situation, life: Life) -> tuple[ExitReason, str] | None:
    limits, now_ms = situation.limits, situation.now_ms
    if any(c.command is Command.FLATTEN for c in situation.condition.commands):
        return ExitReason.FLATTEN, "operator"
    if life.origin is Origin.ORPHAN:
        if limits.orphan is OrphanPolicy.FLATTEN:
            return ExitReason.FLATTEN, "orphan_policy"
        # Our stop fired, and hangs or its child left a rest: its moment has passed (RULES F4, G1).
        # Where it was taken away instead, the position is not ours to dump.
        floors = situation.ledger.of_life(OrderRole.STOP_FLOOR)
        has_fired = any(_has_fired(o) for o in floors)
        is_rest = life.crossed_since_ms is not None and has_fired
        is_uncovered = life.uncovered_quantity > 0
        return (ExitReason.EMERGENCY, "stop_crossed") if is_rest and is_uncovered else None
    is_missing = life.uncovered_quantity > 0 or life.is_loose
    if life.crossed_since_ms is not None:
        stands_ms = now_ms - life.crossed_since_ms
        if is_missing or stands_ms >= limits.trigger_grace_ms:
            return ExitReason.EMERGENCY, "stop_crossed"
    if is_missing and _cover_would_trigger(situation):
        return ExitReason.EMERGENCY, "stop_would_trigger"
    refused_ms = life.cover_refused_since_ms
    is_over = refused_ms is not None and now_ms - refused_ms >= limits.naked_limit_ms
    if is_over and _is_cover_refused(situation):
        return ExitReason.EMERGENCY, "cover_refused"
    if is_held_fast(situation, life):
        return ExitReason.EMERGENCY, "excess_held"
    return _by_decision(situation, life)


def _has_fired(stop: Order) -> bool:
    """Return whether a stop's condition was met: it rested first, and what ended it says so.

    One that rested and is rejected had its child refused, perhaps between two looks; one that names
    a child had one, whatever became of it.
    """
    is_child_refused = stop.status is OrderStatus.REJECTED and stop.rested_ms is not None
    had_child = stop.triggered_ms is not None or stop.child_id is not None
    return stop.quantity_filled > 0 or had_child or is_child_refused


def _is_cover_refused(situation: Situation) -> bool:
    """Return whether the exchange's newest word on cover is a refusal (RULES F11).

    A stop of unknown fate may rest: it does not close a position (C1, C4).
    """
    primaries = situation.ledger.of_life(OrderRole.STOP_PRIMARY)
    last = max(primaries, key=lambda o: o.id.revision, default=None)
    return last is not None and last.status is OrderStatus.REJECTED and last.code != 0


def _cover_would_trigger(situation: Situation) -> bool:
    """Return whether the exchange just said that the missing stop's moment has passed (F4)."""
    primaries = situation.ledger.of_life(OrderRole.STOP_PRIMARY)
    if not primaries:
        return False
    last = max(primaries, key=lambda o: o.id.revision)
    is_cover = last.action_class is ActionClass.PROTECT
    return last.status is OrderStatus.REJECTED and last.code == WOULD_TRIGGER and is_cover


def _by_decision(situation: Situation, life: Life) -> tuple[ExitReason, str] | None:
    limits, now_ms, inbox = situation.limits, situation.now_ms, situation.inbox
    if _is_untradable_rest(situation, life):
        return ExitReason.EMERGENCY, "too_small_at_timeout"
    decision = inbox.decision
    if decision is None or inbox.consecutive_looks < CONFIRMING_LOOKS:
        return None
    is_fresh = now_ms - decision.made_ms <= limits.decision_stale_ms
    if not is_fresh or decision.made_ms <= life.decision_made_ms:
        return None
    if decision.action is Decided.FLAT and limits.on_flat is HoldOrClose.CLOSE:
        return ExitReason.FLAT_DECISION, decision.id
    if decision.side is life.side.opposite and limits.on_opposite is HoldOrClose.CLOSE:
        return ExitReason.OPPOSITE_DECISION, decision.id
    return None


def _is_untradable_rest(situation: Situation, life: Life) -> bool:
    """Return whether a timed-out entry filled less than any order may be worth (RULES E7)."""
    instrument, price = situation.instrument, life.entry_price
    if life.withdrawing != "entry_timeout" or instrument is None or price is None:
        return False
    is_final = situation.ledger.entries_are_final
    return is_final and life.tp1_done_ms is None and life.quantity * price < instrument.notional_min


def close_position(situation: Situation) -> Proposal:
    """Take the next step of the ladder while a position that must be closed still stands."""
    life, instrument = situation.ledger.life, situation.instrument
    if life is None or life.closing is None or life.quantity == 0 or life.closed_ms is not None:
        return NOTHING
    everything = situation.ledger.of_life(OrderRole.EMERGENCY)
    # What was refused before, for another purpose, paces and steers nothing here.
    attempts = tuple(o for o in everything if o.reason != EXCESS)
    if must_wait(situation, attempts, PROTECT_ATTEMPTS):
        return Proposal(holds=(Hold("close_position", "backoff"),))
    resting = [o for o in everything if o.status.is_resting]
    actions: list[Action] = [
        cancel(o, "close_position", "ladder", ActionClass.PROTECT)
        for o in situation.ledger.of_life(OrderRole.TP1, OrderRole.TP2)
        if o.terms.type is OrderType.LIMIT and o.may_rest and o.cancel_sent_ms is None
    ]
    if resting:
        oldest_ms = min(o.intended_ms for o in resting)
        if situation.now_ms - oldest_ms < REPRICE_MS:
            return Proposal(
                actions=tuple(actions), holds=(Hold("close_position", "attempt_works"),)
            )
        actions += [
            cancel(o, "close_position", "reprice", ActionClass.PROTECT)
            for o in resting
            if o.cancel_sent_ms is None or situation.now_ms - o.cancel_sent_ms > REPRICE_MS
        ]
        return Proposal(actions=tuple(actions))
    is_held = is_reserved(situation, life, attempts)
    if is_held and (way := make_way(situation, life)) is not None:
        return replace(way, actions=(*actions, *way.actions))
    # Without filters nothing is known to be too small or too large: the market order is tried.
    is_dust = instrument is not None and life.quantity < instrument.tradable_min
    sizes_itself = instrument is not None and (is_held or is_dust)
    if sizes_itself and (targets := _targets_in_the_way(situation)):
        # Two closePosition targets of one direction cannot rest side by side (-4130).
        actions += [
            cancel(o, "close_position", "dust", ActionClass.PROTECT)
            for o in targets
            if o.cancel_sent_ms is None or situation.now_ms - o.cancel_sent_ms > REPRICE_MS
        ]
        return Proposal(actions=tuple(actions))
    first = situation.ledger.next_revision(OrderRole.EMERGENCY)
    if instrument is None:
        steps = [_market(life, life.quantity)]
    elif sizes_itself:
        steps = [_dust(situation, life, instrument)]
    else:
        steps = _step(situation, life, instrument, attempts)
    for offset, terms in enumerate(steps):
        client_id = ClientOrderId(
            life.decision_id, life.generation, OrderRole.EMERGENCY, first + offset
        )
        actions.append(
            PlaceOrder(
                replace(terms, client_id=client_id),
                ActionClass.PROTECT,
                "close_position",
                str(life.closing),
            )
        )
    return Proposal(actions=tuple(actions))


SLICES_MAX = 5


def _targets_in_the_way(situation: Situation) -> list[Order]:
    roles = (OrderRole.TP1, OrderRole.TP2, OrderRole.LIQUIDATION_EXIT)
    targets = [o for o in situation.ledger.of_life(*roles) if o.may_rest]
    return [o for o in targets if o.terms.close_position]


def _step(
    situation: Situation, life: Life, instrument: Instrument, attempts: tuple[Order, ...]
) -> list[OrderTerms]:
    """Return the orders of the next step, by what became of the one before."""
    last = attempts[-1] if attempts else None
    blank = _blank(life)
    side = life.side.closing
    if last is None or not _market_failed(attempts):
        slices: list[OrderTerms] = []
        left = life.quantity
        while left > 0 and len(slices) < SLICES_MAX:
            part = min(left, instrument.market_quantity_max)
            slices.append(_market(life, part))
            left -= part
        return slices
    quantity = min(life.quantity, instrument.quantity_max)
    tried_ioc = last.terms.time_in_force is TimeInForce.IOC and last.status.is_final
    price = (
        _best_opposite(situation, side) if tried_ioc else _band_edge(situation, instrument, side)
    )
    if price is None:
        return [_market(life, quantity)]
    force = TimeInForce.GTC if tried_ioc else TimeInForce.IOC
    return [
        OrderTerms(
            blank,
            side,
            OrderType.LIMIT,
            quantity,
            price=price,
            reduce_only=True,
            time_in_force=force,
        )
    ]


def _market(life: Life, quantity: Decimal) -> OrderTerms:
    return OrderTerms(_blank(life), life.side.closing, OrderType.MARKET, quantity, reduce_only=True)


def _market_failed(attempts: tuple[Order, ...]) -> bool:
    """Return whether the market form was refused for good or left a remainder last time."""
    last = attempts[-1]
    if last.terms.type is not OrderType.MARKET:
        return True
    if last.status is OrderStatus.REJECTED:
        return last.code in MARKET_REFUSED
    return last.status is OrderStatus.EXPIRED


def _band_edge(situation: Situation, instrument: Instrument, side: OrderSide) -> Decimal | None:
    """Return the PERCENT_PRICE edge rounded inside: the worst price the exchange lets us take."""
    mark = situation.observation.mark_price
    if mark is None:
        return None
    if side is OrderSide.SELL:
        return instrument.ceil_price(mark * instrument.multiplier_down)
    return instrument.floor_price(mark * instrument.multiplier_up)


def _best_opposite(situation: Situation, side: OrderSide) -> Decimal | None:
    quote = situation.observation.quote
    if quote is None:
        return None
    return quote.value.bid if side is OrderSide.SELL else quote.value.ask


def _blank(life: Life) -> ClientOrderId:
    return ClientOrderId(life.decision_id, life.generation, OrderRole.EMERGENCY, 0)


def _dust(situation: Situation, life: Life, instrument: Instrument) -> OrderTerms:
    """Return a closePosition target one tick away: it sizes itself (RULES F11)."""
    price = situation.observation.last_price or life.limit_price
    return OrderTerms(
        _blank(life),
        life.side.closing,
        OrderType.TAKE_PROFIT_MARKET,
        trigger_price=price + life.side.sign * instrument.tick_size,
        close_position=True,
    )
