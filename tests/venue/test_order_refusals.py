"""What POST order refuses, and with which code."""

from decimal import Decimal
from typing import Any

import pytest

from engine.venue.settings import Instrument
from tests.venue.desk import SYMBOL, Desk, long_desk

GOOD: dict[str, Any] = {
    "symbol": SYMBOL,
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.010",
    "price": "90000",
}
MARKET = {"type": "MARKET", "price": None, "timeInForce": None}


@pytest.mark.parametrize(
    ("changes", "code", "why"),
    [
        ({}, 0, "the terms the others change"),
        (MARKET, 0, "a market order"),
        ({"symbol": None}, -1102, "no symbol"),
        ({"symbol": "BTCUSD"}, -1121, "unknown symbol"),
        ({"symbol": "btcusdt"}, -1121, "symbols are upper case"),
        ({"side": None}, -1102, "no side"),
        ({"side": "LONG"}, -1117, "unknown side"),
        ({"type": None}, -1102, "no type"),
        ({"type": "STOPP"}, -1116, "unknown type"),
        ({"type": "STOP_MARKET", "stopPrice": "90000"}, -4120, "conditional"),
        ({"type": "STOP", "stopPrice": "90000"}, -4120, "conditional"),
        ({"type": "TAKE_PROFIT_MARKET"}, -4120, "conditional"),
        ({"type": "TAKE_PROFIT"}, -4120, "conditional"),
        ({"type": "TRAILING_STOP_MARKET"}, -4120, "conditional"),
        ({"timeInForce": None}, -1102, "a limit order says how long"),
        ({"timeInForce": "GTE"}, -1115, "unknown time in force"),
        ({"price": None}, -1102, "a limit order has a price"),
        ({"quantity": None}, -1102, "no quantity"),
        ({"quantity": ""}, -1102, "empty"),
        ({"quantity": "1e-2"}, -1102, "exponents are malformed"),
        ({"quantity": "ten"}, -1102, "words are malformed"),
        ({"quantity": "NaN"}, -1102, "no number"),
        ({**MARKET, "price": "90000"}, -1106, "a market order has no price"),
        ({**MARKET, "timeInForce": "GTC"}, -1106, "nor a time in force"),
        ({**MARKET, "closePosition": "true"}, -4136, "closePosition is not for market orders"),
        ({"stopPrice": "80000"}, -1106, "no trigger here"),
        ({"quantity": "0"}, -4003, "nothing"),
        ({"quantity": "-0.010"}, -4003, "less than nothing"),
        ({"quantity": "0.0001"}, -1111, "too precise"),
        ({"quantity": "0.0100"}, 0, "trailing zeros are not precision"),
        ({"quantity": "1000.001"}, -4005, "above the limit maximum"),
        ({**MARKET, "quantity": "120.001"}, -4005, "above the market maximum"),
        ({"price": "0"}, -4001, "no price"),
        ({"price": "90000.05"}, -4014, "off the tick"),
        ({"price": "90000.123"}, -1111, "too precise"),
        ({"price": "5000000"}, -4002, "above the maximum"),
        ({"price": "500"}, -4013, "below the minimum"),
        ({"price": "95340.1"}, -4016, "a buy beyond 5 % above the mark"),
        ({"side": "SELL", "price": "86259.9"}, -4024, "a sell beyond 5 % below it"),
        ({"price": "50000", "quantity": "0.010"}, 0, "a buy may lie far below"),
        ({"quantity": "0.001", "price": "49999.9"}, -4164, "49.9999 USDT"),
        ({"quantity": "0.001", "price": "50000"}, 0, "50 USDT"),
        ({"quantity": "0.300"}, -2019, "27000 USDT at 20 with a wallet of 1000"),
        ({"newClientOrderId": "x" * 36}, 0, "the longest id"),
        ({"newClientOrderId": "x" * 37}, -4015, "too long"),
        ({"newClientOrderId": "a b"}, -1100, "a space"),
        ({"newClientOrderId": "käse"}, -1100, "not ASCII"),
        ({"positionSide": "LONG"}, -4061, "one-way mode"),
        ({"positionSide": "BOTH"}, 0, "says so itself"),
        ({"positionSide": "UP"}, -4060, "unknown position side"),
        ({"reduceOnly": "true"}, -2022, "nothing to reduce"),
        ({"reduceOnly": "maybe"}, -1130, "neither true nor false"),
        ({"newOrderRespType": "FULL"}, -1136, "spot only"),
        ({"timeInForce": "GTD"}, -1102, "a date is missing"),
        ({"timeInForce": "GTD", "goodTillDate": "1795000000000"}, -5040, "a date too near"),
        ({"timeInForce": "GTX", "price": "90900"}, -5022, "it would take"),
        ({"timeInForce": "FOK", "price": "90000"}, -5021, "it would not fill"),
        ({"priceMatch": "QUEUE"}, -1106, "a price and a price match"),
        ({"priceMatch": "QUEUE", "price": None}, 0, "the price follows the book"),
        ({"priceMatch": "BEST", "price": None}, -5037, "unknown price match"),
        ({**MARKET, "priceMatch": "QUEUE"}, -5038, "not for market orders"),
        ({"selfTradePreventionMode": "OFF"}, -5039, "unknown mode"),
    ],
)
def test_an_order_is_refused_by_its_code(changes: dict[str, Any], code: int, why: str) -> None:
    answer = Desk().send("POST", "/fapi/v1/order", **(GOOD | changes))

    assert answer.code == code, (why, answer.body)


