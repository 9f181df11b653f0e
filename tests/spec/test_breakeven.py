"""Breakeven plus costs once TP1 is done (RULES F5, F4)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from engine.domain.limits import KeepOrClose, Limits
from engine.domain.observation import Fact, Income, Rates
from engine.domain.position import ExitReason, Life
from engine.domain.situation import Situation
from engine.domain.terms import Side
from engine.plan.planner import make_plan
from engine.plan.ratchet import breakeven_level
from engine.reconcile.settle import reconcile
from engine.store.trades import trade_row
from tests.builders import (
    LONG,
    NOW,
    PRIMARY,
    SHORT,
    TP1,
    a_fill,
    a_filled_entry,
    a_ledger,
    a_life,
    a_situation,
    a_stop,
    an_instrument,
    d,
    held,
    ids,
    on,
    placed,
    seen,
    table,
    the_usual_orders,
)

FEES = d("0.013") * d("90743.3") * d("0.0002")

LEVELS = table("""
side   entry    fees  funding  level    why
long   90743.3  yes   0        90806.9  S as RULES F5 gives it
long   90743.3  no    0        90788.7  the exit's fee alone
long   90743.3  yes   -0.13    90816.9  funding paid: ten more per unit
long   90743.3  yes   0.13     90806.9  funding received is not given back
short  91256.7  yes   0        91192.8  mirrored
short  91256.7  yes   -0.13    91182.8  mirrored, funding paid
""")


@pytest.mark.parametrize("row", LEVELS, ids=ids(LEVELS))
def test_breakeven_pays_entry_fees_exit_fee_and_funding(row: list[str]) -> None:
    """RULES F5, E2: rounded toward less risk."""
    side, entry, fees, funding, level, _ = row
    of = LONG if side == "long" else SHORT
    commission = d("0.013") * d(entry) * d("0.0002") if fees == "yes" else d(0)
    life = a_life(side=of, entry_price=d(entry), entry_commission=commission, funding=d(funding))

    assert breakeven_level(life, an_instrument(), d("0.0005")) == d(level)


def test_the_base_quantity_bears_the_costs() -> None:
    """RULES F5: fees per unit of what was entered, not of what TP1 left."""
    life = a_life("0.007", base_quantity=d("0.013"), entry_commission=FEES)

    assert breakeven_level(life, an_instrument(), d("0.0005")) == d("90806.9")
    without_base = replace(life, base_quantity=None, quantity=d("0.013"), entry_price=None)
    assert breakeven_level(without_base, an_instrument(), d("0.0005")) == d("90806.9")


def after_tp1(price: str, side: Side = LONG, **changes: Any) -> Situation:
    life: Life = changes.pop("life", None) or a_life(
        "0.007",
        side=side,
        base_quantity=d("0.013"),
        entry_commission=d("0.013") * on(side, "90743.3") * d("0.0002"),
        entered_quantity=d("0.013"),
        tp1_done_ms=NOW - 300,
        is_trailing_enabled=False,
    )
    orders = [o for o in the_usual_orders(side) if o.role is not TP1]
    return a_situation(life, orders, price=on(side, price), **changes)


@pytest.mark.parametrize(("side", "level"), [(LONG, "90806.9"), (SHORT, "91192.8")])
def test_the_stop_moves_to_breakeven_after_tp1(side: Side, level: str) -> None:
    """RULES F5, lesson 36: and the old one stays until it is seen."""
    plan = make_plan(after_tp1("91500", side))

    assert [(t.trigger_price, t.quantity) for t in placed(plan)] == [(d(level), d("0.007"))]
    assert plan.ledger.levels[-1].reason == "breakeven"


TOLD = table("""
told   done_ms  level    why
0.013  300      90806.9  every trade of the entry is known
0      300      none     none is: after a lost store they come with the next look
0.008  9999     none     the list of trades lags
0.008  10000    90806.9  what was accepted is visible by then (RULES B3 b)
""")


@pytest.mark.parametrize("row", TOLD, ids=ids(TOLD))
def test_breakeven_waits_a_moment_for_the_entrys_trades(row: list[str]) -> None:
    """RULES F5: laid without the entry's fees it would be too loose, and moved a tick later."""
    told, done_ms, level, _ = row
    ready = after_tp1("91500").life
    life = replace(ready, entered_quantity=d(told), tp1_done_ms=NOW - int(done_ms))
    life = replace(life, entry_commission=d(told) * d("90743.3") * d("0.0002"))

    plan = make_plan(after_tp1("91500", life=life))

    expected = [] if level == "none" else [d(level)]
    assert [t.trigger_price for t in placed(plan, PRIMARY)] == expected


def test_before_tp1_nothing_moves() -> None:
    """RULES F5: TP1 first."""
    situation = after_tp1("91500", life=a_life("0.007", is_trailing_enabled=False))

    assert placed(make_plan(situation), PRIMARY) == []


