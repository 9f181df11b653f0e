"""The regular book: who fills, at what price, how much, and what becomes of the rest."""

from decimal import Decimal

import pytest

from tests.venue.desk import SYMBOL, Desk, long_desk


@pytest.mark.parametrize(
    ("side", "price", "last", "filled", "why"),
    [
        ("BUY", "90700", "90700.1", False, "not reached"),
        ("BUY", "90700", "90700", True, "touched"),
        ("BUY", "90700", "90000", True, "gapped through"),
        ("SELL", "90900", "90899.9", False, "not reached"),
        ("SELL", "90900", "90900", True, "touched"),
        ("SELL", "90900", "91500", True, "gapped through"),
    ],
)
def test_a_resting_order_fills_at_its_own_price_as_maker(
    side: str, price: str, last: str, filled: bool, why: str
) -> None:
    desk = Desk()
    desk.order(side, "0.010", price)

    desk.price(last)

    fills = [(one["price"], one["maker"]) for one in desk.log("fill")]
    assert fills == ([(price, True)] if filled else []), why


def test_an_order_that_crosses_takes_the_price_of_the_book() -> None:
    desk = Desk()

    desk.order("BUY", "0.010", "90900")
    desk.order("SELL", "0.010", "90700")

    fills = [(one["price"], one["maker"]) for one in desk.log("fill")]
    assert fills == [("90800.1", False), ("90800", False)]


def test_resting_orders_fill_no_more_than_what_traded() -> None:
    """A point's quantity bounds the fills together, the best price first."""
    desk = Desk()
    desk.order("BUY", "0.010", "90700", newClientOrderId="far")
    desk.order("BUY", "0.010", "90750", newClientOrderId="near")

    desk.price("90600", quantity="0.012")

    executed = {name: desk.look(name)["executedQty"] for name in ("near", "far")}
    assert executed == {"near": "0.010", "far": "0.002"}


def test_a_touch_may_fill_in_parts() -> None:
    desk = Desk(touch_quantity=Decimal("0.004"))
    desk.order("BUY", "0.010", "90700", newClientOrderId="e1")
    seen = []

    for _ in range(3):
        desk.price("90700")
        seen.append((desk.look("e1")["status"], desk.look("e1")["executedQty"]))

    assert seen == [
        ("PARTIALLY_FILLED", "0.004"),
        ("PARTIALLY_FILLED", "0.008"),
        ("FILLED", "0.010"),
    ]


@pytest.mark.parametrize(
    ("time_in_force", "status", "executed", "left"),
    [
        ("GTC", "PARTIALLY_FILLED", "0.004", ["e1"]),
        ("IOC", "EXPIRED", "0.004", []),
    ],
)
def test_what_the_book_does_not_offer_rests_or_expires(
    time_in_force: str, status: str, executed: str, left: list[str]
) -> None:
    desk = Desk(level_quantity=Decimal("0.004"), level_ticks=100)
    desk.listen()

    desk.order("BUY", "0.010", "90805", timeInForce=time_in_force, newClientOrderId="e1")

    found = desk.look("e1")
    assert (found["status"], found["executedQty"]) == (status, executed)
    assert desk.open_ids() == left
    reason = desk.events("ORDER_TRADE_UPDATE")[-1]["o"]["er"]
    assert reason == ("2" if time_in_force == "IOC" else "0")


def test_fill_or_kill_fills_whole_or_is_refused() -> None:
    desk = Desk(level_quantity=Decimal("0.004"), level_ticks=100)

    refused = desk.order("BUY", "0.010", "90805", timeInForce="FOK").code
    filled = desk.order("BUY", "0.010", "90825", timeInForce="FOK").code

    assert (refused, filled, str(desk.position)) == (-5021, 0, "0.010")


def test_a_post_only_order_rests_or_is_refused() -> None:
    desk = Desk()

    assert desk.order("BUY", "0.010", "90800", timeInForce="GTX").body["status"] == "NEW"
    assert desk.order("BUY", "0.010", "90800.1", timeInForce="GTX").code == -5022


