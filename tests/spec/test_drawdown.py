"""Drawdown of a day and a week: what is a loss, what is a flow, what is not known (RULES H2).

It gates entries only and never closes. Whoever deposits or withdraws must not be told that he won
or lost; what is not known is not zero.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from engine.domain.action import Verdict
from engine.domain.equity import Equity, Opening, day_start, drawdown_pct, week_start
from engine.domain.ledger import Ledger, PastLife
from engine.domain.limits import DrawdownScope, Limits
from engine.domain.observation import AccountReport, Fact, Income, Observation
from engine.domain.position import ExitReason
from engine.plan.gates import judge
from engine.plan.gates.entry import planned_entry
from engine.plan.planner import make_plan
from engine.reconcile.equity import SAMPLE_WITHIN_MS, TRADING, fold_equity
from tests.builders import (
    DAY_MS,
    MIDNIGHT_MS,
    NOW,
    Number,
    a_decision,
    a_filled_entry,
    a_floor,
    a_ledger,
    a_life,
    a_position,
    a_situation,
    a_stop,
    an_equity,
    an_instrument,
    an_observation,
    d,
    ids,
    table,
)

MINUTE_MS = 60_000
EMPTY = replace(a_ledger(), equity=None)
WEEK_MS = week_start(NOW)
GATES = ("drawdown_day", "drawdown_week")


def income(kind: str, amount: Number, at_ms: int = NOW - 60_000, asset: str = "USDT") -> Income:
    return Income(kind, d(amount), asset, "", at_ms, str(at_ms))


def a_look(
    wallet: Number,
    lines: tuple[Income, ...] | None = (),
    *,
    unrealized: Number = 0,
    at_ms: int = NOW,
    income_ms: int | None = None,
    **changes: Any,
) -> Observation:
    """Return a look with a balance and the income since the week began (None: not read)."""
    told = None if lines is None else Fact(lines, at_ms if income_ms is None else income_ms)
    account = AccountReport(d(wallet), d(unrealized), d(wallet))
    return an_observation(now=at_ms, account=Fact(account, at_ms), income=told, **changes)


def folded(
    *looks: Observation, before: Equity | None = None, limits: Limits | None = None
) -> Equity:
    """Return the equity after these looks."""
    ledger: Ledger = replace(EMPTY, equity=before)
    for look in looks:
        ledger = fold_equity(ledger, look, limits or Limits())
    assert ledger.equity is not None
    return ledger.equity


def opened(equity: Number = 1000) -> Equity:
    """Return a day and a week that opened with ``equity``; nothing happened since."""
    made = an_equity(equity)
    assert made.day is not None
    assert made.week is not None
    return replace(
        made,
        day=replace(made.day, equity=d(equity)),
        week=replace(made.week, equity=d(equity)),
        known_ms=NOW - 1,
    )


def verdicts(
    equity: Equity | None, *, past: tuple[PastLife, ...] = (), **limits: Any
) -> list[Verdict]:
    """Return what the day's and the week's gate say."""
    situation = a_situation(
        ledger=replace(a_ledger(), equity=equity, past=past),
        decision=a_decision(),
        limits=replace(Limits(), **limits),
    )
    entry = planned_entry(situation)
    assert entry is not None
    return [g.verdict for g in judge(situation, entry) if g.code in GATES]


PASS, REFUSE = Verdict.PASS, Verdict.REFUSE

# -- periods ---------------------------------------------------------------------------------------

STARTS = table("""
moment               day                  week                 why
2026-11-19T12:00:00  2026-11-19T00:00:00  2026-11-16T00:00:00  a Thursday
2026-11-16T00:00:00  2026-11-16T00:00:00  2026-11-16T00:00:00  Monday's first moment opens both
2026-11-15T23:59:59  2026-11-15T00:00:00  2026-11-09T00:00:00  Sunday belongs to the week before
2027-01-01T00:00:00  2027-01-01T00:00:00  2026-12-28T00:00:00  a year is no period
""")


@pytest.mark.parametrize("row", STARTS, ids=ids(STARTS))
def test_periods_are_utc_days_and_weeks_from_monday(row: list[str]) -> None:
    """RULES H2, A6: exchange time decides."""
    moment, day, week = (
        int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000) for text in row[:3]
    )

    assert (day_start(moment), week_start(moment)) == (day, week)


# -- arithmetic ------------------------------------------------------------------------------------

FELL = table("""
now   open  flows  fell    why
980   1000  0      -2      a loss
1100  1000  0      0       a gain is no drawdown
1480  1000  500    -2      a deposit is no gain: the base stays what it was
490   1000  -500   -2      a withdrawal is no loss: the base is what was left
500   1000  -500   0       nothing but a withdrawal
1500  1000  500    0       nothing but a deposit
0     1000  -1000  none    everything withdrawn: no base
5     0     5      none    nothing at the opening: no base
0     1000  0      -100    everything lost
""")


@pytest.mark.parametrize("row", FELL, ids=ids(FELL))
def test_drawdown_counts_results_and_not_flows(row: list[str]) -> None:
    """RULES H2: base = min(open, open + flows)."""
    now, opening, flows, fell, _ = row

    found = drawdown_pct(d(now), d(opening), d(flows))

    assert found == (None if fell == "none" else d(fell))


# -- openings --------------------------------------------------------------------------------------


def test_a_missing_opening_is_rebuilt_from_income() -> None:
    """RULES H2: what was earned and transferred since is taken back off the wallet."""
    lines = (
        income("REALIZED_PNL", -30, WEEK_MS + 1),
        income("TRANSFER", 200, MIDNIGHT_MS - 1),
        income("COMMISSION", "-0.5", MIDNIGHT_MS),
        income("REALIZED_PNL", "12.5", NOW - 1),
        income("REALIZED_PNL", 999, WEEK_MS - 1),
    )

    equity = folded(a_look("1182", lines, unrealized=-2))

    assert equity.now == d(1180)
    assert equity.day == Opening(MIDNIGHT_MS, d(1170), was_rebuilt=True)
    assert equity.week == Opening(WEEK_MS, d(1000), was_rebuilt=True)
    assert (equity.flows_day, equity.flows_week) == (d(0), d(200))


def test_without_income_there_is_no_opening_and_nothing_enters() -> None:
    """RULES H2, C6: ``equity_unknown``; a missing number is not zero."""
    equity = folded(a_look(1000, None))

    assert (equity.day, equity.week) == (None, None)
    assert verdicts(equity) == verdicts(None) == [REFUSE, REFUSE]


def test_income_that_comes_later_rebuilds_the_opening() -> None:
    """RULES H2: not knowing lasts only until it is known, of the balance that is known."""
    first = a_look(990, None, at_ms=NOW)
    later = replace(
        first, now_ms=NOW + 5_000, income=Fact((income("REALIZED_PNL", -10),), NOW + 5_020)
    )

    equity = folded(first, later)

    assert equity.day == Opening(MIDNIGHT_MS, d(1000), was_rebuilt=True)


@pytest.mark.parametrize(("late_ms", "is_sample"), [(SAMPLE_WITHIN_MS, True), (600_001, False)])
def test_a_balance_soon_after_midnight_is_the_sample(late_ms: int, is_sample: bool) -> None:
    """RULES H2: with what is unrealised; later, only income can tell."""
    before = opened(900)
    tomorrow = MIDNIGHT_MS + DAY_MS

    equity = folded(a_look(1000, (), unrealized=25, at_ms=tomorrow + late_ms), before=before)

    opening = d(1025) if is_sample else d(1000)
    assert equity.day == Opening(tomorrow, opening, was_rebuilt=not is_sample)
    assert equity.week is not None
    assert equity.week.equity == d(900)


def test_what_flowed_in_before_the_sample_is_not_counted_twice() -> None:
    """RULES H2: a deposit at 00:03 in the sample of 00:05 would else be a loss of its size."""
    tomorrow = MIDNIGHT_MS + DAY_MS
    deposit = income("TRANSFER", 500, tomorrow + 3 * MINUTE_MS)

    equity = folded(a_look(1500, (deposit,), at_ms=tomorrow + 5 * MINUTE_MS), before=opened(1000))

    assert equity.day is not None
    assert drawdown_pct(equity.now, equity.day.equity, equity.flows_day) == 0
    assert (equity.day.is_latched, equity.day.equity) == (False, d(1000))


def test_a_new_day_begins_without_the_old_ones_flows() -> None:
    """RULES H2: yesterday's deposit is in today's opening, known or not."""
    before = replace(opened(1500), flows_day=d(500), flows_week=d(500))
    tomorrow = MIDNIGHT_MS + DAY_MS

    equity = folded(a_look(1500, None, at_ms=tomorrow + 1_000), before=before)

    assert (equity.flows_day, equity.flows_week) == (d(0), d(500))


# -- flows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["TRANSFER", "WELCOME_BONUS", "COIN_SWAP_DEPOSIT", "CONVERT"])
@pytest.mark.parametrize("amount", [400, -400])
def test_what_is_not_trading_is_a_flow(kind: str, amount: int) -> None:
    """RULES H2: transfers, bonuses, conversions, in and out."""
    equity = folded(a_look(1000 + amount, (income(kind, amount),)), before=opened())

    assert (equity.flows_day, equity.flows_week) == (d(amount), d(amount))
    assert verdicts(equity) == [PASS, PASS]


@pytest.mark.parametrize("kind", sorted(TRADING))
def test_what_trading_itself_makes_is_a_result(kind: str) -> None:
    """RULES H2: commissions and funding count as losses."""
    equity = folded(a_look(970, (income(kind, -30),)), before=opened())

    assert equity.flows_day == d(0)
    assert verdicts(equity) == [REFUSE, PASS]


def test_another_assets_income_is_not_the_margin_assets() -> None:
    """RULES H2: 100 BNB sent in are not 100 USDT."""
    lines = (income("TRANSFER", 100, asset="BNB"), income("COMMISSION", "-3", asset="BNB"))

    known = folded(a_look(1000, lines), before=opened())
    rebuilt = folded(a_look(1000, lines))

    assert known.flows_day == d(0)
    assert rebuilt.day == Opening(MIDNIGHT_MS, d(1000), was_rebuilt=True)
    assert an_instrument().margin_asset == "USDT"


def test_a_withdrawal_that_income_does_not_tell_yet_latches_nothing() -> None:
    """RULES H2, C6, lesson 40: balances are read more often than income.

    Nothing enters while it looks like a loss; when income is read, it is none.
    """
    stale = a_look(900, (), income_ms=NOW - 200_000)
    told = replace(
        stale,
        now_ms=NOW + 30_000,
        income=Fact((income("TRANSFER", -100, NOW - 500),), NOW + 30_020),
    )

    before, after = (
        folded(stale, before=opened()),
        folded(stale, told, before=opened()),
    )

    assert verdicts(before) == [REFUSE, REFUSE]
    assert [o.is_latched for o in (before.day, before.week) if o is not None] == [False, False]
    assert (after.flows_day, verdicts(after)) == (d(-100), [PASS, PASS])


def test_a_flow_after_the_balance_was_read_waits_for_the_next_balance() -> None:
    """RULES H2: a deposit that is not in the balance yet would else be a loss of its size."""
    read = a_look(1000, (), income_ms=NOW - 200_000)
    deposit = income("TRANSFER", 300, NOW + 29_000)
    told = replace(read, now_ms=NOW + 30_000, income=Fact((deposit,), NOW + 30_020))

    equity = folded(read, told, before=opened())

    assert (equity.flows_day, verdicts(equity)) == (d(0), [PASS, PASS])


def test_a_loss_is_latched_as_soon_as_income_says_that_it_is_one() -> None:
    """RULES H2: the doubt about flows does not lose the loss: both figures are judged by then."""
    stale = a_look(970, (), income_ms=NOW - 200_000)
    told = a_look(970, (), at_ms=NOW + 5_000)

    equity = folded(stale, told, before=opened())

    assert equity.day is not None
    assert equity.day.is_latched


FIGURES = table("""
figures          latched  asked  why
970              no       yes    one figure is no evidence: read again
970 970          yes      no     two in a row
960 975          yes      no     two different ones, both beyond the limit
970 1000         no       no     a trough, or a bad read, of one figure
970 1000 970     no       yes    not in a row
970? 970         yes      no     the flows of both are known by then
970 970?         no       yes    the second figure's flows are not
970? 970?        no       yes    nor are any
981 981          no       no     above the limit
979.9 980        yes      no     the limit itself counts as reached
""")


@pytest.mark.parametrize("row", FIGURES, ids=ids(FIGURES))
def test_two_figures_in_a_row_latch_and_one_is_asked_again(row: list[str]) -> None:
    """RULES H2, C6: every balance is judged; ``?`` marks one whose flows are not known yet."""
    figures, is_latched, is_asked, _ = row
    looks = [
        a_look(
            figure.rstrip("?"),
            (),
            at_ms=NOW + number * 5_000,
            income_ms=NOW - 200_000 if figure.endswith("?") else None,
        )
        for number, figure in enumerate(figures.split())
    ]

    equity = folded(*looks, before=opened())

    assert equity.day is not None
    assert equity.day.is_latched is (is_latched == "yes")
    assert equity.is_in_question is (is_asked == "yes")


def test_a_withdrawal_is_asked_about_and_then_no_more_in_question() -> None:
    """RULES H2, C6, lesson 40: two balances that agree are no loss when income says why."""
    told = (income("TRANSFER", -100, NOW - 500),)
    looks = (
        a_look(900, (), income_ms=NOW - 200_000),
        a_look(900, (), at_ms=NOW + 5_000, income_ms=NOW - 200_000),
        a_look(900, told, at_ms=NOW + 10_000),
    )

    asked = [
        folded(*looks[:count], before=opened()).is_in_question for count in range(1, len(looks) + 1)
    ]
    equity = folded(*looks, before=opened())

    assert asked == [True, True, False]
    assert [o.is_latched for o in (equity.day, equity.week) if o is not None] == [False, False]


def test_yesterdays_figure_does_not_latch_today() -> None:
    """RULES H2: two figures in a row, of the same period."""
    tomorrow = MIDNIGHT_MS + DAY_MS
    late = a_look(1000, (), unrealized=-30, at_ms=tomorrow - 5_000)
    early = a_look(1000, (), unrealized=-30, at_ms=tomorrow + SAMPLE_WITHIN_MS + 1)

    equity = folded(late, early, before=opened())

    assert equity.day is not None
    assert (equity.day.since_ms, equity.day.equity) == (tomorrow, d(1000))
    assert (equity.day.is_latched, equity.is_in_question) == (False, True)


GUESSES = table("""
open_result  fell_to  asked  why
0            -20      yes    our own position alone would reach the limit
0            -19.9    no     it would not
5            -14.9    no     what was open when the balance was read is in it
5            -15      yes    and counts from there
""")


@pytest.mark.parametrize("row", GUESSES, ids=ids(GUESSES))
def test_our_own_open_result_asks_for_the_next_balance(row: list[str]) -> None:
    """RULES H2, C6: the position is read in every tick; a guess only asks, it latches nothing."""
    was_open, fell_to, is_asked, _ = row
    before = replace(opened(), open_result=d(was_open))
    position = a_position(unrealized_pnl=d(fell_to))
    look = replace(a_look(1), account=None, position=Fact(position, NOW))

    equity = folded(look, before=before)

    assert equity == replace(before, is_in_question=is_asked == "yes")


@pytest.mark.parametrize("before", [opened(), replace(opened(), open_result=d(0))])
def test_without_a_position_read_nothing_is_guessed(before: Equity) -> None:
    """RULES C6: a missing number is not zero."""
    look = replace(a_look(1), account=None, position=None)

    assert folded(look, before=before) == before


@pytest.mark.parametrize(("known_ms", "verdict"), [(-1, REFUSE), (0, PASS)])
def test_a_balance_from_before_the_last_close_judges_nothing(
    known_ms: int, verdict: Verdict
) -> None:
    """Stopped out 15 s ago with -3 %, the balance of 20 s ago still knew of nothing (H2)."""
    past = PastLife(1, "7f3aq2", "t", NOW - 60_000, NOW - 15_000, ExitReason.TP2, None)
    equity = replace(opened(), known_ms=NOW - 15_000 + known_ms)

    assert verdicts(equity, past=(past,)) == [verdict, verdict]
    assert verdicts(equity, past=(replace(past, opened_ms=None),)) == [PASS, PASS]


# -- a lost store ----------------------------------------------------------------------------------

PATHS = table("""
results             day      week     why
-30 +25             latched  open     won back, and still reached
-19 -1              latched  open     two results together
-19.9 +25           open     open     never reached
-51 +60             latched  latched  the week's as well
""")


@pytest.mark.parametrize("row", PATHS, ids=ids(PATHS))
def test_a_lost_store_does_not_lift_a_limit_once_reached(row: list[str]) -> None:
    """RULES H2, B4: the exchange's own record of results tells what the day has seen."""
    results, day, week, _ = row
    lines = tuple(
        income("REALIZED_PNL", amount, MIDNIGHT_MS + number * MINUTE_MS)
        for number, amount in enumerate(results.split(), start=1)
    )
    wallet = 1000 + sum(line.amount for line in lines)

    equity = folded(a_look(wallet, lines))

    assert equity.day is not None
    assert equity.week is not None
    found = ["latched" if o.is_latched else "open" for o in (equity.day, equity.week)]
    assert found == [day, week]
    assert (equity.day.was_rebuilt, equity.day.equity) == (True, d(1000))


