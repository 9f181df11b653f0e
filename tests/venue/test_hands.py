"""Hands: what somebody else does to the account, through the same books."""

from decimal import Decimal
from typing import Any

import pytest

from engine.venue.api import PricePoint
from tests.venue.desk import SYMBOL, T0, Desk, long_desk

STOP_ID, ENTRY_ID = "kp7f3aq2001s001", "kp7f3aq2001e001"


def two_orders() -> Desk:
    desk = Desk()
    desk.stop("SELL", "90380", "0.013", clientAlgoId=STOP_ID)
    desk.order("BUY", "0.013", "90700", newClientOrderId=ENTRY_ID)
    return desk


@pytest.mark.parametrize(
    ("hand", "algo", "regular"),
    [
        ({"role": "stop_primary"}, [], [ENTRY_ID]),
        ({"role": "entry"}, [STOP_ID], []),
        ({"role": "tp1"}, [STOP_ID], [ENTRY_ID]),
        ({"client_id": STOP_ID}, [], [ENTRY_ID]),
        ({"client_id": "kp7f3aq2"}, [], []),
    ],
)
def test_a_hand_cancels_by_role_or_id(
    hand: dict[str, str], algo: list[str], regular: list[str]
) -> None:
    desk = two_orders()

    desk.venue.hand({"do": "cancel", **hand}, desk.now)

    assert (desk.open_algo_ids(), desk.open_ids()) == (algo, regular)


def test_the_log_tells_the_hand_from_a_request_and_from_the_exchange() -> None:
    desk = two_orders()
    desk.venue.hand({"do": "cancel", "role": "stop_primary"}, desk.now)
    desk.price("90700")

    seen = [(one["client_id"], one["event"], one["by"]) for one in desk.log("order")]

    assert seen == [
        (STOP_ID, "NEW", "api"),
        (ENTRY_ID, "NEW", "api"),
        (STOP_ID, "CANCELED", "hand"),
        (ENTRY_ID, "TRADE", "exchange"),
    ]


@pytest.mark.parametrize(
    ("hand", "position"),
    [
        ({"do": "market", "side": "sell", "quantity": "0.004"}, "0.009"),
        ({"do": "market", "side": "buy", "quantity": Decimal("0.004")}, "0.017"),
        ({"do": "market", "side": "sell", "quantity": "0.5", "reduce_only": True}, "0.000"),
        ({"do": "close"}, "0.000"),
        ({"do": "limit", "side": "sell", "quantity": "0.004", "price": "90700"}, "0.009"),
    ],
)
def test_a_hand_trades(hand: dict[str, Any], position: str) -> None:
    desk = long_desk()

    desk.venue.hand(hand, desk.now)

    assert str(desk.position) == position
    assert desk.log("fill")[-1]["client_id"].startswith("web_")


def test_a_hand_places_stops_of_its_own() -> None:
    desk = long_desk()

    desk.venue.hand({"do": "stop", "side": "sell", "trigger": "90000", "quantity": "0.013"}, 0)
    desk.venue.hand(
        {"do": "stop", "side": "sell", "trigger_price": "89000", "close_position": True}, 0
    )

    orders = list(desk.venue.algo.open.values())
    assert [(str(o.trigger_price), o.close_position) for o in orders] == [
        ("90000", False),
        ("89000", True),
    ]


def test_a_hand_changes_the_account() -> None:
    desk = Desk()
    for hand in (
        {"do": "leverage", "leverage": 7},
        {"do": "margin_type", "margin_type": "isolated"},
        {"do": "transfer", "amount": "-100.5"},
        {"do": "position_mode", "dual_side": True},
    ):
        desk.venue.hand(hand, desk.now)

    account = desk.venue.house.account
    assert (account.leverage, account.isolated, account.dual_side) == (7, True, True)
    assert account.wallet == Decimal("899.5")
    rows = desk.send("GET", "/fapi/v1/income", incomeType="TRANSFER").body
    assert [(row["income"], row["symbol"]) for row in rows] == [("-100.50000000", "")]


def test_a_hand_that_comes_too_late_is_noted() -> None:
    desk = Desk()

    desk.venue.hand({"do": "market", "side": "sell", "quantity": "1", "reduce_only": True}, 0)

    assert [(one["do"], one["code"]) for one in desk.log("hand_refused")] == [("market", -2022)]


@pytest.mark.parametrize("hand", [{"do": "dance"}, {"do": "cancel"}])
def test_a_hand_that_makes_no_sense_is_an_error(hand: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"a hand does|names a role"):
        Desk().venue.hand(hand, 0)


def test_the_other_hand_answers_to_the_same_symbol() -> None:
    desk = Desk()

    desk.venue.hand({"do": "limit", "side": "buy", "quantity": "0.01", "price": "90000"}, 0)

    assert [row["symbol"] for row in desk.send("GET", "/fapi/v1/openOrders").body] == [SYMBOL]


def test_after_a_request_the_exchange_acts_in_its_own_name() -> None:
    desk = Desk()
    desk.order("BUY", "0.013", "90700")

    desk.price("90700")

    assert [(one["event"], one["by"]) for one in desk.log("order")] == [
        ("NEW", "api"),
        ("TRADE", "exchange"),
    ]


def test_what_is_timed_happens_at_its_moment_however_late_time_is_asked_for() -> None:
    """A busy server looks seldom; a hand at 3 s must not buy at the price of 4 s."""
    desk = Desk()
    points = [PricePoint(T0 + 2000, Decimal(90500)), PricePoint(T0 + 4000, Decimal(91000))]
    desk.venue.feed_from(iter(points))
    hand = {"do": "market", "side": "buy", "quantity": "0.003"}
    desk.venue.timed.append((T0 + 3000, lambda now_ms: desk.venue.hand(hand, now_ms)))

    desk.wait(10_000)

    assert [(fill["at_ms"], fill["price"]) for fill in desk.log("fill")] == [(T0 + 3000, "90500.1")]
    assert not desk.venue.timed
