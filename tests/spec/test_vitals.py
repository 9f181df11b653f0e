"""What a running keeper says of itself: health, troubles, and what became of the decision.

An operator reads this at night; it must not call ill what is well, nor well what is ill (RULES B5).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.domain.action import GateResult, Hold, Plan, Verdict
from engine.domain.condition import Condition, HaltReason
from engine.domain.ledger import NOT_SENT, PastLife
from engine.domain.limits import Limits, OrphanPolicy
from engine.domain.observation import Failure, Topic
from engine.domain.position import ExitReason, HedgedSide, Origin
from engine.domain.situation import Situation
from engine.domain.terms import Rights, Side
from engine.tick import TickReport
from engine.vitals import Process, health, troubles, vitals
from tests.builders import (
    HASH,
    NOW,
    a_decision,
    a_flat_decision,
    a_ledger,
    a_life,
    a_position,
    a_situation,
    a_stop,
    an_inbox,
    an_open_situation,
    d,
    ids,
    table,
)

PROCESS = Process("0.1.0", "paper", "BTCUSDT", 4711, NOW - 60_000, 1_000)
HALTED = (HaltReason("hard_error", "price filter", NOW),)


def a_report(situation: Situation | None = None, **plan: Any) -> TickReport:
    known = situation or a_situation(decision=a_decision())
    return TickReport(NOW, (), known, (), Plan(known.ledger, **plan), (), known.ledger)


def fields(situation: Situation | None = None, **plan: Any) -> dict[str, Any]:
    return vitals(a_report(situation, **plan), PROCESS, overruns=2)


def after(decision_id: str = HASH, withdrawn: str | None = None) -> Situation:
    past = PastLife(1, decision_id, "x", None, NOW - 1, None, withdrawn)
    return a_situation(ledger=a_ledger(past=(past,)), decision=a_decision())


def in_trouble(kind: str) -> Situation:
    """Return a situation with exactly one thing wrong."""
    conditions = {
        "halts": Condition(halts=HALTED),
        "store": Condition(is_store_writable=False),
        "lost": Condition(rights=Rights.NONE),
        "add_only": Condition(rights=Rights.ADD_ONLY),
        "clock": Condition(clock_error_ms=None),
        "breaker": Condition(is_breaker_open=True),
        "stuck": Condition(is_wire_stuck=True),
        "silence": Condition(blocked_until_ms=NOW + 6_500),
    }
    inboxes = {
        "folder": an_inbox(None, problem="not a folder"),
        "suspended": an_inbox(a_decision(), suspended_since_ms=NOW - 1),
    }
    calm = a_situation(condition=conditions.get(kind), inbox=inboxes.get(kind))
    match kind:
        case "position":
            return replace(calm, observation=replace(calm.observation, position=None))
        case "lists":
            failed = Failure(Topic.OPEN_ALGO_ORDERS, "unknown", 0, "timed out")
            look = replace(calm.observation, algo_orders=None).with_failure(failed)
            return replace(calm, observation=look)
        case "key":
            failed = Failure(Topic.ACCOUNT, "rejected", -2015, "-2015 Invalid API-key")
            return replace(calm, observation=calm.observation.with_failure(failed))
        case _:
            return of_the_position(kind, calm)


def of_the_position(kind: str, calm: Situation) -> Situation:
    """Return a situation in which something is wrong with what is held; else ``calm``."""
    theirs = a_life(origin=Origin.ORPHAN)
    found = {
        "uncovered": an_open_situation(life=a_life(uncovered_quantity=d("0.004"))),
        "orphan": an_open_situation(life=theirs),
        "ignored": an_open_situation(life=theirs, limits=Limits(orphan=OrphanPolicy.IGNORE)),
        "beside": replace(calm, ledger=replace(calm.ledger, beside=HedgedSide(2, Side.LONG))),
        "doubt": an_open_situation(a_stop(revision=2, doubtful_since_ms=NOW - 30_000)),
        "fallback": replace(calm, ledger=replace(calm.ledger, stop_while_flat=False)),
    }
    return found.get(kind, calm)


TROUBLES = table("""
kind       code                  health    why
none       -                     ok        nothing is wrong
halts      hard_error            halted    a halt stands
store      store_unwritable      degraded  the store is gone
lost       lease_lost            degraded  somebody else keeps the position
add_only   lease_lost            degraded  the lease store is gone
position   exchange_unreachable  degraded  the position could not be read
lists      exchange_unreachable  degraded  a list could not be read
clock      clock_unknown         degraded  exchange time was never measured
breaker    breaker_open          degraded  the exchange is in trouble
stuck      wire_stuck            degraded  calls hang where no deadline reaches them
silence    rate_limited          degraded  inside a 429 or 418 period
key        key_refused           degraded  the reason of a halt that this very tick asks for
folder     decisions_unreadable  degraded  the inbox cannot be read
suspended  suspended             degraded  a newer document is refused
uncovered  uncovered             degraded  part of the position has no stop
fallback   fallback_mode         degraded  the account takes no stop while flat
orphan     orphan_position       degraded  a position that is not ours
beside     orphan_position       degraded  one beside a life of ours that is not over
ignored    -                     ok        policy: it is nobody's business
doubt      cover_in_doubt        degraded  a stop was not shown for half a minute
""")


@pytest.mark.parametrize("row", TROUBLES, ids=ids(TROUBLES))
def test_each_trouble_has_its_code_and_its_state_of_health(row: list[str]) -> None:
    """RULES B5, B6: one thing wrong, one code; what stops entries is never called well."""
    kind, code, state, _ = row
    situation = in_trouble(kind)

    found = troubles(situation)

    assert [c for c, _ in found] == ([] if code == "-" else [code])
    assert all(words for _, words in found)
    assert health(situation, found) == state
    assert fields(situation)["health"] == state


def test_a_close_that_does_not_end_is_told_beside_the_halt_it_asks_for() -> None:
    """RULES F11: an alarm a minute; the halt speaks once."""
    life = replace(a_life(), closing=ExitReason.FLATTEN, closing_ms=NOW - 30_000)
    young = replace(life, closing_ms=NOW - 29_999)

    told = [code for code, _ in troubles(an_open_situation(life=life))]

    assert told == ["close_unfinished", "closing_for_long"]
    assert troubles(an_open_situation(life=young)) == ()


def test_an_unreachable_exchange_is_named_by_what_failed() -> None:
    """Lesson 37: the question and its failure, not just "error"."""
    (trouble,) = troubles(in_trouble("lists"))

    assert trouble[1] == "open_algo_orders: timed out"


def test_a_halt_outweighs_every_other_trouble() -> None:
    """An operator must resume; everything else may heal by itself."""
    situation = a_situation(condition=Condition(halts=HALTED, is_store_writable=False))

    assert fields(situation)["health"] == "halted"
    assert [t["code"] for t in fields(situation)["troubles"]] == [
        "hard_error",
        "store_unwritable",
    ]


REFUSED = (
    GateResult("spread_narrow", Verdict.REFUSE),
    GateResult("clock_in_step", Verdict.PASS),
    GateResult("drawdown_day", Verdict.REFUSE),
)

STATES = table("""
case      state    why
waiting   waiting  no gate refuses, nothing has begun
refused   refused  gates refuse it now
stale     stale    older than ten minutes
edge      waiting  exactly ten minutes old
using     used     the current life is its own
used      used     an earlier life was
not_sent  waiting  a life of which nothing left used nothing up
other     waiting  another decision's life
""")


@pytest.mark.parametrize("row", STATES, ids=ids(STATES))
def test_what_became_of_the_decision(row: list[str]) -> None:
    """RULES D2, E3: an operator asks why nothing is entered."""
    case, state, _ = row
    situations = {
        "stale": a_situation(decision=a_decision(made_ms=NOW - 600_001)),
        "edge": a_situation(decision=a_decision(made_ms=NOW - 600_000)),
        "using": a_situation(a_life("0"), decision=a_decision()),
        "used": after(),
        "not_sent": after(withdrawn=NOT_SENT),
        "other": after("other1"),
    }
    plan = {"gates": REFUSED} if case == "refused" else {}

    decision = fields(situations.get(case), **plan)["decision"]

    assert (decision["id"], decision["state"]) == (HASH, state)
    assert decision["refusals"] == (["spread_narrow", "drawdown_day"] if case == "refused" else [])


def test_without_a_decision_there_is_none_to_speak_of() -> None:
    assert fields(a_situation())["decision"] is None
    assert fields(a_situation(decision=a_flat_decision()))["decision"]["action"] == "flat"


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        (Condition(), True),
        (Condition(halts=HALTED), False),
        (Condition(rights=Rights.ADD_ONLY), False),
        (Condition(is_store_writable=False), False),
        (Condition(is_breaker_open=True), False),
    ],
    ids=["well", "halted", "add-only", "store gone", "breaker open"],
)
def test_entries_are_called_allowed_only_where_the_guards_allow_them(
    condition: Condition, allowed: bool
) -> None:
    """RULES B6, G5: what the guards would hold back is not allowed."""
    assert fields(a_situation(condition=condition))["entries_allowed"] is allowed


def test_the_rest_is_told_as_it_is() -> None:
    """Everything a status line needs, in its unit."""
    life = a_life()
    situation = an_open_situation(
        life=life,
        condition=Condition(tick=7, epoch=3, is_stream_up=True, weight_used=120),
        position=a_position(unrealized_pnl=d("1.5"), liquidation_price=d(61_000)),
    )

    told = fields(situation, holds=(Hold("tighten_stop", "min_step"),))

    expected = {
        "version": "0.1.0",
        "mode": "paper",
        "pid": 4711,
        "tick": 7,
        "last_tick_ms": NOW,
        "overruns": 2,
        "role": "active",
        "rights": "leased",
        "epoch": 3,
        "stream": "up",
        "breaker": "closed",
        "weight_used": 120,
        "is_store_ok": True,
        "phase": "open",
        "unrealized_pnl": d("1.5"),
        "liquidation_price": d(61_000),
        "holds": [{"rule": "tighten_stop", "reason": "min_step"}],
    }
    assert {key: told[key] for key in expected} == expected
