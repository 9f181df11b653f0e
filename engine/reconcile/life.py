"""Where a life stands after a look: levels confirmed, entry final, TP1 done, cover, clean book."""

from __future__ import annotations

from bisect import bisect_right
from decimal import Decimal
from operator import attrgetter

from engine.domain.again import last_answer
from engine.domain.cover import Cover, CoverStop, cover_of, is_behind, is_covering
from engine.domain.drift import Drift, DriftKind
from engine.domain.identity import OrderRole
from engine.domain.ledger import NOT_SENT, Ledger, PastLife
from engine.domain.limits import Limits
from engine.domain.numbers import ZERO, as_price, plain
from engine.domain.observation import BASE_TAKER_RATE, Candle, Observation
from engine.domain.order import Fill, Order, OrderReport, OrderStatus
from engine.domain.position import LevelState, Life, Origin, StopLevel
from engine.domain.terms import WorkingPrice
from engine.domain.values import replace
from engine.reconcile.fills import has_untold_trades

_OPEN_MS, _HIGH, _LOW = attrgetter("open_ms"), attrgetter("high"), attrgetter("low")

CLEAN_READS = 2
INCOME_WAIT_MS = 60_000
FUNDING_KINDS = frozenset({"FUNDING_FEE", "SPECIAL_FUNDING_FEE"})


def fold_levels(ledger: Ledger, now_ms: int) -> Ledger:
    """Return the ledger with proposed stop levels settled by what became of their orders (F3).

    Confirmed once the order rested (or fired, or ended after it must have rested), refused when the
    exchange refused it, withdrawn when no trace of it was found. The level in force is the tightest
    confirmed one.
    """
    life = ledger.life
    if life is None:
        return ledger
    orders = {o.id.revision: o for o in ledger.of_life(OrderRole.STOP_PRIMARY)}
    levels: list[StopLevel] = []
    for level in ledger.levels:
        order = orders.get(level.revision)
        state = level.state
        if state is LevelState.PROPOSED and order is not None:
            if order.rested_ms is not None:
                state = LevelState.CONFIRMED
            elif order.status is OrderStatus.REJECTED:
                state = LevelState.REFUSED if order.code else LevelState.WITHDRAWN
            elif order.status.is_final:
                state = LevelState.CONFIRMED if _has_rested(order) else LevelState.WITHDRAWN
        settled_ms = level.settled_ms if state is level.state else now_ms
        levels.append(replace(level, state=state, settled_ms=settled_ms))
        if state is LevelState.CONFIRMED and (
            life.stop_level is None or life.side.is_tighter(level.level, life.stop_level)
        ):
            life = replace(life, stop_level=level.level, stop_reason=level.reason)
            if life.opened_ms is None:  # what the position begins with (RULES D3, F1)
                life = replace(life, initial_stop=level.level)
    return _with_found_levels(replace(ledger, levels=tuple(levels), life=life), life)


def _with_found_levels(ledger: Ledger, life: Life) -> Ledger:
    """Return the ledger with the levels of stops that rest although none was written (B2, G5)."""
    for order in ledger.of_life(OrderRole.STOP_PRIMARY):
        found = _found_level(order, life, ledger.levels)
        if found is not None:
            life = replace(life, stop_level=found.level, stop_reason=found.reason)
            ledger = replace(ledger, levels=(*ledger.levels, found), life=life)
    return ledger


def _found_level(order: Order, life: Life, levels: tuple[StopLevel, ...]) -> StopLevel | None:
    """Return the level of a stop that was found resting, None where it puts none in force.

    It was sent before it could be recorded, or by a writer whose records we have not. What rests
    for the whole position is in force, as soon as it is the tightest.
    """
    trigger, rested_ms, quantity = order.terms.trigger_price, order.rested_ms, order.terms.quantity
    if not order.is_adopted or trigger is None or rested_ms is None:
        return None
    if order.terms.side is not life.side.closing or order.status is OrderStatus.REJECTED:
        return None
    if quantity is None or quantity < life.quantity:
        return None
    if life.stop_level is not None and not life.side.is_tighter(trigger, life.stop_level):
        return None
    if any(level.revision == order.id.revision for level in levels):
        return None
    return StopLevel(
        generation=life.generation,
        revision=order.id.revision,
        side=life.side,
        level=trigger,
        reason="initial" if trigger == life.initial_stop else "imported",
        state=LevelState.CONFIRMED,
        proposed_ms=order.intended_ms,
        settled_ms=rested_ms,
    )


