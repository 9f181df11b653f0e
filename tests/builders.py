"""Values for tests: each builder makes a plain, consistent one; a test names only what matters.

The story they all tell is the sample decision of RULES: a long on BTCUSDT, zone 90700 to 90900,
stop 90380, targets 91600 and 92900, so a limit price of 90743.3 and a quantity of 0.013. ``short``
builds its mirror image in the price 91000: every price p becomes 182000 - p.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from engine.domain.action import CancelOrder, PlaceOrder, Plan
from engine.domain.condition import Condition
from engine.domain.decision import Decided, Decision, Inbox
from engine.domain.equity import Equity, Opening, day_start, week_start
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.instrument import Bracket, Instrument
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.observation import (
    AccountMode,
    AccountReport,
    Candle,
    Fact,
    MarkQuote,
    NotFound,
    Observation,
    Quote,
    Rates,
    SymbolConfig,
)
from engine.domain.order import Fill, Order, OrderReport, OrderStatus, OrderTerms
from engine.domain.position import LevelState, Life, Origin, PositionReport, StopLevel
from engine.domain.situation import Situation
from engine.domain.terms import (
    ActionClass,
    Book,
    OrderType,
    Side,
    TimeInForce,
    WorkingPrice,
)

Number = str | int | Decimal

MINUTE_MS = 60_000
DAY_MS = 86_400_000
MIDNIGHT_MS = 1_795_046_400_000
"""2026-11-19T00:00:00Z; the tests' day starts here."""
NOW = MIDNIGHT_MS + 12 * 3_600_000
"""The present moment of every builder."""
HASH = "7f3aq2"
MIRROR = Decimal(182_000)

LONG, SHORT = Side.LONG, Side.SHORT
ENTRY, PRIMARY, FLOOR = OrderRole.ENTRY, OrderRole.STOP_PRIMARY, OrderRole.STOP_FLOOR
TP1, TP2, EMERGENCY = OrderRole.TP1, OrderRole.TP2, OrderRole.EMERGENCY
ZONE_EXIT = OrderRole.LIQUIDATION_EXIT
WORKING, UNKNOWN, INTENDED = OrderStatus.WORKING, OrderStatus.UNKNOWN, OrderStatus.INTENDED
FILLED, CANCELLED = OrderStatus.FILLED, OrderStatus.CANCELLED
REJECTED, EXPIRED = OrderStatus.REJECTED, OrderStatus.EXPIRED
TRIGGERING, TRIGGERED = OrderStatus.TRIGGERING, OrderStatus.TRIGGERED

DOCUMENT: dict[str, object] = {
    "symbol": "BTCUSDT",
    "action": "long",
    "reason": "spec",
    "entry_zone": [90700, 90900],
    "sl": 90380,
    "tp1": 91600,
    "tp2": 92900,
    "risk_level": 2,
    "position_size_usdt": 1200,
    "leverage": 3,
    "confidence": 0.7,
    "risk_checks": {"session_ok": True},
    "position_management": {"tp1_fraction": 0.5, "enable_trailing": False},
}
"""The sample decision as its file says it, but for the time: for tests of a whole keeper."""


def d(value: Number) -> Decimal:
    """Return an exact number."""
    return Decimal(value)


def on(side: Side, price: Number) -> Decimal:
    """Return a price of the long story as ``side`` tells it."""
    return d(price) if side is LONG else MIRROR - d(price)


def an_instrument(**changes: Any) -> Instrument:
    """Return BTCUSDT's filters."""
    made = Instrument(
        symbol="BTCUSDT",
        margin_asset="USDT",
        tick_size=d("0.10"),
        step_size=d("0.001"),
        price_min=d("556.80"),
        price_max=d("4529764"),
        quantity_min=d("0.001"),
        quantity_max=d("1000"),
        market_quantity_min=d("0.001"),
        market_quantity_max=d("120"),
        notional_min=d("50"),
        multiplier_up=d("1.05"),
        multiplier_down=d("0.95"),
        is_trading=True,
    )
    return replace(made, **changes)