def test_flows_are_no_losses_in_what_is_rebuilt() -> None:
    """RULES H2: a withdrawal of 300 and a result of -10 are -1.4 % of what was left."""
    lines = (
        income("TRANSFER", -300, MIDNIGHT_MS + MINUTE_MS),
        income("REALIZED_PNL", -10, MIDNIGHT_MS + 2 * MINUTE_MS),
    )

    equity = folded(a_look(690, lines))

    assert equity.day is not None
    assert equity.day.is_latched is False


def test_a_result_and_its_commission_are_one_step() -> None:
    """RULES H2: -21 and a rebate of 2 in the same moment never were -2 %."""
    lines = (
        income("REALIZED_PNL", -21, MIDNIGHT_MS + MINUTE_MS),
        income("COMMISSION", 2, MIDNIGHT_MS + MINUTE_MS),
    )

    equity = folded(a_look(981, lines))

    assert equity.day is not None
    assert equity.day.is_latched is False


# -- the sample ------------------------------------------------------------------------------------


def test_a_deposit_before_the_sample_that_income_tells_later_is_no_loss() -> None:
    """RULES H2: deposited 00:03, sampled 00:05, told 00:07: it is in the sample already."""
    tomorrow = MIDNIGHT_MS + DAY_MS
    deposit = income("TRANSFER", 500, tomorrow + 3 * MINUTE_MS)
    sample = a_look(1500, None, at_ms=tomorrow + 5 * MINUTE_MS)
    old = replace(sample, income=Fact((), tomorrow - MINUTE_MS))
    told = a_look(1500, (deposit,), at_ms=tomorrow + 7 * MINUTE_MS)

    sampled = folded(old, before=opened())
    equity = folded(old, told, told, before=opened())

    assert sampled.day == Opening(
        tomorrow, d(1500), was_rebuilt=False, sampled_ms=tomorrow + 5 * MINUTE_MS
    )
    assert equity.day == Opening(tomorrow, d(1000), was_rebuilt=False)
    assert equity.flows_day == d(500)
    assert drawdown_pct(equity.now, equity.day.equity, equity.flows_day) == 0


