"""The entry gates, one ordered list; every gate speaks every time (RULES E3).

A gate compares one value with one limit and gives a verdict. Nothing enters unless all pass; a
value that is not known is not zero, it refuses.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.domain.action import GateResult, Verdict
from engine.domain.situation import Situation
from engine.plan.gates.account import (
    account_usable,
    book_clean,
    drawdown_day,
    drawdown_week,
    history_read,
    margin_available,
    no_foreign_orders,
    stop_while_flat,
    trades_left_today,
)
from engine.plan.gates.decision import (
    confidence_enough,
    cooldown_over,
    decision_fresh,
    decision_unused,
    leverage_allowed,
    not_suspended,
    reenter_wait_over,
    risk_checks_true,
    risk_level_positive,
    rr_minimum,
)
from engine.plan.gates.entry import Entry, Gate
from engine.plan.gates.market import (
    enter_distance,
    liquidation_far,
    notional_in_bounds,
    quantity_tradable,
    spread_narrow,
    stop_not_crossed,
    volatility_calm,
)
from engine.plan.gates.process import (
    breaker_closed,
    budget_free,
    clock_in_step,
    lease_held,
    not_halted,
    picture_settled,
    store_writable,
)

GATES: tuple[Gate, ...] = (
    decision_fresh,
    decision_unused,
    cooldown_over,
    reenter_wait_over,
    not_suspended,
    risk_checks_true,
    risk_level_positive,
    confidence_enough,
    leverage_allowed,
    rr_minimum,
    quantity_tradable,
    notional_in_bounds,
    margin_available,
    liquidation_far,
    spread_narrow,
    volatility_calm,
    enter_distance,
    stop_not_crossed,
    trades_left_today,
    drawdown_day,
    drawdown_week,
    history_read,
    book_clean,
    no_foreign_orders,
    account_usable,
    clock_in_step,
    picture_settled,
    lease_held,
    not_halted,
    store_writable,
    breaker_closed,
    budget_free,
    stop_while_flat,
)


WHILE_WAITING: tuple[Callable[[Situation, Entry | None], GateResult], ...] = (
    spread_narrow,
    volatility_calm,
    trades_left_today,
    drawdown_day,
    drawdown_week,
    no_foreign_orders,
    account_usable,
    clock_in_step,
)
"""What is asked again when the entry is sent: an armed stop may have waited for minutes (E9, E4).

Left out is what arming itself has changed, and what withdraws the entry by another rule (E6, D2).
None of them looks at the document: one that was taken away meanwhile says nothing against what it
had said, but the market may.
"""


def judge(situation: Situation, entry: Entry) -> tuple[GateResult, ...]:
    """Return every gate's verdict, in order."""
    return tuple(gate(situation, entry) for gate in GATES)


def all_pass(results: tuple[GateResult, ...]) -> bool:
    """Return whether an entry is allowed."""
    return all(r.verdict in (Verdict.PASS, Verdict.SHRINK) for r in results)


def refused_since(situation: Situation) -> str | None:
    """Return the first gate that would not let an armed entry go now, None when all would."""
    for gate in WHILE_WAITING:
        result = gate(situation, None)
        if result.verdict is not Verdict.PASS:
            return result.code
    return None
