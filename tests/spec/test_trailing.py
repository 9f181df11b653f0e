"""Trailing: structure swings and the approach to a liquidation zone (RULES F8, F9)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from engine.domain.decision import TrailMode
from engine.domain.limits import Limits
from engine.domain.observation import Candle, Fact
from engine.domain.position import Life, Zone
from engine.domain.situation import Situation
from engine.domain.terms import Side
from engine.plan.trailing import approach_candidate, pivot, trail_candidates
from engine.reconcile.settle import reconcile
from tests.builders import (
    LONG,
    MINUTE_MS,
    NOW,
    SHORT,
    a_candle,
    a_decision,
    a_ledger,
    a_life,
    a_situation,
    an_inbox,
    an_instrument,
    d,
    ids,
    on,
    seen,
    table,
    the_usual_orders,
)

ZONE = Zone("cluster_1", d(92_300), d(92_500), given_id=True)
BTC = an_instrument()


def after_tp1(**changes: Any) -> Life:
    given = {"tp1_done_ms": NOW - 9_000, "zone": ZONE, "best_price": d(92_000), **changes}
    return a_life("0.007", **given)


APPROACH = table("""
best     level        why
91599    -            before the start: outside the approach
91600    91050.4      at the start, the whole 0.60 %
91950    91582.2      half way: 0.40 %
92300    92115.4      at the edge: 0.20 %
92450    92265.1      inside the zone the distance shrinks no further
""")


@pytest.mark.parametrize("row", APPROACH, ids=ids(APPROACH))
def test_the_distance_shrinks_from_trail_to_liq_trail(row: list[str]) -> None:
    """RULES F8: d = liq_trail + (trail - liq_trail) * clamp((edge - best)/(edge - start), 0, 1)."""
    best, level, _ = row

    found = approach_candidate(after_tp1(best_price=d(best)), Limits(), BTC)

    assert found == (None if level == "-" else d(level))


SHORT_APPROACH = table("""
best     level     why
90001    -         before the start
90000    90540     at the start, 0.60 % above
89700    89879.4   at the edge, 0.20 % above
89500    89679     beyond it
""")


@pytest.mark.parametrize("row", SHORT_APPROACH, ids=ids(SHORT_APPROACH))
def test_a_short_trails_mirrored(row: list[str]) -> None:
    """RULES F8: short mirrored: the near edge of the zone is its upper one."""
    best, level, _ = row
    zone = Zone("z", d(89_500), d(89_700), given_id=True)
    life = a_life(
        "0.007", side=SHORT, tp1_price=d(90_000), tp2_price=d(89_000), zone=zone, best_price=d(best)
    )

    found = approach_candidate(life, Limits(), BTC)

    assert found == (None if level == "-" else d(level))


STARTS = table("""
tp1    zone_low  best   why
90800  92300     90915  the approach begins 1.50 % before the edge, not at a TP1 far away
-      92300     90915  without TP1 likewise
""")


@pytest.mark.parametrize("row", STARTS, ids=ids(STARTS))
def test_the_approach_begins_at_tp1_or_nearer(row: list[str]) -> None:
    """RULES F8: start = TP1 or edge x (1 - approach_pct) if nearer."""
    tp1, _, best, _ = row
    price = None if tp1 == "-" else d(tp1)

    outside = approach_candidate(after_tp1(tp1_price=price, best_price=d(best)), Limits(), BTC)
    inside = approach_candidate(after_tp1(tp1_price=price, best_price=d(90_916)), Limits(), BTC)

    assert outside is None
    assert inside is not None


NO_APPROACH = table("""
kind     why
zone     no zone
best     no best price yet
behind   the zone lies behind TP2 and is never reached
before   the zone begins before the start
target   neither TP2 nor zone in reach
""")


@pytest.mark.parametrize("row", NO_APPROACH, ids=ids(NO_APPROACH))
def test_outside_the_approach_only_the_swing_counts(row: list[str]) -> None:
    """RULES F8, F9: no candidate comes from a zone that says nothing."""
    life = {
        "zone": after_tp1(zone=None),
        "best": after_tp1(best_price=None),
        "behind": after_tp1(zone=Zone("z", d(92_950), d(93_000), given_id=True)),
        "before": after_tp1(zone=Zone("z", d(91_600), d(91_700), given_id=True)),
        "target": after_tp1(zone=Zone("z", d(91_500), d(91_550), given_id=True), tp2_price=None),
    }[row[0]]

    assert approach_candidate(life, Limits(), BTC) is None


def lows(*values: int) -> list[Candle]:
    return [
        a_candle(value + 20, index - len(values), low=value, high=value + 40)
        for index, value in enumerate(values, start=1)
    ]


PIVOTS = table("""
lows                                why            pivot
100,90,80,70,80,90,100,110          in the middle  70
100,90,80,70,80,90,100,60,110       open candle    70
70,80,90,100,110,120,130,140        only falling   -
100,90,80,70,70,90,100,110          not strictly   -
90,80,70,80,90,60,90,95,99,100      the latest     60
100,90,70,80                        too few        -
""")


@pytest.mark.parametrize("row", PIVOTS, ids=[row[1] for row in PIVOTS])
def test_a_pivot_is_the_latest_low_among_its_closed_neighbours(row: list[str]) -> None:
    """RULES F8: below the lows of the k closed candles on each side; highs for shorts."""
    values, _, expected = row
    candles = lows(*(int(v) for v in values.split(",")))
    mirrored = [
        replace(c, low=d(1_000) - c.high, high=d(1_000) - c.low, close=d(1_000) - c.close)
        for c in candles
    ]

    long, short = pivot(LONG, candles, 3), pivot(SHORT, mirrored, 3)

    assert long == (None if expected == "-" else d(expected))
    assert short == (None if expected == "-" else d(1_000) - d(expected))


def trailing(price: str = "91800", *, side: Side = LONG, **changes: Any) -> Situation:
    candles = changes.pop("candles", None)
    inbox = changes.pop("inbox", an_inbox())
    given = {"tp1_done_ms": NOW - 9_000, "swing_made_ms": NOW - 40_000, **changes}
    situation = a_situation(
        a_life("0.007", side=side, **given), the_usual_orders(side), inbox=inbox, price=price
    )
    if candles is None:
        return situation
    look = replace(situation.observation, candles=Fact(tuple(candles), NOW))
    return replace(situation, observation=look)


def swings(situation: Situation) -> list[Decimal]:
    return trail_candidates(situation)


SWINGS = table("""
swing     age     level    why
91200     600000  91200    the decision's while it is fresh
91200     600001  -        stale, and no pivot yet
91781.6   60000   91781.6  just min_gap below the price
91781.7   60000   -        nearer than min_gap
91200.05  60000   91200.1  rounded toward less risk
-         60000   -        none given
""")


@pytest.mark.parametrize("row", SWINGS, ids=ids(SWINGS))
def test_the_swing_of_the_decision_while_it_is_fresh(row: list[str]) -> None:
    """RULES F8: on the stop side by min_gap, else pivots."""
    swing, age, level, _ = row
    situation = trailing(swing=None if swing == "-" else d(swing), swing_made_ms=NOW - int(age))

    assert swings(situation) == ([] if level == "-" else [d(level)])


def test_a_newer_decisions_swing_replaces_the_old_one() -> None:
    """RULES F10: it refines."""
    newer = a_decision(id="newer1", made_ms=NOW - 5_000, swing_low=d(91_300))
    other = a_decision(SHORT, id="newer2", made_ms=NOW - 5_000, swing_low=d(91_300))

    assert swings(trailing(swing=d(91_200), inbox=an_inbox(newer))) == [d(91_300)]
    assert swings(trailing(swing=d(91_200), inbox=an_inbox(other))) == [d(91_200)]


def pivoting() -> list[Candle]:
    """Return candles since the fill whose low is 91100."""
    values = (91_400, 91_300, 91_200, 91_100, 91_200, 91_300, 91_400, 91_780)
    return [a_candle(v + 20, i - len(values) + 1, low=v, high=v + 40) for i, v in enumerate(values)]


def test_without_a_swing_the_last_pivot_since_the_fill_counts() -> None:
    """RULES F8: a restart computes the same, from the exchange's candles."""
    old = trailing(candles=pivoting(), opened_ms=NOW - 10 * MINUTE_MS)
    young = trailing(candles=pivoting(), opened_ms=NOW - MINUTE_MS)

    assert (swings(old), swings(young)) == ([d(91_100)], [])


