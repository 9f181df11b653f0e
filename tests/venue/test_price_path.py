"""One move of the price meets orders in the order of its way."""

from decimal import Decimal

import pytest

from engine.venue.api import PricePoint
from tests.venue.desk import T0, Desk, long_desk, switched


def fills(desk: Desk) -> list[str]:
    return [one["client_id"] for one in desk.log("fill")]


def test_a_gap_over_entry_and_stop_fills_the_one_and_then_stops_it() -> None:
    """The price was at the entry before it was at the stop, however fast it fell."""
    desk = Desk()
    desk.stop("SELL", "90380", "0.013", clientAlgoId="stop")
    desk.order("BUY", "0.013", "90743.3", newClientOrderId="entry")

    desk.price("90000")

    assert fills(desk) == ["entry", "stop"]
    assert desk.position == 0
    assert desk.log("fill")[-1]["price"] == "90000"


def test_the_stop_may_instead_fire_first_and_be_spent() -> None:
    """Open question 22: then the fill stands uncovered, and the keeper has to see it."""
    desk = switched(same_point_order="triggers_first")
    desk.stop("SELL", "90380", "0.013", clientAlgoId="stop")
    desk.order("BUY", "0.013", "90743.3", newClientOrderId="entry")

    desk.price("90000")

    assert (fills(desk), desk.algo("stop")["algoStatus"]) == (["entry"], "REJECTED")


def test_a_mark_spike_spends_a_stop_before_the_entry_fills() -> None:
    """RULES E4: why the armed stop works on the contract price."""
    desk = Desk()
    desk.stop("SELL", "90380", "0.013", workingType="MARK_PRICE", clientAlgoId="stop")
    desk.order("BUY", "0.013", "90743.3", newClientOrderId="entry")

    desk.price("90790", "90300")
    desk.price("90700")

    assert (fills(desk), desk.algo("stop")["algoStatus"]) == (["entry"], "REJECTED")


@pytest.mark.parametrize(
    ("to", "first"),
    [("92000", ["target", "far"]), ("89000", ["tight", "wide"])],
)
def test_the_nearer_of_two_acts_first(to: str, first: list[str]) -> None:
    desk = long_desk("0.010")
    target = {"type": "TAKE_PROFIT_MARKET"}
    desk.stop("SELL", "91900", "0.004", clientAlgoId="far", **target)
    desk.stop("SELL", "91600", "0.004", clientAlgoId="target", **target)
    desk.stop("SELL", "90000", "0.004", clientAlgoId="wide")
    desk.stop("SELL", "90380", "0.004", clientAlgoId="tight")

    desk.price(to)

    assert fills(desk)[1:] == first


def test_a_gap_over_both_targets_takes_no_more_than_the_position() -> None:
    desk = long_desk("0.013")
    target = {"type": "TAKE_PROFIT_MARKET"}
    desk.stop("SELL", "91600", "0.006", clientAlgoId="tp1", **target)
    desk.stop("SELL", "92900", None, clientAlgoId="tp2", **target)

    desk.price("93000")

    assert [(one["client_id"], one["quantity"]) for one in desk.log("fill")[1:]] == [
        ("tp1", "0.006"),
        ("tp2", "0.007"),
    ]


def test_a_partly_filled_entry_is_stopped_by_what_was_filled() -> None:
    desk = Desk(touch_quantity=Decimal("0.004"))
    desk.stop("SELL", "90380", "0.013", clientAlgoId="stop")
    desk.order("BUY", "0.013", "90743.3", newClientOrderId="entry")

    desk.price("90000")

    assert desk.algo("stop")["actualQty"] == "0.004"
    assert desk.look("entry")["status"] == "PARTIALLY_FILLED"


def test_a_mark_trigger_is_placed_on_the_way_of_the_mark_price() -> None:
    """The mark was at the stop before the last price was at the entry: each has its own way."""
    desk = Desk()
    desk.price("90800", "90500")
    desk.stop("SELL", "90380", "0.013", workingType="MARK_PRICE", clientAlgoId="stop")
    desk.order("BUY", "0.013", "90730", newClientOrderId="entry")

    desk.price("90700", "90300")

    assert (fills(desk), desk.algo("stop")["algoStatus"]) == (["entry"], "REJECTED")


def test_a_feed_with_a_crossed_book_is_uncrossed() -> None:
    desk = Desk()
    points = [
        PricePoint(T0 + 1000, Decimal(90700), bid=Decimal(90705), ask=Decimal(90705)),
        PricePoint(T0 + 2000, Decimal(90710), bid=Decimal(90700), ask=Decimal(90720)),
    ]
    desk.venue.feed_from(iter(points))
    seen = []

    for _ in range(3):
        desk.wait(1000)
        market = desk.venue.house.market
        seen.append((str(market.last), str(market.bid), str(market.ask)))

    assert seen == [
        ("90700", "90705", "90705.10"),
        ("90710", "90700", "90720"),
        ("90710", "90700", "90720"),
    ]
