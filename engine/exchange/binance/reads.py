"""Which requests answer which question: one table, topic by topic (python-binance.md section 4).

A reader makes the library's call and translates the reply; it neither decides nor retries. Long
histories are read page by page, a bounded number of pages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from engine.domain.errors import Indeterminate
from engine.domain.observation import Income, NotFound, Question, Topic
from engine.domain.order import Fill, OrderReport, OrderStatus
from engine.domain.terms import Book
from engine.exchange.binance import wire_account, wire_market, wire_orders
from engine.exchange.binance.client import LaneClient
from engine.exchange.binance.fates import fate_of_body
from engine.exchange.port import Value

DAY_MS = 86_400_000
WINDOW_MS = (
    7 * DAY_MS - 60_000
)  # histories reach back 7 days; a minute short, for clock and transit
PAGE = 1000
PAGES_MAX = 5
CANDLES_DEFAULT = 90  # below 100 a request weighs 1
CODE_NO_SUCH_ORDER = -2013

Item = TypeVar("Item")


class Asking(NamedTuple):
    """One question with what its reader must know: symbol, margin asset, exchange time."""

    question: Question
    symbol: str
    margin_asset: str
    now_ms: int

    @property
    def since_ms(self) -> int:
        """Return where a history starts: as asked, but inside the exchange's window."""
        earliest_ms = self.now_ms - WINDOW_MS
        since_ms = self.question.since_ms
        return earliest_ms if since_ms is None else max(since_ms, earliest_ms)


Reader = Callable[[LaneClient, Asking], Value]


def checked(payload: object, now_ms: int) -> object:
    """Return the payload of an HTTP 200 unless it carries an error code in its body."""
    fate = fate_of_body(payload, now_ms)
    if fate is not None:
        raise fate
    return payload


def _position(client: LaneClient, asking: Asking) -> Value:
    reply = client.futures_position_information(symbol=asking.symbol)
    document = checked(reply, asking.now_ms)
    return client.echo.read(wire_account.position, document, asking.symbol)


def _open_orders(client: LaneClient, asking: Asking) -> Value:
    reply = client.futures_get_open_orders(symbol=asking.symbol)
    return client.echo.read(wire_orders.order_reports, checked(reply, asking.now_ms))


def _open_algo_orders(client: LaneClient, asking: Asking) -> Value:
    reply = client.futures_get_open_algo_orders(symbol=asking.symbol, algoType="CONDITIONAL")
    return client.echo.read(wire_orders.algo_reports, checked(reply, asking.now_ms))


def _book_ticker(client: LaneClient, asking: Asking) -> Value:
    reply = client.futures_orderbook_ticker(symbol=asking.symbol)
    return client.echo.read(wire_market.quote, checked(reply, asking.now_ms))


def _mark_price(client: LaneClient, asking: Asking) -> Value:
    reply = client.futures_mark_price(symbol=asking.symbol)
    return wire_market.mark_quote(checked(reply, asking.now_ms))


def _candles(client: LaneClient, asking: Asking) -> Value:
    limit = asking.question.limit or CANDLES_DEFAULT
    reply = client.futures_klines(symbol=asking.symbol, interval="1m", limit=str(limit))
    return client.echo.read(wire_market.candles, checked(reply, asking.now_ms))


def _fills(client: LaneClient, asking: Asking) -> Value:
    def page(last: Fill | None) -> tuple[Fill, ...]:
        where = (
            {"startTime": str(asking.since_ms)}
            if last is None
            else {"fromId": str(int(last.fill_id) + 1)}
        )
        reply = client.futures_account_trades(symbol=asking.symbol, limit=str(PAGE), **where)
        return wire_orders.fills(checked(reply, asking.now_ms), asking.symbol)

    return _paged(page, lambda fill: fill.fill_id)


def _order(client: LaneClient, asking: Asking) -> Value:
    question = asking.question
    book = Book.REGULAR if question.book is None else question.book
    parameters = wire_orders.lookup_parameters(
        book, asking.symbol, client_id=question.client_id, exchange_id=question.exchange_id
    )
    try:
        if book is Book.REGULAR:
            return _regular_order(client, parameters, asking.now_ms)
        reply = checked(client.futures_get_algo_order(**parameters), asking.now_ms)
        return _with_child(client, wire_orders.algo_report(reply), asking)
    except Exception as error:
        if getattr(error, "code", None) == CODE_NO_SUCH_ORDER:
            return NotFound(question.client_id or question.exchange_id or "")
        raise


def _regular_order(client: LaneClient, parameters: dict[str, str], now_ms: int) -> OrderReport:
    return wire_orders.order_report(checked(client.futures_get_order(**parameters), now_ms))