BRACKETS = (
    Bracket(d(0), d(300_000), 125, d("0.004"), d(0)),
    Bracket(d(300_000), d(800_000), 100, d("0.005"), d(300)),
)
CHECKS = (("daily_dd_ok", True), ("session_ok", True))


def a_decision(side: Side = LONG, **changes: Any) -> Decision:
    """Return the sample decision S, or its mirror image, made forty seconds ago."""
    zone = sorted((on(side, 90_700), on(side, 90_900)))
    made = Decision(
        id=HASH,
        digest="0" * 64,
        terms="terms-of-S",
        symbol="BTCUSDT",
        made_ms=NOW - 40_000,
        action=Decided(side.value),
        reason="trend",
        zone_low=zone[0],
        zone_high=zone[1],
        stop_loss=on(side, 90_380),
        tp1=on(side, 91_600),
        tp2=on(side, 92_900),
        size_usdt=d(1200),
        leverage=3,
        confidence=d("0.74"),
        risk_level=2,
        risk_checks=CHECKS,
        tp1_fraction=d("0.5"),
        is_trailing_enabled=True,
        file_name="decision.json",
    )
    return replace(made, **changes)


def a_flat_decision(**changes: Any) -> Decision:
    """Return a decision to be flat."""
    made = Decision(
        id="f1at00",
        digest="1" * 64,
        terms="flat",
        symbol="BTCUSDT",
        made_ms=NOW - 5_000,
        action=Decided.FLAT,
        reason="done",
    )
    return replace(made, **changes)


def an_inbox(decision: Decision | None = None, **changes: Any) -> Inbox:
    """Return an inbox that holds ``decision``, read in two looks."""
    return replace(Inbox(decision=decision, consecutive_looks=2), **changes)


def an_id(
    role: OrderRole = PRIMARY, revision: int = 1, generation: int = 1, decision: str = HASH
) -> ClientOrderId:
    """Return an id of ours."""
    return ClientOrderId(decision, generation, role, revision)


def an_order(  # noqa: PLR0913 - each is a fact of an order, and all are named
    role: OrderRole,
    *,
    side: Side = LONG,
    revision: int = 1,
    generation: int = 1,
    type: OrderType | None = None,  # noqa: A002 - the field's own name
    quantity: Number | None = "0.013",
    price: Number | None = None,
    trigger: Number | None = None,
    working: WorkingPrice = WorkingPrice.LAST,
    close_position: bool = False,
    status: OrderStatus = WORKING,
    filled: Number = 0,
    force: TimeInForce = TimeInForce.GTC,
    **changes: Any,
) -> Order:
    """Return an own order of a ``side`` life; resting ones have rested for 50 s."""
    is_entry = role is ENTRY
    guessed = OrderType.LIMIT if price is not None else OrderType.MARKET
    if trigger is not None:
        guessed = OrderType.STOP_MARKET if role.is_stop else OrderType.TAKE_PROFIT_MARKET
    terms = OrderTerms(
        client_id=an_id(role, revision, generation),
        side=side.opening if is_entry else side.closing,
        type=type or guessed,
        quantity=None if close_position or quantity is None else d(quantity),
        price=None if price is None else d(price),
        trigger_price=None if trigger is None else d(trigger),
        working_price=working,
        reduce_only=not is_entry and not close_position,
        close_position=close_position,
        time_in_force=force,
    )
    has_word = status not in (UNKNOWN, INTENDED)
    has_rested = has_word and status is not REJECTED
    number = str(1_000 * generation + 100 * list(OrderRole).index(role) + revision)
    made = Order(
        terms=terms,
        status=status,
        reason="test",
        action_class=ActionClass.PROTECT,
        intended_ms=NOW - MINUTE_MS,
        dead_after_ms=NOW - MINUTE_MS + 5_000,
        exchange_id=number if has_word else None,
        quantity_filled=d(filled),
        rested_ms=NOW - 50_000 if has_rested else None,
        triggered_ms=NOW if status in (TRIGGERING, TRIGGERED) else None,
        finished_ms=NOW - 30_000 if status.is_final else None,
    )
    return replace(made, **changes)