def test_a_market_order_walks_the_levels_and_stops_at_the_bound() -> None:
    """marketTakeBound: five per cent from the mark, the remainder expires with `er` 9."""
    desk = Desk(level_quantity=Decimal("0.002"), level_ticks=20_000)
    desk.listen()

    desk.order("BUY", "0.010", newClientOrderId="m1")

    fills = [one["price"] for one in desk.log("fill")]
    last = desk.events("ORDER_TRADE_UPDATE")[-1]["o"]
    assert fills == ["90800.1", "92800.1", "94800.1"]
    assert (last["X"], last["x"], last["er"], last["z"]) == ("EXPIRED", "EXPIRED", "9", "0.006")


def test_slippage_moves_market_orders_only() -> None:
    desk = Desk(slippage_ticks=5)

    desk.order("BUY", "0.010")
    desk.order("BUY", "0.010", "90900")

    assert [one["price"] for one in desk.log("fill")] == ["90800.6", "90800.1"]


@pytest.mark.parametrize(("response", "status"), [("ACK", "NEW"), ("RESULT", "FILLED")])
def test_a_market_order_answers_at_once_or_with_its_result(response: str, status: str) -> None:
    answer = Desk().order("BUY", "0.010", newOrderRespType=response)

    assert answer.body["status"] == status


def test_a_date_ends_a_resting_order() -> None:
    desk = Desk()
    date = desk.now + 700_000
    desk.order("BUY", "0.010", "90000", timeInForce="GTD", goodTillDate=date, newClientOrderId="e1")

    desk.wait(700_001)

    assert desk.look("e1")["status"] == "CANCELED"


def test_an_order_may_be_changed_and_may_take_at_once() -> None:
    desk = Desk()
    desk.order("BUY", "0.010", "90000", newClientOrderId="e1")
    change = {"symbol": SYMBOL, "origClientOrderId": "e1", "side": "BUY"}

    first = desk.send("PUT", "/fapi/v1/order", quantity="0.012", price="90100", **change)
    same = desk.send("PUT", "/fapi/v1/order", quantity="0.012", price="90100", **change)
    missing = desk.send("PUT", "/fapi/v1/order", quantity="0.012", **change)
    desk.send("PUT", "/fapi/v1/order", quantity="0.012", price="90900", **change)

    assert (first.body["origQty"], first.body["price"]) == ("0.012", "90100.00")
    assert (same.code, missing.code) == (-5027, -1102)
    assert str(desk.position) == "0.012"


def test_a_batch_answers_for_each_of_its_orders() -> None:
    """HTTP 200 even when items fail: each has its own code."""
    desk = Desk()
    good = (
        '{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTC",'
        '"quantity":"0.010","price":"90000","newClientOrderId":"b1"}'
    )
    stop = good.replace("LIMIT", "STOP_MARKET")

    answer = desk.send("POST", "/fapi/v1/batchOrders", batchOrders=f"[{good},{stop},{good}]")

    assert answer.status == 200
    assert [one.get("code", one.get("status")) for one in answer.body] == ["NEW", -4120, -4116]


def test_many_orders_are_cancelled_by_their_ids() -> None:
    desk = Desk()
    desk.order("BUY", "0.010", "90000", newClientOrderId="e1")

    answer = desk.send(
        "DELETE",
        "/fapi/v1/batchOrders",
        symbol=SYMBOL,
        origClientOrderIdList='["e1","e2"]',
    )

    assert [one.get("code", one.get("status")) for one in answer.body] == ["CANCELED", -2011]


def test_the_countdown_cancels_unless_renewed() -> None:
    desk = Desk()
    desk.order("BUY", "0.010", "90000")
    desk.stop("SELL", "90380", "0.013", clientAlgoId="s1")
    arm = {"symbol": SYMBOL, "countdownTime": 5000}

    desk.send("POST", "/fapi/v1/countdownCancelAll", **arm)
    desk.wait(4000)
    desk.send("POST", "/fapi/v1/countdownCancelAll", **arm)
    desk.wait(4000)
    renewed = len(desk.open_ids())
    desk.wait(1000)

    assert (renewed, desk.open_ids(), desk.open_algo_ids()) == (1, [], ["s1"])


def test_a_test_order_is_checked_and_not_placed() -> None:
    desk = Desk()
    terms = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET"}

    good = desk.send("POST", "/fapi/v1/order/test", quantity="0.010", **terms)
    bad = desk.send("POST", "/fapi/v1/order/test", quantity="0.0001", **terms)

    assert (good.status, bad.code, str(desk.position)) == (200, -1111, "0")


