"""Sums per day, week and exit reason are exact, and every trade is in each grouping once.

An operator adds these up against the exchange's own statement (contracts.md, report).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.read.report import sums_of, totals_of
from tests.builders import ids, table

MONEY = st.decimals(-10_000, 10_000, places=8)
GROUPINGS = ("by_day", "by_week", "by_exit_reason")


def a_trade(
    closed_at: str = "2026-11-19T12:00:00.000Z", reason: str = "stop", **changes: Any
) -> dict[str, Any]:
    """Return as much of a trade document as sums read."""
    made = {
        "closed_at": closed_at,
        "exit_reason": reason,
        "net_pnl": "1.1",
        "commission": "-0.1",
        "funding": "0.01",
        "naked_s": 0.0,
    }
    return {**made, **changes}


def keys(trades: list[dict[str, Any]], grouping: str) -> list[str]:
    group = sums_of(trades)[grouping]
    assert isinstance(group, dict)
    return list(group)


PERIODS = table("""
closed_at                 day         week        why
2026-11-19T00:00:00.000Z  2026-11-19  2026-11-16  a day begins with its first millisecond
2026-11-18T23:59:59.999Z  2026-11-18  2026-11-16  and ends with its last
2026-11-16T00:00:00.000Z  2026-11-16  2026-11-16  Monday opens its own week
2026-11-15T23:59:59.999Z  2026-11-15  2026-11-09  Sunday closes the one before
2027-01-02T08:00:00.000Z  2027-01-02  2026-12-28  a week does not care about the year
""")


@pytest.mark.parametrize("row", PERIODS, ids=ids(PERIODS))
def test_a_trade_belongs_to_the_utc_day_and_the_monday_of_its_close(row: list[str]) -> None:
    """RULES H2: the same days and weeks as drawdown is judged by."""
    closed_at, day, week, _ = row
    trades = [a_trade(closed_at)]

    assert (keys(trades, "by_day"), keys(trades, "by_week")) == ([day], [week])


def test_sums_are_exact_where_floats_are_not() -> None:
    """Money is text to the last digit: 0.1 + 0.2 is 0.3."""
    trades = [
        a_trade(net_pnl="0.1", commission="-0.00000001", funding="0", naked_s=0.1),
        a_trade(net_pnl="0.2", commission="-0.00000002", funding="-0.3", naked_s=0.2),
    ]

    assert sums_of(trades)["by_exit_reason"] == {
        "stop": {
            "trades": 2,
            "net_pnl": "0.3",
            "commission": "-0.00000003",
            "funding": "-0.3",
            "naked_s": 0.3,
        }
    }


def test_groups_come_in_order_whatever_order_trades_come_in() -> None:
    """The same store gives the same document."""
    trades = [
        a_trade("2026-11-19T12:00:00.000Z", "tp2"),
        a_trade("2026-11-09T12:00:00.000Z", "stop"),
        a_trade("2026-11-18T12:00:00.000Z", "breakeven_stop"),
    ]

    documents = [sums_of(trades), sums_of(trades[::-1])]

    assert documents[0] == documents[1]
    assert keys(trades, "by_day") == ["2026-11-09", "2026-11-18", "2026-11-19"]
    assert keys(trades, "by_week") == ["2026-11-09", "2026-11-16"]
    assert keys(trades, "by_exit_reason") == ["breakeven_stop", "stop", "tp2"]


def test_without_trades_there_is_nothing_to_sum() -> None:
    """An empty group is not a group of zeros."""
    assert sums_of([]) == {"by_day": {}, "by_week": {}, "by_exit_reason": {}}
    assert totals_of([])["net_pnl"] == "0"


def test_a_sum_that_cancels_out_is_plain_zero() -> None:
    """No negative zero, no exponent (DESIGN 8)."""
    trades = [a_trade(net_pnl="0.00000001"), a_trade(net_pnl="-0.00000001")]

    assert totals_of(trades)["net_pnl"] == "0"


trades_drawn = st.lists(
    st.builds(
        lambda day, hour, reason, net, fee: a_trade(
            f"2026-11-{day:02d}T{hour:02d}:00:00.000Z",
            reason,
            net_pnl=str(net),
            commission=str(fee),
        ),
        st.integers(1, 30),
        st.integers(0, 23),
        st.sampled_from(["stop", "tp1", "tp2", "trailing_stop"]),
        MONEY,
        MONEY,
    ),
    max_size=25,
)


@pytest.mark.parametrize("grouping", GROUPINGS)
@given(trades=trades_drawn)
def test_every_grouping_adds_up_to_the_total(grouping: str, trades: list[dict[str, Any]]) -> None:
    """No trade is lost between groups, none counted twice."""
    group, total = sums_of(trades)[grouping], totals_of(trades)
    assert isinstance(group, dict)

    rows = list(group.values())

    assert sum(row["trades"] for row in rows) == total["trades"]
    for name in ("net_pnl", "commission", "funding"):
        exact = sum((Decimal(row[name]) for row in rows), Decimal(0))
        assert exact == Decimal(str(total[name]))
