"""Parameters sent without need, empty or malformed, each with the exchange's own code."""

from __future__ import annotations

from typing import Any

import pytest

from tests.venue.desk import SYMBOL, T0, Desk, long_desk

LIMIT = {
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.010",
    "price": "90000",
}
MARKET = {"side": "BUY", "type": "MARKET", "quantity": "0.010"}
STOP = {
    "algoType": "CONDITIONAL",
    "side": "SELL",
    "type": "STOP_MARKET",
    "triggerPrice": "90380",
    "quantity": "0.010",
    "reduceOnly": "true",
    "timeInForce": "GTC",
}
TRAILING = {
    "algoType": "CONDITIONAL",
    "side": "SELL",
    "type": "TRAILING_STOP_MARKET",
    "quantity": "0.010",
    "reduceOnly": "true",
    "callbackRate": "1",
}
KINDS: dict[str, tuple[str, dict[str, str]]] = {
    "limit": ("/fapi/v1/order", LIMIT),
    "market": ("/fapi/v1/order", MARKET),
    "stop": ("/fapi/v1/algoOrder", STOP),
    "trailing": ("/fapi/v1/algoOrder", TRAILING),
}


def placed(kind: str, **changes: object) -> int:
    path, terms = KINDS[kind]
    return long_desk("0.010").send("POST", path, symbol=SYMBOL, **(terms | changes)).code


@pytest.mark.parametrize("kind", KINDS)
def test_without_changes_each_is_taken(kind: str) -> None:
    """So that a refusal below is due to what was added."""
    assert placed(kind) == 0


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("limit", "stopPrice", "90000"),
        ("limit", "triggerPrice", "90000"),
        ("limit", "callbackRate", "1"),
        ("limit", "goodTillDate", T0 + 700_000),
        ("market", "price", "90000"),
        ("market", "timeInForce", "GTC"),
        ("market", "activatePrice", "91000"),
        ("stop", "price", "90000"),
        ("stop", "callbackRate", "1"),
        ("stop", "activatePrice", "91000"),
        ("stop", "goodTillDate", T0 + 700_000),
        ("trailing", "triggerPrice", "90380"),
    ],
)
def test_what_the_kind_does_not_take_is_refused(kind: str, name: str, value: object) -> None:
    assert placed(kind, **{name: value}) == -1106


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("limit", "newClientOrderId"),
        ("limit", "reduceOnly"),
        ("limit", "newOrderRespType"),
        ("limit", "selfTradePreventionMode"),
        ("stop", "clientAlgoId"),
        ("stop", "workingType"),
        ("stop", "closePosition"),
        ("trailing", "activatePrice"),
    ],
)
def test_an_optional_parameter_is_not_sent_empty(kind: str, name: str) -> None:
    """A mandatory one that is empty was not sent (-1102); this one was."""
    assert placed(kind, **{name: ""}) == -1105


@pytest.mark.parametrize(
    ("kind", "name", "value", "code"),
    [
        ("limit", "quantity", "1e-2", -1102),
        ("limit", "price", "nan", -1102),
        ("limit", "price", "", -1102),
        ("stop", "triggerPrice", "soon", -1102),
        ("stop", "triggerPrice", "", -1102),
        ("stop", "reduceOnly", "perhaps", -1130),
        ("stop", "algoType", "TWAP", -1130),
        ("stop", "algoType", "", -1102),
        ("trailing", "callbackRate", "abc", -1102),
        ("trailing", "callbackRate", "20.1", -1130),
    ],
)
def test_a_malformed_value_is_named(kind: str, name: str, value: str, code: int) -> None:
    assert placed(kind, **{name: value}) == code


@pytest.mark.parametrize(
    ("verb", "path", "given", "code"),
    [
        ("POST", "leverage", {"leverage": "much"}, -1102),
        ("POST", "leverage", {"leverage": 0}, -4028),
        ("POST", "countdownCancelAll", {"countdownTime": "soon"}, -1102),
        ("POST", "countdownCancelAll", {"countdownTime": -1}, -1102),
        ("GET", "order", {"orderId": "kp1"}, -1100),
        ("DELETE", "order", {"orderId": "-1"}, -1100),
        ("GET", "algoOrder", {"algoId": "kp1"}, -1100),
        ("GET", "openAlgoOrders", {"algoType": "TWAP"}, -1130),
        ("GET", "userTrades", {"fromId": 1, "startTime": T0}, -1128),
        ("GET", "userTrades", {"fromId": 1, "endTime": T0}, -1128),
        ("GET", "depth", {"limit": 7}, -4021),
        ("GET", "depth", {"limit": 1001}, -1130),
        ("PUT", "order", {"orderId": 1, "side": "BUY", "quantity": "0.01"}, -1102),
        ("PUT", "order", {"orderId": 1, "side": "BUY", "price": "90000"}, -1102),
    ],
)
def test_other_calls_are_as_strict(verb: str, path: str, given: dict[str, Any], code: int) -> None:
    """Parameters are looked at before what they name is looked for."""
    assert Desk().send(verb, f"/fapi/v1/{path}", symbol=SYMBOL, **given).code == code


def test_an_order_cannot_be_changed_for_ever() -> None:
    desk = Desk()
    desk.order("BUY", "0.010", "90000", newClientOrderId="e1")
    change = {"origClientOrderId": "e1", "side": "BUY", "quantity": "0.010"}
    first = desk.send("PUT", "/fapi/v1/order", symbol=SYMBOL, price="90001", **change).code
    (order,) = desk.venue.book.open.values()
    order.changes = 10_000

    again = desk.send("PUT", "/fapi/v1/order", symbol=SYMBOL, price="90002", **change).code

    assert (first, str(order.price), again) == (0, "90001", -5026)


# -- rights of the key -----------------------------------------------------------------------------


def test_a_key_for_looking_may_look_and_not_trade() -> None:
    """-2015 covers key, address and rights alike; its restrictions say which."""
    desk = Desk(keys={"a-key": "a-secret"}, read_only_keys=("a-key",))
    before = desk.venue.log_after(0)[-1:]

    looks = [
        desk.send("GET", path).status
        for path in ("/fapi/v3/account", "/fapi/v1/openAlgoOrders", "/fapi/v1/income")
    ]
    trades = [
        (one.status, one.code)
        for one in (
            desk.order("BUY", "0.010"),
            desk.stop("SELL", "90380", "0.010"),
            desk.send("DELETE", "/fapi/v1/allOpenOrders", symbol=SYMBOL),
            desk.send("POST", "/fapi/v1/leverage", symbol=SYMBOL, leverage=5),
        )
    ]
    rights = desk.send("GET", "/sapi/v1/account/apiRestrictions").body

    assert looks == [200, 200, 200]
    assert trades == [(401, -2015)] * 4
    assert (rights["enableReading"], rights["enableFutures"]) == (True, False)
    assert desk.raw("POST", "/fapi/v1/listenKey").status == 200  # the stream is for looking, too
    assert before == []


@pytest.mark.parametrize(("key", "code"), [("a key", -2014), ("ключ", -2014), ("k" * 129, -2014)])
def test_a_key_has_a_form(key: str, code: int) -> None:
    assert Desk().raw("GET", "/fapi/v3/balance", f"timestamp={T0}", key=key).code == code
