"""Folding balances and income into what drawdown is judged from (RULES H2).

Every balance is judged: two in a row at or below a limit, by the flows known of both, latch it for
the period (RULES C6). Income that is older than the balance does not know every flow in it, and a
withdrawal would be a loss until income is read: so what seems to reach a limit puts the figure in
question, and balance and income are read again at once. A period whose opening nobody sampled is
rebuilt from income, and so is the lowest it has seen; where income is not known the opening is not
known either, and nothing enters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import groupby

from engine.domain.again import last_answer
from engine.domain.equity import Equity, Opening, day_start, drawdown_pct, week_start
from engine.domain.ledger import Ledger
from engine.domain.limits import DrawdownScope, Limits
from engine.domain.numbers import ZERO
from engine.domain.observation import AccountReport, Fact, Income, Observation

TRADING = frozenset(
    {"REALIZED_PNL", "COMMISSION", "FUNDING_FEE", "SPECIAL_FUNDING_FEE", "INSURANCE_CLEAR"}
)
"""Income that trading itself makes; everything else is a flow in or out."""

ELSEWHERE = "ELSEWHERE"
"""What income of other symbols counts as where only ours is judged: a flow."""

SAMPLE_WITHIN_MS = 600_000
"""A balance read this soon after midnight is the opening sample."""


@dataclass(frozen=True, slots=True)
class _Period:
    """How one period is judged: where it begins, and the limit it must stay above."""

    start_of: Callable[[int], int]
    limit_pct: Decimal


def fold_equity(ledger: Ledger, observation: Observation, limits: Limits) -> Ledger:
    """Return the ledger with equity, openings and latches as of the newest balance."""
    account, known = observation.account, ledger.equity
    if account is None or not _is_news(account, observation, known):
        return _watched(ledger, observation, limits)
    worth = _worth(account.value, observation, limits)
    if worth is None:
        return ledger
    at_ms = account.at_ms
    told = _income(observation, limits)
    is_whole = told is not None and _knows_every_flow(observation, at_ms)
    before = known or Equity(ZERO)
    is_next = known is not None and at_ms > known.known_ms
    position = observation.position
    equity = Equity(
        now=worth.equity,
        known_ms=at_ms,
        earlier=before.now if is_next else before.earlier,
        earlier_ms=before.known_ms if is_next else before.earlier_ms,
        open_result=None if position is None else position.value.unrealized_pnl,
    )
    day, week = _periods(limits)
    day_opening, flows_day = _judged(
        day, before.day, before.flows_day, equity, worth, told, is_whole=is_whole
    )
    week_opening, flows_week = _judged(
        week, before.week, before.flows_week, equity, worth, told, is_whole=is_whole
    )
    equity = replace(
        equity, day=day_opening, week=week_opening, flows_day=flows_day, flows_week=flows_week
    )
    in_question = _seems_reached(equity, equity.now, limits)
    return replace(ledger, equity=replace(equity, is_in_question=in_question))


def _watched(ledger: Ledger, observation: Observation, limits: Limits) -> Ledger:
    """Return the ledger with the figure in question when our own open result fell that far.

    The position is read in every tick, the balance is not. A guess may only ask (RULES C6): what
    was realised since the balance was read is in the wallet and no more in the open result.
    """
    equity, position = ledger.equity, observation.position
    if equity is None or position is None or equity.open_result is None or equity.is_in_question:
        return ledger
    guess = equity.now + position.value.unrealized_pnl - equity.open_result
    if not _seems_reached(equity, guess, limits):
        return ledger
    return replace(ledger, equity=replace(equity, is_in_question=True))


def _judged(
    period: _Period,
    known: Opening | None,
    known_flows: Decimal,
    equity: Equity,
    worth: AccountReport,
    told: tuple[Income, ...] | None,
    *,
    is_whole: bool,
) -> tuple[Opening | None, Decimal]:
    """Return a period's opening, latched where it must be, and what flowed in since."""
    at_ms = equity.known_ms
    income = None if told is None else tuple(i for i in told if i.at_ms <= at_ms)
    opening = _opening(period, known, at_ms, worth, income if is_whole else None)
    if opening is None:
        return None, ZERO
    if income is None:
        is_same = known is not None and known.since_ms == opening.since_ms
        return opening, known_flows if is_same else ZERO
    if is_whole and opening.sampled_ms is not None:
        flowed = _flows(income, opening.since_ms, opening.sampled_ms)
        opening = replace(opening, equity=opening.equity - flowed, sampled_ms=None)
    flows = _flows(income, opening.since_ms, at_ms, after_ms=opening.sampled_ms)
    if is_whole and not opening.is_latched:
        is_low = _is_low(equity.now, opening, flows, period.limit_pct)
        opening = replace(
            opening, is_latched=is_low and _was_low(equity, opening, income, period.limit_pct)
        )
    return opening, flows


