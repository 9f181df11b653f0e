"""How much of a position its stops reach, at which level, for how long (RULES A1 to A3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.domain.cover import CoverStop, cover_of, is_behind, is_covering
from engine.domain.drift import DriftKind
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.order import OrderReport, OrderStatus
from engine.domain.position import Life, Origin
from engine.domain.terms import OrderSide, OrderType, Side
from engine.reconcile.life import current_cover
from engine.reconcile.settle import reconcile
from tests.builders import (
    CANCELLED,
    FILLED,
    LONG,
    NOW,
    PRIMARY,
    SHORT,
    TRIGGERED,
    TRIGGERING,
    a_fill,
    a_filled_entry,
    a_floor,
    a_foreign_stop,
    a_ledger,
    a_life,
    a_position,
    a_stop,
    a_tp1,
    d,
    ids,
    on,
    report_of,
    seen,
    table,
)

LIMITS = Limits()
GRACE_MS = 2_000

COVERING = table("""
order             covers  why
stop              yes     reduce-only quantity, exit side, NEW
floor             yes     closePosition
foreign           yes     whoever owns it
triggering        yes     for less than the grace
triggered         yes     for less than the grace
stuck             no      for the whole grace
plain             no      neither reduce-only nor closePosition
entry_side        no      the wrong side
stop_limit        no      may not fill (lesson 14)
trailing          no      its level is not ours to know
target            no      a target
no_trigger        no      nothing to fire on
cancelled         no      over
""")


@pytest.mark.parametrize("row", COVERING, ids=ids(COVERING))
def test_what_counts_as_a_covering_order(row: list[str]) -> None:
    """RULES A1, lessons 6, 14: exit-side STOP_MARKET that can only reduce."""
    stop = report_of(a_stop(), updated_ms=NOW)
    report: OrderReport = {
        "stop": stop,
        "floor": report_of(a_floor()),
        "foreign": a_foreign_stop(),
        "triggering": replace(stop, status=TRIGGERING, updated_ms=NOW - 1_999),
        "triggered": replace(stop, status=TRIGGERED, updated_ms=NOW - 1_999),
        "stuck": replace(stop, status=TRIGGERING, updated_ms=NOW - 2_000),
        "plain": replace(stop, reduce_only=False),
        "entry_side": replace(stop, side=OrderSide.BUY),
        "stop_limit": replace(stop, type=OrderType.STOP),
        "trailing": replace(stop, type=OrderType.TRAILING_STOP_MARKET),
        "target": report_of(a_tp1()),
        "no_trigger": replace(stop, trigger_price=None),
        "cancelled": replace(stop, status=CANCELLED),
    }[row[0]]

    assert is_covering(report, LONG.closing, NOW, GRACE_MS) is (row[1] == "yes")


LEVELS = table("""
side   stops                      covered  level  why
long   90400/0.013                0.013    90400  one for everything
long   90400/0.013,90500/0.013    0.013    90500  the tightest first
long   90400/0.013,90500/0.004    0.013    90400  the worst that is needed
long   90500/0.004                0.004    90500  a part
long   90000/all,90500/0.004      0.013    90000  closePosition takes what is left
long   -                          0        -      nothing
short  91600/0.013,91500/0.013    0.013    91500  mirrored
short  91600/all,91500/0.004      0.013    91600  mirrored
long   90400/0.013,90400/0.013    0.013    90400  two of one level
""")


@pytest.mark.parametrize("row", LEVELS, ids=ids(LEVELS))
def test_cover_and_its_level(row: list[str]) -> None:
    """RULES A2, A3: tightest first until the full quantity is reached."""
    side, stops, covered, level, _ = row
    found = []
    for text in stops.split(",") if stops != "-" else []:
        price, quantity = text.split("/")
        found.append(CoverStop(d(price), None if quantity == "all" else d(quantity)))

    cover = cover_of(Side(side), d("0.013"), found)

    assert (cover.quantity, cover.level) == (d(covered), None if level == "-" else d(level))


def test_a_price_at_the_level_is_behind_it() -> None:
    """A stop fires when price reaches its trigger, not only beyond."""
    assert is_behind(LONG, d(90_380), d(90_380))
    assert not is_behind(LONG, d(90_380), d("90380.1"))
    assert is_behind(SHORT, d(91_620), d("91620.1"))


SEEN = table("""
order      covered  why
listed     0.013    seen resting
unlisted   0.013    doubtful is not uncovered
cancelled  0        ended
fires      0.013    fires, not listed any more
fired      0        fired too long ago
wrong      0        on the entry side
""")


@pytest.mark.parametrize("row", SEEN, ids=ids(SEEN))
def test_cover_is_what_is_listed_and_what_nothing_ended(row: list[str]) -> None:
    """RULES C1: an amnesiac list does not uncover a position."""
    stop = {
        "listed": a_stop(),
        "unlisted": a_stop(doubtful_since_ms=NOW - 400_000),
        "cancelled": a_stop(status=CANCELLED),
        "fires": a_stop(status=TRIGGERING, triggered_ms=NOW - 1_999),
        "fired": a_stop(status=TRIGGERING, triggered_ms=NOW - 2_000),
        "wrong": a_stop(side=SHORT),
    }[row[0]]
    ledger = a_ledger(a_life(), (stop,))
    look = seen(ledger, reports=[report_of(stop)] if row[0] == "listed" else [])

    assert current_cover(ledger, look, LIMITS).quantity == d(row[1])


def test_a_list_that_was_not_read_leaves_the_ledgers_evidence() -> None:
    """RULES A2: from our own evidence where the list is not known."""
    ledger = a_ledger(a_life(), (a_stop(),))

    cover = current_cover(ledger, seen(ledger, algo_orders=None), LIMITS)

    assert cover.quantity == d("0.013")
    assert current_cover(a_ledger(), seen(a_ledger()), LIMITS).level is None


def after(ledger: Ledger, **changes: Any) -> Life:
    reconciled, _ = reconcile(ledger, seen(ledger, **changes), LIMITS)
    assert reconciled.life is not None
    return reconciled.life


NAKED = table("""
case          naked_ms  why
first         50000     no stop ever rested: since the first fill
removed       900       since the exchange ended the stop
moved_away    700       since we know the stop ended
added         400       since the fill that enlarged it
imported      0         what was before it was found is not known
going_on      1000      since it was accounted last
covered       0         nothing to count
""")


@pytest.mark.parametrize("row", NAKED, ids=ids(NAKED))
def test_naked_time_runs_from_when_the_cover_went(row: list[str]) -> None:
    """RULES A2: the integral of naked quantity, in exchange time."""
    ended = a_stop(status=CANCELLED, finished_ms=NOW - 700)
    life = a_life()
    cases: dict[str, tuple[Ledger, dict[str, Any]]] = {
        "first": (a_ledger(life, (a_filled_entry(),)), {}),
        "removed": (
            a_ledger(life, (a_stop(),)),
            {
                "reports": [],
                "lookups": [report_of(a_stop(), status=CANCELLED, updated_ms=NOW - 900)],
            },
        ),
        "moved_away": (a_ledger(life, (ended,)), {}),
        "added": (
            a_ledger(
                life,
                (a_stop(),),
                fills=(a_fill(), a_fill(number=2, quantity="0.007", at_ms=NOW - 400)),
            ),
            {"position": a_position("0.020")},
        ),
        "imported": (a_ledger(replace(life, origin=Origin.IMPORTED), (ended,)), {}),
        "going_on": (
            a_ledger(
                replace(life, uncovered_quantity=d("0.013"), accounted_ms=NOW - 1_000), (ended,)
            ),
            {},
        ),
        "covered": (a_ledger(life, (a_stop(),)), {}),
    }
    ledger, changes = cases[row[0]]

    found = after(ledger, **changes)

    assert found.naked_ms == int(row[1])
    assert (found.accounted_ms is None) is (row[0] == "covered")


def test_naked_quantity_is_integrated() -> None:
    """RULES A2: quantity times seconds."""
    life = a_life(uncovered_quantity=d("0.004"), accounted_ms=NOW - 2_500)
    ledger = a_ledger(life, (a_stop(quantity="0.009"),))

    found = after(ledger)

    assert (found.naked_quantity_s, found.uncovered_quantity) == (d("0.01"), d("0.004"))


def test_cover_that_is_too_small_is_said_once() -> None:
    """DESIGN section 5: one drift, when it begins."""
    ledger = a_ledger(a_life(), (a_stop(quantity="0.009"),))

    begun, drifts = reconcile(ledger, seen(ledger), LIMITS)
    _, again = reconcile(begun, seen(begun), LIMITS)

    assert [x.kind for x in drifts] == [DriftKind.COVER_TOO_SMALL]
    assert [x.kind for x in again] == []


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_loose_time_is_counted_while_the_cover_is_wider_than_the_level_in_force(
    side: Side,
) -> None:
    """RULES A3: the second clock; covered, but not where it should be."""
    life = a_life(side=side, stop_level=on(side, 90_500))
    ledger = a_ledger(life, (a_stop(on(side, 90_380), side=side),))
    begun, drifts = reconcile(ledger, seen(ledger), LIMITS)
    later, _ = reconcile(begun, seen(begun, now=NOW + 1_500), LIMITS)

    assert [x.kind for x in drifts] == [DriftKind.COVER_LOOSE]
    assert begun.life is not None
    assert later.life is not None
    assert (begun.life.is_loose, begun.life.loose_ms) == (True, 0)
    assert (later.life.loose_ms, later.life.naked_ms) == (1_500, 0)


def test_a_tighter_foreign_stop_is_cover_but_not_relied_on() -> None:
    """DESIGN section 5: left alone."""
    ledger = a_ledger(a_life(), (a_filled_entry(),))

    found = after(ledger, reports=[a_foreign_stop()])

    assert (found.uncovered_quantity, found.is_loose) == (d(0), False)


def test_closed_and_armed_lives_have_no_naked_time() -> None:
    """RULES A2: no position, nothing naked."""
    for life in (a_life("0"), a_life("0", opened_ms=NOW - 9_000, closed_ms=NOW - 1_000)):
        assert after(a_ledger(life, fills=())).naked_ms == 0


def test_a_stop_that_executed_is_no_cover() -> None:
    """RULES A1: FILLED is over, whatever the position still reads."""
    ledger = a_ledger(a_life(), (a_stop(status=FILLED, filled="0.013"),))

    assert current_cover(ledger, seen(ledger), LIMITS).quantity == d(0)
    assert OrderStatus.FILLED.is_final
    assert a_stop().role is PRIMARY
