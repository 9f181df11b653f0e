"""What comes back about orders, in the exchange's words and in ours."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.order import Fill, OrderReport, OrderStatus
from engine.domain.terms import Book, OrderSide, OrderType, Side, WorkingPrice
from engine.exchange.binance import wire_orders
from tests.wire.payloads import ALGO, ORDER, TRADE


def test_an_order_of_the_matching_engine_is_read_whole() -> None:
    assert wire_orders.order_report(ORDER) == OrderReport(
        client_id="kp7f3aq2001e001",
        exchange_id="88937380001",
        book=Book.REGULAR,
        side=OrderSide.BUY,
        type=OrderType.LIMIT,
        status=OrderStatus.WORKING,
        quantity=Decimal("0.013"),
        price=Decimal("90743.3"),
        trigger_price=None,
        working_price=WorkingPrice.LAST,
        reduce_only=False,
        close_position=False,
        quantity_filled=Decimal(0),
        created_ms=1795000000000,
        updated_ms=1795000000500,
    )


def test_an_algo_order_is_read_whole() -> None:
    assert wire_orders.algo_report(ALGO) == OrderReport(
        client_id="kp7f3aq2001s003",
        exchange_id="4000001912557457",
        book=Book.ALGO,
        side=OrderSide.SELL,
        type=OrderType.STOP_MARKET,
        status=OrderStatus.WORKING,
        quantity=Decimal("0.013"),
        price=None,
        trigger_price=Decimal(90380),
        working_price=WorkingPrice.MARK,
        reduce_only=True,
        close_position=False,
        quantity_filled=Decimal(0),
        created_ms=1795000000000,
        updated_ms=1795000000500,
        note="NEW",
    )


@pytest.mark.parametrize(
    ("status", "executed", "expected"),
    [
        ("NEW", None, OrderStatus.WORKING),
        ("TRIGGERING", None, OrderStatus.TRIGGERING),
        ("TRIGGERED", "0", OrderStatus.TRIGGERED),
        ("TRIGGERED", "0.004", OrderStatus.TRIGGERED),
        ("FINISHED", "0.013", OrderStatus.FILLED),
        ("FINISHED", "0.004", OrderStatus.FILLED),
        ("FINISHED", "0", OrderStatus.EXPIRED),
        ("FINISHED", "", OrderStatus.UNKNOWN),
        ("CANCELED", None, OrderStatus.CANCELLED),
        ("REJECTED", None, OrderStatus.REJECTED),
        ("EXPIRED", None, OrderStatus.EXPIRED),
        ("SOMETHING_NEW", None, OrderStatus.UNKNOWN),
    ],
)
def test_a_finished_stop_was_filled_only_if_its_child_executed(
    status: str, executed: str | None, expected: OrderStatus
) -> None:
    """FINISHED alone would book a stop that died unfilled as a closed position."""
    payload = {**ALGO, "algoStatus": status, "actualOrderId": "88937381063"}
    if executed is not None:
        payload["actualQty"] = executed

    report = wire_orders.algo_report(payload)

    assert report.status is expected
    assert report.quantity_filled == Decimal(executed or 0)
    assert report.child_id == "88937381063"


def test_the_reason_of_a_refused_child_is_kept() -> None:
    payload = {**ALGO, "algoStatus": "REJECTED", "rm": "ReduceOnly Order is rejected."}

    assert wire_orders.algo_report(payload).note == "REJECTED: ReduceOnly Order is rejected."


@pytest.mark.parametrize(
    ("child_status", "executed", "expected"),
    [
        ("FILLED", "0.013", OrderStatus.FILLED),
        ("EXPIRED", "0.004", OrderStatus.FILLED),
        ("EXPIRED", "0", OrderStatus.EXPIRED),
        ("PARTIALLY_FILLED", "0.004", OrderStatus.TRIGGERED),
    ],
)
def test_the_child_completes_what_its_stop_keeps_silent_about(
    child_status: str, executed: str, expected: OrderStatus
) -> None:
    finished = wire_orders.algo_report({**ALGO, "algoStatus": "FINISHED", "actualOrderId": "7"})
    child = wire_orders.order_report({**ORDER, "status": child_status, "executedQty": executed})

    report = wire_orders.with_child(finished, child)

    assert (report.status, report.quantity_filled) == (expected, Decimal(executed))


def test_a_stop_that_closes_everything_has_no_quantity() -> None:
    """Field lesson 6: quantity 0 was taken for "covers nothing"."""
    payload = {**ALGO, "quantity": "0", "closePosition": True, "timeInForce": "GTE_GTC"}

    report = wire_orders.algo_report(payload)

    assert (report.quantity, report.close_position) == (None, True)


@pytest.mark.parametrize(("word", "side"), [("LONG", Side.LONG), ("SHORT", Side.SHORT)])
def test_in_hedge_mode_an_order_names_its_side(word: str, side: Side) -> None:
    """RULES H3: whose stop it is, is not guessed."""
    assert wire_orders.algo_report({**ALGO, "positionSide": word}).position_side is side
    assert wire_orders.order_report({**ORDER, "positionSide": word}).position_side is side
    assert wire_orders.algo_report(ALGO).position_side is None


@pytest.mark.parametrize(
    ("status", "expected"),
    [*wire_orders.REGULAR_STATUS.items(), ("SOMETHING_NEW", OrderStatus.UNKNOWN)],
)
def test_every_status_word_has_its_meaning(status: str, expected: OrderStatus) -> None:
    assert wire_orders.order_report({**ORDER, "status": status}).status is expected


def test_a_write_reply_without_creation_time_is_dated_by_its_update() -> None:
    reply = {name: value for name, value in ORDER.items() if name not in ("time", "avgPrice")}

    assert wire_orders.order_report(reply).created_ms == 1795000000500


def test_foreign_orders_and_strange_types_are_read_like_any_other() -> None:
    """One unknown word in one foreign order must not hide a whole list."""
    strange = {**ORDER, "clientOrderId": "web_1", "type": "ICEBERG_DELUXE", "stopPrice": ""}

    own, foreign = wire_orders.order_reports([ORDER, strange])

    assert own.own_id is not None
    assert (foreign.own_id, foreign.type) == (None, OrderType.OTHER)


@pytest.mark.parametrize("envelope", [[ALGO], {"orders": [ALGO]}])
def test_algo_lists_are_read_bare_or_wrapped(envelope: Any) -> None:
    (report,) = wire_orders.algo_reports(envelope)

    assert report.client_id == "kp7f3aq2001s003"


def test_a_trade_is_read_whole_and_other_symbols_are_left_out() -> None:
    trades = wire_orders.fills([TRADE, {**TRADE, "symbol": "ETHUSDT"}], "BTCUSDT")

    assert trades == (
        Fill(
            fill_id="6012345678",
            exchange_order_id="88937380001",
            client_id="",
            side=OrderSide.BUY,
            price=Decimal("90743.3"),
            quantity=Decimal("0.005"),
            commission=Decimal("0.0907433"),
            commission_asset="USDT",
            realized_pnl=Decimal(0),
            is_maker=True,
            at_ms=1795000100138,
        ),
    )
