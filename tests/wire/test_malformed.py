"""A payload we cannot read says so with the field's name; it never becomes a number or a crash."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.errors import Indeterminate
from engine.exchange.binance import wire_account, wire_market, wire_orders
from tests.wire import payloads

Reader = Callable[[Any], object]

READERS: dict[str, tuple[Reader, Any]] = {
    "order": (wire_orders.order_report, payloads.ORDER),
    "algo": (wire_orders.algo_report, payloads.ALGO),
    "trade": (wire_orders.fill, payloads.TRADE),
    "position": (lambda p: wire_account.position([p], "BTCUSDT"), payloads.POSITION),
    "book": (wire_market.quote, payloads.BOOK),
    "mark": (wire_market.mark_quote, payloads.MARK),
    "symbol": (wire_market.instrument, payloads.SYMBOL),
    "brackets": (lambda p: wire_market.brackets(p, "BTCUSDT"), payloads.BRACKETS),
    "account": (lambda p: wire_account.account(p, "USDT"), payloads.ACCOUNT),
    "config": (lambda p: wire_account.symbol_config(p, "BTCUSDT"), payloads.SYMBOL_CONFIG),
    "mode": (wire_account.account_mode, payloads.ACCOUNT_CONFIG),
    "rates": (wire_account.rates, payloads.RATES),
    "income": (lambda p: wire_account.incomes([p]), payloads.INCOME),
}
NEEDED = {
    "order": "orderId status clientOrderId origQty executedQty type side updateTime",
    "algo": "algoId clientAlgoId orderType side quantity algoStatus createTime updateTime",
    "trade": "id orderId side price qty commission commissionAsset realizedPnl maker time",
    "position": "symbol positionAmt entryPrice unRealizedProfit updateTime",
    "book": "bidPrice askPrice",
    "mark": "markPrice indexPrice lastFundingRate nextFundingTime",
    "symbol": "symbol marginAsset filters status",
    "brackets": "symbol brackets",
    "account": "assets",
    "config": "symbol marginType leverage",
    "mode": "dualSidePosition multiAssetsMargin",
    "rates": "makerCommissionRate takerCommissionRate",
    "income": "incomeType income asset time tranId",
}
CASES = [(name, field) for name, fields in NEEDED.items() for field in fields.split()]
JUNK: list[Any] = [
    None,
    "",
    "abc",
    [],
    {},
    True,
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    Decimal("NaN"),
]


@pytest.mark.parametrize(("name", "field"), CASES)
def test_a_missing_field_is_named(name: str, field: str) -> None:
    reader, payload = READERS[name]
    without = {key: value for key, value in payload.items() if key != field}

    with pytest.raises(Indeterminate, match=field):
        reader(without)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        (name, field)
        for name, field in CASES
        if isinstance(READERS[name][1][field], str) and READERS[name][1][field][:1] in "0123456789-"
    ],
)
@pytest.mark.parametrize("junk", [j for j in JUNK if j not in ("", None)], ids=repr)
def test_what_is_no_finite_number_is_refused_by_name(name: str, field: str, junk: Any) -> None:
    """A NaN price compares false with everything: every guard would let it through."""
    reader, payload = READERS[name]

    with pytest.raises(Indeterminate, match=field):
        reader({**payload, field: junk})


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("junk", [None, [], "text", 5, True], ids=repr)
def test_what_is_no_object_is_refused(name: str, junk: Any) -> None:
    with pytest.raises(Indeterminate):
        READERS[name][0](junk)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.decimals(allow_nan=True, allow_infinity=True),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@given(st.sampled_from(sorted(READERS)), st.data())
def test_no_payload_raises_anything_else(name: str, data: st.DataObject) -> None:
    """A KeyError in a reader would end the tick that protects the position."""
    reader, payload = READERS[name]
    broken = dict(payload)
    for field in data.draw(st.lists(st.sampled_from(sorted(payload)), max_size=4)):
        broken[field] = data.draw(json_values)

    with contextlib.suppress(Indeterminate):
        reader(broken)


@pytest.mark.parametrize("junk", [[], [1, 2], ["x", "1", "1", "1", "1"], [1, "1", "1", "1", "NaN"]])
def test_a_broken_candle_is_refused(junk: Any) -> None:
    with pytest.raises(Indeterminate):
        wire_market.candles([junk])
