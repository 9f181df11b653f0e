"""Replies as the reference shows them: field sets, types, number formats."""

import json
from typing import Any

import pytest

from tests.venue.desk import SYMBOL, Desk, long_desk, words

ORDER = words(
    "orderId symbol status clientOrderId price avgPrice origQty executedQty cumQuote "
    "timeInForce type reduceOnly closePosition side positionSide stopPrice workingType "
    "priceProtect origType priceMatch selfTradePreventionMode goodTillDate updateTime"
)
ALGO = words(
    "algoId clientAlgoId algoType orderType symbol side positionSide timeInForce quantity "
    "algoStatus triggerPrice price icebergQuantity selfTradePreventionMode workingType "
    "priceMatch closePosition priceProtect reduceOnly createTime updateTime triggerTime "
    "goodTillDate"
)
POSITION = words(
    "symbol positionSide positionAmt entryPrice breakEvenPrice markPrice unRealizedProfit "
    "liquidationPrice notional isolatedWallet updateTime"
)
V2 = words("leverage maxNotionalValue marginType isolatedMargin isAutoAddMargin")
V3 = words(
    "marginAsset isolatedMargin initialMargin maintMargin positionInitialMargin "
    "openOrderInitialMargin adl bidNotional askNotional"
)
TOTALS = words(
    "totalInitialMargin totalMaintMargin totalWalletBalance totalUnrealizedProfit "
    "totalMarginBalance totalPositionInitialMargin totalOpenOrderInitialMargin "
    "totalCrossWalletBalance totalCrossUnPnl availableBalance maxWithdrawAmount assets "
    "positions"
)
TRADE = words(
    "symbol id orderId side price qty realizedPnl quoteQty baseQty marginAsset commission "
    "commissionAsset time positionSide buyer maker pair"
)


def get(desk: Desk, path: str, **given: Any) -> Any:
    answer = desk.send("GET", path, **({"symbol": SYMBOL} | given))
    assert answer.status == 200, answer.body
    return answer.body


def test_a_written_order() -> None:
    body = Desk().order("BUY", "0.010", "75000", newClientOrderId="kp-7f3a-e1").body

    assert set(body) == ORDER | {"cumQty"}
    expected = {
        "orderId": 88937380001,
        "price": "75000.00",
        "avgPrice": "0.00",
        "origQty": "0.010",
        "executedQty": "0.000",
        "cumQuote": "0.00000",
        "stopPrice": "0.00",
        "reduceOnly": False,
        "goodTillDate": 0,
    }
    assert {name: body[name] for name in expected} == expected


def test_averages_may_be_absent_from_written_orders() -> None:
    desk = Desk(
        switches=Desk().settings.switches.__class__(avg_price_in_write_replies="absent"),
    )

    written = desk.order("BUY", "0.010", newOrderRespType="RESULT").body

    assert not {"avgPrice", "cumQuote"} & set(written)
    assert {"avgPrice", "cumQuote"} <= set(desk.look(written["clientOrderId"]))


def test_a_read_order() -> None:
    desk = Desk()
    desk.order("BUY", "0.010", "90000", newClientOrderId="e1")

    assert set(desk.look("e1")) == ORDER | {"time"}
    assert get(desk, "/fapi/v1/openOrders") == [desk.look("e1")]
    assert get(desk, "/fapi/v1/openOrder", origClientOrderId="e1") == desk.look("e1")


def test_a_written_stop() -> None:
    desk = Desk()
    body = desk.stop("SELL", "74000", "0.010", clientAlgoId="kp-7f3a-s1").body

    assert set(body) == ALGO | {"activatePrice", "callbackRate"}
    expected = {
        "algoId": 4000001912557457,
        "quantity": "0.010",
        "triggerPrice": "74000.00",
        "price": "0.00",
        "icebergQuantity": None,
        "activatePrice": "",
        "reduceOnly": True,
        "triggerTime": 0,
    }
    assert {name: body[name] for name in expected} == expected