def a_stop(trigger: Number = 90_380, quantity: Number = "0.013", **changes: Any) -> Order:
    """Return a primary stop: a reduce-only quantity STOP_MARKET."""
    return an_order(PRIMARY, trigger=trigger, quantity=quantity, **changes)


def a_floor(trigger: Number = 90_380, **changes: Any) -> Order:
    """Return the floor: a closePosition STOP_MARKET."""
    return an_order(FLOOR, trigger=trigger, close_position=True, **changes)


def an_entry(quantity: Number = "0.013", price: Number = "90743.3", **changes: Any) -> Order:
    """Return the entry, a limit order."""
    return an_order(ENTRY, quantity=quantity, price=price, **changes)


def a_filled_entry(quantity: Number = "0.013", **changes: Any) -> Order:
    """Return an entry that executed whole."""
    return an_entry(quantity, status=FILLED, filled=quantity, **changes)


def a_tp1(trigger: Number = 91_600, quantity: Number = "0.006", **changes: Any) -> Order:
    """Return the first target."""
    return an_order(TP1, trigger=trigger, quantity=quantity, **changes)


def a_tp2(trigger: Number = 92_900, **changes: Any) -> Order:
    """Return the runner's target, which sizes itself."""
    return an_order(TP2, trigger=trigger, close_position=True, **changes)


def report_of(order: Order, **changes: Any) -> OrderReport:
    """Return what the exchange says of an order as the ledger knows it."""
    terms = order.terms
    made = OrderReport(
        client_id=str(order.id),
        exchange_id=order.exchange_id or "9",
        book=terms.book,
        side=terms.side,
        type=terms.type,
        status=WORKING if order.is_unresolved else order.status,
        quantity=terms.quantity,
        price=terms.price,
        trigger_price=terms.trigger_price,
        working_price=terms.working_price,
        reduce_only=terms.reduce_only or terms.close_position,
        close_position=terms.close_position,
        quantity_filled=order.quantity_filled,
        created_ms=order.intended_ms,
        updated_ms=order.triggered_ms or order.intended_ms,
        child_id=order.child_id,
    )
    return replace(made, **changes)


def a_foreign_stop(trigger: Number = 90_500, **changes: Any) -> OrderReport:
    """Return somebody else's reduce-only stop on a long."""
    made = report_of(a_stop(trigger))
    return replace(made, client_id="web_1", exchange_id="777", **changes)


def a_fill(
    role: OrderRole = ENTRY,
    quantity: Number = "0.013",
    price: Number = "90743.3",
    *,
    number: int = 1,
    side: Side = LONG,
    revision: int = 1,
    at_ms: int = NOW - 50_000,
    **changes: Any,
) -> Fill:
    """Return one execution of an own order of a ``side`` life."""
    order = an_order(role, side=side, revision=revision)
    made = Fill(
        fill_id=str(number),
        exchange_order_id=order.exchange_id or "",
        client_id=str(order.id),
        side=order.terms.side,
        price=d(price),
        quantity=d(quantity),
        commission=d("0.2359"),
        commission_asset="USDT",
        realized_pnl=d(0),
        is_maker=role is ENTRY,
        at_ms=at_ms,
    )
    return replace(made, **changes)


def a_life(quantity: Number = "0.013", *, side: Side = LONG, **changes: Any) -> Life:
    """Return an open life of the sample decision whose entry is final, TP1 not yet done.

    Quantity 0 gives one that is armed and has nothing yet.
    """
    held = d(quantity)
    is_open = held > 0
    zone = sorted((on(side, 90_700), on(side, "90786.6")))
    made = Life(
        generation=1,
        decision_id=HASH,
        decision_made_ms=NOW - 40_000,
        origin=Origin.DECISION,
        side=side,
        armed_ms=NOW - MINUTE_MS,
        planned_quantity=d("0.013"),
        limit_price=on(side, "90743.3"),
        initial_stop=on(side, 90_380),
        zone_low=zone[0],
        zone_high=zone[1],
        basis_price=on(side, 91_600),
        tp1_price=on(side, 91_600),
        tp2_price=on(side, 92_900),
        tp1_fraction=d("0.5"),
        leverage=3,
        confidence=d("0.74"),
        terms="terms-of-S",
        is_trailing_enabled=True,
        stop_level=on(side, 90_380),
        quantity=held,
        entry_price=on(side, "90743.3") if is_open else None,
        base_quantity=held if is_open else None,
        opened_ms=NOW - 50_000 if is_open else None,
        entry_final_ms=NOW - 50_000 if is_open else None,
    )
    return replace(made, **changes)


