"""Totals are sums of decimals: nothing is lost, however many positions there are."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.read.report import report_document, totals_of
from tests.schemas import validate

MONEY = st.decimals(-10_000, 10_000, places=8)


def a_trade(realized: Decimal, commission: Decimal, funding: Decimal) -> dict[str, Any]:
    return {
        "net_pnl": str(realized + commission + funding),
        "commission": str(commission),
        "funding": str(funding),
        "naked_s": 0.001,
    }


@given(st.lists(st.tuples(MONEY, MONEY, MONEY), max_size=30))
def test_totals_are_exact(parts: list[tuple[Decimal, Decimal, Decimal]]) -> None:
    totals = totals_of(a_trade(*part) for part in parts)

    assert Decimal(str(totals["net_pnl"])) == sum((sum(p) for p in parts), Decimal(0))
    assert totals["naked_s"] == len(parts) / 1000


def test_a_report_without_trades_is_a_valid_document() -> None:
    document = report_document(
        [], now_ms=1_795_150_000_000, database="keeper.db", html=None,
        requests={"sent": 0, "weight": 0, "rejected": 0, "unknown": 0},
    )  # fmt: skip

    validate(document)
    assert document["totals"]["trades"] == 0  # type: ignore[index]  # a document inside a document
