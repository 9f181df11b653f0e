"""A tiny exchange for laws: one symbol, one account, exact fills, no clock of its own.

It knows nothing of the venue and shares no code with it. The last price moves where a test moves
it; orders fill at once and whole where the price passes them, except that a test may say how much
of an entry a passing price takes. Faults are answers that do not come, and lists that forget.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

from engine.domain.action import Action, CancelOrder, Configure, Halt, Outcome, PlaceOrder
from engine.domain.condition import Condition
from engine.domain.decision import Decision
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.observation import Fact, NotFound, Observation
from engine.domain.order import Fill, OrderReport, OrderStatus
from engine.domain.situation import Situation
from engine.domain.terms import Book, Fate, OrderSide, OrderType, Side, TimeInForce
from engine.plan.planner import make_plan
from engine.reconcile.outcomes import fold_outcomes
from engine.reconcile.questions import questions
from engine.reconcile.settle import reconcile
from tests.builders import NOW, a_candle, a_position, an_inbox, an_observation, report_of

ZERO = Decimal(0)
THROUGH = Decimal(60)
"""A price this far beyond a limit has taken all of it."""
OPEN = (OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED)


@dataclass
class TinyExchange:
    """Position, books and trades of one symbol."""

    price: Decimal
    now: int = NOW
    position: Decimal = ZERO
    entry_price: Decimal = ZERO
    orders: dict[str, OrderReport] = field(default_factory=dict)
    trades: list[Fill] = field(default_factory=list)
    low: Decimal = ZERO
    high: Decimal = ZERO
    entry_part: Decimal | None = None
    forgets: frozenset[str] = frozenset()
    numbers: int = 1_000

    def move(self, price: Decimal) -> None:
        """Let the last price move to ``price``, and fill what it passes, the nearest first."""
        before, self.price = self.price, price

        def far(report: OrderReport) -> Decimal:
            return abs((report.trigger_price or report.price or before) - before)

        for report in sorted(self.orders.values(), key=far):
            if report.status in OPEN:
                self._meet(self.orders[report.client_id])

    def place(self, action: PlaceOrder) -> tuple[Fate, int, OrderReport | None]:
        """Take an order as the real one would, or refuse it with its code."""
        terms, name = action.terms, str(action.terms.client_id)
        if name in self.orders and self.orders[name].status in OPEN:
            return Fate.REJECTED, -4116, None
        if terms.close_position and self.position == 0:
            return Fate.REJECTED, -4509, None
        if terms.close_position and any(
            r.status in OPEN and r.close_position and r.type is terms.type
            for r in self.orders.values()
        ):
            return Fate.REJECTED, -4130, None
        if terms.trigger_price is not None and self._is_due(
            terms.type, terms.side, terms.trigger_price
        ):
            return Fate.REJECTED, -2021, None
        if terms.book is Book.REGULAR and terms.reduce_only and not self._reducible(terms.side):
            return Fate.REJECTED, -2022, None
        self.numbers += 1
        report = OrderReport(
            client_id=name,
            exchange_id=str(self.numbers),
            book=terms.book,
            side=terms.side,
            type=terms.type,
            status=OrderStatus.WORKING,
            quantity=terms.quantity,
            price=terms.price,
            trigger_price=terms.trigger_price,
            working_price=terms.working_price,
            reduce_only=terms.reduce_only or terms.close_position,
            close_position=terms.close_position,
            quantity_filled=ZERO,
            created_ms=self.now,
            updated_ms=self.now,
        )
        self.orders[name] = report
        self._meet(report)
        if terms.time_in_force is TimeInForce.IOC and self.orders[name].status in OPEN:
            self._end(name, OrderStatus.EXPIRED)
        return Fate.ACCEPTED, 0, self.orders[name]

    def cancel(self, name: str) -> tuple[Fate, int]:
        """Cancel an open order."""
        if name not in self.orders or self.orders[name].status not in OPEN:
            return Fate.REJECTED, -2011
        self._end(name, OrderStatus.CANCELLED)
        return Fate.ACCEPTED, 0

    def trade_by_hand(self, signed: Decimal) -> None:
        """Let somebody else buy (positive) or sell at market."""
        side = OrderSide.BUY if signed > 0 else OrderSide.SELL
        self._execute("web_1", "1", side, abs(signed), self.price)

    def look(self, ledger: Ledger) -> Observation:
        """Answer what the keeper asks: once, and once more where something changed."""
        first = self._answer()
        asked = questions(ledger, first)
        if not asked:
            return first
        names = [q.client_id for q in asked if q.client_id is not None]
        lookups = [
            NotFound(n) if n not in self.orders or n in self.forgets else self.orders[n]
            for n in names
        ]
        again = self._answer()
        facts = tuple(Fact(word, self.now) for word in lookups)
        return replace(
            again, lookups=facts, fills=Fact(tuple(self.trades), self.now), is_second=True
        )

    def covered(self, side: Side) -> Decimal | None:
        """Return what resting stops close; None is everything."""
        total = ZERO
        for report in self.orders.values():
            if report.status not in OPEN or report.type is not OrderType.STOP_MARKET:
                continue
            if report.side is side.closing:
                if report.quantity is None:
                    return None
                total += report.quantity
        return total

    def _answer(self) -> Observation:
        side = Side.LONG if self.position >= 0 else Side.SHORT
        listed = [
            r for r in self.orders.values() if r.status in OPEN and r.client_id not in self.forgets
        ]
        held = a_position(abs(self.position), side, entry_price=self.entry_price)
        look = an_observation(position=held, reports=listed, price=self.price, now=self.now)
        minute = (self.now - NOW) // 60_000
        candles = (a_candle(self.price, minute - 1), a_candle(self.price, minute))
        return replace(look, candles=Fact(candles, self.now))

    def _meet(self, report: OrderReport) -> None:
        if report.trigger_price is not None:
            if not self._is_due(report.type, report.side, report.trigger_price):
                return
            quantity = abs(self.position) if report.quantity is None else report.quantity
            self._fill(report, quantity)
            if self.orders[report.client_id].status in OPEN:
                self._end(report.client_id, OrderStatus.EXPIRED)
        elif report.price is None:
            self._fill(report, report.quantity or ZERO)
        elif self._is_due(OrderType.LIMIT, report.side, report.price):
            left = (report.quantity or ZERO) - report.quantity_filled
            is_through = abs(self.price - report.price) > THROUGH
            part = left if self.entry_part is None or is_through else min(left, self.entry_part)
            self._fill(report, part)

    def _is_due(self, kind: OrderType, side: OrderSide, level: Decimal) -> bool:
        falls = (side is OrderSide.SELL) is (kind is OrderType.STOP_MARKET)
        return self.price <= level if falls else self.price >= level

    def _reducible(self, side: OrderSide) -> Decimal:
        held = -self.position if side is OrderSide.BUY else self.position
        return max(held, ZERO)

    def _fill(self, report: OrderReport, wanted: Decimal) -> None:
        quantity = min(wanted, self._reducible(report.side)) if report.reduce_only else wanted
        if quantity <= 0:
            return
        price = self.price if report.price is None else report.price
        child = f"9{report.exchange_id}" if report.book is Book.ALGO else report.exchange_id
        total = report.quantity_filled + quantity
        is_done = report.quantity is None or total >= report.quantity or report.book is Book.ALGO
        self.orders[report.client_id] = replace(
            report,
            status=OrderStatus.FILLED if is_done else OrderStatus.PARTIALLY_FILLED,
            quantity_filled=total,
            child_id=child if report.book is Book.ALGO else None,
            updated_ms=self.now,
        )
        self._execute("", child, report.side, quantity, price)

    def _execute(
        self, client_id: str, order_id: str, side: OrderSide, quantity: Decimal, price: Decimal
    ) -> None:
        before = self.position
        self.position += quantity if side is OrderSide.BUY else -quantity
        if abs(self.position) > abs(before):
            self.entry_price = price
        self.numbers += 1
        self.trades.append(
            Fill(
                fill_id=str(self.numbers),
                exchange_order_id=order_id,
                client_id=client_id,
                side=side,
                price=price,
                quantity=quantity,
                commission=quantity * price * Decimal("0.0002"),
                commission_asset="USDT",
                realized_pnl=ZERO,
                is_maker=False,
                at_ms=self.now,
            )
        )
        if self.position == 0:
            for name, report in list(self.orders.items()):
                if report.close_position and report.status in OPEN:
                    self._end(name, OrderStatus.EXPIRED)

    def _end(self, name: str, status: OrderStatus) -> None:
        self.orders[name] = replace(self.orders[name], status=status, updated_ms=self.now)


@dataclass
class TinyKeeper:
    """The pure core on a tiny exchange: recall, look, reconcile, plan, act, fold."""

    exchange: TinyExchange
    ledger: Ledger
    decision: Decision | None = None
    limits: Limits = field(default_factory=Limits)
    loses: dict[int, str] = field(default_factory=dict)
    situations: list[Situation] = field(default_factory=list)
    sends: int = 0

    def tick(self, elapsed_ms: int = 1_000) -> tuple[Action, ...]:
        """Run one tick after ``elapsed_ms``; return what it did."""
        self.exchange.now += elapsed_ms
        look = self.exchange.look(self.ledger)
        known, _ = reconcile(self.ledger, look, self.limits)
        situation = Situation(an_inbox(self.decision), known, look, Condition(), self.limits)
        self.situations.append(situation)
        plan = make_plan(situation)
        outcomes = [self._act(action) for action in plan.actions]
        self.ledger = fold_outcomes(plan.ledger, outcomes)
        return plan.actions

    def _act(self, action: Action) -> Outcome:
        now = self.exchange.now
        self.sends += 1
        fault = self.loses.get(self.sends)
        match action:
            case PlaceOrder():
                if fault == "not_sent":
                    return Outcome(action, Fate.NOT_SENT, now)
                if fault == "lost_before":
                    return Outcome(action, Fate.UNKNOWN, now, dead_after_ms=now + 5_000)
                fate, code, report = self.exchange.place(action)
                if fault == "lost_after":
                    return Outcome(action, Fate.UNKNOWN, now, dead_after_ms=now + 5_000)
                return Outcome(action, fate, now, code=code, report=report)
            case CancelOrder():
                if fault in ("not_sent", "lost_before"):
                    return Outcome(action, Fate.UNKNOWN, now)
                fate, code = self.exchange.cancel(str(action.client_id))
                return Outcome(action, fate, now, code=code)
            case Configure() | Halt():
                return Outcome(action, Fate.ACCEPTED, now)


def report_names(exchange: TinyExchange) -> list[str]:
    """Return the ids of open orders."""
    return [r.client_id for r in exchange.orders.values() if r.status in OPEN]


__all__ = ["TinyExchange", "TinyKeeper", "report_names", "report_of"]