def test_a_refused_order_leaves_no_trace() -> None:
    """A post-only reject has no row in the history."""
    desk = Desk()

    desk.send("POST", "/fapi/v1/order", **(GOOD | {"timeInForce": "GTX", "price": "90900"}))

    assert desk.send("GET", "/fapi/v1/allOrders", symbol=SYMBOL).body == []


def test_a_client_id_is_unique_among_open_orders_only() -> None:
    """The id protects a retry only while the first order is open; later it executes again."""
    desk = Desk()
    resting = desk.order("BUY", "0.010", "90000", newClientOrderId="e1")
    again = desk.order("BUY", "0.010", "90000", newClientOrderId="e1")
    desk.price("89990")
    later = desk.order("BUY", "0.010", newClientOrderId="e1")

    assert (resting.code, again.code, later.code) == (0, -4116, 0)
    assert str(desk.position) == "0.020"


def test_the_number_of_open_orders_is_bounded() -> None:
    desk = Desk(wallet=1_000_000)
    codes = {desk.order("BUY", "0.001", "89000").code for _ in range(200)}

    assert codes == {0}
    assert desk.order("BUY", "0.001", "89000").code == -2025


def test_leverage_bounds_the_position() -> None:
    desk = Desk(wallet=10_000_000, leverage=125)

    assert desk.order("BUY", "3.304").code == -2027
    assert desk.order("BUY", "3.303").code == 0


def test_a_market_order_looks_at_percent_price_of_the_counterparty() -> None:
    """A mark price far from the book keeps market orders out (-4131)."""
    desk = Desk()
    desk.price("90800", "86000")

    assert desk.order("BUY", "0.010").code == -4131
    assert desk.order("SELL", "0.010").code == 0


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"origClientOrderId": "none"}, -2013),
        ({"orderId": 7}, -2013),
        ({}, -1102),
        ({"orderId": "x"}, -1100),
    ],
)
def test_a_lookup_of_nothing_finds_nothing(given: dict[str, Any], code: int) -> None:
    desk = Desk()

    assert desk.send("GET", "/fapi/v1/order", symbol=SYMBOL, **given).code == code


def test_a_cancel_needs_an_open_order() -> None:
    desk = long_desk()
    desk.order("BUY", "0.010", "90000", newClientOrderId="e1")
    cancel = {"symbol": SYMBOL, "origClientOrderId": "e1"}

    first = desk.send("DELETE", "/fapi/v1/order", **cancel)
    second = desk.send("DELETE", "/fapi/v1/order", **cancel)

    assert (first.body["status"], second.code) == ("CANCELED", -2011)
    assert desk.look("e1")["status"] == "CANCELED"


def test_a_coarse_step_is_told_from_precision() -> None:
    """-4023 and -1111 are two answers where the step is coarser than the displayed digits."""
    desk = Desk(instrument=Instrument(step_size=Decimal("0.005")))

    codes = [desk.order("BUY", one).code for one in ("0.007", "0.0075", "0.010")]

    assert codes == [-4023, -1111, 0]
