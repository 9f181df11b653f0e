"""Folding balances and income into what drawdown is judged from (RULES H2).

A period whose opening nobody sampled is rebuilt from income: what was earned and transferred since
is taken back off the wallet. Where income is not known the opening is not known either, and
nothing enters.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from engine.domain.equity import Equity, Opening, day_start, drawdown_pct, week_start
from engine.domain.ledger import Ledger
from engine.domain.limits import DrawdownScope, Limits
from engine.domain.numbers import ZERO
from engine.domain.observation import AccountReport, Fact, Income, Observation
from engine.domain.values import replace

TRADING = frozenset(
    {"REALIZED_PNL", "COMMISSION", "FUNDING_FEE", "SPECIAL_FUNDING_FEE", "INSURANCE_CLEAR"}
)
"""Income that trading itself makes; everything else is a flow in or out."""

ELSEWHERE = "ELSEWHERE"
"""What income of other symbols counts as where only ours is judged: a flow."""

SAMPLE_WITHIN_MS = 600_000
"""A balance read this soon after midnight is the opening sample."""


def fold_equity(ledger: Ledger, observation: Observation, limits: Limits) -> Ledger:
    """Return the ledger with equity, openings and latches as of the newest balance.

    Income that is older than the balance does not know every flow in it: it rebuilds no opening
    and latches nothing, else a withdrawal would be a loss until income is read again.
    """
    account, known = observation.account, ledger.equity
    if account is None or not _is_news(account, observation, known):
        return ledger
    worth = _worth(account.value, observation, limits)
    if worth is None:
        return ledger
    at_ms = account.at_ms
    income = _income_until(at_ms, observation, limits)
    is_whole = income is not None and _knows_every_flow(observation, at_ms)
    earned = income if is_whole else None
    before = known or Equity(ZERO)
    day = _opening(before.day, day_start, at_ms, worth, earned)
    week = _opening(before.week, week_start, at_ms, worth, earned)
    equity = Equity(
        now=worth.equity,
        day=day,
        week=week,
        flows_day=_flows(income, day, before.flows_day if _lasts(before.day, day) else ZERO),
        flows_week=_flows(income, week, before.flows_week if _lasts(before.week, week) else ZERO),
        known_ms=at_ms,
    )
    if not is_whole:
        return replace(ledger, equity=equity)
    equity = replace(
        equity,
        day=_latched(equity, equity.day, equity.flows_day, limits.daily_drawdown_limit_pct),
        week=_latched(equity, equity.week, equity.flows_week, limits.weekly_drawdown_limit_pct),
    )
    return replace(ledger, equity=equity)


def _is_news(account: Fact[AccountReport], observation: Observation, known: Equity | None) -> bool:
    """Return whether the balance is newer than the one known, or its flows were read just now."""
    if known is None or account.at_ms > known.known_ms:
        return True
    income = observation.income
    is_told = income is not None and income.at_ms >= observation.now_ms
    return account.at_ms == known.known_ms and is_told


def _worth(
    account: AccountReport, observation: Observation, limits: Limits
) -> AccountReport | None:
    """Return the account as the scope counts it: with scope ``symbol``, our open result only."""
    if limits.drawdown_scope is DrawdownScope.ACCOUNT:
        return account
    if observation.position is None:
        return None
    return replace(account, unrealized_pnl=observation.position.value.unrealized_pnl)


def _income_until(
    at_ms: int, observation: Observation, limits: Limits
) -> tuple[Income, ...] | None:
    """Return the margin asset's income up to a moment; None: not known.

    With scope ``symbol`` what other symbols earn or lose flows in or out like a transfer.
    """
    told, instrument = observation.income, observation.instrument
    if told is None or instrument is None:
        return None
    asset = instrument.value.margin_asset
    lines = tuple(i for i in told.value if i.at_ms <= at_ms and i.asset == asset)
    if limits.drawdown_scope is DrawdownScope.ACCOUNT:
        return lines
    return tuple(i if i.symbol == limits.symbol else replace(i, kind=ELSEWHERE) for i in lines)


def _lasts(known: Opening | None, now: Opening | None) -> bool:
    """Return whether both open the same period."""
    return known is not None and now is not None and known.since_ms == now.since_ms


def _knows_every_flow(observation: Observation, at_ms: int) -> bool:
    """Return whether income was read after the balance, or in the same look."""
    income = observation.income
    return income is not None and income.at_ms >= min(at_ms, observation.now_ms)


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
        # What flowed in since midnight is in the sample and will be counted as a flow as well.
        flowed = ZERO if income is None else _flows_since(income, since_ms)
        return Opening(since_ms, account.equity - flowed, was_rebuilt=False)
    if income is None:
        return None
    earned = sum((line.amount for line in income if line.at_ms >= since_ms), ZERO)
    return Opening(since_ms, account.wallet - earned, was_rebuilt=True)


def _flows(income: tuple[Income, ...] | None, opening: Opening | None, known: Decimal) -> Decimal:
    if opening is None:
        return ZERO
    if income is None:
        return known
    return _flows_since(income, opening.since_ms)


def _flows_since(income: tuple[Income, ...], since_ms: int) -> Decimal:
    return sum((i.amount for i in income if i.at_ms >= since_ms and i.kind not in TRADING), ZERO)


def _latched(
    equity: Equity, opening: Opening | None, flows: Decimal, limit_pct: Decimal
) -> Opening | None:
    if opening is None or opening.is_latched:
        return opening
    fell = drawdown_pct(equity.now, opening.equity, flows)
    return replace(opening, is_latched=fell is not None and fell <= limit_pct)