def _has_rested(order: Order) -> bool:
    """Return whether an order whose first word was its last one has rested before that.

    It fired, or somebody cancelled it, before we could look: a reply lost, a keeper that was
    stopped, a takeover. Only what rested can be cancelled (RULES C1), and a level that was in force
    is not given up because we were the last to hear of it (B2).
    """
    return order.quantity_filled > 0 or order.status is OrderStatus.CANCELLED


def fold_prices(ledger: Ledger, observation: Observation) -> Ledger:
    """Return the ledger with the best and worst price since the first fill (RULES F8).

    Whole candles count from the minute after the fill; the fill's own candle only through looks.
    """
    life = ledger.life
    if life is None or not life.is_open or life.opened_ms is None:
        return ledger
    candles = () if observation.candles is None else observation.candles.value
    # An average has any number of digits; the store keeps as many of a price as it can order.
    entry = None if life.entry_price is None else as_price(life.entry_price)
    prices = [p for p in (observation.last_price, entry) if p is not None and p > 0]
    opened_ms = life.opened_ms
    prices += _reached(candles, opened_ms)
    prices += [p for p in (life.best_price, life.worst_price) if p is not None]
    if not prices:
        return ledger
    ends = min(prices), max(prices)
    best, worst = life.side.tighter(*ends), life.side.wider(*ends)
    return ledger.with_life(replace(life, best_price=best, worst_price=worst))


@last_answer
def _reached(candles: tuple[Candle, ...], opened_ms: int) -> tuple[Decimal, ...]:
    """Return the highest and the lowest price of the whole candles since then, if there are any."""
    whole = candles[bisect_right(candles, opened_ms, key=_OPEN_MS) :]
    return (max(map(_HIGH, whole)), min(map(_LOW, whole))) if whole else ()


def fold_entry(ledger: Ledger, observation: Observation, limits: Limits) -> Ledger:
    """Return the ledger with entry costs, base of the targets and TP1's completion (F5, F6)."""
    now_ms = observation.now_ms
    life = ledger.life
    if life is None or not life.is_open:
        return ledger
    entered = [f for f in ledger.fills if f.side is life.side.opening]
    life = replace(
        life,
        entry_commission=sum((_cost_of(f, observation, limits) for f in entered), ZERO),
        entered_quantity=sum((f.quantity for f in entered), ZERO),
        opened_ms=_opened_ms(life, entered),
    )
    if ledger.entries_are_final and life.quantity > 0:
        tp1 = ledger.of_life(OrderRole.TP1)
        taken = sum((o.quantity_filled for o in tp1), ZERO)
        if life.entry_final_ms is None:
            life = replace(life, entry_final_ms=now_ms, base_quantity=life.quantity)
        elif taken == 0 and life.base_quantity != life.quantity and not _is_in_doubt(tp1):
            life = replace(life, base_quantity=life.quantity)  # somebody added or cut
        if life.tp1_done_ms is None and taken > 0 and all(o.status.is_final for o in tp1):
            life = replace(life, tp1_done_ms=now_ms)
    return ledger.with_life(life)


def _opened_ms(life: Life, entered: list[Fill]) -> int | None:
    """Return when the life was opened: one that was found again is told by its own trades (B4)."""
    first = entered[0] if entered else None
    own_id = None if first is None else first.own_id
    if first is None or own_id is None or own_id.generation != life.generation:
        return life.opened_ms
    return first.at_ms if life.origin is Origin.IMPORTED else life.opened_ms


def _cost_of(fill: Fill, observation: Observation, limits: Limits) -> Decimal:
    """Return what a fill cost in the margin asset; where it was paid in another, by the rate."""
    paid = fill.commission_in(limits.symbol)
    if paid is not None:
        return paid
    rates = observation.rates
    return fill.price * fill.quantity * (BASE_TAKER_RATE if rates is None else rates.value.taker)


def _is_in_doubt(tp1: tuple[Order, ...]) -> bool:
    """Return whether TP1 may just have executed: then the position is no new base (RULES F6)."""
    return any(o.may_rest and not o.is_confirmed_resting for o in tp1)


