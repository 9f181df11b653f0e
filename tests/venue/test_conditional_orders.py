"""The life of a conditional order: rests, triggers, becomes a regular order, ends."""

from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from engine.venue.algo_steps import (
    FINAL_STATUSES,
    NEXT_STATUS,
    ImpossibleStepError,
    Step,
    next_status,
)
from engine.venue.orders import AlgoStatus
from tests.venue.desk import SYMBOL, Desk, long_desk, switched

IMPOSSIBLE = sorted(set(product(AlgoStatus, Step)) - set(NEXT_STATUS))


@pytest.mark.parametrize(("status", "step"), IMPOSSIBLE)
def test_a_step_that_is_not_in_the_table_is_refused_by_name(status: AlgoStatus, step: Step) -> None:
    with pytest.raises(ImpossibleStepError, match=f"{step} in {status}"):
        next_status(status, step)


def test_every_status_is_reached_and_the_final_ones_have_no_way_out() -> None:
    reached = {AlgoStatus.NEW} | set(NEXT_STATUS.values())

    assert reached == set(AlgoStatus)
    assert set(FINAL_STATUSES) == {
        AlgoStatus.FINISHED,
        AlgoStatus.CANCELED,
        AlgoStatus.REJECTED,
        AlgoStatus.EXPIRED,
    }


@pytest.mark.parametrize(
    ("side", "kind", "trigger", "working", "last", "mark", "fires", "why"),
    [
        ("SELL", "STOP_MARKET", "90380", "CONTRACT_PRICE", "90380", "90800", True, "reached"),
        ("SELL", "STOP_MARKET", "90380", "CONTRACT_PRICE", "90380.1", "90000", False, "not yet"),
        ("SELL", "STOP_MARKET", "90380", "MARK_PRICE", "90000", "90380.1", False, "mark decides"),
        ("SELL", "STOP_MARKET", "90380", "MARK_PRICE", "90800", "90380", True, "mark decides"),
        ("BUY", "STOP_MARKET", "91220", "CONTRACT_PRICE", "91220", "90800", True, "mirrored"),
        ("BUY", "STOP_MARKET", "91220", "CONTRACT_PRICE", "91219.9", "91300", False, "mirrored"),
        ("SELL", "TAKE_PROFIT_MARKET", "91600", "CONTRACT_PRICE", "91600", "90800", True, "target"),
        ("SELL", "TAKE_PROFIT_MARKET", "91600", "MARK_PRICE", "91700", "91599", False, "target"),
        ("BUY", "TAKE_PROFIT_MARKET", "90000", "CONTRACT_PRICE", "90000", "90800", True, "short"),
    ],
)
def test_the_working_price_triggers(
    side: str,
    kind: str,
    trigger: str,
    working: str,
    last: str,
    mark: str,
    fires: bool,
    why: str,
) -> None:
    desk = Desk()
    desk.stop(side, trigger, "0.013", type=kind, workingType=working, clientAlgoId="s1")

    desk.price(last, mark)

    assert (desk.algo("s1")["algoStatus"] != "NEW") is fires, why


def test_a_stop_becomes_a_market_order_with_the_same_id() -> None:
    desk = long_desk()
    placed = desk.stop("SELL", "90380", "0.013", clientAlgoId="s1").body

    desk.price("90300")

    algo, child = desk.algo("s1"), desk.look("s1")
    assert (placed["algoStatus"], algo["algoStatus"]) == ("NEW", "FINISHED")
    assert algo["actualOrderId"] == str(child["orderId"])
    assert (algo["actualType"], algo["actualQty"]) == ("MARKET", "0.013")
    assert (child["status"], child["avgPrice"]) == ("FILLED", "90300.00000")
    assert desk.position == 0


def test_before_the_trigger_the_regular_book_knows_nothing_of_a_stop() -> None:
    """Conditional orders are another service: neither listed nor cancelled with regular ones."""
    desk = long_desk()
    desk.stop("SELL", "90380", "0.013", clientAlgoId="s1")

    regular = desk.send("GET", "/fapi/v1/order", symbol=SYMBOL, origClientOrderId="s1")
    desk.send("DELETE", "/fapi/v1/allOpenOrders", symbol=SYMBOL)

    assert regular.code == -2013
    assert desk.open_ids() == []
    assert desk.open_algo_ids() == ["s1"]


