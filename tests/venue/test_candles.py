"""Candles: minutes from the price path, a past given in advance, coarser ones by joining."""

from decimal import Decimal
from typing import Any

import pytest

from engine.venue.api import Candle
from engine.venue.switches import Switches
from tests.venue.desk import SYMBOL, T0, Desk

D = Decimal
MINUTE = 60_000
M0 = T0 - T0 % MINUTE


def klines(desk: Desk, **given: Any) -> list[list[Any]]:
    text = "&".join(f"{k}={v}" for k, v in ({"symbol": SYMBOL, "interval": "1m"} | given).items())
    rows: list[list[Any]] = desk.raw("GET", "/fapi/v1/klines", text).body
    return rows


def past(minutes: int) -> list[Candle]:
    """Return candles whose open is the number of minutes before now, in tens of dollars."""
    return [
        Candle(M0 - n * MINUTE, D(90000 + n), D(90005 + n), D(89990 + n), D(90001 + n), D(2))
        for n in range(minutes, 0, -1)
    ]


def test_a_minute_has_its_four_prices() -> None:
    desk = Desk()
    desk.now = M0 + MINUTE - 1000
    for last in ("90810", "90790", "90850", "90840"):
        desk.price(last)

    row = klines(desk)[-1]

    assert row[:6] == [
        M0 + MINUTE,
        "90810.00",
        "90850.00",
        "90790.00",
        "90840.00",
        "0.000",
    ]
    assert (row[6], row[8], len(row)) == (M0 + 2 * MINUTE - 1, 4, 12)


def test_quiet_minutes_repeat_the_last_close() -> None:
    desk = Desk()
    desk.price("90850")

    desk.wait(3 * MINUTE)

    rows = klines(desk)
    assert [row[0] for row in rows] == [M0 + n * MINUTE for n in range(len(rows))]
    assert [row[1:5] for row in rows[1:]] == [["90850.00"] * 4] * (len(rows) - 1)
    assert [row[8] for row in rows[1:]] == [0] * (len(rows) - 1)


def test_volume_is_what_traded() -> None:
    desk = Desk()

    desk.price("90850", quantity="1.5")
    desk.price("90860", quantity="0.5")

    assert klines(desk)[-1][5:8:2] == ["2.000", "181705.00000"]


def test_a_past_stands_before_the_first_own_minute() -> None:
    desk = Desk()
    desk.venue.preload_candles([*past(10), Candle(M0, D(1), D(1), D(1), D(1), D(1))])

    rows = klines(desk)

    assert [row[0] for row in rows] == [M0 - n * MINUTE for n in range(10, -1, -1)]
    assert (rows[0][1], rows[-1][1]) == ("90010.00", "90800.00")


@pytest.mark.parametrize("interval", ["3m", "5m", "15m", "1h"])
def test_coarser_candles_join_the_minutes(interval: str) -> None:
    """Open of the first, close of the last, extremes and sums of all."""
    desk = Desk()
    desk.venue.preload_candles(past(180))
    width = int(interval[:-1]) * (60 if interval.endswith("h") else 1) * MINUTE

    coarse = klines(desk, interval=interval, limit=1000)

    fine = klines(desk, limit=1000)
    assert all(row[0] % width == 0 for row in coarse)
    for row in coarse:
        inside = [one for one in fine if row[0] <= one[0] < row[0] + width]
        assert row[1] == inside[0][1]
        assert row[4] == inside[-1][4]
        assert D(row[2]) == max(D(one[2]) for one in inside)
        assert D(row[3]) == min(D(one[3]) for one in inside)
        assert D(row[5]) == sum(D(one[5]) for one in inside)
        assert row[6] == row[0] + width - 1


@pytest.mark.parametrize(
    ("given", "first", "last", "count"),
    [
        ({"limit": 3}, -2, 0, 3),
        ({"startTime": M0 - 10 * MINUTE}, -10, 0, 11),
        ({"startTime": M0 - 10 * MINUTE + 1}, -9, 0, 10),
        ({"startTime": M0 - 10 * MINUTE, "limit": 4}, -10, -7, 4),
        ({"startTime": M0 - 10 * MINUTE, "endTime": M0 - 8 * MINUTE}, -10, -8, 3),
        ({"startTime": M0 - 10 * MINUTE, "endTime": M0 - 8 * MINUTE + 5}, -10, -8, 3),
        ({"endTime": M0 - 8 * MINUTE, "limit": 2}, -9, -8, 2),
    ],
)
def test_candles_are_found_by_time(
    given: dict[str, int], first: int, last: int, count: int
) -> None:
    desk = Desk()
    desk.venue.preload_candles(past(30))

    rows = klines(desk, **given)

    assert (rows[0][0], rows[-1][0], len(rows)) == (
        M0 + first * MINUTE,
        M0 + last * MINUTE,
        count,
    )


def test_a_week_opens_on_monday() -> None:
    desk = Desk()

    opens = klines(desk, interval="1w")[0][0]

    assert (opens // 86_400_000 + 3) % 7 == 0
    assert opens <= T0 < opens + 7 * 86_400_000


def test_an_unknown_interval_is_refused() -> None:
    answer = Desk().raw("GET", "/fapi/v1/klines", f"symbol={SYMBOL}&interval=7m")

    assert answer.code == -1120


def test_public_trades_follow_the_path() -> None:
    desk = Desk()
    for number, last in enumerate(("90801", "90802", "90799")):
        desk.price(last, quantity=f"0.00{number + 1}")
    ask = f"symbol={SYMBOL}&startTime={T0 + 2000}"

    rows = desk.raw("GET", "/fapi/v1/aggTrades", ask).body

    assert [(row["p"], row["q"], row["T"] - T0, row["m"]) for row in rows] == [
        ("90802.00", "0.002", 2000, False),
        ("90799.00", "0.003", 3000, True),
    ]


def test_minutes_nobody_asked_about_are_there_all_the_same() -> None:
    desk = Desk()

    desk.price("90850", after_ms=5 * MINUTE)

    rows = klines(desk)
    assert [row[0] for row in rows] == [M0 + n * MINUTE for n in range(len(rows))]
    assert len(rows) in (6, 7)


@pytest.mark.parametrize(("maximum", "rows"), [("1500", 1500), ("1000", 1000)])
def test_the_most_rows_are_a_switch(maximum: str, rows: int) -> None:
    desk = Desk(switches=Switches.named({"klines_maximum": maximum}))
    desk.wait(1600 * 60_000)

    answer = desk.send("GET", "/fapi/v1/klines", symbol=SYMBOL, interval="1m", limit=1500)

    assert len(answer.body) == rows