def current_cover(ledger: Ledger, observation: Observation, limits: Limits) -> Cover:
    """Return the cover of the life's position by every covering order, whoever owns it (A1, A2).

    From this look's algo list; where it could not be read, from the ledger's own evidence.
    """
    life = ledger.life
    if life is None:
        return Cover(ZERO, None)
    closing = life.side.closing
    stops: list[CoverStop] = []
    listed: set[str] = set()
    for report in () if observation.algo_orders is None else observation.algo_orders.value:
        listed.add(report.client_id)
        if is_covering(report, closing, observation.now_ms, limits.trigger_grace_ms):
            quantity = None if report.close_position else report.quantity
            stops.append(CoverStop(report.trigger_price or ZERO, quantity))
    for order in ledger.orders:
        terms = order.terms
        if str(order.id) in listed or not order.role.is_stop or terms.side is not closing:
            continue
        rests = order.status is OrderStatus.WORKING  # doubtful is not uncovered (RULES C1)
        fires = order.status in (OrderStatus.TRIGGERING, OrderStatus.TRIGGERED)
        since_ms = observation.now_ms - (order.triggered_ms or observation.now_ms)
        if rests or (fires and since_ms < limits.trigger_grace_ms):
            stops.append(CoverStop(terms.trigger_price or ZERO, terms.quantity))
    return cover_of(life.side, life.quantity, stops)


def fold_cover(
    ledger: Ledger, observation: Observation, limits: Limits
) -> tuple[Ledger, list[Drift]]:
    """Return the ledger with naked and loose time accounted up to now (RULES A2, A3)."""
    life = ledger.life
    if life is None or not life.is_open:
        return ledger, []
    now_ms = observation.now_ms
    cover = current_cover(ledger, observation, limits)
    uncovered = max(life.quantity - cover.quantity, ZERO)
    is_loose = cover.level is not None and life.side.is_tighter(life.level_in_force, cover.level)
    since_ms = life.accounted_ms
    if since_ms is None:
        since_ms = _uncovered_since(ledger, life, observation) if uncovered > 0 else now_ms
    elapsed_ms = max(now_ms - since_ms, 0)
    before = uncovered if life.accounted_ms is None else life.uncovered_quantity
    # The floor far below does not stand in for the stop at the level in force (RULES F4, B2).
    is_covered = uncovered == 0 and not is_loose
    crossed = _is_crossed(ledger, life, observation, limits, is_covered=is_covered)
    drifts = []
    if uncovered > 0 and life.uncovered_quantity == 0:
        drifts.append(
            Drift(
                DriftKind.COVER_TOO_SMALL,
                f"position {plain(life.quantity)}, covered {plain(cover.quantity)}",
            )
        )
    if is_loose and cover.level is not None and uncovered == 0 and not life.is_loose:
        drifts.append(
            Drift(
                DriftKind.COVER_LOOSE,
                f"in force {plain(life.level_in_force)}, cover {plain(cover.level)}",
            )
        )
    life = replace(
        life,
        naked_ms=life.naked_ms + (elapsed_ms if before > 0 else 0),
        naked_quantity_s=life.naked_quantity_s + before * Decimal(elapsed_ms) / 1000,
        loose_ms=life.loose_ms + (elapsed_ms if life.is_loose else 0),
        uncovered_quantity=uncovered,
        is_loose=is_loose and uncovered == 0,
        accounted_ms=now_ms if uncovered > 0 or is_loose else None,
        cover_refused_since_ms=life.cover_refused_since_ms if uncovered > 0 else None,
        crossed_since_ms=(life.crossed_since_ms or now_ms) if crossed else None,
    )
    return ledger.with_life(life), drifts


def _uncovered_since(ledger: Ledger, life: Life, observation: Observation) -> int:
    """Return since when a position first seen uncovered can have been so (RULES A2).

    Since the first fill where no stop ever rested; else since the last stop ended, or the last
    fill that enlarged the position. What was before a life was found is not known.
    """
    stops = [o for o in ledger.of_life() if o.role.is_stop]
    now_ms = observation.now_ms
    if life.origin is not Origin.DECISION:
        return now_ms
    if not any(o.rested_ms is not None for o in stops):
        return min(life.opened_ms or now_ms, now_ms)
    told = {
        f.value.client_id: f.value.updated_ms
        for f in observation.lookups
        if isinstance(f.value, OrderReport) and f.value.status.is_final
    }
    since = [told.get(str(o.id), o.finished_ms) for o in stops if o.finished_ms is not None]
    since += [f.at_ms for f in ledger.fills if f.side is life.side.opening]
    return min(max(since, default=now_ms), now_ms)