def test_a_stop_limit_becomes_a_resting_order_and_finishes_with_it() -> None:
    desk = long_desk()
    desk.stop("SELL", "90380", "0.013", type="STOP", price="90400", clientAlgoId="s1")

    desk.price("90380")
    triggered = desk.algo("s1")["algoStatus"], desk.open_ids()
    desk.price("90400")

    assert triggered == ("TRIGGERED", ["s1"])
    assert desk.algo("s1")["algoStatus"] == "FINISHED"
    assert desk.position == 0


def test_a_cancelled_child_finishes_its_stop_unfilled() -> None:
    """FINISHED does not mean filled: `aq` tells."""
    desk = long_desk()
    desk.stop("SELL", "90380", "0.013", type="STOP", price="90400", clientAlgoId="s1")
    desk.price("90380")

    desk.send("DELETE", "/fapi/v1/order", symbol=SYMBOL, origClientOrderId="s1")

    assert (desk.algo("s1")["algoStatus"], desk.algo("s1")["actualQty"]) == ("FINISHED", "0.000")


@pytest.mark.parametrize(
    ("value", "status"),
    [("rejected", "REJECTED"), ("expired", "EXPIRED"), ("finished", "FINISHED")],
)
def test_a_stop_that_fires_while_flat_is_spent(value: str, status: str) -> None:
    """A later fill would be naked: the stop is gone although nothing was closed."""
    desk = switched(stop_fired_flat_status=value)
    desk.stop("SELL", "90380", "0.013", clientAlgoId="s1")

    desk.price("90300")

    found = desk.algo("s1")
    assert (found["algoStatus"], found["actualOrderId"]) == (status, "")
    assert (str(desk.position), desk.open_algo_ids()) == ("0", [])


def test_a_stop_from_before_a_change_of_mode_has_its_child_refused() -> None:
    """Conditional orders block no change (``algo_orders_block_modes``): its side is gone then."""
    desk = Desk()
    desk.listen()
    desk.stop("SELL", "90380", "0.013", clientAlgoId="s1")
    desk.send("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")

    desk.price("90300")

    assert desk.algo("s1")["algoStatus"] == "REJECTED"
    assert "position side" in desk.events("ALGO_UPDATE")[-1]["o"]["rm"]


def test_an_unaffordable_child_is_rejected_at_the_trigger() -> None:
    """Acceptance is not protection: margin is judged when the stop fires."""
    desk = Desk()
    desk.listen()
    desk.stop("SELL", "90380", "1", reduceOnly=None, clientAlgoId="s1")

    desk.price("90300")

    assert desk.algo("s1")["algoStatus"] == "REJECTED"
    assert desk.events("ALGO_UPDATE")[-1]["o"]["rm"] == "Margin is insufficient."


def test_quantity_stops_stay_and_closing_stops_go_when_the_position_closes() -> None:
    """The first are the zombies a keeper has to sweep."""
    desk = long_desk()
    desk.stop("SELL", "90380", "0.013", clientAlgoId="quantity")
    desk.stop("SELL", "90300", None, clientAlgoId="floor")
    desk.stop("SELL", "90200", "0.013", timeInForce="GTE_GTC", clientAlgoId="gte")

    desk.order("SELL", "0.013", reduceOnly="true")

    assert desk.open_algo_ids() == ["quantity"]
    assert [desk.algo(name)["algoStatus"] for name in ("floor", "gte")] == ["EXPIRED", "EXPIRED"]


def test_a_leftover_stop_fires_into_the_next_position() -> None:
    desk = long_desk()
    desk.stop("SELL", "90380", "0.013", clientAlgoId="zombie")
    desk.order("SELL", "0.013", reduceOnly="true")
    desk.order("BUY", "0.020")

    desk.price("90300")

    assert str(desk.position) == "0.007"


def test_a_closing_stop_goes_when_the_position_turns_over() -> None:
    desk = long_desk()
    desk.stop("SELL", "90380", None, clientAlgoId="floor")

    desk.order("SELL", "0.020")

    assert desk.algo("floor")["algoStatus"] == "EXPIRED"


@pytest.mark.parametrize(("value", "left"), [("expired", []), ("survives", ["floor"])])
def test_whether_closing_stops_survive_a_close_is_a_switch(value: str, left: list[str]) -> None:
    desk = switched(gte_after_flat=value)
    desk.order("BUY", "0.013")
    desk.stop("SELL", "90380", None, clientAlgoId="floor")

    desk.order("SELL", "0.013", reduceOnly="true")

    assert desk.open_algo_ids() == left


