"""Leverage, margin type and filters that another hand changed (DESIGN section 5, RULES E4, H1, E2).

Each change is named once and everything that depends on it is derived anew: entries that no longer
fit are withdrawn, stops are laid on the tick there is now.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from engine.domain.drift import Drift
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.observation import Fact, Observation, SymbolConfig
from engine.domain.position import Life, Origin
from engine.domain.situation import Situation
from engine.domain.terms import Side
from engine.plan.liquidation import Prospect, liquidation_room
from engine.plan.planner import make_plan
from engine.reconcile.settings import fold_settings
from tests.builders import (
    BRACKETS,
    FLOOR,
    LONG,
    NOW,
    PRIMARY,
    SHORT,
    a_decision,
    a_floor,
    a_ledger,
    a_life,
    a_situation,
    a_stop,
    an_entry,
    an_instrument,
    an_observation,
    cancelled,
    d,
    ids,
    on,
    placed,
    table,
    the_usual_orders,
)

both_sides = pytest.mark.parametrize("side", [LONG, SHORT])


def look(leverage: int = 3, *, isolated: bool = True, **changes: Any) -> Observation:
    config = Fact(SymbolConfig(leverage, is_isolated=isolated), NOW)
    return an_observation(**{"symbol_config": config, **changes})


def kinds(drifts: list[Drift]) -> list[str]:
    return [f"{drift.kind}: {drift.detail}" for drift in drifts]


LEVERAGES = table("""
origin    seen  now  told
decision  -     3    nothing
decision  -     5    leverage_changed: from 3 to 5
decision  5     5    nothing
decision  5     3    leverage_changed: from 5 to 3
imported  -     5    nothing
imported  5     7    leverage_changed: from 5 to 7
orphan    -     5    nothing
""")


@pytest.mark.parametrize("row", LEVERAGES, ids=[" ".join(row[:3]) for row in LEVERAGES])
def test_a_changed_leverage_is_named_once(row: list[str]) -> None:
    """DESIGN 5: of a life that was found, the first one read is no change."""
    origin, seen, now, *told = row
    before = None if seen == "-" else int(seen)
    life = a_life(origin=Origin(origin), seen_leverage=before)
    ledger = a_ledger(life, filters=FILTERS)

    after, drifts = fold_settings(ledger, look(int(now)))

    assert kinds(drifts) == ([] if told == ["nothing"] else [" ".join(told)])
    assert after.life is not None
    assert after.life.seen_leverage == int(now)
    assert fold_settings(after, look(int(now))) == (after, [])


def test_a_changed_margin_type_is_named_once() -> None:
    """DESIGN 5: only positions and regular orders keep the exchange from it (-4047, -4048)."""
    ledger = a_ledger(a_life("0", seen_isolated=True, seen_leverage=3), filters=FILTERS)

    after, drifts = fold_settings(ledger, look(isolated=False))
    back, again = fold_settings(after, look(isolated=True))

    assert kinds(drifts) == ["margin_type_changed: from isolated to cross"]
    assert kinds(again) == ["margin_type_changed: from cross to isolated"]
    assert fold_settings(back, look()) == (back, [])


@pytest.mark.parametrize("case", ["no life", "closed", "not read", "read before it began"])
def test_what_was_read_before_a_life_was_set_for_it(case: str) -> None:
    """RULES E4: margin type and leverage are set and read back before anything is armed."""
    life: Life | None = None if case == "no life" else a_life()
    if case == "closed":
        life = a_life(closed_ms=NOW - 1)
    seen = look(9, isolated=False)
    if case == "not read":
        seen = replace(seen, symbol_config=None)
    if case == "read before it began":
        assert life is not None
        config = Fact(SymbolConfig(9, is_isolated=False), life.armed_ms)
        seen = replace(seen, symbol_config=config)
    ledger = a_ledger(life, filters=FILTERS)

    assert fold_settings(ledger, seen) == (ledger, [])


FILTERS = "tick 0.1, step 0.001, quantity 0.001..120, notional 50"


def test_changed_filters_are_named_once() -> None:
    """DESIGN 5: with both, so that an operator sees what happened to his orders."""
    listed = replace(an_instrument(), tick_size=d("0.5"))
    first, of_first = fold_settings(Ledger(), look())

    second, of_second = fold_settings(first, look(instrument=Fact(listed, NOW)))

    assert (first.filters, of_first) == (FILTERS, [])
    assert kinds(of_second) == [f"filters_changed: from {FILTERS} to {second.filters}"]
    assert fold_settings(second, look(instrument=Fact(listed, NOW))) == (second, [])
    assert fold_settings(second, look(instrument=None)) == (second, [])


def entering(
    seen: int | None, *, isolated: bool | None = True, side: Side = LONG, **changes: Any
) -> Situation:
    """Return a working entry behind its armed stop, with these settings read."""
    life = a_life("0", side=side, seen_leverage=seen, seen_isolated=isolated)
    orders = (
        an_entry(side=side, price=on(side, "90743.3")),
        a_stop(on(side, 90_380), side=side),
    )
    return a_situation(life, orders, decision=a_decision(side), **changes)


FITTING = table("""
seen   isolated  cap  fits  why
3      yes       10   yes   nothing changed
-      -         10   yes   nothing was read yet
2      yes       10   yes   liquidation moved away
7      yes       10   yes   the stop still lies well before liquidation
11     yes       10   no    above the cap of ten
80     yes       125  no    the stop comes too near to liquidation
3      no        10   no    cross margin risks the whole wallet
-      no        10   no    and so it does where leverage was not read
""")


@both_sides
@pytest.mark.parametrize("row", FITTING, ids=ids(FITTING))
def test_an_entry_that_no_longer_fits_its_settings_is_withdrawn(row: list[str], side: Side) -> None:
    """RULES E4, H1, E5: neither setting is touched beside an order, so the order goes."""
    seen, isolated, cap, fits, _ = row
    situation = entering(
        None if seen == "-" else int(seen),
        isolated=None if isolated == "-" else isolated == "yes",
        side=side,
        limits=Limits(leverage_max=int(cap)),
    )

    plan = make_plan(situation)

    life = plan.ledger.life
    assert life is not None
    assert life.withdrawing == (None if fits == "yes" else "settings_changed")
    assert len(cancelled(plan)) == (0 if fits == "yes" else 1)


def test_without_brackets_another_leverage_is_not_trusted() -> None:
    """RULES H1: a missing number is not a large one."""
    situation = entering(7)
    blind = replace(situation, observation=replace(situation.observation, brackets=None))

    life = make_plan(blind).ledger.life

    assert life is not None
    assert life.withdrawing == "settings_changed"


def test_room_before_liquidation_is_half_the_way_to_the_stop_or_the_buffer() -> None:
    """RULES H1: the larger of the two."""
    situation = a_situation()
    near = liquidation_room(situation, Prospect(LONG, d(90_000), d(89_500), d("0.013"), 3))
    far = liquidation_room(situation, Prospect(LONG, d(90_000), d(80_000), d("0.013"), 3))
    none = liquidation_room(situation, Prospect(LONG, d(90_000), d(80_000), d("0.013"), 0))

    assert near is not None
    assert far is not None
    assert (near.needed, far.needed, none) == (d(450), d(5_000), None)
    assert BRACKETS[0].leverage_max == 125


@both_sides
def test_a_stop_is_restored_on_the_tick_there_is_now(side: Side) -> None:
    """RULES B2, E2: at the level in force, or as little tighter as the exchange asks for."""
    level = on(side, "90806.9")
    life = a_life(side=side, stop_level=level, initial_stop=on(side, "90380.3"))
    listed = Fact(replace(an_instrument(), tick_size=d("0.5")), NOW)
    orders = [o for o in the_usual_orders(side) if o.role not in (PRIMARY, FLOOR)]
    situation = a_situation(life, orders, price=on(side, 91_200), instrument=listed)

    plan = make_plan(situation)

    def tick(price: Decimal) -> Decimal:
        return listed.value.price_toward_less_risk(side, price)

    stops = {t.role: t.trigger_price for t in placed(plan) if t.role in (PRIMARY, FLOOR)}
    assert stops == {PRIMARY: tick(level), FLOOR: tick(on(side, "90380.3"))}
    assert not side.is_tighter(level, tick(level))
    assert tick(level) != level


def test_with_filters_unread_the_level_in_force_is_restored_as_it_was() -> None:
    """DESIGN 1: when in doubt no entry, but always protection."""
    life = a_life(stop_level=d("90806.9"))
    orders = [o for o in the_usual_orders() if o.role is not PRIMARY]
    situation = a_situation(life, (*orders, a_floor()), price=91_200, instrument=None)

    assert [t.trigger_price for t in placed(make_plan(situation), PRIMARY)] == [d("90806.9")]
    assert situation.limits == Limits()
