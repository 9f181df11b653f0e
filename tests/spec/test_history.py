"""What the exchange's history tells a ledger that is empty or behind (RULES D2, G3)."""

from __future__ import annotations

from dataclasses import replace

from engine.domain.identity import OrderRole
from engine.domain.ledger import PastLife
from engine.domain.limits import Limits
from engine.domain.observation import Fact, Observation
from engine.domain.order import Order
from engine.plan.planner import make_plan
from engine.reconcile.history import fold_history
from engine.reconcile.settle import reconcile
from tests.builders import (
    CANCELLED,
    FILLED,
    LONG,
    NOW,
    PRIMARY,
    a_decision,
    a_foreign_stop,
    a_ledger,
    a_life,
    a_situation,
    a_stop,
    an_entry,
    an_observation,
    an_order,
    placed,
    report_of,
)

EMPTY = a_ledger(history_read_ms=None)


def history(*orders: Order) -> Observation:
    told = tuple(report_of(o, updated_ms=o.finished_ms or 0) for o in orders)
    return replace(an_observation(), history=Fact(told, NOW))


def test_used_decisions_and_generations_come_back_without_a_store() -> None:
    """RULES D2, G3, lesson 22: ids carry generation and decision hash."""
    filled = an_entry(status=FILLED, filled="0.013", generation=3, finished_ms=NOW - 7_000_000)
    exit_ = an_order(
        PRIMARY, trigger=90_380, generation=3, status=FILLED, finished_ms=NOW - 3_600_000
    )
    unfilled = an_entry(status=CANCELLED, generation=4, finished_ms=NOW - 1_800_000)

    ledger = fold_history(EMPTY, history(filled, exit_, unfilled))

    assert ledger.generation == 4
    assert ledger.past == (
        PastLife(3, "7f3aq2", "", NOW - 7_000_000, NOW - 3_600_000, None, None, LONG),
        PastLife(4, "7f3aq2", "", None, NOW - 1_800_000, None, "recovered", LONG),
    )


def test_a_life_that_was_only_armed_leaves_its_number() -> None:
    """RULES G3: its ids are used up, its decision is not."""
    ledger = fold_history(EMPTY, history(a_stop(generation=9, status=CANCELLED)))

    assert (ledger.generation, ledger.past) == (9, ())


def test_the_open_books_count_too() -> None:
    """RULES G3: both open books; the store may be behind."""
    look = an_observation(reports=[report_of(a_stop(generation=12)), a_foreign_stop()])

    assert fold_history(a_ledger(generation=5), look).generation == 12


def test_what_the_ledger_knows_better_stays() -> None:
    """RULES D2: a life known with its reason is not replaced by a guess."""
    known = PastLife(3, "7f3aq2", "terms", 1, 2, None, None)
    ledger = a_ledger(a_life(generation=4), past=(known,))
    entries = [an_entry(status=FILLED, filled="0.013", generation=n) for n in (3, 4)]

    assert fold_history(ledger, history(*entries)).past == (known,)


def test_probes_are_no_lives() -> None:
    """RULES E9: a probe's id says what it was."""
    probe = an_order(OrderRole.PROBE, trigger=88_000, generation=7, status=CANCELLED)

    assert fold_history(EMPTY, history(probe)) == EMPTY


def test_nothing_enters_before_history_was_read() -> None:
    """RULES D2: with an empty store the 10:05 decision may have been used at 10:06."""
    unread, _ = reconcile(EMPTY, an_observation(), Limits())
    read, _ = reconcile(EMPTY, history(), Limits())
    look = an_observation()

    plans = [
        make_plan(
            a_situation(
                ledger=replace(x, settled_streak=2), decision=a_decision(), observation=look
            )
        )
        for x in (unread, read)
    ]

    assert (unread.history_read_ms, read.history_read_ms) == (None, NOW)
    assert [len(placed(plan)) for plan in plans] == [0, 1]


def test_the_decision_that_was_stopped_out_does_not_enter_again_from_an_empty_store() -> None:
    """RULES D2: stopped out 10:06, the 10:05 decision would re-enter two seconds later."""
    entry = an_entry(status=FILLED, filled="0.013", finished_ms=NOW - 30_000)
    stop = a_stop(status=FILLED, filled="0.013", finished_ms=NOW - 2_000)
    ledger, _ = reconcile(EMPTY, history(entry, stop), Limits())

    plan = make_plan(a_situation(ledger=replace(ledger, settled_streak=2), decision=a_decision()))

    refused = {g.code for g in plan.gates if g.verdict.value == "refuse"}
    assert placed(plan) == []
    assert {"decision_unused", "cooldown_over"} <= refused


def test_history_is_read_once() -> None:
    """RULES D2: the moment it was read stays."""
    ledger = a_ledger(history_read_ms=NOW - 5_000)

    again, _ = reconcile(ledger, history(), Limits())

    assert again.history_read_ms == NOW - 5_000