CROSSED = table("""
policy  price    closing  why
close   90806.9  yes      price is at breakeven: out, with nothing lost
close   90700    yes      price is behind it
keep    90700    no       the old stop keeps the position
close   90807    no       still before it
""")


@pytest.mark.parametrize("row", CROSSED, ids=ids(CROSSED))
def test_breakeven_behind_price_is_settled_by_policy(row: list[str]) -> None:
    """RULES F4: breakeven_crossed close (default) or keep."""
    policy, price, closing, _ = row
    limits = Limits(breakeven_crossed=KeepOrClose(policy))

    plan = make_plan(after_tp1(price, limits=limits))

    assert plan.ledger.life is not None
    expected = ExitReason.BREAKEVEN_STOP if closing == "yes" else None
    assert plan.ledger.life.closing == expected


def test_breakeven_that_is_already_behind_the_stop_crosses_nothing() -> None:
    """RULES F4: a trailed stop beyond breakeven is not undone by a price between."""
    life = replace(after_tp1("91500").life, stop_level=d(91_000))
    situation = after_tp1("90700", life=life)

    plan = make_plan(situation)

    assert plan.ledger.life is not None
    assert plan.ledger.life.closing is not ExitReason.BREAKEVEN_STOP


def test_the_accounts_own_taker_rate_counts() -> None:
    """RULES F5: the base tier is only assumed until the account's rate was read."""
    situation = after_tp1("91500")
    unread = replace(situation, observation=replace(situation.observation, rates=None))

    assert placed(make_plan(unread))[0].trigger_price == d("90806.9")


def test_breakeven_too_near_the_price_waits() -> None:
    """RULES F3: the least gap holds for breakeven too."""
    plan = make_plan(after_tp1("90820"))

    assert (placed(plan), held(plan)) == ([], ["min_gap"])


def test_funding_paid_so_far_is_known_while_the_position_is_open() -> None:
    """RULES F5: read from income, this life's only."""
    ledger = a_ledger(a_life(), the_usual_orders())
    lines = (
        an_income("-0.05", NOW - 1_000),
        an_income("-0.20", NOW - 999_000),
        an_income("7", NOW - 1_000, kind="TRANSFER"),
    )
    look = replace(seen(ledger), income=Fact(lines, NOW))

    reconciled, _ = reconcile(ledger, look, Limits())

    assert reconciled.life is not None
    assert reconciled.life.funding == d("-0.05")


def an_income(amount: str, at_ms: int, kind: str = "FUNDING_FEE") -> Income:
    return Income(kind, d(amount), "USDT", "BTCUSDT", at_ms, "1")


def test_the_entrys_commission_is_summed_over_its_fills() -> None:
    """RULES F5: entry fees per unit; the exit's are not the entry's."""
    fills = (
        a_fill(quantity="0.004", commission=d("0.1")),
        a_fill(quantity="0.009", number=2, commission=d("0.2")),
        a_fill(TP1, "0.006", number=3, commission=d("0.3"), at_ms=NOW - 900),
    )
    ledger = a_ledger(a_life("0.007"), the_usual_orders(), fills=fills)

    reconciled, _ = reconcile(ledger, seen(ledger), Limits())

    assert reconciled.life is not None
    assert reconciled.life.entry_commission == Decimal("0.3")


RATED = table("""
rates  taker       why
read   0.00019231  the account's own rate
-      0.0005      the base tier, until it was read
""")


@pytest.mark.parametrize("row", RATED, ids=ids(RATED))
def test_fees_burned_in_another_coin_are_estimated_by_the_rate(row: list[str]) -> None:
    """RULES F5: 0.0003 BNB are a cost, and they are not 0.0003 USDT."""
    rates = None if row[0] == "-" else Fact(Rates(d("0.0001"), d("0.00019231")), NOW)
    burned = a_fill(commission=d("0.0003"), commission_asset="BNB")
    ledger = a_ledger(a_life(), (a_filled_entry(), a_stop()), fills=(burned,))

    settled, _ = reconcile(ledger, replace(seen(ledger), rates=rates), Limits())

    assert settled.life is not None
    assert settled.life.entry_commission == d("90743.3") * d("0.013") * d(row[1])


def test_the_record_counts_commission_of_the_margin_asset_only() -> None:
    """Costs are exact or left out, never mixed: what was burned stays with its fill."""
    paid = a_fill(commission=d("0.2359"))
    burned = a_fill(PRIMARY, price=90_380, number=2, commission=d("0.0003"), commission_asset="BNB")

    row = trade_row(a_life(closed_ms=NOW), (paid, burned), "BTCUSDT")

    assert row["commission"] == d("-0.2359")
    assert row["net_pnl"] == row["realized_pnl"] - d("0.2359") + row["funding"]
