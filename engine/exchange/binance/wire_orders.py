"""Translate orders and fills between the domain and the exchange's own words; no IO.

Invariants: everything sent is text, decimals in plain notation, booleans as ``true``/``false``;
a conditional order always carries our ``clientAlgoId`` (the library would invent one and drop
ours); foreign orders translate too, and a word we do not know becomes OTHER or UNKNOWN instead
of making a whole list unreadable.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from engine.domain.errors import Indeterminate, require
from engine.domain.identity import ClientOrderId
from engine.domain.numbers import ZERO, plain
from engine.domain.order import Fill, OrderReport, OrderStatus, OrderTerms
from engine.domain.terms import Book, OrderSide, OrderType, Side, WorkingPrice
from engine.exchange.binance.fields import (
    Row,
    flag,
    flag_or_false,
    identifier,
    number,
    number_or_none,
    positive_or_none,
    row,
    rows,
    text,
    text_or_empty,
    whole,
    whole_or_none,
)

REGULAR_STATUS = {
    "NEW": OrderStatus.WORKING,
    "NEW_INSURANCE": OrderStatus.WORKING,
    "NEW_ADL": OrderStatus.WORKING,
    "PARTIALLY_FILLED": OrderStatus.PARTIALLY_FILLED,
    "FILLED": OrderStatus.FILLED,
    "CANCELED": OrderStatus.CANCELLED,
    "REJECTED": OrderStatus.REJECTED,
    "EXPIRED": OrderStatus.EXPIRED,
    "EXPIRED_IN_MATCH": OrderStatus.EXPIRED,
}
# FINISHED is missing on purpose: what it means depends on what the child executed.
ALGO_STATUS = {
    "NEW": OrderStatus.WORKING,
    "TRIGGERING": OrderStatus.TRIGGERING,
    "TRIGGERED": OrderStatus.TRIGGERED,
    "CANCELED": OrderStatus.CANCELLED,
    "REJECTED": OrderStatus.REJECTED,
    "EXPIRED": OrderStatus.EXPIRED,
}
FINISHED = "FINISHED"

_POSITION_SIDE = {"LONG": Side.LONG, "SHORT": Side.SHORT}
_SIDE = {"BUY": OrderSide.BUY, "SELL": OrderSide.SELL}
_TYPE = {kind.value.upper(): kind for kind in OrderType if kind is not OrderType.OTHER}
_WORKING_TYPE = {WorkingPrice.LAST: "CONTRACT_PRICE", WorkingPrice.MARK: "MARK_PRICE"}
_CONDITIONAL = (OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET)


def place_parameters(terms: OrderTerms, symbol: str) -> dict[str, str]:
    """Return the parameters that place an order of these terms.

    Raises ``InvariantBroken`` for terms the keeper never sends: another order type, a conditional
    order without trigger, a quantity beside closePosition, anything but a closePosition order on
    one side of a hedge-mode account.
    """
    if terms.book is Book.ALGO:
        return _algo_parameters(terms, symbol)
    quantity = terms.quantity
    require(terms.position_side is None, f"{terms.client_id}: {terms.type} in hedge mode")
    require(quantity is not None, f"{terms.client_id}: a {terms.type} order needs a quantity")
    parameters = {
        "symbol": symbol,
        "side": terms.side.value.upper(),
        "type": terms.type.value.upper(),
        "quantity": plain(quantity or ZERO),
        "newClientOrderId": str(terms.client_id),
        "newOrderRespType": "RESULT",
    }
    if terms.type is OrderType.LIMIT:
        require(terms.price is not None, f"{terms.client_id}: a limit order needs a price")
        parameters["price"] = plain(terms.price or ZERO)
        parameters["timeInForce"] = terms.time_in_force.value
    if terms.reduce_only:
        parameters["reduceOnly"] = "true"
    require(not terms.close_position, f"{terms.client_id}: closePosition needs a conditional type")
    return parameters


def _algo_parameters(terms: OrderTerms, symbol: str) -> dict[str, str]:
    name = str(terms.client_id)
    require(terms.type in _CONDITIONAL, f"{name}: {terms.type} orders are never sent")
    require(terms.trigger_price is not None, f"{name}: a conditional order needs a trigger")
    parameters = {
        "algoType": "CONDITIONAL",
        "symbol": symbol,
        "side": terms.side.value.upper(),
        "type": terms.type.value.upper(),
        "triggerPrice": plain(terms.trigger_price or ZERO),
        "workingType": _WORKING_TYPE[terms.working_price],
        "clientAlgoId": name,
        "newOrderRespType": "RESULT",
    }
    if terms.close_position:
        # The exchange gives it GTE_GTC itself; quantity or reduceOnly beside it is refused.
        require(terms.quantity is None, f"{name}: closePosition sizes itself")
        parameters["closePosition"] = "true"
        if terms.position_side is not None:
            closes = terms.side is terms.position_side.closing
            require(closes, f"{name}: {terms.side} does not close {terms.position_side}")
            parameters["positionSide"] = terms.position_side.value.upper()
        return parameters
    require(terms.position_side is None, f"{name}: a quantity in hedge mode")
    require(terms.quantity is not None, f"{name}: a quantity is needed without closePosition")
    parameters["quantity"] = plain(terms.quantity or ZERO)
    parameters["timeInForce"] = terms.time_in_force.value
    if terms.reduce_only:
        parameters["reduceOnly"] = "true"
    return parameters


def cancel_parameters(client_id: ClientOrderId, book: Book, symbol: str) -> dict[str, str]:
    """Return the parameters that cancel one own order by our id."""
    name = "clientAlgoId" if book is Book.ALGO else "origClientOrderId"
    return {"symbol": symbol, name: str(client_id)}


def lookup_parameters(
    book: Book, symbol: str, *, client_id: str | None, exchange_id: str | None
) -> dict[str, str]:
    """Return the parameters that ask for one order, by our id or by the exchange's."""
    if client_id is not None:
        name = "clientAlgoId" if book is Book.ALGO else "origClientOrderId"
        return {"symbol": symbol, name: client_id}
    require(exchange_id is not None, "an order is asked for by an id")
    name = "algoId" if book is Book.ALGO else "orderId"
    return {"symbol": symbol, name: str(exchange_id)}