def test_the_system_may_take_its_time_to_expire() -> None:
    desk = switched(gte_expire_lag_ms=800)
    desk.order("BUY", "0.013")
    desk.stop("SELL", "90380", None, clientAlgoId="floor")
    desk.order("SELL", "0.013", reduceOnly="true")

    before = desk.open_algo_ids()
    desk.wait(800)

    assert (before, desk.open_algo_ids()) == (["floor"], [])


def test_a_closing_stop_takes_the_position_as_it_is_then() -> None:
    desk = long_desk("0.010")
    desk.stop("SELL", "90380", None, clientAlgoId="floor")
    desk.order("BUY", "0.007")

    desk.price("90300")

    assert desk.position == 0
    assert desk.algo("floor")["actualQty"] == "0.017"


def test_of_two_stops_the_nearer_takes_the_position_and_the_other_is_spent() -> None:
    """RULES F7: a gap over both triggers closes once."""
    desk = long_desk()
    desk.stop("SELL", "90300", "0.013", clientAlgoId="wide")
    desk.stop("SELL", "90380", "0.013", clientAlgoId="tight")
    desk.stop("SELL", "90200", None, clientAlgoId="floor")

    desk.price("90000")

    statuses = [desk.algo(name)["algoStatus"] for name in ("tight", "wide", "floor")]
    assert statuses == ["FINISHED", "REJECTED", "EXPIRED"]
    assert [one["client_id"] for one in desk.log("fill")][1:] == ["tight"]


def test_an_oversized_stop_is_capped_to_the_position() -> None:
    desk = long_desk("0.004")
    desk.stop("SELL", "90380", "0.013", clientAlgoId="s1")

    desk.price("90300")

    assert desk.position == 0
    assert desk.algo("s1")["actualQty"] == "0.004"


def test_an_oversized_stop_may_be_refused_instead() -> None:
    desk = switched(oversize_reduce_only_child="refused")
    desk.order("BUY", "0.004")
    desk.stop("SELL", "90380", "0.013", clientAlgoId="s1")

    desk.price("90300")

    assert (str(desk.position), desk.algo("s1")["algoStatus"]) == ("0.004", "REJECTED")


@pytest.mark.parametrize(
    ("answer", "code", "status"),
    [("-4117", -4117, "FINISHED"), ("-2011", -2011, "FINISHED"), ("success", 0, "CANCELED")],
)
def test_a_cancel_may_race_the_trigger(answer: str, code: int, status: str) -> None:
    desk = switched(trigger_delay_ms=300, cancel_while_triggering=answer)
    desk.order("BUY", "0.013")
    desk.stop("SELL", "90380", "0.013", clientAlgoId="s1")
    desk.price("90300")

    during = desk.algo("s1")["algoStatus"]
    cancel = desk.send("DELETE", "/fapi/v1/algoOrder", clientAlgoId="s1").code
    desk.wait(300)

    assert (during, cancel) == ("TRIGGERING", code)
    assert desk.algo("s1")["algoStatus"] == status


def test_a_delayed_child_meets_the_price_of_its_own_moment() -> None:
    desk = switched(trigger_delay_ms=300)
    desk.order("BUY", "0.013")
    desk.stop("SELL", "90380", "0.013", clientAlgoId="s1")
    desk.price("90300")

    desk.price("90250", after_ms=200)
    desk.wait(100)

    assert desk.log("fill")[-1]["price"] == "90250"


def test_a_protected_stop_waits_while_mark_and_last_are_apart() -> None:
    desk = long_desk()
    desk.stop("SELL", "90380", "0.013", priceProtect="true", clientAlgoId="s1")

    desk.price("85000", "90800")
    torn = desk.algo("s1")["algoStatus"]
    desk.price("85000", "85100")

    assert (torn, desk.algo("s1")["algoStatus"]) == ("NEW", "FINISHED")