def test_what_flows_in_after_the_sample_counts_as_a_flow() -> None:
    """RULES H2: known or not, a flow is counted once."""
    tomorrow = MIDNIGHT_MS + DAY_MS
    sample = a_look(1000, None, at_ms=tomorrow + 5 * MINUTE_MS)
    lines = (
        income("TRANSFER", 100, tomorrow + 3 * MINUTE_MS),
        income("TRANSFER", 200, tomorrow + 6 * MINUTE_MS),
    )
    unsure = a_look(1200, lines, at_ms=tomorrow + 7 * MINUTE_MS, income_ms=tomorrow + 6 * MINUTE_MS)

    equity = folded(sample, unsure, before=opened(900))

    assert equity.day is not None
    assert (equity.day.equity, equity.flows_day) == (d(1000), d(200))


# -- limits and latches ----------------------------------------------------------------------------

LIMITS = table("""
equity  day     week    why
980.01  pass    pass    above both limits
980     refuse  pass    at the day's limit: blocked
950.01  refuse  pass    above the week's
950     refuse  refuse  at the week's
""")


@pytest.mark.parametrize("row", LIMITS, ids=ids(LIMITS))
def test_entries_are_blocked_at_the_limit(row: list[str]) -> None:
    """RULES H2: blocked at <= limit, -2 % and -5 %."""
    equity = folded(a_look(row[0]), before=opened())

    assert [str(v) for v in verdicts(equity)] == row[1:3]