def _with_child(client: LaneClient, report: OrderReport, asking: Asking) -> OrderReport:
    """Complete a finished order whose reply keeps silent about what its child executed."""
    if report.status is not OrderStatus.UNKNOWN or report.child_id is None:
        return report
    parameters = {"symbol": asking.symbol, "orderId": report.child_id}
    return wire_orders.with_child(report, _regular_order(client, parameters, asking.now_ms))


def _order_history(client: LaneClient, asking: Asking) -> Value:
    def page(last: OrderReport | None) -> tuple[OrderReport, ...]:
        where = (
            {"startTime": str(asking.since_ms)}
            if last is None
            else {"orderId": str(int(last.exchange_id) + 1)}
        )
        reply = client.futures_get_all_orders(symbol=asking.symbol, limit=str(PAGE), **where)
        return wire_orders.order_reports(checked(reply, asking.now_ms))

    return _paged(page, lambda report: report.exchange_id)


def _algo_history(client: LaneClient, asking: Asking) -> Value:
    def page(last: OrderReport | None) -> tuple[OrderReport, ...]:
        since_ms = asking.since_ms if last is None else last.created_ms
        reply = client.futures_get_all_algo_orders(
            symbol=asking.symbol, startTime=str(since_ms), limit=str(PAGE)
        )
        return wire_orders.algo_reports(checked(reply, asking.now_ms))

    return _paged(page, lambda report: report.exchange_id)


def _income(client: LaneClient, asking: Asking) -> Value:
    def page(last: Income | None) -> tuple[Income, ...]:
        since_ms = asking.since_ms if last is None else last.at_ms
        reply = client.futures_income_history(startTime=str(since_ms), limit=str(PAGE))
        return wire_account.incomes(checked(reply, asking.now_ms))

    return _paged(page, lambda line: (line.transfer_id, line.kind, line.symbol, line.asset))


def _instrument(client: LaneClient, asking: Asking) -> Value:
    return wire_market.instrument(checked(client.exchange_info_of(asking.symbol), asking.now_ms))


def _brackets(client: LaneClient, asking: Asking) -> Value:
    reply = client.futures_leverage_bracket(symbol=asking.symbol)
    return wire_market.brackets(checked(reply, asking.now_ms), asking.symbol)


def _account(client: LaneClient, asking: Asking) -> Value:
    reply = client.futures_account(version=3)
    return wire_account.account(checked(reply, asking.now_ms), asking.margin_asset)


def _symbol_config(client: LaneClient, asking: Asking) -> Value:
    reply = client.futures_symbol_config(symbol=asking.symbol)
    return wire_account.symbol_config(checked(reply, asking.now_ms), asking.symbol)


def _account_mode(client: LaneClient, asking: Asking) -> Value:
    return wire_account.account_mode(checked(client.futures_account_config(), asking.now_ms))


def _commission(client: LaneClient, asking: Asking) -> Value:
    reply = client.futures_commission_rate(symbol=asking.symbol)
    return wire_account.rates(checked(reply, asking.now_ms))


def _paged(
    page: Callable[[Item | None], Sequence[Item]], identity: Callable[[Item], object]
) -> tuple[Item, ...]:
    """Read pages until one is not full; items seen twice count once.

    Raises ``Indeterminate`` rather than return a history that is cut off.
    """
    found: dict[object, Item] = {}
    last: Item | None = None
    for _ in range(PAGES_MAX):
        items = page(last)
        found.update((identity(item), item) for item in items)
        if len(items) < PAGE:
            return tuple(found.values())
        last = items[-1]
    raise Indeterminate(f"more than {PAGES_MAX * PAGE} lines of history")


@dataclass(frozen=True, slots=True)
class Read:
    """How a topic is read, and the request weight of one page of it (binance-usdm.md section 5)."""

    reader: Reader
    weight: int


READS: dict[Topic, Read] = {
    Topic.POSITION: Read(_position, 5),
    Topic.OPEN_ORDERS: Read(_open_orders, 1),
    Topic.OPEN_ALGO_ORDERS: Read(_open_algo_orders, 1),
    Topic.BOOK_TICKER: Read(_book_ticker, 2),
    Topic.MARK_PRICE: Read(_mark_price, 1),
    Topic.CANDLES: Read(_candles, 1),
    Topic.FILLS: Read(_fills, 5),
    Topic.ORDER: Read(_order, 1),
    Topic.INSTRUMENT: Read(_instrument, 1),
    Topic.BRACKETS: Read(_brackets, 1),
    Topic.ACCOUNT: Read(_account, 5),
    Topic.SYMBOL_CONFIG: Read(_symbol_config, 5),
    Topic.ACCOUNT_MODE: Read(_account_mode, 5),
    Topic.COMMISSION: Read(_commission, 20),
    Topic.INCOME: Read(_income, 30),
    Topic.ORDER_HISTORY: Read(_order_history, 5),
    Topic.ALGO_HISTORY: Read(_algo_history, 5),
}
