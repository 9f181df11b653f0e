"""How long the loop waits: at once while something changes, soon while cover is missing (F11)."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from engine.domain.action import Outcome, Plan
from engine.domain.condition import Condition
from engine.domain.position import Life
from engine.domain.terms import ActionClass, Fate
from engine.loop import IN_A_ROW_MAX, Loop, Reasons, floor_ms, monotonic_ms, pace_ms
from engine.plan.proposal import cancel
from engine.tick import TickReport
from tests.builders import (
    NOW,
    TRIGGERING,
    a_filled_entry,
    a_ledger,
    a_life,
    a_situation,
    a_stop,
    an_entry,
    d,
    ids,
    table,
)

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


FIRING = table("""
since_ms  quantity  wait  why
0         0.013     250   it has just begun to fire: its end is near
1999      0.013     250   still within the grace in which it counts as cover
2000      0.013     1000  it is no cover any more: what replaces it decides
0         0         1000  nothing is held
""")


@pytest.mark.parametrize("row", FIRING, ids=ids(FIRING))
def test_a_stop_that_hangs_in_its_trigger_is_watched(row: list[str]) -> None:
    """RULES A1, B1: cover for a grace of two seconds, which must not end between two looks."""
    since_ms, quantity, wait, _ = row
    stop = a_stop(status=TRIGGERING, triggered_ms=NOW - int(since_ms))
    ledger = a_ledger(a_life(quantity), (a_filled_entry(), stop))
    situation = a_situation(ledger=ledger)
    report = TickReport(NOW, (), situation, (), Plan(ledger), (), ledger)

    assert pace_ms(report, INTERVAL_MS, 0) == int(wait)


def test_a_tick_that_could_not_run_waits_its_interval() -> None:
    """Lesson 30: no state without an exit, no loop without a pause."""
    assert pace_ms(None, INTERVAL_MS, 0) == INTERVAL_MS
    assert IN_A_ROW_MAX == 10


STRETCHES = table("""
used  limit  wait   why
700   2400   1000   calm
720   2400   2000   thirty percent
960   2400   3000   forty percent
2200  2400   7500   8 looks are left for the minute
2390  2400   60000  none is left
40    240    1000   a tenth of the budget: calm
72    240    2000   thirty percent
96    240    4615   13 looks are left for the minute
185   240    15000  4 looks are left
210   240    60000  one look is left, for what is urgent
""")


@pytest.mark.parametrize("row", STRETCHES, ids=ids(STRETCHES))
def test_the_tick_stretches_before_any_class_has_to_stop(row: list[str]) -> None:
    """RULES H4, lesson 38: 1, 2, 3 s first."""
    report = a_report(weight_used=int(row[0]), weight_limit=int(row[1]))

    assert pace_ms(report, INTERVAL_MS, 0) == int(row[2])


def test_missing_cover_does_not_stretch_until_weight_is_scarce() -> None:
    """RULES H4: the last fifth of the weight belongs to protection, and must last the minute."""
    assert pace_ms(a_report(life=NAKED, weight_used=1_919), INTERVAL_MS, 0) == 250
    assert pace_ms(a_report(life=NAKED, weight_used=1_920), INTERVAL_MS, 0) == 60_000 // 46


def test_what_changed_is_looked_at_at_once_while_there_is_weight() -> None:
    """DESIGN section 2, RULES H4: ten looks in a row are a tenth of a small budget's half."""
    assert pace_ms(a_report("accepted", weight_used=959), INTERVAL_MS, 0) == 0
    assert pace_ms(a_report("accepted", weight_used=960), INTERVAL_MS, 0) == 250


FLOORS = table("""
used  floor  why
0     0      plenty: a push starts a tick at once
959   0      still plenty
960   250    sparing
1919  250    sparing
1920  1304   scarce: 46 looks are left for the minute
2399  60000  nothing is left until the next minute
""")


@pytest.mark.parametrize("row", FLOORS, ids=ids(FLOORS))
def test_a_flood_of_reasons_does_not_spend_the_minutes_weight(row: list[str]) -> None:
    """RULES H4, lesson 32: pushes are hints; what they wake costs weight."""
    assert floor_ms(a_report(weight_used=int(row[0]))) == int(row[1])


def test_a_tick_that_could_not_run_is_not_repeated_by_every_reason() -> None:
    assert floor_ms(None) == 250


class Ticker:
    """Counts ticks of a keeper whose weight is nearly spent, and floods its loop with reasons."""

    def __init__(self, weight_used: int) -> None:
        self.reasons = Reasons()
        self.loop = Loop(self.tick, self.reasons, interval_ms=100)
        self.report = a_report(weight_used=weight_used)
        self.seen: list[tuple[str, ...]] = []

    def tick(self, reasons: tuple[str, ...]) -> TickReport:
        self.seen.append(reasons)
        for number in range(3):
            self.reasons.put(f"stream:{number}")
        return self.report


@pytest.mark.parametrize(("used", "least_ms"), [(0, 0), (960, 500)])
def test_reasons_that_came_too_soon_are_kept_for_the_next_tick(used: int, least_ms: int) -> None:
    """DESIGN section 2: no reason is lost, whatever holds the tick back."""
    ticker = Ticker(used)
    begun_ms = monotonic_ms()

    ticker.loop.run(3)

    assert monotonic_ms() - begun_ms >= least_ms
    assert ticker.seen == [("start",), *[("stream:0", "stream:1", "stream:2")] * 2]


def test_the_end_does_not_wait_for_weight() -> None:
    """A signal ends a keeper whose weight is spent as quickly as any other."""
    ticker = Ticker(2_399)
    ticker.reasons.put("stream:x")
    threading.Timer(0.05, ticker.loop.stop).start()
    begun_ms = monotonic_ms()

    ticker.loop.run()

    assert monotonic_ms() - begun_ms < 5_000


def test_a_short_interval_is_never_lengthened() -> None:
    """The interval is the longest wait."""
    assert pace_ms(a_report("rejected"), 100, 0) == 100
