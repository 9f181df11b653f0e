"""Equity over a day and a week: the opening value, the flows since, the drawdown (RULES H2).

Periods are UTC, weeks begin on Monday, times are exchange time in milliseconds. Amounts are in the
margin asset, account-wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.domain.numbers import ZERO

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
MONDAY_MS = 4 * DAY_MS
"""The first Monday after the epoch, which was a Thursday."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Equity when a period opened; ``was_rebuilt`` tells that it was derived from income.

    ``is_latched``: the limit was reached in this period, so it stays reached. ``sampled_ms``: when
    the sample was taken whose flows since the period's start are not known yet; those up to then
    are in it. None: nothing flowed in before, or it was taken off.
    """

    since_ms: int
    equity: Decimal
    was_rebuilt: bool
    is_latched: bool = False
    sampled_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Equity:
    """What drawdown is judged from; ``None``: not known, which never means zero.

    ``now`` was read at ``known_ms``, when our own position's open result was ``open_result``;
    ``earlier`` is the figure read before it, at ``earlier_ms``: a limit is latched by two in a row
    (RULES C6). ``is_in_question``: a limit seems reached; balance and income are read again soon.
    """

    now: Decimal
    day: Opening | None = None
    week: Opening | None = None
    flows_day: Decimal = ZERO
    flows_week: Decimal = ZERO
    known_ms: int = 0
    earlier: Decimal | None = None
    earlier_ms: int = 0
    open_result: Decimal | None = None
    is_in_question: bool = False


def day_start(now_ms: int) -> int:
    """Return when the UTC day of ``now_ms`` began."""
    return now_ms - now_ms % DAY_MS


def week_start(now_ms: int) -> int:
    """Return when the week of ``now_ms`` began: Monday 00:00 UTC."""
    return now_ms - (now_ms - MONDAY_MS) % WEEK_MS


def drawdown_pct(now: Decimal, opening: Decimal, flows: Decimal) -> Decimal | None:
    """Return min(0, result / base) in percent, None where there is no base.

    result = equity now - equity at open - flows; base = min(open, open + flows).
    """
    base = min(opening, opening + flows)
    if base <= 0:
        return None
    return min(ZERO, (now - opening - flows) / base * 100)