def test_a_trailing_stop_follows_and_fires_on_the_way_back() -> None:
    desk = long_desk()
    desk.stop(
        "SELL", None, "0.013", type="TRAILING_STOP_MARKET", callbackRate="1", clientAlgoId="t1"
    )
    desk.price("92000")
    desk.price("91100")
    resting = desk.algo("t1")["algoStatus"], desk.algo("t1")["triggerPrice"]

    desk.price("91080")

    assert resting == ("NEW", "91080.00")
    assert desk.position == 0


def test_a_good_till_date_ends_a_stop() -> None:
    desk = Desk()
    date = desk.now + 700_000
    desk.stop("SELL", "90380", "0.013", timeInForce="GTD", goodTillDate=date, clientAlgoId="s1")

    desk.wait(700_001)

    assert desk.algo("s1")["algoStatus"] == "EXPIRED"


def test_the_demo_may_cancel_stops_by_itself() -> None:
    desk = switched(auto_cancel_stops_ms=53_000)
    desk.stop("SELL", "90380", "0.013", clientAlgoId="s1")

    desk.wait(53_000)

    assert desk.algo("s1")["algoStatus"] == "CANCELED"


def test_the_mass_cancel_takes_every_stop() -> None:
    desk = long_desk()
    desk.stop("SELL", "90380", "0.013")
    desk.stop("SELL", "90300", None)

    answer = desk.send("DELETE", "/fapi/v1/algoOpenOrders", symbol=SYMBOL)

    assert (answer.body["code"], desk.open_algo_ids()) == (200, [])


def test_a_cancel_answers_with_a_code_in_text() -> None:
    desk = Desk()
    placed = desk.stop("SELL", "90380", "0.013", clientAlgoId="s1").body

    answer = desk.send("DELETE", "/fapi/v1/algoOrder", clientAlgoId="s1")
    again = desk.send("DELETE", "/fapi/v1/algoOrder", clientAlgoId="s1")

    expected: dict[str, Any] = {
        "algoId": placed["algoId"],
        "clientAlgoId": "s1",
        "code": "200",
        "msg": "success",
    }
    assert (answer.body, again.code) == (expected, -2011)


def test_a_market_child_that_meets_too_little_depth_leaves_a_remainder() -> None:
    """Within marketTakeBound there may not be enough: the child expires with what it got."""
    desk = long_desk("0.005", level_quantity=Decimal("0.005"), level_ticks=50_000)
    desk.order("BUY", "0.005")
    desk.listen()
    desk.stop("SELL", "90380", "0.010", clientAlgoId="s1")

    desk.price("90300")

    child, last = desk.look("s1"), desk.events("ORDER_TRADE_UPDATE")[-1]["o"]
    assert (child["status"], child["executedQty"], last["er"]) == ("EXPIRED", "0.005", "9")
    assert (desk.algo("s1")["algoStatus"], desk.algo("s1")["actualQty"]) == ("FINISHED", "0.005")
    assert str(desk.position) == "0.005"


@pytest.mark.parametrize("order", ["algo_first", "child_first", "random"])
def test_the_order_of_a_childs_pushes_is_not_promised(order: str) -> None:
    desk = switched(algo_child_push_order=order)
    desk.listen()
    desk.order("BUY", "0.013")
    desk.stop("SELL", "90380", "0.013", clientAlgoId="s1")
    desk.events()

    desk.price("90300")

    kinds = [
        one["o"]["X"] if one["e"] == "ALGO_UPDATE" else "child"
        for one in desk.events("ALGO_UPDATE", "ORDER_TRADE_UPDATE")
    ]
    before, after = (
        ["TRIGGERING", "TRIGGERED", "child", "child", "FINISHED"],
        ["TRIGGERING", "child", "child", "TRIGGERED", "FINISHED"],
    )
    allowed = {"algo_first": [before], "child_first": [after], "random": [before, after]}
    assert kinds in allowed[order]


@pytest.mark.parametrize(
    ("after_ms", "status", "left"), [(999, "REJECTED", "0.013"), (1000, "FINISHED", "0")]
)
def test_a_child_may_come_before_its_position_is_seen(
    after_ms: int, status: str, left: str
) -> None:
    """Whether a stop that fires within the first second after the fill works is not measured."""
    desk = switched(child_sync_lag_ms=1000)
    desk.stop("SELL", "90380", "0.013", clientAlgoId="s1")
    desk.order("BUY", "0.013")

    desk.price("90300", after_ms=after_ms)

    assert (desk.algo("s1")["algoStatus"], desk.position) == (status, Decimal(left))
