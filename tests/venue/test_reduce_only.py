"""Reduce-only: it never opens, and resting reduce-only orders hold their share."""

from typing import Any

import pytest

from tests.venue.desk import Desk, long_desk, switched

REDUCE = {"reduceOnly": "true"}


@pytest.mark.parametrize(
    ("held", "side", "quantity", "code", "after", "why"),
    [
        (None, "SELL", "0.010", -2022, "0", "flat"),
        ("0.010", "BUY", "0.010", -2022, "0.010", "the wrong side"),
        ("0.010", "SELL", "0.004", 0, "0.006", "a part"),
        ("0.010", "SELL", "0.010", 0, "0.000", "all of it"),
        ("0.010", "SELL", "0.500", 0, "0.000", "more than all of it"),
    ],
)
def test_a_reducing_market_order_never_opens(
    held: str | None, side: str, quantity: str, code: int, after: str, why: str
) -> None:
    desk = long_desk(held) if held else Desk()

    answer = desk.order(side, quantity, **REDUCE)

    assert (answer.code, str(desk.position)) == (code, after), why


def test_a_reducing_order_has_no_minimum_notional() -> None:
    """Dust must be closable."""
    desk = long_desk("0.001")
    desk.price("40000")

    assert desk.order("SELL", "0.001", **REDUCE).code == 0


def test_a_resting_reducing_order_holds_its_share() -> None:
    """Lesson 35: a resting target for the whole position starves the close."""
    desk = long_desk("0.010")
    desk.order("SELL", "0.006", "91600", **REDUCE)

    codes = [
        desk.order("SELL", "0.010", **REDUCE).code,
        desk.order("SELL", "0.005", "91700", **REDUCE).code,
        desk.order("SELL", "0.004", "91700", **REDUCE).code,
        desk.order("SELL", "0.001", **REDUCE).code,
    ]

    assert codes == [-2022, -2022, 0, -2022]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({}, -2022),
        ({"reserved_code": "-4118"}, -4118),
        ({"resting_reduce_only_reserves": "false"}, 0),
    ],
)
def test_how_a_starved_close_is_refused_is_a_switch(values: dict[str, Any], code: int) -> None:
    desk = switched(**values)
    desk.order("BUY", "0.010")
    desk.order("SELL", "0.010", "91600", **REDUCE)

    assert desk.order("SELL", "0.010", **REDUCE).code == code


@pytest.mark.parametrize(("value", "after"), [("false", "0.000"), ("true", "0.010")])
def test_whether_a_resting_target_starves_a_stops_child_is_a_switch(value: str, after: str) -> None:
    """RULES F6: the question that keeps resting targets out of live."""
    desk = switched(resting_reduce_only_starves_child=value)
    desk.order("BUY", "0.010")
    desk.order("SELL", "0.010", "91600", **REDUCE)
    desk.stop("SELL", "90380", "0.010", clientAlgoId="s1")

    desk.price("90300")

    assert str(desk.position) == after


@pytest.mark.parametrize(("value", "code"), [("false", 0), ("true", -2022)])
def test_whether_untriggered_stops_reserve_is_a_switch(value: str, code: int) -> None:
    desk = switched(untriggered_stops_reserve=value)
    desk.order("BUY", "0.010")
    desk.stop("SELL", "90380", "0.010")

    assert desk.order("SELL", "0.010", **REDUCE).code == code


def test_a_close_knocks_resting_reducing_orders_out() -> None:
    """`er` 4: the position no longer has room for them."""
    desk = switched(resting_reduce_only_reserves="false")
    desk.listen()
    desk.order("BUY", "0.010")
    desk.order("SELL", "0.010", "91600", newClientOrderId="tp", **REDUCE)

    desk.order("SELL", "0.010", **REDUCE)

    last = [one["o"] for one in desk.events("ORDER_TRADE_UPDATE") if one["o"]["c"] == "tp"][-1]
    assert (last["X"], last["er"]) == ("EXPIRED", "4")


def test_a_reducing_order_that_became_too_large_fills_to_flat_and_no_further() -> None:
    desk = switched(resting_reduce_only_reserves="false")
    desk.order("BUY", "0.010")
    desk.order("SELL", "0.010", "91600", newClientOrderId="tp", **REDUCE)
    desk.order("SELL", "0.007", **REDUCE)

    desk.price("91700")

    found = desk.look("tp")
    assert desk.position == 0
    assert (found["status"], found["executedQty"]) == ("EXPIRED", "0.003")


def test_in_hedge_mode_the_closing_side_reduces() -> None:
    desk = Desk(dual_side=True)
    desk.order("BUY", "0.010", positionSide="LONG")

    codes = [
        desk.order("SELL", "0.010", positionSide="SHORT", reduceOnly="true").code,
        desk.order("BUY", "0.010", positionSide="SHORT").code,
        desk.order("SELL", "0.500", positionSide="LONG").code,
    ]

    quantities = {side: p.quantity for side, p in desk.venue.house.account.positions.items()}
    assert codes == [-1106, -2022, 0]
    assert quantities == {"LONG": 0, "SHORT": 0}


def test_a_larger_reducing_order_is_cut_to_the_position() -> None:
    desk = long_desk("0.010")

    desk.order("SELL", "0.500", newClientOrderId="x1", **REDUCE)

    found = desk.look("x1")
    assert (found["status"], found["origQty"], found["executedQty"]) == ("FILLED", "0.010", "0.010")
