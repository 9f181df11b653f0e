"""Money: entry price, realized profit, commission, funding, margin, exactly."""

from decimal import Decimal
from typing import Any

import pytest

from tests.venue.desk import SYMBOL, T0, Desk, long_desk

D = Decimal
EIGHT_HOURS_MS = 8 * 3600 * 1000
FUNDING_MS = (T0 // EIGHT_HOURS_MS + 1) * EIGHT_HOURS_MS


def at(desk: Desk, price: str) -> None:
    """Move the price without a spread, so that market orders fill at it on both sides."""
    desk.price(price)


def trade(desk: Desk, *steps: tuple[str, str, str]) -> list[dict[str, Any]]:
    for side, quantity, price in steps:
        at(desk, price)
        assert desk.order(side, quantity).status == 200
    return desk.log("fill")


@pytest.mark.parametrize(
    ("steps", "quantity", "entry", "realized", "why"),
    [
        ([("BUY", "0.010", "90000")], "0.010", "90000", "0", "open long"),
        ([("SELL", "0.010", "90000")], "-0.010", "90000", "0", "open short"),
        (
            [("BUY", "0.010", "90000"), ("BUY", "0.030", "91000")],
            "0.040",
            "90750",
            "0",
            "average of the two",
        ),
        (
            [("BUY", "0.010", "90000"), ("SELL", "0.004", "91000")],
            "0.006",
            "90000",
            "4",
            "a part out leaves the entry",
        ),
        (
            [("SELL", "0.010", "90000"), ("BUY", "0.010", "91000")],
            "0",
            "0",
            "-10",
            "a short loses when the price rises",
        ),
        (
            [("BUY", "0.010", "90000"), ("SELL", "0.015", "90100")],
            "-0.005",
            "90100",
            "1",
            "turned over: closed at a profit, opened at the price",
        ),
        (
            [("BUY", "0.001", "90000"), ("BUY", "0.002", "90000.1"), ("SELL", "0.003", "90000")],
            "0",
            "0",
            "-0.0002",
            "an average that does not divide",
        ),
    ],
)
def test_a_position_is_the_sum_of_its_fills(
    steps: list[tuple[str, str, str]], quantity: str, entry: str, realized: str, why: str
) -> None:
    desk = Desk(spread_ticks=0, maker_rate=D(0), taker_rate=D(0), wallet=D(10_000))
    desk.venue.house.market.ask = desk.venue.house.market.bid

    fills = trade(desk, *steps)

    position = desk.venue.house.account.positions["BOTH"]
    assert (position.quantity, position.entry_price) == (D(quantity), D(entry)), why
    assert sum(D(one["realized"]) for one in fills) == D(realized), why
    assert desk.wallet == D(10_000) + D(realized), why


def test_commission_is_charged_on_every_fill_by_who_made_the_price() -> None:
    desk = Desk()
    desk.order("BUY", "0.013", "90743.3")
    desk.price("90743.3")
    desk.order("SELL", "0.013")

    commissions = [one["commission"] for one in desk.log("fill")]

    maker, taker = D("90743.3") * D("0.013") * D("0.0002"), D("90743.3") * D("0.013") * D("0.0005")
    assert commissions == [
        str(maker.quantize(D("1e-8"))),
        str(taker.quantize(D("1e-8")).normalize()),
    ]
    assert desk.wallet == D(1000) - maker.quantize(D("1e-8")) - taker.quantize(D("1e-8"))


@pytest.mark.parametrize(
    ("side", "rate", "paid"),
    [
        ("BUY", "0.0001", "-0.11804"),
        ("SELL", "0.0001", "0.11804"),
        ("BUY", "-0.0002", "0.23608"),
    ],
)
def test_funding_is_charged_once_at_its_hour_at_the_mark_price(
    side: str, rate: str, paid: str
) -> None:
    """A positive rate makes longs pay shorts."""
    desk = Desk(funding_rate=D(rate))
    desk.order(side, "0.013")
    desk.price("90800", "90800")
    before = desk.wallet

    desk.wait(FUNDING_MS - desk.now - 1)
    early = desk.wallet - before
    desk.wait(1)
    desk.wait(1000)

    assert (early, desk.wallet - before) == (D(0), D(paid))
    rows = desk.send("GET", "/fapi/v1/income", symbol=SYMBOL, incomeType="FUNDING_FEE").body
    assert [(D(row["income"]), row["time"]) for row in rows] == [(D(paid), FUNDING_MS)]


def test_without_a_position_there_is_no_funding() -> None:
    desk = Desk()

    desk.wait(3 * EIGHT_HOURS_MS)

    assert desk.wallet == 1000
    assert len(desk.raw("GET", "/fapi/v1/fundingRate", f"symbol={SYMBOL}").body) == 3


def test_isolated_margin_leaves_with_the_position_and_comes_back() -> None:
    desk = Desk(margin_type="ISOLATED", leverage=10, taker_rate=D(0))
    account = desk.venue.house.account
    desk.order("BUY", "0.010")
    held = account.positions["BOTH"].isolated_wallet

    desk.order("SELL", "0.004", reduceOnly="true")
    partly = account.positions["BOTH"].isolated_wallet
    desk.order("SELL", "0.006", reduceOnly="true")

    assert (held, partly) == (D("90.8001"), D("54.48006"))
    assert account.positions["BOTH"].isolated_wallet == 0
    assert account.cross_wallet == account.wallet == D("999.999")


def test_isolated_margin_may_be_added_and_removed() -> None:
    desk = long_desk("0.010", margin_type="ISOLATED", leverage=10)
    ask = {"symbol": SYMBOL}

    def change(amount: str, kind: int) -> int:
        path = "/fapi/v1/positionMargin"
        return desk.send("POST", path, amount=amount, type=kind, **ask).code

    codes = [change("50", 1), change("5000", 1), change("40", 2), change("20", 2), change("0", 1)]

    assert codes == [0, -4050, 0, -4051, -4055]
    assert desk.venue.house.account.positions["BOTH"].isolated_wallet == D("100.8001")


def test_open_orders_hold_margin() -> None:
    """Entry orders reserve their initial margin; reducing ones do not."""
    desk = Desk(leverage=10)
    account = desk.venue.house.account

    desk.order("BUY", "0.010", "90000", newClientOrderId="e1")
    resting = account.order_margin, account.available(desk.venue.house.market.mark)
    refused = desk.order("BUY", "0.102", "90000").code
    desk.send("DELETE", "/fapi/v1/order", symbol=SYMBOL, origClientOrderId="e1")

    assert resting == (D(90), D(910))
    assert (refused, account.order_margin) == (-2019, D(0))


def test_the_other_side_of_a_position_costs_margin_beyond_turning_over() -> None:
    desk = long_desk("0.010", leverage=10, wallet=D(100))

    close_and_as_much_again = desk.order("SELL", "0.020", "90900").code
    more = desk.order("SELL", "0.010", "90900").code

    assert (close_and_as_much_again, more) == (0, -2019)


@pytest.mark.parametrize(
    ("leverage", "code", "notional"),
    [(5, 0, "480000000"), (125, 0, "300000"), (126, -4028, None), (0, -4028, None)],
)
def test_leverage_is_set_within_the_brackets(
    leverage: int, code: int, notional: str | None
) -> None:
    answer = Desk().send("POST", "/fapi/v1/leverage", symbol=SYMBOL, leverage=leverage)

    assert answer.code == code
    if notional is not None:
        assert answer.body == {
            "symbol": SYMBOL,
            "leverage": leverage,
            "maxNotionalValue": notional,
        }


def test_isolated_leverage_does_not_fall_with_a_position() -> None:
    desk = long_desk(margin_type="ISOLATED", leverage=10)

    codes = [
        desk.send("POST", "/fapi/v1/leverage", symbol=SYMBOL, leverage=one).code for one in (9, 11)
    ]

    assert codes == [-4161, 0]


@pytest.mark.parametrize(
    ("path", "given", "same", "busy", "held"),
    [
        ("marginType", {"symbol": SYMBOL, "marginType": "ISOLATED"}, -4046, -4047, -4048),
        ("positionSide/dual", {"dualSidePosition": "true"}, -4059, -4067, -4068),
    ],
)
def test_modes_change_only_while_nothing_is_open(
    path: str, given: dict[str, str], same: int, busy: int, held: int
) -> None:
    change = f"/fapi/v1/{path}"
    desk = Desk()
    desk.order("BUY", "0.010", "90000", newClientOrderId="e1")
    with_order = desk.send("POST", change, **given).code
    desk.price("90000")
    with_position = desk.send("POST", change, **given).code
    desk.order("SELL", "0.010", reduceOnly="true")
    desk.stop("SELL", "80000", "0.010")

    flat = desk.send("POST", change, **given)
    again = desk.send("POST", change, **given).code

    assert (with_order, with_position, flat.body) == (
        busy,
        held,
        {"code": 200, "msg": "success"},
    )
    assert again == same


def test_open_orders_of_both_sides_hold_the_margin_of_the_larger() -> None:
    """Only one of the two can make the position larger than it is."""
    desk = Desk(leverage=10)

    desk.order("BUY", "0.010", "90000")
    desk.order("SELL", "0.010", "91000")

    assert desk.venue.house.account.order_margin == D(91)


def test_the_break_even_price_counts_the_fees_of_what_is_still_held() -> None:
    desk = long_desk("0.010")
    paid = D("908.001") * D("0.0005")
    row = desk.send("GET", "/fapi/v3/positionRisk", symbol=SYMBOL).body[0]
    desk.order("SELL", "0.004", reduceOnly="true")

    after = desk.send("GET", "/fapi/v3/positionRisk", symbol=SYMBOL).body[0]

    assert D(row["breakEvenPrice"]) == D("90800.1") + paid / D("0.010")
    assert after["breakEvenPrice"] == row["breakEvenPrice"]


def test_funding_of_an_isolated_position_comes_out_of_its_margin() -> None:
    desk = long_desk("0.010", margin_type="ISOLATED", leverage=10)
    account = desk.venue.house.account
    free = account.cross_wallet

    desk.wait(FUNDING_MS - desk.now)

    assert account.positions["BOTH"].isolated_wallet == D("90.8001") - D("0.0908")
    assert account.cross_wallet == free


def test_cross_margin_counts_what_the_position_has_won_or_lost() -> None:
    desk = long_desk("0.010", leverage=10)
    before = desk.wallet

    desk.price("91800.1")

    row = desk.send("GET", "/fapi/v3/balance").body[0]
    assert D(row["crossUnPnl"]) == 10
    assert D(row["availableBalance"]) == before + 10 - D("91.8001")