def _was_low(
    equity: Equity, opening: Opening, income: tuple[Income, ...], limit_pct: Decimal
) -> bool:
    """Return whether the figure before this one had reached the limit too, in this period."""
    if equity.earlier is None or equity.earlier_ms < opening.since_ms:
        return False
    flows = _flows(income, opening.since_ms, equity.earlier_ms)
    return _is_low(equity.earlier, opening, flows, limit_pct)


def _seems_reached(equity: Equity, figure: Decimal, limits: Limits) -> bool:
    day, week = _periods(limits)
    return any(
        opening is not None
        and not opening.is_latched
        and _is_low(figure, opening, flows, period.limit_pct)
        for opening, flows, period in (
            (equity.day, equity.flows_day, day),
            (equity.week, equity.flows_week, week),
        )
    )


def _is_low(figure: Decimal, opening: Opening, flows: Decimal, limit_pct: Decimal) -> bool:
    fell = drawdown_pct(figure, opening.equity, flows)
    return fell is not None and fell <= limit_pct


@last_answer
def _periods(limits: Limits) -> tuple[_Period, _Period]:
    return (
        _Period(day_start, limits.daily_drawdown_limit_pct),
        _Period(week_start, limits.weekly_drawdown_limit_pct),
    )


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


def _income(observation: Observation, limits: Limits) -> tuple[Income, ...] | None:
    """Return the margin asset's income; None: not known.

    With scope ``symbol`` what other symbols earn or lose flows in or out like a transfer.
    """
    told, instrument = observation.income, observation.instrument
    if told is None or instrument is None:
        return None
    lines = tuple(i for i in told.value if i.asset == instrument.value.margin_asset)
    if limits.drawdown_scope is DrawdownScope.ACCOUNT:
        return lines
    return tuple(i if i.symbol == limits.symbol else replace(i, kind=ELSEWHERE) for i in lines)


def _knows_every_flow(observation: Observation, at_ms: int) -> bool:
    """Return whether income was read after the balance, or in the same look."""
    income = observation.income
    return income is not None and income.at_ms >= min(at_ms, observation.now_ms)


def _opening(
    period: _Period,
    known: Opening | None,
    now_ms: int,
    account: AccountReport,
    income: tuple[Income, ...] | None,
) -> Opening | None:
    since_ms = period.start_of(now_ms)
    if known is not None and known.since_ms == since_ms:
        return known
    was_running = known is not None
    if was_running and now_ms - since_ms <= SAMPLE_WITHIN_MS:
        return Opening(since_ms, account.equity, was_rebuilt=False, sampled_ms=now_ms)
    if income is None:
        return None
    since = [line for line in income if line.at_ms >= since_ms]
    earned = sum((line.amount for line in since), ZERO)
    opening = Opening(since_ms, account.wallet - earned, was_rebuilt=True)
    return replace(opening, is_latched=_fell_before(opening, since, period.limit_pct))


def _fell_before(opening: Opening, since: list[Income], limit_pct: Decimal) -> bool:
    """Return whether what was realised since the opening had ever reached the limit.

    The exchange's own record tells it, so a lost store does not lift a limit once reached. What
    was open then is not told.
    """
    wallet, flows = opening.equity, ZERO
    for _, moment in groupby(sorted(since, key=_moment), key=_moment):
        for line in moment:  # a result and its commission are one step
            wallet += line.amount
            flows += ZERO if line.kind in TRADING else line.amount
        if _is_low(wallet, opening, flows, limit_pct):
            return True
    return False


def _moment(line: Income) -> int:
    return line.at_ms


def _flows(
    income: tuple[Income, ...], since_ms: int, until_ms: int, *, after_ms: int | None = None
) -> Decimal:
    """Return what flowed in or out of the account in a stretch of time; ``after_ms`` may cut it."""
    return sum(
        (
            i.amount
            for i in income
            if since_ms <= i.at_ms <= until_ms
            and i.kind not in TRADING
            and (after_ms is None or i.at_ms > after_ms)
        ),
        ZERO,
    )
