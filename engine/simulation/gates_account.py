"""The gates that the account decides (RULES H2, E3): margin, positions a day, loss of day and week.

A loss is judged twice: by what the wallet shows when the entry is sent, and by what the keeper had
read of the equity before. Read at or below its limit twice in a row, the second time together with
the income that tells the flows, a limit is latched until the period ends (C6).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from engine.domain.numbers import plain
from engine.simulation.gate_case import Case
from engine.simulation.looks import Act, Topic

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
MONDAY_MS = 4 * DAY_MS
"""The epoch was a Thursday."""

BALANCE_OLD_MS = 60_000
"""A free balance read longer ago than this is not what an entry is decided by."""


def trades_today(case: Case) -> str | None:
    """H2: positions of ours opened today are fewer than the cap.

    A life counts once (A5): its stop may take all, and a rest of its entry fill afterwards.
    """
    start_ms = _day(case.entry.at_ms)
    today = [life for life in case.lives if start_ms <= life.opened_ms < case.entry.at_ms]
    count = len({life.generation for life in today})
    return None if count < case.limits.trades_per_day_max else f"{count} positions today"


def margin(case: Case) -> str | None:
    """E3: the initial margin is really free; asked when the stop is armed."""
    act = case.armed or case.sent
    look = case.scene.looks.last(Topic.ACCOUNT, act, BALANCE_OLD_MS)
    if look is None:
        return None  # when the balance was read, nothing tells
    free = max(worth.wallet for worth in case.account.during(look.n, act.n))
    need = case.cost / max(case.given.leverage, 1)
    allowed = free * case.limits.margin_share_max_pct / 100
    return None if need <= allowed else f"{need:.2f} needed, {allowed:.2f} allowed"


def drawdown(case: Case) -> str | None:
    """H2: the loss of the day stays above its limit; once reached, it stays reached."""
    return _lost(case, _day, case.limits.daily_drawdown_limit_pct, "today")


def drawdown_of_the_week(case: Case) -> str | None:
    """H2: the loss of the week stays above its limit; once reached, it stays reached."""
    return _lost(case, _week, case.limits.weekly_drawdown_limit_pct, "this week")


def _lost(case: Case, start_of: Callable[[int], int], limit: Decimal, name: str) -> str | None:
    until_ms = case.entry.at_ms
    start_ms = start_of(until_ms)
    worths = case.account.between(until_ms - case.slack_ms, until_ms)
    fell = max((case.account.fell_pct(w, w.wallet, start_ms) for w in worths), default=None)
    if fell is not None and fell <= limit:
        return f"{fell:.2f} % down {name}"
    return _latched(case, start_ms, limit, name)


def _latched(case: Case, start_ms: int, limit: Decimal, name: str) -> str | None:
    """Return when the keeper must have latched the limit, None when it need not have."""
    scene, account = case.scene, case.account
    incomes = scene.looks.every(Topic.INCOME, start_ms, case.sent.n)
    if not scene.is_store_whole:
        return None  # what was open before a store was lost, nobody can tell any more (B4)
    before: Act | None = None
    for look in scene.looks.every(Topic.ACCOUNT, start_ms, case.sent.n):
        worth = account.at(look.n)
        points = scene.prices.during(look.n, look.n)
        if worth is None or not points:
            continue
        equity = worth.wallet + worth.quantity * (points[-1].mark - worth.entry_price)
        if account.fell_pct(worth, equity, start_ms) > limit:
            before = None
            continue
        is_told = any(income.at_ms == look.at_ms for income in incomes)
        if before is not None and is_told and not _was_reborn(case, before.at_ms):
            since_ms = case.sent.at_ms - look.at_ms
            return f"{plain(limit)} % {name} was reached {since_ms / 1000:g} s ago"
        before = look
    return None


def _was_reborn(case: Case, since_ms: int) -> bool:
    """Return whether another keeper than the one that read then sent the entry.

    What it had latched may have been lost with it, where its store took nothing just then.
    """
    return any(since_ms < born_ms <= case.sent.at_ms for born_ms in case.scene.births)


def _day(at_ms: int) -> int:
    return at_ms - at_ms % DAY_MS


def _week(at_ms: int) -> int:
    return at_ms - (at_ms - MONDAY_MS) % WEEK_MS