def test_a_closing_stop_reads_back_as_observed() -> None:
    desk = long_desk()
    desk.stop("SELL", "90380", None, clientAlgoId="f1")

    row = desk.algo("f1")

    expected = {
        "quantity": "0",
        "closePosition": True,
        "reduceOnly": True,
        "timeInForce": "GTE_GTC",
        "actualOrderId": "",
    }
    assert {name: row[name] for name in expected} == expected
    assert set(row) == ALGO | {
        "actualOrderId",
        "actualPrice",
        "actualType",
        "actualQty",
        "tpOrderType",
    }


@pytest.mark.parametrize(("value", "kind"), [("array", list), ("object", dict)])
def test_the_envelope_of_open_stops_is_a_switch(value: str, kind: type) -> None:
    desk = Desk(switches=Desk().settings.switches.__class__(open_algo_envelope=value))

    assert isinstance(get(desk, "/fapi/v1/openAlgoOrders"), kind)


def test_positions_in_both_versions() -> None:
    desk = long_desk("0.010")
    desk.price("90840", "90840")

    second, third = get(desk, "/fapi/v2/positionRisk")[0], get(desk, "/fapi/v3/positionRisk")[0]

    assert set(second) == POSITION | V2
    assert set(third) == POSITION | V3
    expected = {
        "positionAmt": "0.010",
        "entryPrice": "90800.1",
        "markPrice": "90840.00000000",
        "unRealizedProfit": "0.39900000",
        "notional": "908.40000000",
        "liquidationPrice": "0",
        "positionSide": "BOTH",
    }
    assert {name: second[name] for name in expected} == expected
    assert {name: third[name] for name in expected} == expected
    assert (second["leverage"], second["marginType"]) == ("20", "cross")


def test_a_flat_position_is_listed_by_the_second_version_only() -> None:
    desk = Desk()

    flat = get(desk, "/fapi/v2/positionRisk")

    assert [(row["positionAmt"], row["entryPrice"]) for row in flat] == [("0.000", "0.0")]
    assert get(desk, "/fapi/v3/positionRisk") == []
    desk.order("BUY", "0.010", "90000")
    assert len(get(desk, "/fapi/v3/positionRisk")) == 1


def test_hedge_mode_lists_both_sides() -> None:
    desk = Desk(dual_side=True)
    desk.order("BUY", "0.010", positionSide="LONG")

    rows = {row["positionSide"]: row["positionAmt"] for row in get(desk, "/fapi/v2/positionRisk")}

    assert rows == {"LONG": "0.010", "SHORT": "0.000"}


def test_the_account_in_both_versions() -> None:
    desk = long_desk("0.010")

    second, third = get(desk, "/fapi/v2/account"), get(desk, "/fapi/v3/account")

    assert set(third) == TOTALS
    assert set(second) > TOTALS
    assert second["canTrade"] is True
    assert third["totalWalletBalance"] == "999.54599950"
    assert set(second["positions"][0]) >= {"leverage", "isolated", "entryPrice", "maxNotional"}


def test_a_trade() -> None:
    row = get(long_desk("0.010"), "/fapi/v1/userTrades")[0]

    assert set(row) == TRADE
    expected = {
        "id": 6012345678,
        "price": "90800.10",
        "qty": "0.010",
        "quoteQty": "908.00100",
        "commission": "0.45400050",
        "realizedPnl": "0",
        "buyer": True,
        "maker": False,
    }
    assert {name: row[name] for name in expected} == expected


def test_balances() -> None:
    row = get(Desk(), "/fapi/v3/balance")[0]

    assert set(row) == words(
        "accountAlias asset balance crossWalletBalance crossUnPnl availableBalance "
        "maxWithdrawAmount marginAvailable updateTime"
    )
    assert row["balance"] == "1000.00000000"


