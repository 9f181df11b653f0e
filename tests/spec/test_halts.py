"""Hard errors halt by themselves: entries stop until an operator resumes, protection goes on.

DESIGN section 7. What a later tick can mend by itself is no halt: the gates hold it while it lasts.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.domain.action import Halt
from engine.domain.condition import Condition, HaltReason
from engine.domain.observation import Failure, Topic
from engine.domain.situation import Situation
from engine.plan.halts import STANDS_MS, reasons_to_halt
from engine.plan.planner import make_plan
from tests.builders import (
    NOW,
    PRIMARY,
    REJECTED,
    a_decision,
    a_filled_entry,
    a_ledger,
    a_life,
    a_situation,
    a_stop,
    an_entry,
    cancelled,
    ids,
    placed,
    table,
)

CODES = table("""
code   halts               why
-1022  key_refused         the signature is not ours
-2014  key_refused         no key of this exchange
-2015  key_refused         key, address or right
-2023  account_restricted  the account is being liquidated
-4087  account_restricted  reduce-only right alone
-4109  account_restricted  inactive
-4192  account_restricted  cooling off
-4400  account_restricted  quantitative rules
-4411  account_restricted  quantitative rules
-1102  request_wrong       a parameter is missing
-1111  request_wrong       too many digits
-4014  request_wrong       off the tick
-4120  request_wrong       the wrong endpoint
-2019  -                   margin: the gate holds it while it lasts
-2021  -                   would trigger: the market's doing
-2022  -                   reduce-only refused: flat, or reserved
-1003  -                   too many requests: the exchange says until when
-1021  -                   the clock: measured again
-4061  -                   position mode: read again, and hedge mode has its own rule
-4116  -                   a duplicate: it exists
-4164  -                   too small: depends on price and size
-4412  -                   beyond the range of the rules
""")


def refused(code: int, ago_ms: int = 0) -> Situation:
    """Return a situation whose entry was refused with ``code`` a moment ago."""
    entry = replace(
        an_entry(status=REJECTED, code=code), finished_ms=NOW - ago_ms, note="the exchange's words"
    )
    return a_situation(ledger=a_ledger(a_life("0"), (a_stop(), entry)), decision=a_decision())


def halts_of(situation: Situation) -> list[str]:
    return [a.code for a in make_plan(situation).actions if isinstance(a, Halt)]


@pytest.mark.parametrize("row", CODES, ids=ids(CODES))
def test_a_refused_order_halts_by_its_code(row: list[str]) -> None:
    """What no other price, size or moment would change needs a person."""
    wanted = [] if row[1] == "-" else [row[1]]

    assert halts_of(refused(int(row[0]))) == wanted


def test_a_question_that_is_refused_for_the_key_halts() -> None:
    """Without a key nothing can be read either: the first look that says so is enough."""
    failure = Failure(Topic.POSITION, "rejected", -2015, "-2015 Invalid API-key")
    situation = a_situation(a_life(), failures=(failure, failure))

    (halt,) = [a for a in make_plan(situation).actions if isinstance(a, Halt)]

    assert (halt.code, halt.detail) == ("key_refused", "position: -2015 Invalid API-key")


def test_the_halt_says_which_order_and_what_the_exchange_said() -> None:
    """RULES B5: an operator must find the cause in the reason."""
    (reason,) = reasons_to_halt(refused(-4014))

    assert reason == HaltReason("request_wrong", "kp7f3aq2001e001: -4014 the exchange's words", NOW)


@pytest.mark.parametrize(("ago_ms", "stands"), [(STANDS_MS, True), (STANDS_MS + 1, False)])
def test_a_refusal_stands_for_ten_seconds(ago_ms: int, stands: bool) -> None:
    """After that a resume is not refused for it, and only a new refusal halts again."""
    assert bool(reasons_to_halt(refused(-4014, ago_ms))) is stands


def test_an_order_that_ended_in_another_way_halts_nothing() -> None:
    situation = a_situation(ledger=a_ledger(a_life(), (a_stop(code=-4014), a_filled_entry())))

    assert reasons_to_halt(situation) == ()


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param(Condition(halts=(HaltReason("request_wrong", "", 1),)), id="halted for it"),
        pytest.param(Condition(overruled=("request_wrong",)), id="an operator overruled it"),
    ],
)
def test_one_halt_a_code_and_none_against_the_operators_word(condition: Condition) -> None:
    """A forced resume holds until the reason has gone once."""
    assert halts_of(replace(refused(-4014), condition=condition)) == []


def test_the_plan_that_halts_enters_nothing_and_withdraws_what_works() -> None:
    """DESIGN 7: entries stop in the tick that saw it, not in the one after."""
    failure = Failure(Topic.ACCOUNT, "rejected", -2015, "-2015 Invalid API-key")
    ledger = a_ledger(a_life("0"), (a_stop(), an_entry()))

    plan = make_plan(a_situation(ledger=ledger, decision=a_decision(), failures=(failure,)))

    assert [str(i) for i in cancelled(plan)] == ["kp7f3aq2001e001"]
    assert plan.ledger.life is not None
    assert plan.ledger.life.withdrawing == "halted"


def test_protection_goes_on_under_every_halt() -> None:
    """RULES B6: when in doubt no entry, but always protection."""
    failure = Failure(Topic.ACCOUNT, "rejected", -2015, "-2015 Invalid API-key")

    plan = make_plan(a_situation(a_life(), failures=(failure,)))

    assert PRIMARY in [t.role for t in placed(plan)]
