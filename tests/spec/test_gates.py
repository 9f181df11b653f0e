"""The entry gates: one ordered list, every gate speaks every time (RULES E3, D2, H)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from engine.domain.action import Verdict
from engine.domain.condition import Condition, HaltReason
from engine.domain.equity import Equity, Opening
from engine.domain.identity import FOREIGN_HASH
from engine.domain.ledger import PastLife
from engine.domain.limits import Limits
from engine.domain.observation import AccountMode, AccountReport, Fact, Quote
from engine.domain.position import ExitReason
from engine.domain.situation import Situation
from engine.domain.terms import Rights, Side
from engine.plan.gates import GATES
from engine.plan.planner import make_plan
from tests.builders import (
    BRACKETS,
    LONG,
    MIDNIGHT_MS,
    NOW,
    SHORT,
    a_candle,
    a_decision,
    a_foreign_stop,
    a_ledger,
    a_situation,
    a_stop,
    an_equity,
    an_inbox,
    an_instrument,
    d,
    ids,
    on,
    seen,
    table,
)

CODES = [gate.__name__ for gate in GATES]


def a_past(**changes: Any) -> PastLife:
    """Return a life that ended an hour ago at its second target."""
    made = PastLife(
        generation=1,
        decision_id="older1",
        terms="terms-of-another",
        opened_ms=NOW - 7_200_000,
        closed_ms=NOW - 3_600_000,
        exit_reason=ExitReason.TP2,
        withdrawn=None,
    )
    return replace(made, **changes)


def ready(side: Side = LONG) -> Situation:
    return a_situation(ledger=a_ledger(), decision=a_decision(side), price=on(side, 90_760))


def deciding(**changes: Any) -> Situation:
    situation = ready()
    return replace(situation, inbox=an_inbox(a_decision(**changes)))


def seeing(**changes: Any) -> Situation:
    situation = ready()
    return replace(situation, observation=replace(situation.observation, **changes))


def being(**changes: Any) -> Situation:
    return replace(ready(), condition=Condition(**changes))


def knowing(**changes: Any) -> Situation:
    situation = ready()
    return replace(situation, ledger=replace(situation.ledger, **changes))


def limited(**changes: Any) -> Situation:
    return replace(ready(), limits=Limits(**changes))


def priced(price: str) -> Situation:
    return a_situation(ledger=a_ledger(), decision=a_decision(), price=price)


def past(*lives: PastLife) -> Situation:
    return knowing(past=lives)


def fresh(account: str) -> Fact[AccountReport]:
    return Fact(AccountReport(d(account), d(0), d(account)), NOW)


def equity_of(**changes: Any) -> Situation:
    return knowing(equity=replace(an_equity(), **changes))


def foreign(**limits: Any) -> Situation:
    situation = limited(**limits)
    look = seen(situation.ledger, reports=[a_foreign_stop()])
    return replace(situation, observation=look)


DAY = Opening(MIDNIGHT_MS, d(1000), was_rebuilt=False)
STOPPED = {"exit_reason": ExitReason.STOP, "terms": "terms-of-S"}

PASSES: list[tuple[str, str, Callable[[], Situation]]] = [
    ("decision_fresh", "ten minutes", lambda: deciding(made_ms=NOW - 600_000)),
    ("decision_unused", "made after the close", lambda: past(a_past(closed_ms=NOW - 40_001))),
    (
        "decision_unused",
        "the opposite that closed",
        lambda: past(a_past(exit_reason=ExitReason.OPPOSITE_DECISION, closed_ms=NOW - 5_000)),
    ),
    (
        "cooldown_over",
        "fifteen minutes after a stop-out",
        lambda: past(a_past(**STOPPED, closed_ms=NOW - 900_000)),
    ),
    (
        "cooldown_over",
        "at once after a target",
        lambda: past(a_past(terms="terms-of-S", closed_ms=NOW - 41_000)),
    ),
    (
        "cooldown_over",
        "other terms after a stop-out",
        lambda: past(a_past(exit_reason=ExitReason.STOP, closed_ms=NOW - 41_000)),
    ),
    (
        "reenter_wait_over",
        "a minute after a withdrawal",
        lambda: past(a_past(opened_ms=None, withdrawn="price_left", closed_ms=NOW - 60_000)),
    ),
    ("confidence_enough", "exactly the minimum", lambda: deciding(confidence=d("0.6"))),
    ("leverage_allowed", "exactly the cap", lambda: deciding(leverage=10)),
    ("margin_available", "enough is free", lambda: seeing(account=fresh("414"))),
    ("enter_distance", "0.3 % above the zone", lambda: priced("91059.5")),
    ("trades_left_today", "two today", lambda: past(a_past(), a_past(generation=2))),
    (
        "trades_left_today",
        "yesterday's do not count",
        lambda: past(*(a_past(generation=n, opened_ms=MIDNIGHT_MS - 1) for n in range(1, 5))),
    ),
    (
        "trades_left_today",
        "somebody's do not count",
        lambda: past(
            *(
                a_past(generation=n, opened_ms=MIDNIGHT_MS, decision_id=FOREIGN_HASH)
                for n in range(1, 5)
            )
        ),
    ),
    (
        "cooldown_over",
        "what stopped out was somebody's",
        lambda: past(
            a_past(
                decision_id=FOREIGN_HASH,
                terms="",
                exit_reason=ExitReason.STOP,
                closed_ms=NOW - 50_000,
            )
        ),
    ),
    ("drawdown_day", "just above the limit", lambda: equity_of(now=d("980.1"))),
    (
        "drawdown_day",
        "a withdrawal of money is no loss",
        lambda: equity_of(now=d(500), flows_day=d(-500), flows_week=d(-500)),
    ),
    ("no_foreign_orders", "allowed by default", foreign),
    ("clock_in_step", "within the bound", lambda: being(clock_error_ms=500)),
    ("stop_while_flat", "known to be taken", lambda: knowing(stop_while_flat=True)),
    (
        "stop_while_flat",
        "refused, but the stream tells the first fill",
        lambda: replace(knowing(stop_while_flat=False), condition=Condition(is_stream_up=True)),
    ),
    ("picture_settled", "two in a row", lambda: knowing(settled_streak=2)),
]


REFUSES: list[tuple[str, str, Callable[[], Situation]]] = [
    ("decision_fresh", "a millisecond older", lambda: deciding(made_ms=NOW - 600_001)),
    ("decision_unused", "used", lambda: past(a_past(decision_id="7f3aq2", closed_ms=1))),
    ("decision_unused", "made before the close", lambda: past(a_past(closed_ms=NOW - 40_000))),
    (
        "decision_unused",
        "made beside the opposite that closed",
        lambda: past(
            a_past(exit_reason=ExitReason.OPPOSITE_DECISION, side=LONG, closed_ms=NOW - 5_000)
        ),
    ),
    (
        "decision_unused",
        "made before the opposite's position",
        lambda: past(
            a_past(
                exit_reason=ExitReason.OPPOSITE_DECISION,
                opened_ms=NOW - 39_000,
                closed_ms=NOW - 5_000,
            )
        ),
    ),
    (
        "cooldown_over",
        "a second too early",
        lambda: past(a_past(**STOPPED, closed_ms=NOW - 899_000)),
    ),
    (
        "cooldown_over",
        "unknown ending, unknown terms",
        lambda: past(a_past(exit_reason=None, terms="", closed_ms=NOW - 60_000)),
    ),
    (
        "reenter_wait_over",
        "too early",
        lambda: past(a_past(opened_ms=None, withdrawn="price_left", closed_ms=NOW - 59_999)),
    ),
    (
        "not_suspended",
        "a newer refused document",
        lambda: replace(ready(), inbox=an_inbox(a_decision(), suspended_since_ms=NOW)),
    ),
    (
        "not_suspended",
        "reads flat",
        lambda: replace(ready(), inbox=an_inbox(a_decision(), reads_flat=True)),
    ),
    ("risk_checks_true", "one is false", lambda: deciding(risk_checks=(("news", False),))),
    ("risk_checks_true", "none given", lambda: deciding(risk_checks=())),
    ("risk_level_positive", "zero", lambda: deciding(risk_level=0)),
    ("confidence_enough", "too low", lambda: deciding(confidence=d("0.59"))),
    ("confidence_enough", "zero", lambda: deciding(confidence=d(0))),
    ("leverage_allowed", "above the cap", lambda: deciding(leverage=11)),
    ("leverage_allowed", "zero", lambda: deciding(leverage=0)),
    (
        "leverage_allowed",
        "above the bracket",
        lambda: seeing(brackets=Fact((replace(BRACKETS[0], leverage_max=2),), NOW)),
    ),
    ("leverage_allowed", "no bracket", lambda: seeing(brackets=Fact((), NOW))),
    ("leverage_allowed", "not read", lambda: seeing(brackets=None)),
    ("rr_minimum", "empty zone", lambda: deciding(tp1=d(90_950))),
    ("quantity_tradable", "too little", lambda: deciding(size_usdt=d(90))),
    (
        "quantity_tradable",
        "more than one market order",
        lambda: seeing(instrument=Fact(an_instrument(market_quantity_max=d("0.012")), NOW)),
    ),
    ("quantity_tradable", "filters not read", lambda: seeing(instrument=None)),
    ("quantity_tradable", "no size", lambda: deciding(size_usdt=None)),
    (
        "notional_in_bounds",
        "below MIN_NOTIONAL",
        lambda: seeing(instrument=Fact(an_instrument(notional_min=d(1180)), NOW)),
    ),
    ("notional_in_bounds", "above the cap", lambda: limited(notional_max=d(1179))),
    ("notional_in_bounds", "no zone", lambda: deciding(tp1=d(90_950))),
    ("margin_available", "not enough", lambda: seeing(account=fresh("413"))),
    ("margin_available", "not read", lambda: seeing(account=None)),
    ("liquidation_far", "too near", lambda: deciding(leverage=125)),
    ("liquidation_far", "not read", lambda: seeing(brackets=None)),
    ("liquidation_far", "no bracket", lambda: seeing(brackets=Fact(BRACKETS[1:], NOW))),
    (
        "spread_narrow",
        "wide",
        lambda: seeing(quote=Fact(Quote(d(90_760), d(90_806)), NOW)),
    ),
    ("spread_narrow", "no quote", lambda: seeing(quote=None)),
    ("spread_narrow", "no bid", lambda: seeing(quote=Fact(Quote(d(0), d(90_806)), NOW))),
    (
        "volatility_calm",
        "a wild minute",
        lambda: seeing(
            candles=Fact((a_candle(90_760, -1, low=90_000, high=91_400), a_candle(90_760)), NOW)
        ),
    ),
    ("volatility_calm", "no candles", lambda: seeing(candles=Fact((), NOW))),
    ("enter_distance", "too far above", lambda: priced("91060.5")),
    ("enter_distance", "below the zone", lambda: priced("90699.8")),
    ("enter_distance", "at the target", lambda: priced("91600")),
    ("enter_distance", "no quote", lambda: seeing(quote=None)),
    ("stop_not_crossed", "too near", lambda: priced("90398")),
    ("stop_not_crossed", "no price", lambda: seeing(candles=None)),
    (
        "trades_left_today",
        "three today",
        lambda: past(*(a_past(generation=n, opened_ms=MIDNIGHT_MS) for n in (1, 2, 3))),
    ),
    ("drawdown_day", "at the limit", lambda: equity_of(now=d(980))),
    (
        "drawdown_day",
        "latched, though it recovered",
        lambda: equity_of(day=replace(DAY, is_latched=True)),
    ),
    ("drawdown_day", "opening unknown", lambda: equity_of(day=None)),
    ("drawdown_day", "equity unknown", lambda: knowing(equity=None)),
    ("drawdown_day", "nothing at the opening", lambda: equity_of(day=replace(DAY, equity=d(0)))),
    ("drawdown_week", "at the limit", lambda: equity_of(now=d(950))),
    ("drawdown_week", "equity unknown", lambda: knowing(equity=None)),
    ("history_read", "never read", lambda: knowing(history_read_ms=None)),
    ("book_clean", "a zombie", lambda: knowing(orders=(a_stop(),))),
    ("no_foreign_orders", "by policy", lambda: foreign(block_on_foreign_orders=True)),
    ("no_foreign_orders", "not read", lambda: seeing(orders=None)),
    ("account_usable", "hedge mode", lambda: mode(is_hedge=True, is_multi=False)),
    ("account_usable", "multi assets", lambda: mode(is_hedge=False, is_multi=True)),
    (
        "account_usable",
        "not trading",
        lambda: seeing(instrument=Fact(an_instrument(is_trading=False), NOW)),
    ),
    ("account_usable", "not read", lambda: seeing(account_mode=None)),
    ("clock_in_step", "out of step", lambda: being(clock_error_ms=501)),
    ("clock_in_step", "never anchored", lambda: being(clock_error_ms=None)),
    ("picture_settled", "only one", lambda: knowing(settled_streak=1)),
    ("lease_held", "add-only", lambda: being(rights=Rights.ADD_ONLY)),
    ("not_halted", "halted", lambda: being(halts=(HaltReason("x", "", NOW),))),
    ("store_writable", "cannot write", lambda: being(is_store_writable=False)),
    ("breaker_closed", "open", lambda: being(is_breaker_open=True)),
    ("budget_free", "half of the weight is used", lambda: being(weight_used=1_200)),
    ("stop_while_flat", "refused, stream down", lambda: knowing(stop_while_flat=False)),
]


def mode(*, is_hedge: bool, is_multi: bool) -> Situation:
    return seeing(account_mode=Fact(AccountMode(is_hedge, is_multi), NOW))


def verdicts(situation: Situation) -> dict[str, Verdict]:
    return {gate.code: gate.verdict for gate in make_plan(situation).gates}


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_every_gate_passes_the_sample(side: Side) -> None:
    """RULES E3: the sample decision of RULES enters."""
    assert verdicts(ready(side)) == dict.fromkeys(CODES, Verdict.PASS)


@pytest.mark.parametrize(("code", "why", "make"), PASSES, ids=[f"{c} {w}" for c, w, _ in PASSES])
def test_a_gate_passes_at_its_limit(code: str, why: str, make: Callable[[], Situation]) -> None:
    """RULES E3: the limit itself is allowed, or not, as the rule says."""
    assert verdicts(make())[code] is Verdict.PASS, why


@pytest.mark.parametrize(("code", "why", "make"), REFUSES, ids=[f"{c} {w}" for c, w, _ in REFUSES])
def test_a_gate_refuses_beyond_its_limit(
    code: str, why: str, make: Callable[[], Situation]
) -> None:
    """RULES E3, lesson 40: and what is not known is not zero, it refuses."""
    situation = make()

    plan = make_plan(situation)

    assert verdicts(situation)[code] is Verdict.REFUSE, why
    assert plan.actions == () or all(
        getattr(a, "rule", "") not in ("arm", "enter") for a in plan.actions
    )


def test_every_gate_has_been_seen_to_refuse() -> None:
    """A gate that cannot refuse is a defect."""
    assert {code for code, _, _ in REFUSES} >= set(CODES)


@pytest.mark.parametrize(("code", "why", "make"), REFUSES, ids=[f"{c} {w}" for c, w, _ in REFUSES])
def test_every_gate_is_listed_every_time(
    code: str, why: str, make: Callable[[], Situation]
) -> None:
    """Contracts: whatever refuses, people see the whole list in its order."""
    assert [gate.code for gate in make_plan(make()).gates] == CODES, (code, why)


def test_a_gate_says_value_and_limit() -> None:
    """Contracts: every gate with its numbers."""
    gates = {g.code: g for g in make_plan(priced("91060.5")).gates}

    gate = gates["enter_distance"]
    assert (gate.value, gate.limit, gate.verdict) == ("0.301", "0.3", Verdict.REFUSE)


def test_spent_trades_count_days_of_the_exchange() -> None:
    """RULES H2: UTC day, exchange time."""
    life = a_past(opened_ms=MIDNIGHT_MS)
    today = replace(ready(), ledger=a_ledger(past=[life] * 3))

    assert verdicts(today)["trades_left_today"] is Verdict.REFUSE


def test_equity_is_kept_beside_its_openings() -> None:
    """RULES H2: None means not known, never zero."""
    assert Equity(d(1)).day is None
    assert ids(table("a  b\n1  x\n")) == ["x"]