def test_the_gate_blocks_at_the_limit_before_anything_is_latched() -> None:
    """RULES H2: until income is read nothing latches, but nothing enters either."""
    stale = a_look(950, (), income_ms=NOW - 200_000)

    assert verdicts(folded(stale, before=opened())) == [REFUSE, REFUSE]


@pytest.mark.parametrize(("wallet", "is_latched"), [(980, True), ("980.01", False)])
def test_the_latch_closes_at_the_limit(wallet: Number, is_latched: bool) -> None:
    """RULES H2: the limit itself counts as reached."""
    equity = folded(a_look(wallet), a_look(wallet, at_ms=NOW + 5_000), before=opened())

    assert equity.day is not None
    assert equity.day.is_latched is is_latched


def test_a_limit_once_reached_stays_reached_for_the_period() -> None:
    """RULES H2: latched; winning it back is no reason to trade on."""
    fell, still = a_look(949, (), at_ms=NOW), a_look(949, (), at_ms=NOW + 5_000)
    back = a_look(1001, (), at_ms=NOW + 30_000)
    next_day = a_look(1001, (), at_ms=MIDNIGHT_MS + DAY_MS + 1_000)
    next_week = a_look(1001, (), at_ms=WEEK_MS + 7 * DAY_MS + 1_000)

    states = [
        verdicts(folded(*looks, before=opened()))
        for looks in (
            (fell, still, back),
            (fell, still, back, next_day),
            (fell, still, back, next_day, next_week),
        )
    ]

    assert states == [[REFUSE, REFUSE], [PASS, REFUSE], [PASS, PASS]]