def test_filters_are_those_of_the_symbol() -> None:
    body = get(Desk(), "/fapi/v1/exchangeInfo")

    symbol = body["symbols"][0]
    filters = {one["filterType"]: one for one in symbol["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.10"
    assert filters["LOT_SIZE"]["stepSize"] == "0.001"
    assert filters["MARKET_LOT_SIZE"]["maxQty"] == "120"
    assert filters["MIN_NOTIONAL"]["notional"] == "50"
    assert "MAX_NUM_ALGO_ORDERS" not in filters
    assert "STOP_MARKET" in symbol["orderTypes"]
    assert body["serverTime"] == 1_795_000_000_000


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/fapi/v1/positionSide/dual", {"dualSidePosition": False}),
        ("/fapi/v1/multiAssetsMargin", {"multiAssetsMargin": False}),
        (
            "/fapi/v1/commissionRate",
            {
                "symbol": SYMBOL,
                "makerCommissionRate": "0.0002",
                "takerCommissionRate": "0.0005",
                "rpiCommissionRate": "0.00005",
            },
        ),
        (
            "/fapi/v1/symbolConfig",
            [
                {
                    "symbol": SYMBOL,
                    "marginType": "CROSSED",
                    "isAutoAddMargin": False,
                    "leverage": 20,
                    "maxNotionalValue": "100000000",
                }
            ],
        ),
    ],
)
def test_settings_of_account_and_symbol(path: str, expected: object) -> None:
    assert get(Desk(), path) == expected


def test_the_rights_of_the_key() -> None:
    body = get(
        Desk(withdrawals_enabled=True, ip_restricted=False), "/sapi/v1/account/apiRestrictions"
    )

    rights = (body["enableFutures"], body["enableWithdrawals"], body["ipRestrict"])
    assert rights == (True, True, False)


def test_brackets_begin_with_the_reference() -> None:
    rows = get(Desk(), "/fapi/v1/leverageBracket")

    assert rows[0]["brackets"][0] == {
        "bracket": 1,
        "initialLeverage": 125,
        "notionalCap": 300000,
        "notionalFloor": 0,
        "maintMarginRatio": 0.004,
        "cum": 0.0,
    }


def test_prices_of_the_public() -> None:
    desk = Desk()
    desk.price("90810", "90805.5")

    book, index = get(desk, "/fapi/v1/ticker/bookTicker"), get(desk, "/fapi/v1/premiumIndex")

    assert (book["bidPrice"], book["askPrice"]) == ("90810.00", "90810.10")
    assert (index["markPrice"], index["nextFundingTime"]) == ("90805.50000000", 1_795_017_600_000)
    assert get(desk, "/fapi/v2/ticker/price")["price"] == "90810.00"
    assert isinstance(get(desk, "/fapi/v1/premiumIndex", symbol=None), list)


@pytest.mark.parametrize("limit", [5, 20, 1000])
def test_depth_is_sorted_from_the_best_price(limit: int) -> None:
    body = get(Desk(), "/fapi/v1/depth", limit=limit)

    bids, asks = [float(row[0]) for row in body["bids"]], [float(row[0]) for row in body["asks"]]
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids[0] < asks[0]


def test_depth_knows_its_limits() -> None:
    assert Desk().send("GET", "/fapi/v1/depth", symbol=SYMBOL, limit=7).code == -4021


def test_state_and_log_are_plain_data() -> None:
    desk = long_desk()
    desk.stop("SELL", "90380", None)
    desk.price("90300")

    state = json.loads(json.dumps(desk.venue.state()))
    assert state["position"]["quantity"] == "0.000"
    assert state["switches"]["stop_while_flat"] == "accepted"
    log = desk.venue.log_after(0)
    assert json.loads(json.dumps(log)) == log
    assert [one["n"] for one in log] == list(range(1, len(log) + 1))
    assert desk.venue.log_after(3) == log[3:]