def a_level(
    level: Number, revision: int = 1, state: LevelState = LevelState.CONFIRMED, **changes: Any
) -> StopLevel:
    """Return a stop level of the first life."""
    made = StopLevel(
        generation=1,
        revision=revision,
        side=LONG,
        level=d(level),
        reason="initial",
        state=state,
        proposed_ms=NOW - MINUTE_MS,
        settled_ms=NOW - MINUTE_MS,
    )
    return replace(made, **changes)


def a_ledger(
    life: Life | None = None,
    orders: Iterable[Order] = (),
    *,
    fills: Sequence[Fill] | None = None,
    levels: Sequence[StopLevel] | None = None,
    **changes: Any,
) -> Ledger:
    """Return a ledger twice settled, whose fills explain the life and whose stops are levels."""
    known = tuple(orders)
    if fills is None:
        held = life is not None and life.quantity > 0
        fills = (a_fill(quantity=life.quantity, side=life.side),) if held and life else ()
    if levels is None:
        levels = tuple(_level_of(o, life) for o in known if o.role is PRIMARY and life)
    made = Ledger(
        generation=0 if life is None else life.generation,
        life=life,
        orders=known,
        fills=tuple(fills),
        levels=tuple(levels),
        position_quantity=d(0) if life is None else life.quantity * life.side.sign,
        settled_streak=2,
        last_fill_ms=max((f.at_ms for f in fills), default=0),
        history_read_ms=NOW - DAY_MS,
        equity=an_equity(),
    )
    return replace(made, **changes)


def an_equity(now: Number = 1000) -> Equity:
    """Return a day and a week that opened with 1000 USDT."""
    day = Opening(day_start(NOW), d(1000), was_rebuilt=False)
    week = Opening(week_start(NOW), d(1000), was_rebuilt=False)
    return Equity(now=d(now), day=day, week=week, known_ms=NOW)


def _level_of(order: Order, life: Life) -> StopLevel:
    state = LevelState.CONFIRMED if order.rested_ms is not None else LevelState.PROPOSED
    if order.status is REJECTED:
        state = LevelState.REFUSED if order.code else LevelState.WITHDRAWN
    return a_level(
        order.terms.trigger_price or 0, order.id.revision, state, side=life.side, reason="initial"
    )


def a_position(quantity: Number = "0.013", side: Side = LONG, **changes: Any) -> PositionReport:
    """Return the exchange's word on the position; quantity 0 is flat."""
    held = d(quantity)
    made = PositionReport(
        side=side if held else None,
        quantity=held,
        entry_price=on(side, "90743.3") if held else d(0),
        mark_price=on(side, 90_760),
        unrealized_pnl=d(0),
        liquidation_price=None,
        updated_ms=NOW - 1_000,
    )
    return replace(made, **changes)


def a_candle(close: Number, minute: int = 0, *, low: Number = 0, high: Number = 0) -> Candle:
    """Return a 1m candle, ``minute`` minutes after the one open now."""
    price = d(close)
    return Candle(
        open_ms=NOW + minute * MINUTE_MS,
        open=price,
        high=d(high) or price,
        low=d(low) or price,
        close=price,
    )


