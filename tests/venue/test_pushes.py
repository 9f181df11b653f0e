"""The user stream: which events, in which shape, and only for a living listen key."""

from decimal import Decimal
from typing import Any

from tests.venue.desk import SYMBOL, T0, Desk, long_desk, words

FUNDING_MS = (T0 // 28_800_000 + 1) * 28_800_000
ORDER_FIELDS = words(
    "s c S o f q p ap sp x X i l z L N n T t b a m R wt ot ps cp rp pP si ss V pm gtd er"
)
ALGO_FIELDS = words("caid aid at o s S ps f q X ai ap aq act tp p V wt pm cp pP R tt gtd rm ia")


def kinds(desk: Desk) -> list[str]:
    return [one["e"] for one in desk.events()]


def test_without_a_listen_key_nothing_is_pushed() -> None:
    """A dead or wrong key connects fine and stays silent."""
    desk = long_desk()

    assert kinds(desk) == []


def test_a_fill_is_told_three_times() -> None:
    desk = Desk()
    desk.listen()

    desk.order("BUY", "0.013")

    assert kinds(desk) == [
        "ORDER_TRADE_UPDATE",
        "TRADE_LITE",
        "ORDER_TRADE_UPDATE",
        "ACCOUNT_UPDATE",
    ]


def test_an_order_event_has_every_field_in_its_type() -> None:
    desk = Desk()
    desk.listen()
    desk.order("BUY", "0.013", "90743.3", newClientOrderId="e1")
    desk.price("90743.3")

    event = desk.events("ORDER_TRADE_UPDATE")[-1]

    data = event["o"]
    assert set(data) == ORDER_FIELDS
    assert (event["E"], event["T"]) == (T0 + 1000, T0 + 1000)
    expected: dict[str, Any] = {
        "c": "e1",
        "S": "BUY",
        "o": "LIMIT",
        "q": "0.013",
        "p": "90743.3",
        "ap": "90743.3",
        "x": "TRADE",
        "X": "FILLED",
        "i": 88937380001,
        "l": "0.013",
        "z": "0.013",
        "n": "0.23593258",
        "t": 6012345678,
        "m": True,
        "R": False,
        "rp": "0",
        "er": "0",
    }
    assert {name: data[name] for name in expected} == expected


def test_an_account_event_tells_wallet_and_position() -> None:
    desk = Desk()
    desk.listen()
    desk.order("SELL", "0.013")

    data = desk.events("ACCOUNT_UPDATE")[-1]["a"]

    assert data["m"] == "ORDER"
    assert data["B"] == [{"a": "USDT", "wb": "999.40980000", "cw": "999.40980000", "bc": "0"}]
    position = data["P"][0]
    assert (position["pa"], position["ep"], position["mt"]) == ("-0.013", "90800", "cross")


def test_a_stop_is_told_at_every_step() -> None:
    desk = long_desk()
    desk.listen()
    desk.stop("SELL", "90380", "0.013", clientAlgoId="s1")
    desk.price("90300")

    events = [one["o"] for one in desk.events("ALGO_UPDATE")]

    assert [one["X"] for one in events] == ["NEW", "TRIGGERING", "TRIGGERED", "FINISHED"]
    assert all(set(one) == ALGO_FIELDS for one in events)
    assert [one["ai"] for one in events] == ["", "", "88937380002", "88937380002"]
    assert (events[-1]["aq"], events[-1]["ap"], events[-1]["act"]) == ("0.013", "90300", "MARKET")


def test_a_new_leverage_is_told() -> None:
    desk = Desk()
    desk.listen()

    desk.send("POST", "/fapi/v1/leverage", symbol=SYMBOL, leverage=5)

    assert desk.events()[-1]["ac"] == {"s": SYMBOL, "l": 5}


def test_funding_is_told_with_the_balance_alone_in_cross_margin() -> None:
    desk = long_desk()
    desk.wait(FUNDING_MS - T0 - 1)
    desk.listen()

    desk.wait(1)

    funding = [one["a"] for one in desk.events("ACCOUNT_UPDATE")]
    assert [(one["m"], one["S"], "P" in one) for one in funding] == [("FUNDING_FEE", SYMBOL, False)]


def test_a_listen_key_lives_an_hour_and_says_when_it_ends() -> None:
    desk = Desk()
    first = desk.listen()
    desk.wait(30 * 60_000)
    again = desk.raw("PUT", "/fapi/v1/listenKey").body["listenKey"]
    desk.wait(60 * 60_000 - 1)
    alive = kinds(desk)
    desk.wait(1)

    expired = desk.events()
    gone = desk.raw("PUT", "/fapi/v1/listenKey").code
    assert (again, alive) == (first, [])
    assert [(one["e"], one["listenKey"]) for one in expired] == [("listenKeyExpired", first)]
    assert gone == -1125
    assert desk.listen() != first


def test_a_closed_listen_key_is_told() -> None:
    desk = Desk()
    desk.listen()

    assert desk.raw("DELETE", "/fapi/v1/listenKey").body == {}
    assert kinds(desk) == ["listenKeyExpired"]


def test_market_streams_follow_the_price_once_a_second_for_the_mark() -> None:
    desk = Desk()
    desk.venue.drain_pushes()
    for last in ("90801", "90802", "90803"):
        desk.price(last, after_ms=400)

    pushes = desk.venue.drain_pushes()
    names = [one.stream for one in pushes]
    assert names.count("btcusdt@bookTicker") == 3
    assert names.count("btcusdt@markPrice@1s") in (1, 2)
    book = [one.event for one in pushes if one.stream == "btcusdt@bookTicker"][-1]
    assert (book["b"], book["a"]) == ("90803.00", "90803.10")


def test_the_mark_price_is_repeated_while_nothing_trades() -> None:
    desk = Desk()
    desk.venue.drain_pushes()

    for _ in range(5):
        desk.wait(1000)

    names = [one.stream for one in desk.venue.drain_pushes()]
    assert names == ["btcusdt@markPrice@1s"] * 5


def test_no_streams_cost_nothing() -> None:
    desk = Desk(market_streams=())

    desk.price("90900")

    assert desk.venue.drain_pushes() == []
    assert desk.wallet == Decimal(1000)


def test_no_event_waits_for_a_key_to_come() -> None:
    """What happened before the stream was opened is not told later."""
    desk = Desk()
    desk.send("POST", "/fapi/v1/leverage", symbol=SYMBOL, leverage=5)
    desk.order("BUY", "0.013")

    desk.listen()

    assert desk.events() == []
