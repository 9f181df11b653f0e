"""Every reply, field by field: the names, the JSON types, the form of the numbers.

The tables say what sections 3.2, 3.3 and 5 of the exchange reference show; the words are explained
in `forms`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.venue.desk import SYMBOL, Desk, long_desk
from tests.venue.forms import fits, wrong
from tests.venue.shapes import (
    ALGO_CLOSING,
    ALGO_DONE,
    ALGO_LISTED,
    ALGO_READ,
    ALGO_TRAILING,
    ALGO_WRITTEN,
    ASSET_V3,
    BALANCE,
    BARE,
    FILTERS,
    HELD_V2,
    HELD_V3,
    INCOME,
    LIMIT_ROW,
    MASS,
    MODIFIED,
    PAST,
    POSITION_V2,
    POSITION_V3,
    READ,
    SETTINGS_V2,
    SYMBOL_ROW,
    TOTALS,
    TRADE,
    WRITTEN,
)

Get = Callable[[Desk], Any]


def fetched(path: str, **given: Any) -> Get:
    """Ask for one path, with the symbol."""

    def get(desk: Desk) -> Any:
        answer = desk.send("GET", path, **({"symbol": SYMBOL} | given))
        assert answer.status == 200, answer.body
        return answer.body

    return get


def sent(verb: str, path: str, **given: Any) -> Get:
    """Send one request, with the symbol."""

    def send(desk: Desk) -> Any:
        answer = desk.send(verb, path, **({"symbol": SYMBOL} | given))
        assert answer.status == 200, answer.body
        return answer.body

    return send


def _first(get: Get) -> Get:
    return lambda desk: get(desk)[0]


def _with_order(get: Get) -> Get:
    def after(desk: Desk) -> Any:
        assert desk.order("BUY", "0.010", "90000", newClientOrderId="e1").status == 200
        return get(desk)

    return after


def _with_stop(get: Get) -> Get:
    def after(desk: Desk) -> Any:
        assert desk.stop("SELL", "90380", "0.010", clientAlgoId="s1").status == 200
        return get(desk)

    return after


def _with_fill(get: Get) -> Get:
    def after(desk: Desk) -> Any:
        assert desk.order("BUY", "0.010").status == 200
        return get(desk)

    return after


def _fired(get: Get) -> Get:
    def after(desk: Desk) -> Any:
        assert desk.order("BUY", "0.010").status == 200
        assert desk.stop("SELL", "90380", "0.010", clientAlgoId="s1").status == 200
        desk.price("90300")
        return get(desk)

    return after


def _moved(get: Get) -> Get:
    def after(desk: Desk) -> Any:
        desk.price("90801", quantity="0.5")
        return get(desk)

    return after


def _funded(get: Get) -> Get:
    def after(desk: Desk) -> Any:
        assert desk.order("BUY", "0.010").status == 200
        desk.wait(8 * 3600 * 1000)
        return get(desk)

    return after


def _written(desk: Desk) -> Any:
    return desk.order("BUY", "0.010", "90000").body


def _filled(desk: Desk) -> Any:
    return desk.order("BUY", "0.010", newOrderRespType="RESULT").body


def _algo(order_type: str, **terms: Any) -> Get:
    given = {"algoType": "CONDITIONAL", "side": "SELL", "type": order_type, **terms}
    return _with_fill(sent("POST", "/fapi/v1/algoOrder", **given))


def _keyed(verb: str) -> Get:
    def send(desk: Desk) -> Any:
        desk.listen()
        return desk.raw(verb, "/fapi/v1/listenKey").body

    return send


PUT = {"side": "BUY", "quantity": "0.011", "price": "90010", "origClientOrderId": "e1"}
BATCH = (
    '[{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTC","quantity":"0.010",'
    '"price":"90000"},{"symbol":"BTCUSDT","side":"BUY","type":"MARKET","quantity":"0"}]'
)

REPLIES: list[tuple[str, Get, str]] = [
    ("time", fetched("/fapi/v1/time"), "serverTime:i"),
    (
        "premium index",
        fetched("/fapi/v1/premiumIndex"),
        (
            "symbol:s markPrice:d8 indexPrice:d8 estimatedSettlePrice:d8 lastFundingRate:d8 "
            "interestRate:d8 nextFundingTime:i time:i"
        ),
    ),
    (
        "book ticker",
        fetched("/fapi/v1/ticker/bookTicker"),
        "symbol:s bidPrice:d2 bidQty:d3 askPrice:d2 askQty:d3 time:i lastUpdateId:i",
    ),
    ("price v1", fetched("/fapi/v1/ticker/price"), "symbol:s price:d2 time:i"),
    ("price v2", fetched("/fapi/v2/ticker/price"), "symbol:s price:d2 time:i"),
    (
        "a day",
        fetched("/fapi/v1/ticker/24hr"),
        (
            "symbol:s priceChange:d2 priceChangePercent:d3 weightedAvgPrice:d2 lastPrice:d2 "
            "lastQty:d3 openPrice:d2 highPrice:d2 lowPrice:d2 volume:d3 quoteVolume:d2 openTime:i "
            "closeTime:i firstId:i lastId:i count:i"
        ),
    ),
    (
        "aggregated trade",
        _moved(_first(fetched("/fapi/v1/aggTrades"))),
        "a:i p:d2 q:d3 nq:d3 f:i l:i T:i m:b",
    ),
    (
        "public trade",
        _moved(_first(fetched("/fapi/v1/trades"))),
        "id:i price:d2 qty:d3 quoteQty:d2 time:i isBuyerMaker:b isRPITrade:b",
    ),
    (
        "funding rate",
        _funded(_first(fetched("/fapi/v1/fundingRate"))),
        "symbol:s fundingRate:d8 fundingTime:i markPrice:d8 rateType:s",
    ),
    ("written order", _written, WRITTEN),
    ("written and filled", _filled, WRITTEN),
    (
        "test order",
        sent(
            "POST",
            "/fapi/v1/order/test",
            side="BUY",
            type="LIMIT",
            timeInForce="GTC",
            quantity="0.01",
            price="90000",
            newClientOrderId="t1",
        ),
        WRITTEN,
    ),
    ("modified order", _with_order(sent("PUT", "/fapi/v1/order", **PUT)), MODIFIED),
    (
        "modified by a name",
        _with_order(sent("PUT", "/fapi/v1/order", **PUT, modifyId=7)),
        MODIFIED + " modifyId:i",
    ),
    (
        "cancelled order",
        _with_order(sent("DELETE", "/fapi/v1/order", origClientOrderId="e1")),
        WRITTEN,
    ),
    ("read order", _with_order(fetched("/fapi/v1/order", origClientOrderId="e1")), READ),
    ("open order", _with_order(fetched("/fapi/v1/openOrder", origClientOrderId="e1")), READ),
    ("listed order", _with_order(_first(fetched("/fapi/v1/openOrders"))), READ),
    ("past order", _with_fill(_first(fetched("/fapi/v1/allOrders"))), PAST),
    ("child in the past", _fired(lambda desk: fetched("/fapi/v1/allOrders")(desk)[-1]), PAST),
    (
        "batch item",
        lambda desk: sent("POST", "/fapi/v1/batchOrders", batchOrders=BATCH)(desk)[0],
        WRITTEN,
    ),
    (
        "batch refusal",
        lambda desk: sent("POST", "/fapi/v1/batchOrders", batchOrders=BATCH)(desk)[1],
        "code:i msg:s",
    ),
    (
        "cancelled in a batch",
        _with_order(_first(sent("DELETE", "/fapi/v1/batchOrders", origClientOrderIdList='["e1"]'))),
        WRITTEN,
    ),
    ("mass cancel", sent("DELETE", "/fapi/v1/allOpenOrders"), MASS),
    (
        "countdown",
        sent("POST", "/fapi/v1/countdownCancelAll", countdownTime=1000),
        "symbol:s countdownTime:s",
    ),
    (
        "stop",
        _algo("STOP_MARKET", quantity="0.01", triggerPrice="90380", reduceOnly="true"),
        ALGO_WRITTEN,
    ),
    (
        "closing stop",
        _algo("STOP_MARKET", closePosition="true", triggerPrice="90380"),
        ALGO_CLOSING,
    ),
    (
        "stop-limit",
        _algo("STOP", quantity="0.01", triggerPrice="90380", price="90300"),
        ALGO_WRITTEN,
    ),
    ("target", _algo("TAKE_PROFIT_MARKET", quantity="0.01", triggerPrice="91600"), ALGO_WRITTEN),
    (
        "target-limit",
        _algo("TAKE_PROFIT", quantity="0.01", triggerPrice="91600", price="91700"),
        ALGO_WRITTEN,
    ),
    (
        "trailing",
        _algo("TRAILING_STOP_MARKET", quantity="0.01", activatePrice="91600", callbackRate="0.5"),
        ALGO_TRAILING,
    ),
    (
        "cancelled stop",
        _with_stop(sent("DELETE", "/fapi/v1/algoOrder", clientAlgoId="s1")),
        "algoId:i clientAlgoId:s code:s msg:s",
    ),
    ("mass cancel of stops", sent("DELETE", "/fapi/v1/algoOpenOrders"), MASS),
    ("read stop", _with_stop(fetched("/fapi/v1/algoOrder", clientAlgoId="s1")), ALGO_READ),
    ("fired stop", _fired(fetched("/fapi/v1/algoOrder", clientAlgoId="s1")), ALGO_DONE),
    ("open stop", _with_stop(_first(fetched("/fapi/v1/openAlgoOrders"))), ALGO_LISTED),
    (
        "past stop",
        _fired(_first(fetched("/fapi/v1/allAlgoOrders"))),
        ALGO_LISTED.replace("actualOrderId:e", "actualOrderId:s"),
    ),
    ("position v2", _first(fetched("/fapi/v2/positionRisk")), POSITION_V2),
    ("held v2", _with_fill(_first(fetched("/fapi/v2/positionRisk"))), POSITION_V2),
    ("held v3", _with_fill(_first(fetched("/fapi/v3/positionRisk"))), POSITION_V3),
    ("account v3", fetched("/fapi/v3/account"), TOTALS),
    ("asset v3", lambda desk: fetched("/fapi/v3/account")(desk)["assets"][0], ASSET_V3),
    (
        "account's position v3",
        _with_fill(lambda desk: fetched("/fapi/v3/account")(desk)["positions"][0]),
        HELD_V3,
    ),
    ("account v2", fetched("/fapi/v2/account"), f"{TOTALS} {SETTINGS_V2}"),
    (
        "asset v2",
        lambda desk: fetched("/fapi/v2/account")(desk)["assets"][0],
        ASSET_V3 + " marginAvailable:b",
    ),
    (
        "account's position v2",
        lambda desk: fetched("/fapi/v2/account")(desk)["positions"][0],
        HELD_V2,
    ),
    ("balance v2", _first(fetched("/fapi/v2/balance")), BALANCE),
    ("balance v3", _first(fetched("/fapi/v3/balance")), BALANCE),
    (
        "account's settings",
        fetched("/fapi/v1/accountConfig"),
        SETTINGS_V2.replace("feeBurn:b ", "") + " dualSidePosition:b",
    ),
    (
        "symbol's settings",
        _first(fetched("/fapi/v1/symbolConfig")),
        "symbol:s marginType:s isAutoAddMargin:b leverage:i maxNotionalValue:sh",
    ),
    ("own trade", _with_fill(_first(fetched("/fapi/v1/userTrades"))), TRADE),
    ("own closing trade", _fired(lambda desk: fetched("/fapi/v1/userTrades")(desk)[-1]), TRADE),
    ("income", _with_fill(_first(fetched("/fapi/v1/income", incomeType="COMMISSION"))), INCOME),
    (
        "funding paid",
        _funded(_first(fetched("/fapi/v1/income", incomeType="FUNDING_FEE"))),
        INCOME.replace("tradeId:s|e", "tradeId:e"),
    ),
    (
        "bracket table",
        lambda desk: {
            name: value
            for name, value in fetched("/fapi/v1/leverageBracket")(desk)[0].items()
            if name != "brackets"
        },
        "symbol:s notionalCoef:f",
    ),
    (
        "bracket",
        lambda desk: fetched("/fapi/v1/leverageBracket")(desk)[0]["brackets"][0],
        "bracket:i initialLeverage:i notionalCap:i notionalFloor:i maintMarginRatio:f cum:f",
    ),
    (
        "fees",
        fetched("/fapi/v1/commissionRate"),
        "symbol:s makerCommissionRate:sh takerCommissionRate:sh rpiCommissionRate:sh",
    ),
    (
        "indicator",
        lambda desk: fetched("/fapi/v1/apiTradingStatus")(desk)["indicators"][SYMBOL][0],
        "isLocked:b plannedRecoverTime:i indicator:s value:f triggerValue:f",
    ),
    (
        "deleveraging",
        lambda desk: fetched("/fapi/v1/adlQuantile")(desk)[0]["adlQuantile"],
        "BOTH:i",
    ),
    ("order limit", _first(fetched("/fapi/v1/rateLimit/order")), LIMIT_ROW),
    ("position mode", fetched("/fapi/v1/positionSide/dual"), "dualSidePosition:b"),
    (
        "changed position mode",
        sent("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true"),
        MASS,
    ),
    (
        "changed leverage",
        sent("POST", "/fapi/v1/leverage", leverage=5),
        "leverage:i maxNotionalValue:sh symbol:s",
    ),
    ("changed margin type", sent("POST", "/fapi/v1/marginType", marginType="ISOLATED"), MASS),
    ("multi-assets mode", fetched("/fapi/v1/multiAssetsMargin"), "multiAssetsMargin:b"),
    ("new listen key", lambda desk: desk.raw("POST", "/fapi/v1/listenKey").body, "listenKey:s"),
    ("kept listen key", _keyed("PUT"), "listenKey:s"),
    ("refusal", lambda desk: desk.order("BUY", "0", "90000").body, "code:i msg:s"),
]


@pytest.mark.parametrize(
    ("get", "table"), [row[1:] for row in REPLIES], ids=[r[0] for r in REPLIES]
)
def test_a_reply_has_its_fields(get: Get, table: str) -> None:
    row = get(Desk())
    if isinstance(row, dict):
        row = {name: value for name, value in row.items() if name not in ("assets", "positions")}

    assert wrong(row, table) == []


@pytest.mark.parametrize(
    "path", ["/fapi/v1/ping", "/api/v3/ping", "/fapi/v1/fundingInfo", "DELETE /fapi/v1/listenKey"]
)
def test_what_is_empty_is_empty(path: str) -> None:
    verb, _, where = path.rpartition(" ")
    desk = Desk()
    desk.listen()

    assert desk.send(verb or "GET", where).body in ({}, [])


def test_changed_margin_has_its_fields() -> None:
    desk = Desk(margin_type="ISOLATED")
    desk.order("BUY", "0.010")

    row = sent("POST", "/fapi/v1/positionMargin", amount="5", type=1)(desk)

    assert wrong(row, "amount:f code:i msg:s type:i") == []


def test_the_clock_of_the_other_market_tells_the_same() -> None:
    """Clients ask it before anything else."""
    assert wrong(fetched("/api/v3/time")(Desk()), "serverTime:i") == []


def test_no_endpoint_is_without_a_table() -> None:
    """An endpoint that is added says here, or among the shapes, what it answers."""
    folder = Path(__file__).parent
    text = "".join(
        (folder / name).read_text(encoding="utf-8")
        for name in ("test_fields.py", "test_wire_shapes.py")
    )

    assert [path for _, path in Desk().venue.routes if path not in text] == []


def test_averages_of_written_orders_may_be_left_out() -> None:
    """Not promised since 2026-07-14; then everything else is as before."""
    desk = Desk(switches=Desk().settings.switches.named({"avg_price_in_write_replies": "absent"}))

    assert wrong(_written(desk), BARE) == []


def test_lists_of_stops_may_tell_what_their_children_did() -> None:
    """The official client's models of the two lists have neither field, so the default has not."""
    desk = Desk(switches=Desk().settings.switches.named({"algo_list_quantities": "present"}))
    row = _fired(_first(fetched("/fapi/v1/allAlgoOrders")))(desk)

    table = ALGO_LISTED.replace("actualOrderId:e", "actualOrderId:s")
    assert wrong(row, f"{table} actualType:s actualQty:d3") == []


