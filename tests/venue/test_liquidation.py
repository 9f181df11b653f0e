"""Brackets, the liquidation price, and the closes the exchange forces."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.venue.margin import bracket_of, liquidation_price, maintenance_margin
from engine.venue.settings import BTCUSDT_BRACKETS
from tests.venue.desk import SYMBOL, Desk, long_desk

D = Decimal


@pytest.mark.parametrize(
    ("number", "cum"),
    [(1, "0"), (2, "300"), (3, "1500"), (4, "12000"), (5, "132000"), (6, "482000")],
)
def test_each_deduction_follows_from_the_bracket_before(number: int, cum: str) -> None:
    assert BTCUSDT_BRACKETS[number - 1].cum == D(cum)


@given(st.integers(1, 1_700_000_000))
def test_maintenance_margin_is_continuous_over_the_brackets(notional: int) -> None:
    """Without the deduction it would jump at each floor."""
    step = D("0.01")
    here = maintenance_margin(BTCUSDT_BRACKETS, D(notional))
    there = maintenance_margin(BTCUSDT_BRACKETS, D(notional) + step)

    assert 0 <= there - here <= step


@given(
    quantity=st.integers(1, 2_000_000).map(lambda n: D(n) / 1000),
    entry=st.integers(5_000, 2_000_000).map(lambda n: D(n) / 10),
    share=st.integers(1, 1200).map(lambda n: D(n) / 1000),
    sign=st.sampled_from((1, -1)),
)
def test_at_the_liquidation_price_margin_equals_maintenance(
    quantity: Decimal, entry: Decimal, share: Decimal, sign: int
) -> None:
    """The formula is right where both sides of the definition meet."""
    wallet = quantity * entry * share
    price = liquidation_price(BTCUSDT_BRACKETS, wallet, quantity * sign, entry)

    if price:
        balance = wallet + (price - entry) * quantity * sign
        needed = maintenance_margin(BTCUSDT_BRACKETS, quantity * price)
        assert abs(balance - needed) <= D("0.000001")
    else:
        assert sign > 0
        assert wallet >= quantity * entry


@given(
    quantity=st.integers(1, 40).map(lambda n: D(n) / 1000),
    wallet=st.integers(40, 400).map(D),
    leverage=st.sampled_from((5, 20, 100)),
    margin_type=st.sampled_from(("ISOLATED", "CROSSED")),
    side=st.sampled_from(("BUY", "SELL")),
)
def test_the_account_is_doomed_exactly_at_the_price_it_shows(
    quantity: Decimal, wallet: Decimal, leverage: int, margin_type: str, side: str
) -> None:
    """The formula of the brackets and the rule that closes positions meet in one price."""
    desk = Desk(margin_type=margin_type, leverage=leverage, wallet=wallet)
    desk.order(side, str(quantity))
    account = desk.venue.house.account
    position = account.positions["BOTH"]
    price = account.liquidation_price(position, D(90800))
    if not price:
        return
    away = D("0.001") * (1 if side == "BUY" else -1)

    assert account.doomed(price + away) == []
    assert account.doomed(price - away) == [position]


@pytest.mark.parametrize(
    ("quantity", "wallet", "expected"),
    [
        ("0.013", "117.966", "81997.0"),
        ("-0.013", "117.966", "99419.9"),
        ("0.013", "2000", "0"),
    ],
)
def test_the_isolated_formula_by_hand(quantity: str, wallet: str, expected: str) -> None:
    """(E - WB/Q)/(1 - r) for a long, (E + WB/Q)/(1 + r) for a short, in the first bracket."""
    entry = D("90743.3")

    price = liquidation_price(BTCUSDT_BRACKETS, D(wallet), D(quantity), entry)

    size, sign = abs(D(quantity)), 1 if D(quantity) > 0 else -1
    by_hand = max(D(0), (entry - sign * D(wallet) / size) / (1 - sign * D("0.004")))
    assert abs(price - by_hand) < D("0.000001")
    assert price.quantize(D("0.1")) == D(expected).quantize(D("0.1"))


@pytest.mark.parametrize("margin_type", ["ISOLATED", "CROSSED"])
@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_the_position_is_closed_where_the_api_said_it_would_be(margin_type: str, side: str) -> None:
    desk = Desk(margin_type=margin_type, leverage=20, wallet=D(200))
    desk.order(side, "0.030")
    row = desk.send("GET", "/fapi/v3/positionRisk", symbol=SYMBOL).body[0]
    at = D(row["liquidationPrice"])
    step = D("0.1") if side == "BUY" else D("-0.1")

    desk.price(str(at.quantize(D("0.1")) + step))
    before = desk.position
    desk.price(str(at.quantize(D("0.1")) - step))

    assert before != 0
    assert desk.position == 0
    assert desk.wallet >= 0


def test_a_liquidation_looks_like_one() -> None:
    desk = Desk(leverage=20, wallet=D(200))
    desk.order("BUY", "0.030")
    desk.order("BUY", "0.001", "80000", newClientOrderId="e1")
    desk.stop("SELL", "70000", None, clientAlgoId="floor")
    desk.stop("SELL", "70000", "0.030", clientAlgoId="zombie")
    desk.listen()

    desk.price("84000")

    closes = [
        one["o"]
        for one in desk.events("ORDER_TRADE_UPDATE")
        if one["o"]["c"].startswith("autoclose-")
    ]
    assert [(one["o"], one["x"], one["X"]) for one in closes] == [
        ("LIQUIDATION", "NEW", "NEW"),
        ("LIQUIDATION", "CALCULATED", "FILLED"),
    ]
    assert desk.look("e1")["status"] == "EXPIRED"
    assert desk.open_algo_ids() == ["zombie"]
    forced = desk.send("GET", "/fapi/v1/forceOrders", symbol=SYMBOL, autoCloseType="LIQUIDATION")
    assert [row["status"] for row in forced.body] == ["FILLED"]


def test_a_gap_beyond_bankruptcy_takes_no_more_than_the_margin() -> None:
    desk = Desk(margin_type="ISOLATED", leverage=20, wallet=D(1000))
    desk.order("BUY", "0.030")
    free = desk.venue.house.account.cross_wallet

    desk.price("60000")

    assert desk.position == 0
    assert abs(desk.wallet - free) < D("0.0001")


def test_the_liquidation_fee_is_bounded_by_what_is_left() -> None:
    desk = Desk(leverage=20, wallet=D(200))
    desk.order("BUY", "0.030")

    desk.price("84400")

    rows = desk.send("GET", "/fapi/v1/income", symbol=SYMBOL, incomeType="INSURANCE_CLEAR").body
    assert len(rows) == 1
    assert desk.wallet == 0


def test_a_liquidation_may_be_forced() -> None:
    desk = long_desk()

    desk.venue.force("liquidation", desk.now)

    assert desk.position == 0
    assert desk.log("fill")[-1]["client_id"].startswith("autoclose-")


def test_deleveraging_closes_at_the_mark_price_and_leaves_orders_alone() -> None:
    desk = long_desk()
    desk.order("BUY", "0.001", "90000", newClientOrderId="e1")
    desk.price("91000", "90950")

    desk.venue.force("adl", desk.now)

    last = desk.log("fill")[-1]
    assert (last["client_id"], last["price"], last["commission"]) == ("adl_autoclose", "90950", "0")
    assert desk.open_ids() == ["e1"]


def test_the_last_bracket_holds_beyond_its_cap() -> None:
    assert bracket_of(BTCUSDT_BRACKETS, D("5000000000")) is BTCUSDT_BRACKETS[-1]


def test_in_hedge_mode_the_other_side_stands_in_for_losses() -> None:
    """WB of the formula: less the other side's maintenance, plus its unrealised profit."""
    desk = Desk(dual_side=True, leverage=20, wallet=D(200), spread_ticks=0, taker_rate=D(0))
    desk.price("90800")
    desk.order("BUY", "0.020", positionSide="LONG")
    desk.order("SELL", "0.005", positionSide="SHORT")
    desk.price("90000")

    rows = desk.send("GET", "/fapi/v3/positionRisk", symbol=SYMBOL).body
    at = {row["positionSide"]: D(row["liquidationPrice"]) for row in rows}["LONG"]

    backing = D(200) + D(800) * D("0.005") - D(90000) * D("0.005") * D("0.004")
    by_hand = (D(90800) - backing / D("0.020")) / (1 - D("0.004"))
    assert abs(at - by_hand) < D("0.00001")