def _is_crossed(
    ledger: Ledger, life: Life, observation: Observation, limits: Limits, *, is_covered: bool
) -> bool:
    """Return whether price has passed the level, yet the position stands (RULES C1, F4).

    A stop of either layer is judged by its own working price: the floor may be all that is left,
    and in doubt. Where cover is missing, by the one a new stop would work on: last while an entry
    may fill (RULES E4) and for somebody's position, which gets a floor alone (G1), else as
    configured.
    """
    side = life.side
    for order in ledger.of_life(OrderRole.STOP_PRIMARY, OrderRole.STOP_FLOOR):
        trigger, price = order.terms.trigger_price, observation.working(order.terms.working_price)
        if trigger is None or price is None or order.rested_ms is None or order.status.is_final:
            continue
        if is_behind(side, trigger, price):
            return True
    if is_covered:
        return False
    has_primary = life.origin is not Origin.ORPHAN and ledger.entries_are_final
    price = observation.working(limits.working_price if has_primary else WorkingPrice.LAST)
    return price is not None and is_behind(side, life.level_in_force, price)


def fold_end(ledger: Ledger, observation: Observation) -> Ledger:
    """Return the ledger with a finished life counted clean, swept, and finally past (RULES G6)."""
    life = ledger.life
    if life is None:
        return ledger
    if life.swept_ms is not None:
        return _past(ledger, life)
    is_over = life.closed_ms is not None or (
        life.withdrawing is not None and life.opened_ms is None
    )
    if not is_over:
        return ledger
    aside = {one.generation for one in ledger.aside}
    own_open = [
        r
        for r in observation.open_reports or ()
        if r.own_id is not None and r.own_id.generation not in aside
    ]
    is_clean = (
        observation.open_reports is not None
        and not own_open
        and all(o.status.is_final or ledger.is_aside(o) for o in ledger.orders)
    )
    reads = life.clean_reads + 1 if is_clean else 0
    income, closed_ms = observation.income, life.closed_ms
    is_told = (
        closed_ms is None
        or (income is not None and income.at_ms > closed_ms and not has_untold_trades(ledger))
        or observation.now_ms - closed_ms > INCOME_WAIT_MS
    )
    swept_ms = observation.now_ms if reads >= CLEAN_READS and is_told else None
    return ledger.with_life(replace(life, clean_reads=reads, swept_ms=swept_ms))


def fold_funding(ledger: Ledger, observation: Observation) -> Ledger:
    """Return the ledger with the funding the exchange says the life paid or received (F5)."""
    life = ledger.life
    if life is None or observation.income is None or life.opened_ms is None:
        return ledger
    until_ms = observation.now_ms if life.closed_ms is None else life.closed_ms
    funding = sum(
        (
            line.amount
            for line in observation.income.value
            if line.kind in FUNDING_KINDS and life.opened_ms <= line.at_ms <= until_ms
        ),
        ZERO,
    )
    return ledger.with_life(replace(life, funding=funding))


def _past(ledger: Ledger, life: Life) -> Ledger:
    past = PastLife(
        generation=life.generation,
        decision_id=life.decision_id,
        terms=life.terms,
        opened_ms=life.opened_ms,
        closed_ms=life.closed_ms or life.swept_ms or 0,
        exit_reason=life.exit_reason,
        withdrawn=_why_withdrawn(ledger, life),
        side=life.side,
    )
    return replace(
        ledger,
        life=None,
        orders=tuple(o for o in ledger.orders if o.may_rest),
        fills=(),
        levels=(),
        past=(*(p for p in ledger.past if p.generation != life.generation), past),
    )


def _why_withdrawn(ledger: Ledger, life: Life) -> str | None:
    """Return why a life that never opened ended, None for one that opened."""
    if life.opened_ms is not None:
        return None
    was_answered = any(o.rested_ms is not None or o.code for o in ledger.of_life())
    return life.withdrawing if was_answered else NOT_SENT
