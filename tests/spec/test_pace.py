"""How long the loop waits: at once while something changes, soon while cover is missing (F11)."""

from __future__ import annotations

from typing import Any

import pytest

from engine.domain.action import Outcome, Plan
from engine.domain.condition import Condition
from engine.domain.position import Life
from engine.domain.terms import ActionClass, Fate
from engine.loop import IN_A_ROW_MAX, pace_ms
from engine.plan.proposal import cancel
from engine.tick import TickReport
from tests.builders import NOW, a_ledger, a_life, a_situation, an_entry, d, ids, table

INTERVAL_MS = 1_000
NAKED = a_life(uncovered_quantity=d("0.001"))


def a_report(*fates: str, life: Life | None = None, **condition: Any) -> TickReport:
    action = cancel(an_entry(), "rule", "reason", ActionClass.MANAGE)
    outcomes = tuple(Outcome(action, Fate(fate), NOW) for fate in fates)
    ledger = a_ledger(life)
    situation = a_situation(ledger=ledger, condition=Condition(**condition))
    return TickReport(NOW, (), situation, (), Plan(ledger), outcomes, ledger)


PACES = table("""
fates              life   row  wait  why
-                  none   0    1000  nothing to do
accepted           none   0    0     something changed: look again at once
unknown            none   0    0     something may have changed
accepted           none   10   250   ten in a row are enough
rejected           none   0    250   refused: soon, not at once
not_sent           none   0    250   held back at the door
rejected,accepted  none   0    0     one of them changed something
-                  naked  0    250   cover is missing
accepted           naked  0    0     and being restored
-                  open   0    1000  all is well
""")


@pytest.mark.parametrize("row", PACES, ids=ids(PACES))
def test_the_wait_after_a_tick(row: list[str]) -> None:
    """RULES F11, DESIGN section 2: at most ten in a row, then 250 ms, else the interval."""
    fates, kind, in_a_row, wait, _ = row
    life = {"none": None, "naked": NAKED, "open": a_life()}[kind]
    report = a_report(*(() if fates == "-" else fates.split(",")), life=life)

    assert pace_ms(report, INTERVAL_MS, int(in_a_row)) == int(wait)


def test_a_tick_that_could_not_run_waits_its_interval() -> None:
    """Lesson 30: no state without an exit, no loop without a pause."""
    assert pace_ms(None, INTERVAL_MS, 0) == INTERVAL_MS
    assert IN_A_ROW_MAX == 10


STRETCHES = table("""
used  wait  why
700   1000  calm
720   2000  thirty percent
960   3000  forty percent
""")


@pytest.mark.parametrize("row", STRETCHES, ids=ids(STRETCHES))
def test_the_tick_stretches_before_any_class_has_to_stop(row: list[str]) -> None:
    """RULES H4, lesson 38: 1, 2, 3 s first."""
    report = a_report(weight_used=int(row[0]), weight_limit=2_400)

    assert pace_ms(report, INTERVAL_MS, 0) == int(row[1])


def test_missing_cover_does_not_stretch() -> None:
    """RULES H4: the last part of the weight belongs to protection."""
    report = a_report(life=NAKED, weight_used=960)

    assert pace_ms(report, INTERVAL_MS, 0) == 250


def test_a_short_interval_is_never_lengthened() -> None:
    """The interval is the longest wait."""
    assert pace_ms(a_report("rejected"), 100, 0) == 100
