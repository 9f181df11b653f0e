"""`keeper adopt`: a position that is not ours becomes one that is managed (RULES G1, lesson 18).

Its level is that of the stop that protects it; its targets are those of a fresh decision of its
side, or none. Nothing that was decided before closes it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.domain.action import PlaceOrder
from engine.domain.condition import Command, Condition, OperatorCommand
from engine.domain.identity import FOREIGN_HASH, ClientOrderId
from engine.domain.limits import Limits, OrphanPolicy
from engine.domain.order import Order
from engine.domain.position import ExitReason, Life, Origin
from engine.domain.situation import Situation
from engine.domain.terms import Phase, Side, WorkingPrice
from engine.exchange.clearance import CHECKS
from engine.exchange.cover import Grounds
from engine.plan.planner import make_plan
from engine.read.documents import moment_of
from engine.simulation.checkers import History, naked_windows, never_widened
from engine.simulation.draw import START_MS
from engine.simulation.log import read_log
from engine.simulation.world import World
from engine.venue.api import Venue
from engine.venue.settings import InitialPosition, VenueSettings
from tests.builders import (
    DOCUMENT,
    FLOOR,
    LONG,
    NOW,
    PRIMARY,
    SHORT,
    TP1,
    TP2,
    UNKNOWN,
    a_decision,
    a_flat_decision,
    a_floor,
    a_life,
    a_situation,
    an_inbox,
    cancelled,
    d,
    ids,
    on,
    placed,
    table,
)

ASKED = Condition(commands=(OperatorCommand(1, Command.ADOPT, "ann", "mine", NOW - 500),))
STRANGER = "0.02"
WIDE = 88_037

both_sides = pytest.mark.parametrize("side", [LONG, SHORT])


def a_strangers_stop(side: Side = LONG, **changes: Any) -> Order:
    stop = a_floor(on(side, WIDE), side=side, generation=2, **changes)
    client_id = ClientOrderId(FOREIGN_HASH, 2, FLOOR, 1)
    return replace(stop, terms=replace(stop.terms, client_id=client_id))


def a_strangers_life(side: Side = LONG, **changes: Any) -> Life:
    """Return somebody's position as it is kept until it is adopted."""
    made = a_life(
        STRANGER,
        side=side,
        generation=2,
        decision_id=FOREIGN_HASH,
        origin=Origin.ORPHAN,
        initial_stop=on(side, WIDE),
        stop_level=None,
        stop_reason="orphan",
        planned_quantity=d(0),
        tp1_price=None,
        tp2_price=None,
        tp1_fraction=d(0),
        is_trailing_enabled=False,
        decision_made_ms=NOW - 60_000,
        base_quantity=d(STRANGER),
    )
    return replace(made, **changes)


def a_strangers(side: Side = LONG, *orders: Order, **changes: Any) -> Situation:
    """Return the tick in which an operator asks for it to be adopted."""
    life = changes.pop("life", a_strangers_life(side))
    given = {"condition": ASKED, "inbox": an_inbox(), **changes}
    return a_situation(life, orders or (a_strangers_stop(side),), **given)


def life_after(situation: Situation) -> Life:
    life = make_plan(situation).ledger.life
    assert life is not None
    return life


@both_sides
def test_it_gets_its_primary_at_the_level_that_protects_it(side: Side) -> None:
    """RULES G1, F1, B2: two layers at the wide stop's level; that one stays, as the floor."""
    situation = a_strangers(side)

    plan = make_plan(situation)

    (stop,) = placed(plan)
    assert (stop.role, stop.quantity, stop.trigger_price) == (PRIMARY, d(STRANGER), on(side, WIDE))
    assert (stop.side, stop.reduce_only) == (side.closing, True)
    assert stop.working_price is WorkingPrice.MARK
    assert cancelled(plan) == []
    life = life_after(situation)
    assert (life.origin, life.generation, life.decision_id) == (Origin.IMPORTED, 2, FOREIGN_HASH)
    assert (life.tp1_price, life.tp2_price, life.closing) == (None, None, None)


@both_sides
def test_what_the_adoption_asks_for_passes_every_check_at_the_door(side: Side) -> None:
    """RULES F2, A5: judged by what was known before the plan, when it was not ours yet."""
    situation = a_strangers(side, inbox=an_inbox(a_decision(side)))
    plan = make_plan(situation)
    grounds = Grounds(situation, plan.ledger)

    refused = [
        said for action in plan.actions if isinstance(action, PlaceOrder)
        for check in CHECKS if (said := check(action, grounds)) is not None
    ]  # fmt: skip

    assert refused == []


TARGETS = table("""
decision   targets          why
same       91600 92900      a fresh decision of its side: its targets, at once
none       -                none: protected, and no more
stale      -                too old to say anything
other      -                it wants the other side, and was made before: no order to close it
flat       -                it wants none, and was made before
behind     - 92900          TP1 lies behind the price: refused, TP2 is taken (F4)
""")


@both_sides
@pytest.mark.parametrize("row", TARGETS, ids=ids(TARGETS))
def test_targets_come_from_a_fresh_decision_of_its_side_or_not_at_all(
    row: list[str], side: Side
) -> None:
    """RULES G1, F10: and from any newer one later, like those of every position."""
    kind, targets, _ = row
    decisions = {
        "same": a_decision(side),
        "none": None,
        "stale": a_decision(side, made_ms=NOW - 600_001),
        "other": a_decision(side.opposite),
        "flat": a_flat_decision(made_ms=NOW - 5_000),
        "behind": a_decision(side, tp1=on(side, 90_700)),
    }
    limits = Limits(on_flat=Limits().on_opposite)
    situation = a_strangers(side, inbox=an_inbox(decisions[kind]), limits=limits)

    life = life_after(situation)

    wanted = [None if t == "-" else on(side, t) for t in (targets + " -").split()[:2]]
    assert [life.tp1_price, life.tp2_price] == wanted
    assert life.closing is None
    assert life.is_trailing_enabled is (kind in ("same", "behind"))