def confirm_algo_cancel(payload: object, client_id: str) -> None:
    """Demand that the reply to an algo cancel names our order and success (code 200, as text)."""
    fields = row(payload, "algo cancel")
    if text(fields, "clientAlgoId") != client_id or whole(fields, "code") != 200:
        raise Indeterminate(f"clientAlgoId: the reply to cancelling {client_id} is {fields}")


def order_report(payload: object) -> OrderReport:
    """Read one order of the matching engine: a reply, a list item, a history row."""
    fields = row(payload, "order")
    closes = flag_or_false(fields, "closePosition")
    updated_ms = whole(fields, "updateTime")
    created_ms = whole_or_none(fields, "time")
    status = text(fields, "status")
    return OrderReport(
        client_id=text(fields, "clientOrderId"),
        exchange_id=identifier(fields, "orderId"),
        book=Book.REGULAR,
        side=_side(fields),
        type=_TYPE.get(text(fields, "type"), OrderType.OTHER),
        status=REGULAR_STATUS.get(status, OrderStatus.UNKNOWN),
        quantity=_quantity(fields, "origQty", closes=closes),
        price=positive_or_none(fields, "price"),
        trigger_price=positive_or_none(fields, "stopPrice"),
        working_price=_working_price(fields),
        reduce_only=flag_or_false(fields, "reduceOnly"),
        close_position=closes,
        quantity_filled=number(fields, "executedQty"),
        created_ms=updated_ms if created_ms is None else created_ms,
        updated_ms=updated_ms,
        note="" if status in REGULAR_STATUS else status,
        position_side=_position_side(fields),
    )