def test_history_is_found_by_id_by_time_and_at_the_end() -> None:
    desk = Desk()
    for number in range(5):
        desk.order("BUY", "0.001", "90000", newClientOrderId=f"e{number}")
        desk.wait(1000)
    start = desk.now - 3000
    ask = {"symbol": SYMBOL}

    def ids(**given: object) -> list[str]:
        rows = desk.send("GET", "/fapi/v1/allOrders", **(ask | given)).body
        return [row["clientOrderId"] for row in rows]

    first = desk.look("e1")["orderId"]
    assert ids(limit=2) == ["e3", "e4"]
    assert ids(orderId=first, limit=2) == ["e1", "e2"]
    assert ids(startTime=start) == ["e2", "e3", "e4"]
    assert ids(startTime=start, endTime=start + 1000) == ["e2", "e3"]
    assert ids(endTime=start) == ["e0", "e1", "e2"]


def test_trades_are_found_by_id_by_order_and_by_time() -> None:
    desk = long_desk("0.010")
    desk.wait(1000)
    desk.order("BUY", "0.001", newClientOrderId="second")
    order = desk.look("second")["orderId"]

    def quantities(**given: object) -> list[str]:
        rows = desk.send("GET", "/fapi/v1/userTrades", symbol=SYMBOL, **given).body
        return [row["qty"] for row in rows]

    assert quantities() == ["0.010", "0.001"]
    assert quantities(limit=1) == ["0.001"]
    assert quantities(orderId=order) == ["0.001"]
    assert quantities(fromId=6012345679) == ["0.001"]
    assert quantities(startTime=desk.now) == ["0.001"]
    assert quantities(endTime=desk.now - 1) == ["0.010"]
    assert quantities(startTime=desk.now + 1) == []


def test_a_window_of_more_than_a_week_is_refused() -> None:
    desk = Desk()
    week = 7 * 24 * 3600 * 1000

    answer = desk.send(
        "GET", "/fapi/v1/userTrades", symbol=SYMBOL, startTime=desk.now - week - 1, endTime=desk.now
    )

    assert answer.code == -4165


def test_an_unfilled_order_is_forgotten_after_three_days() -> None:
    desk = Desk()
    desk.order("BUY", "0.010", "90000", newClientOrderId="e1")
    desk.send("DELETE", "/fapi/v1/order", symbol=SYMBOL, origClientOrderId="e1")

    desk.wait(3 * 24 * 3600 * 1000 + 1)

    ask = {"symbol": SYMBOL, "origClientOrderId": "e1"}
    assert desk.send("GET", "/fapi/v1/order", **ask).code == -2013


def test_history_without_a_start_reaches_back_a_week() -> None:
    desk = long_desk("0.010")
    desk.stop("SELL", "50000", "0.010", clientAlgoId="s1")
    week = 7 * 24 * 3600 * 1000
    paths = ("/fapi/v1/userTrades", "/fapi/v1/allOrders", "/fapi/v1/allAlgoOrders")

    def rows(**given: object) -> list[int]:
        return [len(desk.send("GET", path, symbol=SYMBOL, **given).body) for path in paths]

    desk.wait(week)
    within = rows()
    desk.wait(1)

    assert (within, rows(), rows(startTime=desk.now - week - 1)) == (
        [1, 1, 1],
        [0, 0, 0],
        [1, 1, 1],
    )


@pytest.mark.parametrize(
    ("given", "quantity", "price"),
    [
        ({"timeInForce": "GTX"}, "0.010", "90900"),
        ({"timeInForce": "GTC"}, "0.004", "90600"),
    ],
)
def test_a_change_may_cancel_the_order(given: dict[str, str], quantity: str, price: str) -> None:
    """A post-only order that would take, or a quantity that is filled already."""
    desk = Desk(touch_quantity=Decimal("0.004"))
    desk.order("BUY", "0.010", "90700", newClientOrderId="e1", **given)
    desk.price("90700")
    ask = {"symbol": SYMBOL, "origClientOrderId": "e1", "side": "BUY"}

    desk.send("PUT", "/fapi/v1/order", quantity=quantity, price=price, **ask)

    assert (desk.look("e1")["status"], desk.look("e1")["executedQty"]) == ("CANCELED", "0.004")
