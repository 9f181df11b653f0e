"""Binance behind the port: questions become reads, permits become requests, failures become fates.

Invariants: nothing is decided or retried here; ``ask`` and ``send`` never raise; inside a 429/418
period nothing leaves at all; a write is signed with exactly its permit's stamp and window.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TypeVar

from engine.domain.action import CancelOrder, Configure, Outcome, PlaceOrder
from engine.domain.errors import Indeterminate, Rejected, Unavailable
from engine.domain.instrument import Instrument
from engine.domain.observation import Failure, Question, Topic
from engine.domain.order import OrderReport, OrderStatus, OrderTerms
from engine.domain.terms import Book, Fate
from engine.exchange.binance import wire_account, wire_orders
from engine.exchange.binance.client import BinanceAccess, LaneClient
from engine.exchange.binance.clock import ExchangeClock
from engine.exchange.binance.fates import ErrorClass, Headers, KnownFate, class_of, fate_of
from engine.exchange.binance.fields import flag, row, whole
from engine.exchange.binance.lanes import Call, Lanes, Unfinished
from engine.exchange.binance.reads import READS, Asking, checked
from engine.exchange.binance.usage import UsageMeter
from engine.exchange.port import Answer, Gate, KeyRights, Permit, Usage, Value

READ_WINDOW_MS = 5_000
ANCHOR_PATIENCE_MS = 2_000
SLOW_ROUND_TRIP_MS = 40
WEIGHT_LIMIT = 2_400
CLOCK_ERROR_UNKNOWN_MS = 1_000
CODE_NO_CHANGE_OF_MARGIN_TYPE = -4046
_FATE_WORD: dict[type[KnownFate], str] = {
    Rejected: "rejected",
    Unavailable: "unavailable",
    Indeterminate: "indeterminate",
}

T = TypeVar("T")


class BinanceExchange:
    """One symbol on one Binance USDⓈ-M account; implements ``Exchange``."""

    def __init__(
        self,
        access: BinanceAccess,
        lanes: Lanes,
        clock: ExchangeClock,
        *,
        weight_limit: int = WEIGHT_LIMIT,
    ) -> None:
        self._access = access
        self._lanes = lanes
        self._clock = clock
        self._meter = UsageMeter(weight_limit, clock.monotonic_ms)
        self._margin_asset = access.margin_asset
        self._is_clock_refused = False

    def now_ms(self) -> int:
        """Return exchange time: the anchor plus monotonic time."""
        return self._clock.now_ms()

    def clock_error_ms(self) -> int | None:
        """Return the bound on the error of ``now_ms``, None before the first anchoring."""
        return self._clock.error_ms()

    def anchor_clock(self) -> None:
        """Measure the exchange's clock; raises a fate when that failed."""
        result = self._run_one(self._measure_clock, ANCHOR_PATIENCE_MS)
        if result is not None:
            raise result
        self._is_clock_refused = False

    def ask(self, questions: Sequence[Question], patience_ms: int) -> tuple[Answer, ...]:
        """Ask everything at once; one answer per question, in the same order. Never raises."""
        if self._is_clock_refused:
            self._anchor_again()
        calls = [partial(self._read, q, patience_ms) for q in questions]
        results = self._lanes.run(calls, patience_ms)
        now_ms = self._clock.now_ms()
        return tuple(
            self._answer(question, *_told(result, now_ms))
            for question, result in zip(questions, results, strict=True)
        )

    def send(self, permits: Sequence[Permit], patience_ms: int) -> tuple[Outcome, ...]:
        """Send everything at once; one outcome per permit, in the same order. Never raises."""
        calls = [partial(self._write, p, patience_ms) for p in permits]
        results = self._lanes.run(calls, patience_ms)
        now_ms = self._clock.now_ms()
        return tuple(
            self._outcome(permit, *_told(result, now_ms))
            for permit, result in zip(permits, results, strict=True)
        )

    def usage(self) -> Usage:
        """Return the request counters as last reported."""
        return self._meter.usage(self._clock.now_ms())

    @property
    def gate(self) -> Gate:
        """Return what says when nothing may leave: for who reaches the same exchange apart."""
        return self._meter

    @property
    def is_stuck(self) -> bool:
        """Return whether too many requests hang beyond reach; a reason for an alarm."""
        return self._lanes.is_stuck

    def key_rights(self, patience_ms: int) -> KeyRights:
        """Return what the API key may do; raises ``Rejected`` when the key is refused."""
        trade = self._run_one(partial(self._trade_right, patience_ms), patience_ms)
        if not isinstance(trade, bool):
            raise trade
        key = self._run_one(partial(self._key_restrictions, patience_ms), patience_ms)
        if isinstance(key, tuple):
            return KeyRights(trade, key[0], key[1])
        return KeyRights(trade, None, None)  # only the live exchange tells

    def account_alias(self, patience_ms: int) -> str:
        """Return what the exchange calls this account; raises a fate when it does not tell."""
        alias = self._run_one(partial(self._alias, patience_ms), patience_ms)
        if not isinstance(alias, str):
            raise alias
        return alias

    def hurry(self) -> None:
        """Wait for no answer any more: what is under way is cut, and nothing else leaves."""
        self._lanes.hurry()

    def close(self) -> None:
        """Release connections and threads."""
        self._lanes.close()

    # -- one request on a lane

    def _read(
        self, question: Question, patience_ms: int, client: LaneClient
    ) -> tuple[Value | KnownFate, int]:
        """Return the answer and when it came, on the lane itself."""
        read = READS[question.topic]
        asking = Asking(question, self._access.symbol, self._margin_asset, self._clock.now_ms())
        if self._meter.is_blocked():
            return self._blocked(), asking.now_ms
        client.prepare(self._clock.now_ms, READ_WINDOW_MS, patience_ms)
        try:
            value = read.reader(client, asking)
        except Exception as error:  # noqa: BLE001 - the table of fates names every failure
            return self._failed(error, client, read.weight), self._clock.now_ms()
        at_ms = self._noted(client, read.weight)
        if question.topic is Topic.INSTRUMENT:
            self._meter.take_limits(client.rate_limits)
        return value, at_ms

    def _write(
        self, permit: Permit, patience_ms: int, client: LaneClient
    ) -> tuple[OrderReport | KnownFate | None, int]:
        """Return what became of the request and when that was known, on the lane itself."""
        if self._meter.is_blocked():
            return self._blocked(), self._clock.now_ms()
        client.prepare(lambda: permit.stamp_ms, permit.recv_window_ms, patience_ms)
        weight = 0 if isinstance(permit.request, PlaceOrder) else 1
        try:
            report = self._performed(permit, client)
        except Exception as error:  # noqa: BLE001 - the table of fates names every failure
            return self._failed(error, client, weight), self._clock.now_ms()
        return report, self._noted(client, weight)

    def _performed(self, permit: Permit, client: LaneClient) -> OrderReport | None:
        match permit.request:
            case PlaceOrder(terms=terms):
                return self._place(terms, client)
            case CancelOrder(client_id=client_id, book=book):
                parameters = wire_orders.cancel_parameters(client_id, book, self._access.symbol)
                if book is Book.ALGO:
                    gone = self._checked(client.futures_cancel_algo_order(**parameters))
                    wire_orders.confirm_algo_cancel(gone, str(client_id))
                    return None
                reply = self._checked(client.futures_cancel_order(**parameters))
                return _ours(wire_orders.order_report(reply), str(client_id))
            case Configure() as wanted:
                self._configure(wanted, client)
                return None

    def _place(self, terms: OrderTerms, client: LaneClient) -> OrderReport | None:
        parameters = wire_orders.place_parameters(terms, self._access.symbol)
        if terms.book is Book.ALGO:
            reply = self._checked(client.futures_create_algo_order(**parameters))
            return _ours(wire_orders.algo_report(reply), str(terms.client_id))
        reply = self._checked(client.futures_create_order(**parameters))
        return _ours(wire_orders.order_report(reply), str(terms.client_id))

    def _configure(self, wanted: Configure, client: LaneClient) -> None:
        symbol = self._access.symbol
        if wanted.isolated is not None:
            word = "ISOLATED" if wanted.isolated else "CROSSED"
            try:
                reply = client.futures_change_margin_type(symbol=symbol, marginType=word)
                wire_account.confirm_margin_type(self._checked(reply))
            except Exception as error:
                if getattr(error, "code", None) != CODE_NO_CHANGE_OF_MARGIN_TYPE:
                    raise
        if wanted.leverage is not None:
            level = str(wanted.leverage)
            reply = client.futures_change_leverage(symbol=symbol, leverage=level)
            wire_account.confirm_leverage(self._checked(reply), wanted.leverage)

    def _checked(self, payload: object) -> object:
        return checked(payload, self._clock.now_ms())

    def _measure_clock(self, client: LaneClient) -> KnownFate | None:
        if self._meter.is_blocked():
            return self._blocked()
        client.prepare(self._clock.now_ms, READ_WINDOW_MS, ANCHOR_PATIENCE_MS)
        try:
            if self._measured_ms(client) > SLOW_ROUND_TRIP_MS:
                self._measured_ms(client)  # the first one may have paid for the connection, too
        except Exception as error:  # noqa: BLE001 - the table of fates names every failure
            return self._failed(error, client, 1)
        self._noted(client, 1)
        return None

    def _measured_ms(self, client: LaneClient) -> int:
        """Anchor the clock once; return the round trip."""
        sent_ms = self._clock.monotonic_ms()
        fields = row(self._checked(client.futures_time()), "server time")
        received_ms = self._clock.monotonic_ms()
        self._clock.anchor(sent_ms, received_ms, whole(fields, "serverTime"))
        return received_ms - sent_ms

    def _trade_right(self, patience_ms: int, client: LaneClient) -> bool | KnownFate:
        if self._meter.is_blocked():
            return self._blocked()
        client.prepare(self._clock.now_ms, READ_WINDOW_MS, patience_ms)
        try:
            allowed = wire_account.can_trade(self._checked(client.futures_account_config()))
        except Exception as error:  # noqa: BLE001 - the table of fates names every failure
            return self._failed(error, client, 5)
        self._noted(client, 5)
        return allowed

    def _alias(self, patience_ms: int, client: LaneClient) -> str | KnownFate:
        client.prepare(self._clock.now_ms, READ_WINDOW_MS, patience_ms)
        try:
            alias = wire_account.account_alias(self._checked(client.futures_account_balance()))
        except Exception as error:  # noqa: BLE001 - the table of fates names every failure
            return self._failed(error, client, 5)
        self._noted(client, 5)
        return alias

    def _key_restrictions(
        self, patience_ms: int, client: LaneClient
    ) -> tuple[bool, bool] | KnownFate:
        client.prepare(self._clock.now_ms, READ_WINDOW_MS, patience_ms)
        try:
            fields = row(client.get_account_api_permissions(), "key restrictions")
            return flag(fields, "enableWithdrawals"), flag(fields, "ipRestrict")
        except Exception as error:  # noqa: BLE001 - the table of fates names every failure
            # Not counted as a failure of the exchange: another host, which need not exist.
            return fate_of(error, self._clock.now_ms(), client.response)

    # -- what became of it

    def _noted(self, client: LaneClient, weight: int) -> int:
        """Count what was answered; return when."""
        now_ms = self._clock.now_ms()
        self._meter.note(client.requests_made, weight, _headers(client), now_ms, is_answered=True)
        return now_ms

    def _failed(self, error: Exception, client: LaneClient, weight: int) -> KnownFate:
        now_ms = self._clock.now_ms()
        fate = fate_of(error, now_ms, client.response)
        self._meter.note(
            client.requests_made,
            weight,
            _headers(client),
            now_ms,
            is_answered=isinstance(fate, Rejected),
        )
        if isinstance(fate, Unavailable) and fate.retry_after_s is not None:
            self._meter.block(int(fate.retry_after_s * 1000))
        if class_of(fate) is ErrorClass.CLOCK:
            self._clock.distrust()
            self._is_clock_refused = True
        return fate

    def _answer(
        self, question: Question, result: Value | KnownFate | Unfinished, at_ms: int
    ) -> Answer:
        if isinstance(result, Unfinished):
            result = self._unfinished(result)
        if isinstance(result, Rejected | Unavailable | Indeterminate):
            failure = Failure(question.topic, _FATE_WORD[type(result)], result.code, result.text)
            return Answer(question, at_ms, failure=failure)
        if isinstance(result, Instrument):
            self._margin_asset = result.margin_asset
        return Answer(question, at_ms, result)

    def _outcome(
        self, permit: Permit, result: OrderReport | KnownFate | Unfinished | None, at_ms: int
    ) -> Outcome:
        action = permit.request
        if isinstance(result, Unfinished):
            result = self._unfinished(result)
        match result:
            case Rejected(code=code, text=text):
                return Outcome(action, Fate.REJECTED, at_ms, code=code, text=text)
            case Unavailable(code=code, text=text):
                return Outcome(action, Fate.NOT_SENT, at_ms, code=code, text=text)
            case Indeterminate(code=code, text=text):
                error_ms = self._clock.error_ms()
                error_ms = CLOCK_ERROR_UNKNOWN_MS if error_ms is None else error_ms
                dead_after_ms = permit.stamp_ms + permit.recv_window_ms + error_ms
                return Outcome(action, Fate.UNKNOWN, at_ms, dead_after_ms, code, text)
            case report:
                return Outcome(action, Fate.ACCEPTED, at_ms, report=report)

    def _unfinished(self, result: Unfinished) -> KnownFate:
        if result is Unfinished.NEVER_LEFT:
            return Unavailable("no lane was free before the deadline")
        self._meter.note_failure()
        return Indeterminate("no answer before the deadline")

    def _blocked(self) -> Unavailable:
        until_ms = self.usage().blocked_until_ms
        return Unavailable(f"the exchange asked for silence until {until_ms}", code=-1003)

    def _anchor_again(self) -> None:
        try:
            self.anchor_clock()
        except (Rejected, Unavailable, Indeterminate):
            return  # the reads that follow say so themselves

    def _run_one(self, call: Call[T], patience_ms: int) -> T | KnownFate:
        result = self._lanes.run([call], patience_ms)[0]
        if isinstance(result, Unfinished):
            return self._unfinished(result)
        return result


def _headers(client: LaneClient) -> Headers | None:
    return getattr(client.response, "headers", None)


def _told(result: tuple[T, int] | Unfinished, now_ms: int) -> tuple[T | Unfinished, int]:
    return (result, now_ms) if isinstance(result, Unfinished) else result


def _ours(report: OrderReport, client_id: str) -> OrderReport | None:
    """Return the report of a reply, None when its status is a word we do not know.

    Raises ``Indeterminate`` for a reply that speaks of another order than the one we asked for.
    """
    if report.client_id != client_id:
        raise Indeterminate(f"client id: the reply names {report.client_id!r}, not {client_id!r}")
    return None if report.status is OrderStatus.UNKNOWN else report
