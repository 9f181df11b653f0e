"""Folding balances and income into what drawdown is judged from (RULES H2).

A period whose opening nobody sampled is rebuilt from income: what was earned and transferred since
is taken back off the wallet. Where income is not known the opening is not known either, and
nothing enters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from engine.domain.equity import Equity, Opening, day_start, drawdown_pct, week_start
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.numbers import ZERO
from engine.domain.observation import AccountReport, Income, Observation

TRADING = frozenset(
    {"REALIZED_PNL", "COMMISSION", "FUNDING_FEE", "SPECIAL_FUNDING_FEE", "INSURANCE_CLEAR"}
)
"""Income that trading itself makes; everything else is a flow in or out."""

SAMPLE_WITHIN_MS = 600_000
"""A balance read this soon after midnight is the opening sample."""


def fold_equity(ledger: Ledger, observation: Observation, limits: Limits) -> Ledger:
    """Return the ledger with equity, openings and latches as of the newest balance."""
    account = observation.account
    if account is None or (ledger.equity is not None and account.at_ms <= ledger.equity.known_ms):
        return ledger
    known = ledger.equity
    now_ms = account.at_ms
    income = None if observation.income is None else observation.income.value
    day = _opening(
        known.day if known is not None else None, day_start, now_ms, account.value, income
    )
    week = _opening(
        known.week if known is not None else None, week_start, now_ms, account.value, income
    )
    equity = Equity(
        now=account.value.equity,
        day=day,
        week=week,
        flows_day=_flows(income, day, known.flows_day if known is not None else ZERO),
        flows_week=_flows(income, week, known.flows_week if known is not None else ZERO),
        known_ms=now_ms,
    )
    equity = replace(
        equity,
        day=_latched(equity, equity.day, equity.flows_day, limits.daily_drawdown_limit_pct),
        week=_latched(equity, equity.week, equity.flows_week, limits.weekly_drawdown_limit_pct),
    )
    return replace(ledger, equity=equity)


def _opening(
    known: Opening | None,
    start_of: Callable[[int], int],
    now_ms: int,
    account: AccountReport,
    income: tuple[Income, ...] | None,
) -> Opening | None:
    since_ms = start_of(now_ms)
    if known is not None and known.since_ms == since_ms:
        return known
    was_running = known is not None
    if was_running and now_ms - since_ms <= SAMPLE_WITHIN_MS:
        return Opening(since_ms, account.equity, was_rebuilt=False)
    if income is None:
        return None
    earned = sum((line.amount for line in income if line.at_ms >= since_ms), ZERO)
    return Opening(since_ms, account.wallet - earned, was_rebuilt=True)


def _flows(income: tuple[Income, ...] | None, opening: Opening | None, known: Decimal) -> Decimal:
    if opening is None:
        return ZERO
    if income is None:
        return known
    return sum(
        (i.amount for i in income if i.at_ms >= opening.since_ms and i.kind not in TRADING), ZERO
    )


def _latched(
    equity: Equity, opening: Opening | None, flows: Decimal, limit_pct: Decimal
) -> Opening | None:
    if opening is None or opening.is_latched:
        return opening
    fell = drawdown_pct(equity.now, opening.equity, flows)
    return replace(opening, is_latched=fell is None or fell <= limit_pct)
