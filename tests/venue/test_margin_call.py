"""MARGIN_CALL: pushed once when a margin runs out, and again only after it had recovered."""

from decimal import Decimal

import pytest

from tests.venue.desk import SYMBOL, Desk
from tests.venue.forms import wrong

D = Decimal


def near_the_end(*, isolated: bool = False) -> Desk:
    """Return an account that is long 0.100 at 90800.1 with 500 behind it, and listened to."""
    desk = Desk(wallet=D(500))
    if isolated:
        desk.send("POST", "/fapi/v1/marginType", symbol=SYMBOL, marginType="ISOLATED")
    desk.order("BUY", "0.100")
    desk.listen()
    return desk


def test_it_comes_before_the_liquidation_and_once() -> None:
    desk = near_the_end()
    calls = []
    for last in ("87000", "86270", "86265", "86260"):
        desk.price(last)
        calls.append(len(desk.events("MARGIN_CALL")))

    assert calls == [0, 1, 0, 0]
    assert desk.position > 0


def test_it_comes_again_after_the_margin_had_recovered() -> None:
    desk = near_the_end()
    for last in ("86270", "90000", "86270"):
        desk.price(last)

    assert len(desk.events("MARGIN_CALL")) == 2


@pytest.mark.parametrize("isolated", [False, True])
def test_it_has_its_fields(isolated: bool) -> None:
    """Section 4.4: the wallet stands in it for cross margin only."""
    desk = near_the_end(isolated=isolated)
    desk.price("86670" if isolated else "86270")

    (event,) = desk.events("MARGIN_CALL")

    (row,) = event.pop("p")
    assert wrong(event, "e:s E:i" if isolated else "e:s E:i cw:sh") == []
    assert wrong(row, "s:s ps:s pa:d3 mt:s iw:sh mp:sh up:sh mm:sh") == []
    assert row["mt"] == ("ISOLATED" if isolated else "CROSSED")
    assert D(row["mm"]) == D("0.100") * D(row["mp"]) * D("0.004")


def test_flat_there_is_nothing_to_call() -> None:
    desk = Desk(wallet=D("0.01"))
    desk.listen()

    desk.price("10000")

    assert desk.events("MARGIN_CALL") == []
