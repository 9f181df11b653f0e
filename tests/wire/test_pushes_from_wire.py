"""What the user stream says becomes a report only where it is certain: an own order's event."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.order import OrderStatus
from engine.domain.terms import Book, OrderSide
from engine.exchange.binance.wire_stream import pushed_order, transacted_ms

ORDER: dict[str, Any] = {
    "s": "BTCUSDT",
    "c": "kp7f3aq2001e001",
    "S": "BUY",
    "o": "LIMIT",
    "f": "GTC",
    "q": "0.013",
    "p": "90743.3",
    "ap": "90743.3",
    "sp": "0",
    "x": "TRADE",
    "X": "PARTIALLY_FILLED",
    "i": 88937380001,
    "l": "0.004",
    "z": "0.004",
    "L": "90743.3",
    "N": "USDT",
    "n": "0.15000000",
    "T": 1795000100138,
    "t": 6012345678,
    "m": True,
    "R": False,
    "wt": "CONTRACT_PRICE",
    "ot": "LIMIT",
    "ps": "BOTH",
    "cp": False,
    "er": "0",
}
"""As captured (binance-usdm.md section 4.4), with numbers of our own."""


def event(**changes: Any) -> dict[str, Any]:
    order = {k: v for k, v in {**ORDER, **changes}.items() if v is not ...}
    return {"e": "ORDER_TRADE_UPDATE", "E": 1795000100140, "T": 1795000100138, "o": order}


def test_an_execution_is_read_with_what_it_adds_up_to() -> None:
    report = pushed_order(event(), "BTCUSDT")

    assert report is not None
    assert (report.client_id, report.exchange_id) == ("kp7f3aq2001e001", "88937380001")
    assert (report.book, report.side) == (Book.REGULAR, OrderSide.BUY)
    assert (report.quantity, report.quantity_filled) == (Decimal("0.013"), Decimal("0.004"))
    assert report.status is OrderStatus.PARTIALLY_FILLED
    assert report.updated_ms == 1795000100138
    assert report.trigger_price is None


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(event(c="web_1"), id="somebody else's"),
        pytest.param(event(s="ETHUSDT"), id="another symbol"),
        pytest.param(event(z="NaN"), id="no number"),
        pytest.param(event(z=0.004), id="a float"),
        pytest.param(event(z=...), id="without its executed quantity"),
        pytest.param(event(S="?"), id="a side nobody knows"),
        pytest.param(event(i=None), id="without an id"),
        pytest.param({**event(), "o": []}, id="no object"),
        pytest.param({**event(), "e": "ACCOUNT_UPDATE"}, id="another event"),
        pytest.param({"e": "ORDER_TRADE_UPDATE"}, id="empty"),
        pytest.param([], id="a list"),
        pytest.param(None, id="nothing"),
    ],
)
def test_whatever_else_is_said_is_no_report(message: object) -> None:
    """A hint that is not understood wakes the loop and is no fact."""
    assert pushed_order(message, "BTCUSDT") is None


@pytest.mark.parametrize(
    ("message", "at_ms"),
    [
        (event(c="web_1"), 1795000100138),
        ({**event(), "T": "soon"}, None),
        ({**event(), "e": "TRADE_LITE"}, None),
        ("x", None),
    ],
)
def test_an_order_event_of_whoever_says_how_far_the_stream_has_told(
    message: object, at_ms: int | None
) -> None:
    """By that a stream that stands and stays silent is found out (lesson 32)."""
    assert transacted_ms(message) == at_ms
