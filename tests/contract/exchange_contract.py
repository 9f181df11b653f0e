"""What every transport of the adapter must show of the exchange: one contract, several carriers.

A carrier gives an ``Exchange`` and a ``Desk`` (the hands behind the venue). Read-backs go through
``eventually``, because lists may lag behind the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from itertools import count
from typing import Any, Protocol, TypeVar

import pytest

from engine.domain.action import CancelOrder, Configure, Outcome, PlaceOrder, Request
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.observation import NotFound, Question, SymbolConfig, Topic
from engine.domain.order import Fill, OrderReport, OrderStatus, OrderTerms
from engine.domain.position import PositionReport
from engine.domain.terms import ActionClass, Book, Fate, OrderSide, OrderType, Side, WorkingPrice
from engine.exchange.port import Exchange, Permit

PATIENCE_MS = 1_500
BUY, SELL = OrderSide.BUY, OrderSide.SELL
T = TypeVar("T")
D = Decimal


class Desk(Protocol):
    """The hands behind the venue; its price starts at 90800."""

    def price(self, last: str) -> None:
        """Move last and mark price."""

    def fault(self, fault: Mapping[str, object]) -> None:
        """Arm a fault."""

    def let_pass(self, milliseconds: int) -> None:
        """Let exchange time pass."""


class ExchangeContract:
    """The promises; a subclass gives the fixtures ``exchange`` and ``desk``."""

    _numbers = count(1)

    @pytest.fixture
    def exchange(self) -> Exchange:
        raise NotImplementedError

    @pytest.fixture
    def desk(self, exchange: Exchange) -> Desk:
        raise NotImplementedError

    # --- orders

    @pytest.mark.parametrize(
        ("role", "changes"),
        [
            pytest.param(
                OrderRole.ENTRY, {"side": BUY, "type": OrderType.LIMIT, "price": D(90000)}
            ),
            pytest.param(OrderRole.STOP_PRIMARY, {"trigger_price": D(90380)}),
            pytest.param(
                OrderRole.STOP_PRIMARY,
                {"trigger_price": D(90380), "working_price": WorkingPrice.MARK},
            ),
            pytest.param(
                OrderRole.TP1,
                {"type": OrderType.TAKE_PROFIT_MARKET, "trigger_price": D(91600)},
            ),
        ],
        ids=["limit", "stop on last", "stop on mark", "target"],
    )
    def test_an_order_keeps_its_terms_and_our_id_in_reply_list_and_lookup(
        self, exchange: Exchange, desk: Desk, role: OrderRole, changes: dict[str, Any]
    ) -> None:
        terms = self._terms(role, **changes)

        (placed,) = self._send(exchange, place(terms))

        assert placed.fate is Fate.ACCEPTED
        assert placed.report is not None
        listed = eventually(desk, lambda: self._open(exchange, terms.book)[str(terms.client_id)])
        found = self._lookup(exchange, terms)
        for report in (placed.report, listed, found):
            assert isinstance(report, OrderReport)
            assert shape(report) == shape_of(terms)
            assert report.status is OrderStatus.WORKING

    def test_a_stop_that_closes_everything_rests_beside_a_quantity_stop(
        self, exchange: Exchange, desk: Desk
    ) -> None:
        self._open_long(exchange, desk)
        primary = self._terms(OrderRole.STOP_PRIMARY, trigger_price=D(90380))
        floor = self._terms(
            OrderRole.STOP_FLOOR,
            trigger_price=D(90300),
            quantity=None,
            close_position=True,
            reduce_only=False,
        )

        outcomes = self._send(exchange, place(primary), place(floor))

        assert [o.fate for o in outcomes] == [Fate.ACCEPTED] * 2
        listed = eventually(desk, lambda: both(self._open(exchange, Book.ALGO), 2))
        assert listed[str(floor.client_id)].close_position
        assert listed[str(floor.client_id)].quantity is None

    def test_two_quantity_stops_coexist_so_that_one_can_replace_the_other(
        self, exchange: Exchange, desk: Desk
    ) -> None:
        old = self._terms(OrderRole.STOP_PRIMARY, trigger_price=D(90380))
        new = self._terms(OrderRole.STOP_PRIMARY, trigger_price=D(90500))
        self._send(exchange, place(old))
        self._send(exchange, place(new))
        eventually(desk, lambda: both(self._open(exchange, Book.ALGO), 2))

        (gone,) = self._send(exchange, cancel(old))

        assert gone.fate is Fate.ACCEPTED
        left = eventually(desk, lambda: both(self._open(exchange, Book.ALGO), 1))
        assert list(left) == [str(new.client_id)]

    def test_cancelling_what_is_gone_is_rejected_with_its_code(self, exchange: Exchange) -> None:
        stop = self._terms(OrderRole.STOP_PRIMARY, trigger_price=D(90380))
        entry = self._terms(OrderRole.ENTRY, side=BUY, type=OrderType.LIMIT, price=D(90000))
        self._send(exchange, place(stop))
        self._send(exchange, cancel(stop))

        outcomes = self._send(exchange, cancel(stop), cancel(entry))

        assert [(o.fate, o.code) for o in outcomes] == [(Fate.REJECTED, -2011)] * 2

    def test_an_open_id_is_refused_and_a_used_one_accepted_again(
        self, exchange: Exchange, desk: Desk
    ) -> None:
        """So an id protects nobody once its order is done: look before sending again."""
        stop = self._terms(OrderRole.STOP_PRIMARY, trigger_price=D(90380))
        self._send(exchange, place(stop))

        (double,) = self._send(exchange, place(stop))
        self._send(exchange, cancel(stop))
        desk.let_pass(1_000)
        (again,) = self._send(exchange, place(stop))

        assert (double.fate, double.code) == (Fate.REJECTED, -4116)
        assert again.fate is Fate.ACCEPTED

    def test_a_reduce_only_order_cannot_open(self, exchange: Exchange) -> None:
        close = self._terms(OrderRole.EMERGENCY, type=OrderType.MARKET)

        (outcome,) = self._send(exchange, place(close))

        assert (outcome.fate, outcome.code) == (Fate.REJECTED, -2022)

    def test_a_stop_whose_moment_has_passed_is_rejected(self, exchange: Exchange) -> None:
        late = self._terms(OrderRole.STOP_PRIMARY, trigger_price=D(90900))

        (outcome,) = self._send(exchange, place(late))

        assert (outcome.fate, outcome.code) == (Fate.REJECTED, -2021)

    # --- executions

    def test_a_stop_that_fires_ends_the_position_and_the_fills_say_how(
        self, exchange: Exchange, desk: Desk
    ) -> None:
        entry = self._open_long(exchange, desk)
        stop = self._terms(OrderRole.STOP_PRIMARY, trigger_price=D(90380))
        self._send(exchange, place(stop))

        desk.price("90379.9")

        done = eventually(desk, lambda: final(self._lookup(exchange, stop)))
        assert (done.status, done.quantity_filled) == (OrderStatus.FILLED, D("0.013"))
        flat = eventually(desk, lambda: truth(self._position(exchange), "is_flat"))
        assert flat.side is None
        opened, closed = eventually(desk, lambda: pair(self._fills(exchange)))
        assert [f.signed_quantity for f in (opened, closed)] == [D("0.013"), D("-0.013")]
        assert closed.exchange_order_id == done.child_id
        assert opened.exchange_order_id == entry.exchange_id
        assert closed.commission > 0
        assert closed.realized_pnl < 0

    def test_a_position_is_seen_with_side_size_and_price(
        self, exchange: Exchange, desk: Desk
    ) -> None:
        self._open_long(exchange, desk)

        held = self._position(exchange)

        assert (held.side, held.quantity) == (Side.LONG, D("0.013"))
        assert D(90700) < held.entry_price < D(90900)
        assert held.mark_price > 0

    # --- fates

    @pytest.mark.parametrize("kind", ["timeout_after", "reply_lost_after", "http_503_unknown"])
    def test_a_lost_reply_is_unknown_and_the_order_is_found_by_its_id(
        self, exchange: Exchange, desk: Desk, kind: str
    ) -> None:
        desk.fault({"kind": kind, "match": {"verb": "POST", "path": "algoOrder"}, "times": 1})
        stop = self._terms(OrderRole.STOP_PRIMARY, trigger_price=D(90380))
        before_ms = exchange.now_ms()

        (outcome,) = self._send(exchange, place(stop))

        assert outcome.fate is Fate.UNKNOWN
        assert outcome.dead_after_ms >= before_ms + 5_000
        if kind != "http_503_unknown":  # that one may or may not have executed
            found = eventually(desk, lambda: known(self._lookup(exchange, stop)))
            assert found.status is OrderStatus.WORKING

    @pytest.mark.parametrize("kind", ["timeout_before", "reply_lost_before"])
    def test_a_lost_request_looks_the_same_but_leaves_no_trace(
        self, exchange: Exchange, desk: Desk, kind: str
    ) -> None:
        desk.fault({"kind": kind, "match": {"verb": "POST", "path": "algoOrder"}, "times": 1})
        stop = self._terms(OrderRole.STOP_PRIMARY, trigger_price=D(90380))

        (outcome,) = self._send(exchange, place(stop))

        assert outcome.fate is Fate.UNKNOWN
        assert self._lookup(exchange, stop) == NotFound(str(stop.client_id))

    @pytest.mark.parametrize("kind", ["http_503_unavailable", "http_503_internal", "throttled"])
    def test_a_certain_failure_may_be_sent_again_at_once(
        self, exchange: Exchange, desk: Desk, kind: str
    ) -> None:
        desk.fault({"kind": kind, "match": {"verb": "POST"}, "times": 1})
        entry = self._terms(OrderRole.ENTRY, side=BUY, type=OrderType.LIMIT, price=D(90000))

        first = self._send(exchange, place(entry))
        second = self._send(exchange, place(entry))

        assert [o.fate for o in (*first, *second)] == [Fate.NOT_SENT, Fate.ACCEPTED]

    def test_what_is_too_old_is_refused_by_the_exchange_itself(self, exchange: Exchange) -> None:
        """The fence of RULES G4: a frozen writer wakes up and its request dies."""
        stop = self._terms(OrderRole.STOP_PRIMARY, trigger_price=D(90380))
        permit = Permit(place(stop), exchange.now_ms() - 10_000, 5_000)

        (outcome,) = exchange.send([permit], PATIENCE_MS)

        assert (outcome.fate, outcome.code) == (Fate.NOT_SENT, -1021)
        assert self._lookup(exchange, stop) == NotFound(str(stop.client_id))
        assert exchange.clock_error_ms() is not None  # measured again on the way

    @pytest.mark.parametrize("kind", ["garbage_body", "timeout_after", "reply_lost_after"])
    def test_a_read_that_failed_is_no_answer(
        self, exchange: Exchange, desk: Desk, kind: str
    ) -> None:
        desk.fault({"kind": kind, "match": {"path": "positionRisk"}, "times": 1})

        broken, fine = exchange.ask(
            [Question(Topic.POSITION), Question(Topic.MARK_PRICE)], PATIENCE_MS
        )

        assert broken.value is None
        assert broken.failure is not None
        assert fine.failure is None

    def test_after_a_limit_nothing_leaves_until_the_pause_is_over(
        self, exchange: Exchange, desk: Desk
    ) -> None:
        desk.fault({"kind": "rate_limited", "match": {"path": "positionRisk"}, "times": 1})
        exchange.ask([Question(Topic.POSITION)], PATIENCE_MS)
        until_ms = exchange.usage().blocked_until_ms
        assert until_ms > exchange.now_ms()

        (outcome,) = self._send(
            exchange, place(self._terms(OrderRole.STOP_PRIMARY, trigger_price=D(90380)))
        )

        assert outcome.fate is Fate.NOT_SENT

    # --- everything else the keeper asks

    def test_every_question_is_answered(self, exchange: Exchange) -> None:
        topics = [topic for topic in Topic if topic is not Topic.ORDER]

        answers = exchange.ask([Question(topic) for topic in topics], PATIENCE_MS)

        assert [(a.question.topic, a.failure) for a in answers] == [(t, None) for t in topics]
        assert exchange.usage().weight_used > 0

    def test_own_orders_are_found_in_both_histories(self, exchange: Exchange, desk: Desk) -> None:
        """A keeper that lost its store learns from here what its ids were (RULES G3)."""
        entry = self._open_long(exchange, desk)
        stop = self._terms(OrderRole.STOP_PRIMARY, trigger_price=D(90380))
        self._send(exchange, place(stop))
        self._send(exchange, cancel(stop))

        def histories() -> tuple[set[str], dict[str, OrderStatus]]:
            regular, algo = exchange.ask(
                [Question(Topic.ORDER_HISTORY), Question(Topic.ALGO_HISTORY)], PATIENCE_MS
            )
            assert isinstance(regular.value, tuple)
            assert isinstance(algo.value, tuple)
            ids = {r.client_id for r in regular.value if isinstance(r, OrderReport)}
            states = {r.client_id: r.status for r in algo.value if isinstance(r, OrderReport)}
            return ids, states

        ids, states = histories()

        assert entry.client_id in ids
        assert states[str(stop.client_id)] is OrderStatus.CANCELLED

    def test_leverage_and_margin_type_are_set_and_read_back(self, exchange: Exchange) -> None:
        wanted = Configure(3, True, ActionClass.ENTER, "rule", "reason")

        outcomes = (*self._send(exchange, wanted), *self._send(exchange, wanted))

        assert [o.fate for o in outcomes] == [Fate.ACCEPTED] * 2
        (told,) = exchange.ask([Question(Topic.SYMBOL_CONFIG)], PATIENCE_MS)
        assert told.value == SymbolConfig(3, is_isolated=True)

    def test_the_clock_is_anchored_within_its_own_bound(self, exchange: Exchange) -> None:
        exchange.anchor_clock()

        assert exchange.clock_error_ms() is not None
        assert exchange.key_rights(PATIENCE_MS).can_trade

    # --- steps

    def _terms(self, role: OrderRole, **changes: Any) -> OrderTerms:
        number = next(self._numbers)
        plain: dict[str, Any] = {
            "side": SELL,
            "type": OrderType.STOP_MARKET,
            "quantity": D("0.013"),
            "reduce_only": role is not OrderRole.ENTRY,
        }
        return OrderTerms(ClientOrderId("7f3aq2", 1, role, number), **{**plain, **changes})

    def _open_long(self, exchange: Exchange, desk: Desk) -> OrderReport:
        entry = self._terms(OrderRole.ENTRY, side=BUY, type=OrderType.LIMIT, price=D(90820))
        (outcome,) = self._send(exchange, place(entry))
        assert outcome.report is not None
        eventually(desk, lambda: truth(self._position(exchange), "quantity"))
        return outcome.report

    def _send(self, exchange: Exchange, *requests: Request) -> tuple[Outcome, ...]:
        stamp_ms = exchange.now_ms()
        return exchange.send([Permit(r, stamp_ms, 5_000) for r in requests], PATIENCE_MS)

    def _open(self, exchange: Exchange, book: Book) -> dict[str, OrderReport]:
        topic = Topic.OPEN_ALGO_ORDERS if book is Book.ALGO else Topic.OPEN_ORDERS
        (told,) = exchange.ask([Question(topic)], PATIENCE_MS)
        assert isinstance(told.value, tuple)
        return {r.client_id: r for r in told.value if isinstance(r, OrderReport)}

    def _lookup(self, exchange: Exchange, terms: OrderTerms) -> object:
        question = Question(Topic.ORDER, client_id=str(terms.client_id), book=terms.book)
        (told,) = exchange.ask([question], PATIENCE_MS)
        return told.value

    def _position(self, exchange: Exchange) -> PositionReport:
        (told,) = exchange.ask([Question(Topic.POSITION)], PATIENCE_MS)
        assert isinstance(told.value, PositionReport)
        return told.value

    def _fills(self, exchange: Exchange) -> tuple[Fill, ...]:
        (told,) = exchange.ask([Question(Topic.FILLS)], PATIENCE_MS)
        assert isinstance(told.value, tuple)
        return tuple(f for f in told.value if isinstance(f, Fill))


def place(terms: OrderTerms) -> PlaceOrder:
    return PlaceOrder(terms, ActionClass.PROTECT, "rule", "reason")


def cancel(terms: OrderTerms) -> CancelOrder:
    return CancelOrder(terms.client_id, terms.book, ActionClass.MANAGE, "rule", "reason")


def shape(report: OrderReport) -> tuple[object, ...]:
    return (
        report.client_id,
        report.book,
        report.side,
        report.type,
        report.quantity,
        report.price,
        report.trigger_price,
        report.working_price,
        report.reduce_only,
        report.close_position,
    )


def shape_of(terms: OrderTerms) -> tuple[object, ...]:
    return (
        str(terms.client_id),
        terms.book,
        terms.side,
        terms.type,
        terms.quantity,
        terms.price,
        terms.trigger_price,
        terms.working_price,
        terms.reduce_only,
        terms.close_position,
    )


def eventually(desk: Desk, look: Callable[[], T], tries: int = 40) -> T:
    """Return what ``look`` finds, letting exchange time pass while it finds nothing."""
    for _ in range(tries - 1):
        try:
            return look()
        except LookupError:
            desk.let_pass(100)
    return look()


def known(found: object) -> OrderReport:
    if not isinstance(found, OrderReport):
        raise LookupError(found)  # noqa: TRY004 - not there yet, look again
    return found


def final(found: object) -> OrderReport:
    report = known(found)
    if not report.status.is_final:
        raise LookupError(report)
    return report


def truth(report: PositionReport, name: str) -> PositionReport:
    if not getattr(report, name):
        raise LookupError(report)
    return report


def both(listed: dict[str, OrderReport], number: int) -> dict[str, OrderReport]:
    if len(listed) != number:
        raise LookupError(listed)
    return listed


def pair(fills: tuple[Fill, ...]) -> tuple[Fill, Fill]:
    if len(fills) != 2:
        raise LookupError(fills)
    return fills[0], fills[1]