def an_observation(
    *,
    position: PositionReport | None = None,
    reports: Iterable[OrderReport] = (),
    price: Number = 90_760,
    mark: Number | None = None,
    fills: Sequence[Fill] | None = None,
    lookups: Iterable[OrderReport | NotFound] = (),
    now: int = NOW,
    **changes: Any,
) -> Observation:
    """Return a whole look at the exchange; without a position it reads flat."""
    listed = tuple(reports)
    last = d(price)
    made = Observation(
        now_ms=now,
        position=Fact(position or a_position(0), now),
        orders=Fact(tuple(r for r in listed if r.book is Book.REGULAR), now),
        algo_orders=Fact(tuple(r for r in listed if r.book is Book.ALGO), now),
        lookups=tuple(Fact(word, now) for word in lookups),
        fills=None if fills is None else Fact(tuple(fills), now),
        quote=Fact(Quote(last, last + d("0.1")), now),
        mark=Fact(MarkQuote(last if mark is None else d(mark), last, d(0), now + 3_600_000), now),
        candles=Fact((a_candle(last, -1), a_candle(last)), now),
        instrument=Fact(an_instrument(), now),
        brackets=Fact(BRACKETS, now),
        account=Fact(AccountReport(d(1000), d(0), d(1000)), now),
        symbol_config=Fact(SymbolConfig(3, is_isolated=True), now),
        account_mode=Fact(AccountMode(is_hedge=False, is_multi_assets=False), now),
        rates=Fact(Rates(d("0.0002"), d("0.0005")), now),
    )
    return replace(made, **changes)


def seen(ledger: Ledger, **changes: Any) -> Observation:
    """Return a look that shows exactly what the ledger believes; ``changes`` say what differs."""
    life = ledger.life
    side = LONG if life is None else life.side
    given = {
        "position": a_position(abs(ledger.position_quantity), side),
        "reports": [report_of(o) for o in ledger.orders if o.status.is_resting],
        "price": on(side, 90_760),
    }
    return an_observation(**{**given, **changes})


def a_situation(
    life: Life | None = None,
    orders: Iterable[Order] = (),
    *,
    decision: Decision | None = None,
    inbox: Inbox | None = None,
    ledger: Ledger | None = None,
    limits: Limits | None = None,
    condition: Condition | None = None,
    observation: Observation | None = None,
    **seen_changes: Any,
) -> Situation:
    """Return a situation in which everything is seen as the ledger has it."""
    known = ledger if ledger is not None else a_ledger(life, orders)
    return Situation(
        inbox=inbox if inbox is not None else an_inbox(decision),
        ledger=known,
        observation=observation if observation is not None else seen(known, **seen_changes),
        condition=condition if condition is not None else Condition(),
        limits=limits if limits is not None else Limits(),
    )


def an_open_situation(*more: Order, side: Side = LONG, **changes: Any) -> Situation:
    """Return a position that has everything it should have, and ``more``."""
    life = changes.pop("life", a_life(side=side))
    return a_situation(life, (*the_usual_orders(side), *more), **changes)


def the_usual_orders(side: Side = LONG) -> tuple[Order, ...]:
    """Return the orders of a settled open position: entry done, two stops, two targets."""
    return (
        a_filled_entry(side=side, price=on(side, "90743.3")),
        a_stop(on(side, 90_380), side=side),
        a_floor(on(side, 90_380), side=side),
        a_tp1(on(side, 91_600), side=side),
        a_tp2(on(side, 92_900), side=side),
    )


def placed(plan: Plan, *roles: OrderRole) -> list[OrderTerms]:
    """Return the terms of what a plan places, of these roles when any are named."""
    return [
        a.terms
        for a in plan.actions
        if isinstance(a, PlaceOrder) and (not roles or a.terms.role in roles)
    ]


def cancelled(plan: Plan, *roles: OrderRole) -> list[ClientOrderId]:
    """Return the ids a plan cancels, of these roles when any are named."""
    return [
        a.client_id
        for a in plan.actions
        if isinstance(a, CancelOrder) and (not roles or a.client_id.role in roles)
    ]


def held(plan: Plan) -> list[str]:
    """Return the reasons a plan gives for what it does not do."""
    return [hold.reason for hold in plan.holds]


def table(text: str) -> list[list[str]]:
    """Return the cells of an aligned table, its header line dropped; columns stand apart by two."""
    lines = [line.strip() for line in text.strip().splitlines()]
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines[1:]]


def ids(rows: list[list[str]]) -> list[str]:
    """Return the last column of a table: the tests' ids."""
    return [row[-1] for row in rows]