def test_a_forced_close_is_listed_in_a_form_of_its_own() -> None:
    desk = long_desk("0.010")
    desk.venue.force("adl", desk.now)

    table = PAST
    for name in ("priceProtect:b", "priceMatch:s", "selfTradePreventionMode:s", "goodTillDate:i"):
        table = table.replace(f"{name} ", "")
    assert wrong(fetched("/fapi/v1/forceOrders")(desk)[0], table) == []


def test_exchange_info_has_its_fields() -> None:
    """The full list always, whatever symbol is asked for."""
    info = fetched("/fapi/v1/exchangeInfo", symbol="NOSUCH")(Desk())

    lists = {name for name, value in info.items() if isinstance(value, list)}
    top = {name: value for name, value in info.items() if name not in lists}
    assert lists == {"rateLimits", "exchangeFilters", "assets", "symbols"}
    assert wrong(top, "timezone:s serverTime:i futuresType:s") == []
    assert [wrong(row, LIMIT_ROW) for row in info["rateLimits"]] == [[], [], []]
    symbol = info["symbols"][0]
    lists = {name for name, value in symbol.items() if isinstance(value, list)}
    assert lists == {
        "filters",
        "orderTypes",
        "timeInForce",
        "permissionSets",
        "underlyingSubType",
    }
    assert wrong({k: v for k, v in symbol.items() if k not in lists}, SYMBOL_ROW) == []
    found = {one["filterType"]: wrong(one, FILTERS[one["filterType"]]) for one in symbol["filters"]}
    assert found == {name: [] for name in FILTERS}


def test_a_candle_is_a_row_of_twelve() -> None:
    rows = fetched("/fapi/v1/klines", interval="1m", limit=1)(Desk())

    forms = ["i", "d2", "d2", "d2", "d2", "d3", "i", "d5", "i", "d3", "d5", "sh"]
    assert [fits(form, value) for form, value in zip(forms, rows[0], strict=True)] == [True] * 12


def test_the_book_is_told_in_pairs() -> None:
    book = fetched("/fapi/v1/depth", limit=5)(Desk())

    assert set(book) == {"lastUpdateId", "E", "T", "bids", "asks"}
    pairs = book["bids"] + book["asks"]
    assert [(fits("d2", price), fits("d3", amount)) for price, amount in pairs] == [
        (True, True)
    ] * 10


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"a": 1, "b": "2.50"}, []),
        ({"a": 1}, ["b is missing"]),
        ({"a": 1, "b": "2.50", "c": 0}, ["c is not in the table"]),
        ({"a": True, "b": "2.5"}, ["a is True, not i", "b is '2.5', not d2"]),
    ],
)
def test_a_table_can_fail(row: dict[str, object], said: list[str]) -> None:
    assert wrong(row, "a:i b:d2") == said
