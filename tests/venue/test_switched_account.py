"""Switches about what the account is told and what forced closes leave behind."""

import pytest

from tests.venue.desk import SYMBOL, T0, switched

HOUR_MS = 3_600_000


@pytest.mark.parametrize(("value", "kind"), [("array", list), ("object", dict)])
def test_brackets_of_one_symbol_come_in_a_list_or_alone(value: str, kind: type) -> None:
    desk = switched(bracket_envelope=value)

    one = desk.send("GET", "/fapi/v1/leverageBracket", symbol=SYMBOL).body
    every = desk.send("GET", "/fapi/v1/leverageBracket").body

    assert (type(one), type(every)) == (kind, list)


@pytest.mark.parametrize(("value", "codes"), [("125", (-4028, -4028)), ("150", (0, -4028))])
def test_the_highest_leverage_is_one_of_two(value: str, codes: tuple[int, int]) -> None:
    desk = switched(leverage_maximum=value)

    got = tuple(
        desk.send("POST", "/fapi/v1/leverage", symbol=SYMBOL, leverage=leverage).code
        for leverage in (150, 151)
    )
    (row,) = desk.send("GET", "/fapi/v1/leverageBracket").body

    assert got == codes
    assert row["brackets"][0]["initialLeverage"] == int(value)


@pytest.mark.parametrize(
    ("forced", "value", "status"),
    [
        ("liquidation", "plain", "FILLED"),
        ("liquidation", "named", "NEW_INSURANCE"),
        ("adl", "plain", "FILLED"),
        ("adl", "named", "NEW_ADL"),
    ],
)
def test_a_forced_close_may_have_a_status_of_its_own(forced: str, value: str, status: str) -> None:
    desk = switched(forced_close_status=value)
    desk.order("BUY", "0.010")
    desk.listen()

    desk.venue.force(forced, desk.now)

    rows = [one["o"] for one in desk.events("ORDER_TRADE_UPDATE")]
    assert [row["X"] for row in rows if row["x"] == "CALCULATED"] == [status]


@pytest.mark.parametrize(
    ("value", "after"), [("stay", {"s1": "NEW", "f1": "EXPIRED"}), ("expired", None)]
)
def test_stops_may_go_with_what_was_liquidated(value: str, after: dict[str, str] | None) -> None:
    desk = switched(stops_after_liquidation=value)
    desk.order("BUY", "0.010")
    desk.stop("SELL", "90380", "0.010", clientAlgoId="s1")
    desk.stop("SELL", "90300", None, clientAlgoId="f1")

    desk.venue.force("liquidation", desk.now)

    found = {name: desk.algo(name)["algoStatus"] for name in ("s1", "f1")}
    assert found == (after or {"s1": "EXPIRED", "f1": "EXPIRED"})


def test_an_adl_leaves_stops_where_they_are() -> None:
    """Only a liquidation is said to look for them."""
    desk = switched(stops_after_liquidation="expired")
    desk.order("BUY", "0.010")
    desk.stop("SELL", "90380", "0.010", clientAlgoId="s1")

    desk.venue.force("adl", desk.now)

    assert desk.algo("s1")["algoStatus"] == "NEW"


@pytest.mark.parametrize(("lag_ms", "leaver", "comer"), [(0, 1, 0), (15_000, 0, 1)])
def test_funding_may_settle_late_and_meets_what_is_open_then(
    lag_ms: int, leaver: int, comer: int
) -> None:
    """Who closes within the lag does not pay; who opens within it does."""
    hour = (T0 // (8 * HOUR_MS) + 1) * 8 * HOUR_MS

    def charged(before: str | None, after: str) -> int:
        desk = switched(funding_lag_ms=lag_ms)
        desk.wait(hour - 1_000 - desk.now)
        if before is not None:
            desk.order(before, "0.010")
        desk.wait(2_000)
        desk.order(after, "0.010")
        desk.wait(20_000)
        return len(desk.send("GET", "/fapi/v1/income", incomeType="FUNDING_FEE").body)

    assert (charged("BUY", "SELL"), charged(None, "BUY")) == (leaver, comer)


@pytest.mark.parametrize(("waited_ms", "codes"), [(2_999, (-2022, 0)), (3_000, (0, 0))])
def test_a_reduce_only_stop_may_be_refused_just_after_the_fill(
    waited_ms: int, codes: tuple[int, int]
) -> None:
    """Some bots meet -2022 at placement then; closePosition has a lag of its own."""
    desk = switched(reduce_only_sync_lag_ms=3_000)
    armed = desk.stop("SELL", "90380", "0.010").code
    desk.order("BUY", "0.010")
    desk.wait(waited_ms)

    got = (desk.stop("SELL", "90300", "0.010").code, desk.stop("SELL", "90200", None).code)

    assert (armed, got) == (0, codes)


def test_a_stop_that_is_triggering_reserves_nothing() -> None:
    """The switch speaks of untriggered ones."""
    desk = switched(untriggered_stops_reserve="true", trigger_delay_ms=5_000)
    desk.order("BUY", "0.010")
    desk.stop("SELL", "90380", "0.010", clientAlgoId="s1")
    before = desk.order("SELL", "0.010", reduceOnly="true").code
    desk.price("90300")

    assert desk.algo("s1")["algoStatus"] == "TRIGGERING"
    assert (before, desk.order("SELL", "0.010", reduceOnly="true").code) == (-2022, 0)