SILENT = table("""
kind      why
tp1       before TP1
disabled  trailing is off
candles   no candles
filters   no filters
""")


@pytest.mark.parametrize("row", SILENT, ids=ids(SILENT))
def test_when_nothing_trails(row: list[str]) -> None:
    """RULES F8: before TP1, where it is off, and where nothing is known."""
    kind = row[0]
    changes: dict[str, dict[str, Any]] = {
        "tp1": {"tp1_done_ms": None},
        "disabled": {"is_trailing_enabled": False},
    }
    situation = trailing(swing=d(91_200), **changes.get(kind, {}))
    look = situation.observation
    looks = {"candles": replace(look, candles=None), "filters": replace(look, instrument=None)}

    assert swings(replace(situation, observation=looks.get(kind, look))) == []


MODES = table("""
mode                count  why
structure_plus_liq  2      both
structure           1      the swing alone
liq                 1      the approach alone
""")


@pytest.mark.parametrize("row", MODES, ids=ids(MODES))
def test_the_mode_says_what_may_move_the_stop(row: list[str]) -> None:
    """DESIGN section 3: trail_mode."""
    situation = trailing(
        "92000", swing=d(91_200), zone=ZONE, best_price=d(92_000), trail_mode=TrailMode(row[0])
    )

    assert len(swings(situation)) == int(row[1])


def test_the_best_price_is_the_extreme_since_the_fill() -> None:
    """RULES F8: whole candles from the minute after the fill, its own only through looks."""
    life = a_life(opened_ms=NOW - 90_000, best_price=d(90_900), worst_price=d(90_700))
    ledger = a_ledger(life, the_usual_orders())
    candles = (
        a_candle(90_800, -2, low=90_000, high=95_000),
        a_candle(90_800, -1, low=90_650, high=91_050),
        a_candle(90_800, 0, low=90_780, high=90_990),
    )
    look = replace(seen(ledger), candles=Fact(candles, NOW))

    reconciled, _ = reconcile(ledger, look, Limits())

    assert reconciled.life is not None
    assert (reconciled.life.best_price, reconciled.life.worst_price) == (d(91_050), d(90_650))


def test_without_candles_the_entry_price_is_the_best_known() -> None:
    """RULES F8: nothing is invented."""
    ledger = a_ledger(a_life(side=SHORT), the_usual_orders(SHORT))
    look = replace(seen(ledger), candles=None)

    reconciled, _ = reconcile(ledger, look, Limits())

    assert reconciled.life is not None
    assert reconciled.life.best_price == on(SHORT, "90743.3")