def algo_report(payload: object) -> OrderReport:
    """Read one order of the Algo service; its executions are those of its child.

    FINISHED means filled only when the child executed something; without that number the
    status stays UNKNOWN until somebody asks for the child (binance-usdm.md section 3.4).
    """
    fields = row(payload, "algo order")
    word = text(fields, "algoStatus")
    executed = number_or_none(fields, "actualQty")
    closes = flag_or_false(fields, "closePosition")
    failure = text_or_empty(fields, "rm")
    return OrderReport(
        client_id=text(fields, "clientAlgoId"),
        exchange_id=identifier(fields, "algoId"),
        book=Book.ALGO,
        side=_side(fields),
        type=_TYPE.get(text(fields, "orderType"), OrderType.OTHER),
        status=_algo_status(word, executed),
        quantity=_quantity(fields, "quantity", closes=closes),
        price=positive_or_none(fields, "price"),
        trigger_price=positive_or_none(fields, "triggerPrice"),
        working_price=_working_price(fields),
        reduce_only=flag_or_false(fields, "reduceOnly"),
        close_position=closes,
        quantity_filled=ZERO if executed is None else executed,
        created_ms=whole(fields, "createTime"),
        updated_ms=whole(fields, "updateTime"),
        child_id=text_or_empty(fields, "actualOrderId") or None,
        note=f"{word}: {failure}" if failure else word,
        position_side=_position_side(fields),
    )


def with_child(report: OrderReport, child: OrderReport) -> OrderReport:
    """Return a finished algo order completed by the word on its child."""
    filled = child.quantity_filled
    if not child.status.is_final:
        return replace(report, status=OrderStatus.TRIGGERED, quantity_filled=filled)
    status = OrderStatus.FILLED if filled > 0 else OrderStatus.EXPIRED
    return replace(report, status=status, quantity_filled=filled)


def order_reports(payload: object) -> tuple[OrderReport, ...]:
    """Read a list of orders of the matching engine."""
    return tuple(order_report(item) for item in rows(payload, "orders"))


def algo_reports(payload: object) -> tuple[OrderReport, ...]:
    """Read a list of algo orders; an envelope ``{"orders": [...]}`` is accepted as well."""
    if isinstance(payload, dict) and "orders" in payload:
        payload = payload["orders"]
    return tuple(algo_report(item) for item in rows(payload, "algo orders"))


def fill(payload: object) -> Fill:
    """Read one execution; the exchange names the order by its own id only."""
    fields = row(payload, "trade")
    return Fill(
        fill_id=identifier(fields, "id"),
        exchange_order_id=identifier(fields, "orderId"),
        client_id="",
        side=_side(fields),
        price=number(fields, "price"),
        quantity=number(fields, "qty"),
        commission=number(fields, "commission"),
        commission_asset=text(fields, "commissionAsset"),
        realized_pnl=number(fields, "realizedPnl"),
        is_maker=flag(fields, "maker"),
        at_ms=whole(fields, "time"),
    )


def fills(payload: object, symbol: str) -> tuple[Fill, ...]:
    """Read a list of executions, those of our symbol."""
    items = (row(item, "trade") for item in rows(payload, "trades"))
    return tuple(fill(item) for item in items if item.get("symbol", symbol) == symbol)


def _side(fields: Row) -> OrderSide:
    word = text(fields, "side")
    side = _SIDE.get(word)
    if side is None:
        raise Indeterminate(f"side: {word!r} is neither BUY nor SELL")
    return side


def _position_side(fields: Row) -> Side | None:
    return _POSITION_SIDE.get(text_or_empty(fields, "positionSide"))


def _quantity(fields: Row, name: str, *, closes: bool) -> Decimal | None:
    quantity = number(fields, name)
    return None if closes and quantity == 0 else quantity


def _working_price(fields: Row) -> WorkingPrice:
    is_mark = fields.get("workingType") == "MARK_PRICE"
    return WorkingPrice.MARK if is_mark else WorkingPrice.LAST


def _algo_status(word: str, executed: Decimal | None) -> OrderStatus:
    if word != FINISHED:
        return ALGO_STATUS.get(word, OrderStatus.UNKNOWN)
    if executed is None:
        return OrderStatus.UNKNOWN
    return OrderStatus.FILLED if executed > 0 else OrderStatus.EXPIRED
