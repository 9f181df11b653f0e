"""Weights, order counters, 429 and 418."""

from dataclasses import replace

import pytest

from engine.venue.settings import RateLimits
from tests.venue.desk import SYMBOL, Desk

TIGHT = RateLimits(weight_1m=50, orders_10s=3, orders_1m=5, ban_after=2, ban_s=120)
WEIGHT, COUNT_10S, COUNT_1M = (
    "X-MBX-USED-WEIGHT-1M",
    "X-MBX-ORDER-COUNT-10S",
    "X-MBX-ORDER-COUNT-1M",
)


@pytest.mark.parametrize(
    ("path", "given", "weight"),
    [
        ("ping", {}, 1),
        ("depth", {"limit": 5}, 2),
        ("depth", {"limit": 100}, 5),
        ("klines", {"interval": "1m", "limit": 99}, 1),
        ("klines", {"interval": "1m", "limit": 100}, 2),
        ("klines", {"interval": "1m"}, 5),
        ("klines", {"interval": "1m", "limit": 1500}, 10),
        ("aggTrades", {}, 20),
        ("premiumIndex", {}, 1),
        ("openOrders", {}, 1),
        ("openAlgoOrders", {}, 1),
        ("openAlgoOrders", {"symbol": None}, 40),
        ("allAlgoOrders", {}, 5),
        ("userTrades", {}, 5),
        ("income", {}, 30),
        ("commissionRate", {}, 20),
    ],
)
def test_a_question_costs_its_weight(path: str, given: dict[str, object], weight: int) -> None:
    answer = Desk().send("GET", f"/fapi/v1/{path}", **({"symbol": SYMBOL} | given))

    assert answer.reply.headers[WEIGHT] == str(weight)


def test_orders_count_and_weigh_nothing() -> None:
    desk = Desk()

    algo = desk.stop("SELL", "90380", "0.013").reply.headers
    order = desk.order("BUY", "0.010", "90000").reply.headers
    refused = desk.order("BUY", "0.010", "90000.05").reply.headers

    assert (algo[WEIGHT], algo[COUNT_10S], algo[COUNT_1M]) == ("0", "1", "1")
    assert (order[WEIGHT], order[COUNT_10S], order[COUNT_1M]) == ("0", "2", "2")
    assert COUNT_10S not in refused


def test_a_batch_counts_five_and_one() -> None:
    desk = Desk()

    headers = desk.send("POST", "/fapi/v1/batchOrders", batchOrders='[{"symbol":"BTCUSDT"}]').reply
    assert (headers.headers[WEIGHT], headers.headers[COUNT_10S], headers.headers[COUNT_1M]) == (
        "5",
        "5",
        "1",
    )


def test_too_much_weight_is_refused_and_then_banned() -> None:
    """429 first; who carries on is banned, and nothing passes until the ban is over."""
    desk = Desk(limits=TIGHT)
    ask = [desk.send("GET", "/fapi/v1/income", symbol=SYMBOL) for _ in range(4)]

    assert [one.status for one in ask] == [200, 429, 429, 418]
    assert ask[1].body["code"] == ask[3].body["code"] == -1003
    assert int(ask[1].reply.headers["Retry-After"]) <= 60
    assert ask[3].reply.headers["Retry-After"] == "120"
    assert f"banned until {desk.now + 120_000}" in ask[3].body["msg"]
    desk.wait(119_000)
    assert desk.order("BUY", "0.010").status == 418
    desk.wait(1000)
    assert desk.order("BUY", "0.010").status == 200


def test_weight_starts_over_with_the_minute() -> None:
    desk = Desk(limits=TIGHT)
    desk.send("GET", "/fapi/v1/income", symbol=SYMBOL)
    refused = desk.send("GET", "/fapi/v1/income", symbol=SYMBOL)

    desk.wait(int(refused.reply.headers["Retry-After"]) * 1000)

    assert desk.send("GET", "/fapi/v1/income", symbol=SYMBOL).status == 200


def test_too_many_orders_are_refused_by_their_own_code() -> None:
    desk = Desk(limits=replace(TIGHT, weight_1m=2400))
    codes = [desk.order("BUY", "0.001", "89000").reply.status for _ in range(4)]
    code = desk.order("BUY", "0.001", "89000").body["code"]
    desk.wait(10_000)
    later = [desk.order("BUY", "0.001", "89000").status for _ in range(3)]

    assert (codes, code) == ([200, 200, 200, 429], -1015)
    assert later == [200, 200, 429]


def test_each_ban_is_twice_as_long_as_the_one_before() -> None:
    """Two minutes up to three days, as the exchange says of those who never learn."""
    desk = Desk(limits=TIGHT)
    lengths = []
    for _ in range(14):
        answer = desk.send("GET", "/fapi/v1/income", symbol=SYMBOL)
        while answer.status != 418:
            answer = desk.send("GET", "/fapi/v1/income", symbol=SYMBOL)
        lengths.append(int(answer.reply.headers["Retry-After"]))
        desk.wait(lengths[-1] * 1000)

    assert lengths[:4] == [120, 240, 480, 960]
    assert lengths[-1] == 3 * 24 * 3600


def test_the_status_of_trading_weighs_more_for_all_symbols() -> None:
    desk = Desk()

    one = desk.send("GET", "/fapi/v1/apiTradingStatus", symbol=SYMBOL).reply.headers[WEIGHT]
    every = desk.send("GET", "/fapi/v1/apiTradingStatus").reply.headers[WEIGHT]

    assert (one, every) == ("1", "11")