def test_an_account_without_capital_is_unknown_and_not_a_loss() -> None:
    """RULES H2: no base is no drawdown; with the money back, trading goes on."""
    out = income("TRANSFER", -1000, NOW - 5_000)
    back = income("TRANSFER", 1000, NOW + 20_000)
    emptied = a_look(0, (out,))
    refilled = a_look(1000, (out, back), at_ms=NOW + 30_000)

    assert verdicts(folded(emptied, before=opened())) == [REFUSE, REFUSE]
    assert verdicts(folded(emptied, refilled, before=opened())) == [PASS, PASS]


def test_an_older_balance_changes_nothing() -> None:
    """RULES C3: facts have ages."""
    before = replace(opened(), known_ms=NOW + 1)

    assert folded(a_look(500), before=before) == before


def test_a_look_without_a_balance_changes_nothing() -> None:
    """RULES C6: a missing number is not zero."""
    look = an_observation(account=None)

    assert fold_equity(a_ledger(), look, Limits()) == a_ledger()


def test_drawdown_gates_entries_and_closes_nothing() -> None:
    """RULES H2: gates entries only; never closes."""
    latched = folded(a_look(Decimal(900)), before=opened())
    ledger = replace(a_ledger(a_life(), (a_filled_entry(), a_stop(), a_floor())), equity=latched)

    plan = make_plan(a_situation(ledger=ledger))

    assert plan.ledger.life is not None
    assert plan.ledger.life.closing is None


def test_with_scope_symbol_only_our_own_result_counts() -> None:
    """RULES H2: what another symbol lost flows out like a transfer; our own loss still blocks."""
    ours = replace(income("REALIZED_PNL", -10), symbol="BTCUSDT")
    theirs = replace(income("REALIZED_PNL", -300), symbol="ETHUSDT")
    scoped = Limits(drawdown_scope=DrawdownScope.SYMBOL)
    look = a_look(690, (ours, theirs), unrealized=-50)

    account = folded(look, before=opened())
    symbol = folded(look, before=opened(), limits=scoped)

    assert verdicts(account) == [REFUSE, REFUSE]
    assert (symbol.now, symbol.flows_day) == (d(690), d(-300))
    assert verdicts(symbol, drawdown_scope=DrawdownScope.SYMBOL) == [PASS, PASS]


def test_with_scope_symbol_an_unread_position_judges_nothing() -> None:
    """RULES H2, C6: our open result is not zero because it was not read."""
    scoped = Limits(drawdown_scope=DrawdownScope.SYMBOL)
    look = replace(a_look(900), position=None)

    equity = folded(look, before=opened(), limits=scoped)

    assert equity == opened()
