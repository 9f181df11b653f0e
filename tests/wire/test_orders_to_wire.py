"""What leaves: a table of parameters per order form, because each wrong pair is a refusal.

Field lesson 34: wrong parameter pairs for conditional orders were refused while a position stood
without stop.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from engine.domain.errors import InvariantBroken
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.order import OrderTerms
from engine.domain.terms import Book, OrderSide, OrderType, Side, TimeInForce, WorkingPrice
from engine.exchange.binance.wire_orders import (
    cancel_parameters,
    lookup_parameters,
    place_parameters,
)

SELL, BUY = OrderSide.SELL, OrderSide.BUY


def an_id(role: OrderRole) -> ClientOrderId:
    return ClientOrderId("7f3aq2", 1, role, 1)


def d(text: str) -> Decimal:
    return Decimal(text)


ENTRY = OrderTerms(an_id(OrderRole.ENTRY), BUY, OrderType.LIMIT, d("0.0130"), d("90743.30"))
CLOSE = OrderTerms(an_id(OrderRole.EMERGENCY), SELL, OrderType.MARKET, d("0.013"), reduce_only=True)
PRIMARY = OrderTerms(
    an_id(OrderRole.STOP_PRIMARY),
    SELL,
    OrderType.STOP_MARKET,
    d("0.013"),
    trigger_price=d("90380.0"),
    reduce_only=True,
)
FLOOR = OrderTerms(
    an_id(OrderRole.STOP_FLOOR),
    BUY,
    OrderType.STOP_MARKET,
    trigger_price=d("1E+5"),
    working_price=WorkingPrice.MARK,
    close_position=True,
)
CASES = [
    *(
        pytest.param(
            replace(FLOOR, side=side.closing, working_price=WorkingPrice.LAST, position_side=side),
            f"algoType=CONDITIONAL symbol=BTCUSDT side={side.closing.upper()} type=STOP_MARKET "
            "triggerPrice=100000 workingType=CONTRACT_PRICE clientAlgoId=kp7f3aq2001f001 "
            f"newOrderRespType=RESULT closePosition=true positionSide={side.upper()}",
            id=f"hedge mode names the {side} it closes, and no reduceOnly (RULES H3)",
        )
        for side in Side
    ),
    pytest.param(
        ENTRY,
        "symbol=BTCUSDT side=BUY type=LIMIT quantity=0.013 newClientOrderId=kp7f3aq2001e001 "
        "newOrderRespType=RESULT price=90743.3 timeInForce=GTC",
        id="a limit entry names its id and asks for the result",
    ),
    pytest.param(
        OrderTerms(
            an_id(OrderRole.ENTRY),
            BUY,
            OrderType.LIMIT,
            d("0.013"),
            d("90743.3"),
            time_in_force=TimeInForce.GTX,
        ),
        "symbol=BTCUSDT side=BUY type=LIMIT quantity=0.013 newClientOrderId=kp7f3aq2001e001 "
        "newOrderRespType=RESULT price=90743.3 timeInForce=GTX",
        id="post-only",
    ),
    pytest.param(
        CLOSE,
        "symbol=BTCUSDT side=SELL type=MARKET quantity=0.013 newClientOrderId=kp7f3aq2001x001 "
        "newOrderRespType=RESULT reduceOnly=true",
        id="a market order has no time in force",
    ),
    pytest.param(
        PRIMARY,
        "algoType=CONDITIONAL symbol=BTCUSDT side=SELL type=STOP_MARKET triggerPrice=90380 "
        "workingType=CONTRACT_PRICE clientAlgoId=kp7f3aq2001s001 newOrderRespType=RESULT "
        "quantity=0.013 timeInForce=GTC reduceOnly=true",
        id="a quantity stop is reduce-only, GTC said aloud, so it rests while flat",
    ),
    pytest.param(
        FLOOR,
        "algoType=CONDITIONAL symbol=BTCUSDT side=BUY type=STOP_MARKET triggerPrice=100000 "
        "workingType=MARK_PRICE clientAlgoId=kp7f3aq2001f001 newOrderRespType=RESULT "
        "closePosition=true",
        id="closePosition carries neither quantity nor reduceOnly; no exponent either",
    ),
    pytest.param(
        OrderTerms(
            an_id(OrderRole.TP2),
            SELL,
            OrderType.TAKE_PROFIT_MARKET,
            trigger_price=d("92900"),
            close_position=True,
        ),
        "algoType=CONDITIONAL symbol=BTCUSDT side=SELL type=TAKE_PROFIT_MARKET triggerPrice=92900 "
        "workingType=CONTRACT_PRICE clientAlgoId=kp7f3aq2001" + "2001 newOrderRespType=RESULT "
        "closePosition=true",
        id="a target that sizes itself",
    ),
]


@pytest.mark.parametrize(("terms", "expected"), CASES)
def test_an_order_goes_out_as_these_parameters(terms: OrderTerms, expected: str) -> None:
    sent = place_parameters(terms, "BTCUSDT")

    assert " ".join(f"{name}={value}" for name, value in sent.items()) == expected


@pytest.mark.parametrize(
    "terms",
    [
        pytest.param(
            OrderTerms(an_id(OrderRole.STOP_PRIMARY), SELL, OrderType.STOP, d("1"), d("2"), d("3")),
            id="a stop-limit never counts as cover",
        ),
        pytest.param(
            OrderTerms(an_id(OrderRole.STOP_PRIMARY), SELL, OrderType.STOP_MARKET, d("1")),
            id="no trigger",
        ),
        pytest.param(
            OrderTerms(
                an_id(OrderRole.STOP_FLOOR),
                SELL,
                OrderType.STOP_MARKET,
                d("1"),
                trigger_price=d("3"),
                close_position=True,
            ),
            id="closePosition with a quantity",
        ),
        pytest.param(
            OrderTerms(
                an_id(OrderRole.STOP_PRIMARY), SELL, OrderType.STOP_MARKET, trigger_price=d("3")
            ),
            id="neither quantity nor closePosition",
        ),
        pytest.param(
            OrderTerms(an_id(OrderRole.ENTRY), BUY, OrderType.LIMIT, d("1")), id="no price"
        ),
        pytest.param(
            OrderTerms(
                an_id(OrderRole.EMERGENCY), SELL, OrderType.MARKET, d("1"), close_position=True
            ),
            id="closePosition does not exist for market orders (-4136)",
        ),
        pytest.param(
            replace(FLOOR, position_side=Side.LONG), id="hedge mode: BUY would open the long"
        ),
        pytest.param(
            replace(PRIMARY, position_side=Side.LONG), id="hedge mode: only closePosition is sent"
        ),
        pytest.param(replace(ENTRY, position_side=Side.LONG), id="hedge mode: no entry, ever"),
    ],
)
def test_terms_that_make_no_order_never_leave(terms: OrderTerms) -> None:
    with pytest.raises(InvariantBroken):
        place_parameters(terms, "BTCUSDT")


def test_every_parameter_is_text_that_needs_no_quoting() -> None:
    """The library signs unquoted text and sends quoted text; only plain characters agree."""
    for terms in (ENTRY, CLOSE, PRIMARY, FLOOR):
        for value in place_parameters(terms, "BTCUSDT").values():
            assert isinstance(value, str)
            assert all(c.isalnum() or c in "._-" for c in value)


def test_orders_are_cancelled_and_looked_up_by_the_name_their_book_knows() -> None:
    stop = an_id(OrderRole.STOP_PRIMARY)

    assert cancel_parameters(stop, Book.ALGO, "BTCUSDT") == {
        "symbol": "BTCUSDT",
        "clientAlgoId": "kp7f3aq2001s001",
    }
    assert cancel_parameters(stop, Book.REGULAR, "BTCUSDT") == {
        "symbol": "BTCUSDT",
        "origClientOrderId": "kp7f3aq2001s001",
    }
    found = lookup_parameters(Book.REGULAR, "BTCUSDT", client_id=None, exchange_id="5")
    assert found == {"symbol": "BTCUSDT", "orderId": "5"}
    found = lookup_parameters(Book.ALGO, "BTCUSDT", client_id="x", exchange_id="5")
    assert found == {"symbol": "BTCUSDT", "clientAlgoId": "x"}
    with pytest.raises(InvariantBroken):
        lookup_parameters(Book.ALGO, "BTCUSDT", client_id=None, exchange_id=None)