@both_sides
def test_the_decisions_tighter_stop_is_taken_over_too(side: Side) -> None:
    """RULES F10: by overlap, once the primary rests at the level that protected it."""
    adopted = replace(a_strangers_life(side), origin=Origin.IMPORTED, decision_made_ms=NOW - 40_001)
    stop = a_strangers_stop(side)
    primary = replace(
        stop,
        terms=replace(
            stop.terms,
            client_id=ClientOrderId(FOREIGN_HASH, 2, PRIMARY, 1),
            quantity=d(STRANGER),
            close_position=False,
            reduce_only=True,
        ),
    )
    situation = a_strangers(
        side, stop, primary, life=adopted, inbox=an_inbox(a_decision(side)), price=on(side, 90_760)
    )

    plan = make_plan(situation)

    assert [t.trigger_price for t in placed(plan, PRIMARY)] == [on(side, 90_380)]
    assert {t.role for t in placed(plan)} == {PRIMARY, TP1, TP2}


NOT_ADOPTED = table("""
what      why
unasked   nobody asked
ours      it is ours already
closing   it is being closed
gone      nothing is held any more
""")


@pytest.mark.parametrize("row", NOT_ADOPTED, ids=ids(NOT_ADOPTED))
def test_nothing_else_is_adopted(row: list[str]) -> None:
    """RULES G1: an explicit word for one position that stands."""
    what = row[0]
    lives = {
        "ours": a_strangers_life(origin=Origin.DECISION),
        "closing": a_strangers_life(closing=ExitReason.FLATTEN),
        "gone": a_strangers_life(quantity=d(0)),
    }
    changes: dict[str, Any] = {"condition": Condition()} if what == "unasked" else {}
    life = lives.get(what, a_strangers_life())

    after = life_after(a_strangers(LONG, life=life, **changes))

    assert after.origin is life.origin


def test_where_nothing_protects_it_the_level_is_three_percent_from_the_mark() -> None:
    """RULES G1: policy ``ignore`` placed no stop; adopting it is asking for one."""
    unprotected = a_strangers(
        LONG, a_strangers_stop(status=UNKNOWN), limits=Limits(orphan=OrphanPolicy.IGNORE)
    )
    ledger = replace(unprotected.ledger, orders=())

    plan = make_plan(replace(unprotected, ledger=ledger))

    assert {(t.role, t.trigger_price) for t in placed(plan)} == {
        (PRIMARY, d(WIDE)),
        (FLOOR, d(WIDE)),
    }


# -- the whole keeper ------------------------------------------------------------------------------


@pytest.mark.parametrize("loses_store", [False, True], ids=["kept", "lost"])
def test_an_operators_old_long_is_adopted_and_managed_to_its_end(
    tmp_path: Path, loses_store: bool
) -> None:
    """RULES G1, B4, F: protected, adopted, targets from a decision, TP1, breakeven, closed.

    With the store lost after the adoption it is still ours: a primary says so, which nothing that
    is only protected ever has.
    """
    position = InitialPosition(Decimal("0.020"), Decimal(90_750))
    venue = Venue(
        VenueSettings(wallet=Decimal(2000), position=position, market_streams=(), log_reads=False),
        now_ms=START_MS,
    )
    world = World(venue, tmp_path, Limits(), start_ms=START_MS)

    def run(seconds: int) -> None:
        world.run_until(world.clock.now_ms + 1_000 * seconds)

    try:
        run(5)
        ledger = world.store.recall()
        assert ledger.life is not None
        assert ledger.life.origin is Origin.ORPHAN
        number = world.store.add_command(
            Command.ADOPT, by="ann", why="mine", at_ms=world.clock.now_ms
        )
        run(5)
        ledger = world.store.recall()
        assert ledger.life is not None
        assert ledger.life.origin is Origin.IMPORTED
        assert number not in {c.id for c in world.store.pending_commands()}
        if loses_store:
            world.die()
            world.rise(lose_store=True)
            run(5)
            found = world.store.recall().life
            assert found is not None
            assert (found.origin, found.decision_id) == (Origin.IMPORTED, FOREIGN_HASH)
            assert found.stop_level == ledger.life.stop_level
        made = {**DOCUMENT, "timestamp_iso": moment_of(world.clock.now_ms)}
        (tmp_path / "decision.json").write_text(json.dumps(made))
        run(10)
        assert world.store.recall().phase is Phase.OPEN
        roles = {o.role for o in world.store.recall().orders if o.status.is_resting}
        assert roles == {PRIMARY, FLOOR, TP1, TP2}
        for price in (91_600, 91_300, 90_700):
            venue.set_price(Decimal(price), world.clock.now_ms)
            run(10)

        ledger = world.store.recall()
        assert ledger.position_quantity == 0
        ended = ledger.life or ledger.past[-1]
        assert ended.exit_reason is ExitReason.BREAKEVEN_STOP
        history = History(
            read_log(venue.log_after(0)), end_ms=world.clock.now_ms, position=Decimal("0.020")
        )
        assert never_widened(history).findings == ()
        assert sum(w.duration_ms for w in naked_windows(history)) <= 1_500
    finally:
        world.close()
