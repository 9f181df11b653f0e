"""A position without a life in the ledger: ours is imported, another's is protected (RULES G1).

An operator's old long must not be dumped by the first start; ours must come back with its tightest
level when the whole store is lost.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.domain.action import CancelOrder, Proof
from engine.domain.drift import DriftKind
from engine.domain.ledger import Ledger, PastLife
from engine.domain.limits import Limits
from engine.domain.observation import Candle, Fact, Observation
from engine.domain.order import Order, OrderReport, OrderStatus
from engine.domain.position import ExitReason, Life, Origin
from engine.domain.terms import Book, OrderType, Side
from engine.domain.wide_stop import wide_level
from engine.exchange.cover import Grounds
from engine.exchange.proofs import refuse_cancel
from engine.plan.planner import make_plan
from engine.reconcile.settle import reconcile
from tests.builders import (
    CANCELLED,
    FILLED,
    FLOOR,
    LONG,
    NOW,
    PRIMARY,
    REJECTED,
    SHORT,
    TP1,
    a_candle,
    a_fill,
    a_filled_entry,
    a_floor,
    a_ledger,
    a_life,
    a_position,
    a_situation,
    a_stop,
    a_tp1,
    a_tp2,
    an_entry,
    an_id,
    an_observation,
    an_order,
    cancelled,
    d,
    held,
    ids,
    on,
    placed,
    report_of,
    table,
)

EMPTY = a_ledger(history_read_ms=None)


def lost(
    *orders: Order,
    side: Side = LONG,
    history: tuple[OrderReport, ...] | None = None,
    quantity: str = "0.013",
    **changes: Any,
) -> Observation:
    """Return a look at a position whose ledger was lost; resting orders are listed."""
    listed = [report_of(o) for o in orders if o.status.is_resting]
    told = tuple(report_of(o) for o in orders) if history is None else history
    given = {"position": a_position(quantity, side), "reports": listed, **changes}
    given.setdefault("price", on(side, 90_760))
    return replace(an_observation(**given), history=Fact(told, NOW))


def imported(look: Observation, ledger: Ledger = EMPTY) -> tuple[Ledger, Life]:
    after, _ = reconcile(ledger, look, Limits())
    assert after.life is not None
    return after, after.life


def the_lost(side: Side = LONG) -> tuple[Order, ...]:
    """Return the orders of a lost life: trailed once, TP1 done."""
    return (
        a_filled_entry(side=side, price=on(side, "90743.3")),
        a_stop(on(side, 90_380), side=side, status=CANCELLED),
        a_stop(on(side, "90806.9"), side=side, revision=2),
        a_floor(on(side, 90_380), side=side),
        a_tp1(on(side, 91_600), side=side, status=FILLED, filled="0.006"),
        a_tp2(on(side, 92_900), side=side),
    )


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_ours_is_imported_with_its_tightest_level(side: Side) -> None:
    """RULES G1, B4, lessons 18, 22, 29: side, size, average, level, generation, TP1 done."""
    ledger, life = imported(lost(*the_lost(side), side=side, quantity="0.007"))

    assert (life.origin, life.side, life.quantity, life.generation) == (
        Origin.IMPORTED,
        side,
        d("0.007"),
        1,
    )
    assert (life.stop_level, life.initial_stop) == (on(side, "90806.9"), on(side, 90_380))
    assert (life.tp1_price, life.tp2_price) == (on(side, 91_600), on(side, 92_900))
    assert life.tp1_done_ms is not None
    assert life.decision_id == "7f3aq2"
    assert [x.generation for x in ledger.past] == []
    assert ledger.history_read_ms == NOW


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_an_imported_life_was_opened_by_its_first_trade(side: Side) -> None:
    """RULES B4, F8: prices from before it are none of the position's, however long it waited.

    The entry rested for minutes at a better price than was ever reached again: a best price taken
    from there would pull the stop far too close.
    """
    entry = a_filled_entry(side=side, price=on(side, "90743.3"), intended_ms=NOW - 600_000)
    others = [replace(o, intended_ms=NOW - 600_000) for o in the_lost(side)[1:]]
    look = lost(entry, *others, side=side, quantity="0.007")
    high, low = sorted((on(side, 91_900), on(side, 91_800)), reverse=True)
    before = replace(a_candle(low, -5), high=high, low=low)
    minutes: tuple[Candle, ...] = (before, a_candle(on(side, 90_760), 0))
    candles = Fact(minutes, NOW)
    ledger, found = imported(replace(look, candles=candles))

    fills = (
        a_fill(side=side, quantity="0.008", price=on(side, "90743.3"), at_ms=NOW - 60_000),
        a_fill(side=side, quantity="0.005", number=2, at_ms=NOW - 30_000),
    )
    _, told = imported(replace(look, candles=candles, fills=Fact(fills, NOW)), ledger)

    assert (found.decision_made_ms, found.opened_ms) == (NOW - 600_000, NOW)
    assert told.opened_ms == NOW - 60_000
    assert found.best_price == told.best_price == on(side, 90_760)


def test_somebody_elses_trades_do_not_open_ours() -> None:
    """RULES G1, B4: what an operator traded before our entry is no part of the life."""
    look = lost(*the_lost(), quantity="0.007")
    ledger, _ = imported(look)
    theirs = replace(a_fill(at_ms=NOW - 60_000), client_id="web_1", exchange_order_id="77")

    _, told = imported(replace(look, fills=Fact((theirs,), NOW)), ledger)

    assert told.opened_ms == NOW


def test_an_imported_life_is_kept_as_it_stands() -> None:
    """Lesson 22: same stop, nothing doubled."""
    look = lost(*the_lost(), quantity="0.007")
    ledger, _ = imported(look)

    plan = make_plan(a_situation(ledger=ledger, observation=look))

    assert (placed(plan), cancelled(plan)) == ([], [])


def test_revisions_continue_after_the_highest_in_history() -> None:
    """RULES G3: a repeated id executes again."""
    orders = (*the_lost(), a_stop(90_300, revision=9, status=REJECTED))

    ledger, life = imported(lost(*orders, quantity="0.007"))

    assert ledger.next_revision(PRIMARY) == 10
    assert life.stop_level == d("90806.9")


def test_without_history_the_open_book_explains_it() -> None:
    """RULES G1: live first, then history; a failed history must not leave it unexplained."""
    look = replace(lost(a_stop(90_500), a_floor()), history=None)

    ledger, life = imported(look)

    assert (life.origin, life.stop_level, ledger.history_read_ms) == (
        Origin.IMPORTED,
        d(90_500),
        None,
    )


def test_all_stops_gone_but_history_knows_the_level() -> None:
    """RULES B2: the tightest level an own order shows, live or in history."""
    orders = (a_filled_entry(), a_stop(90_500, status=CANCELLED))

    ledger, life = imported(lost(*orders))
    plan = make_plan(a_situation(ledger=ledger, observation=lost(*orders)))

    assert life.stop_level == d(90_500)
    assert [t.trigger_price for t in placed(plan, PRIMARY)] == [d(90_500)]


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_stops_whose_children_were_refused_still_show_the_level(side: Side) -> None:
    """RULES B2, F4: the store was lost inside a ban, both stops fired in it, and none executed.

    History knows no order that the exchange did not take: their level is in force, its moment has
    passed, and the position is ours to close.
    """
    level = on(side, 90_500)
    orders = (
        a_filled_entry(side=side, price=on(side, "90743.3")),
        a_stop(level, side=side, status=REJECTED),
        a_floor(level, side=side, status=REJECTED),
    )
    look = lost(*orders, side=side, price=on(side, 90_400), mark=on(side, 90_400))

    ledger, life = imported(look)
    plan = make_plan(a_situation(ledger=ledger, observation=look))

    assert (life.origin, life.stop_level) == (Origin.IMPORTED, level)
    assert plan.ledger.life is not None
    assert plan.ledger.life.closing is ExitReason.EMERGENCY


def test_a_triggered_parent_is_told_by_its_own_line_and_not_by_its_childs() -> None:
    """The child carries the same id in the plain history; it has no trigger."""
    target = a_tp1(status=OrderStatus.UNKNOWN, filled=0, exchange_id="5", child_id="55")
    silent = report_of(target, status=OrderStatus.UNKNOWN)
    child = report_of(
        an_order(TP1, quantity="0.006", status=FILLED, filled="0.006"),
        book=Book.REGULAR,
        type=OrderType.MARKET,
        exchange_id="55",
    )
    rest = [report_of(o) for o in the_lost() if o.role is not TP1]

    ledger, life = imported(lost(*the_lost(), quantity="0.007", history=(child, silent, *rest)))

    known = ledger.order(an_id(TP1))
    assert known is not None
    assert (known.terms.book, known.status, known.quantity_filled) == (
        Book.ALGO,
        FILLED,
        d("0.006"),
    )
    assert (life.tp1_price, life.tp1_done_ms) == (d(91_600), NOW)


SILENT = table("""
child  filled  status    why
yes    0       expired   it fired against nothing
no     0       -         a word we do not know and no child: not adopted from history
""")


@pytest.mark.parametrize("row", SILENT, ids=ids(SILENT))
def test_a_finished_parent_that_keeps_silent(row: list[str]) -> None:
    """Lesson 7: a bad row cannot crash-loop the start."""
    child, _, status, _ = row
    spent = a_stop(
        90_300, revision=3, status=OrderStatus.UNKNOWN, child_id="9" if child == "yes" else None
    )
    silent = report_of(spent, status=OrderStatus.UNKNOWN)
    rest = [report_of(o) for o in the_lost()]

    ledger, _ = imported(lost(*the_lost(), quantity="0.007", history=(silent, *rest)))

    known = ledger.order(spent.id)
    assert (None if known is None else known.status.value) == (None if status == "-" else status)


def test_entries_that_never_filled_and_spent_stops_explain_nothing() -> None:
    """RULES G1: entry fills or resting stops of one generation explain a position."""
    orders = (an_entry(status=CANCELLED), a_stop(status=CANCELLED))

    _, life = imported(lost(*orders))

    assert (life.origin, life.generation) == (Origin.ORPHAN, 2)


ARMED = table("""
entry      stop_age_s  history  whose   why
none       60          read     theirs  armed a minute ago, and no entry was ever sent
cancelled  60          read     theirs  the entry was withdrawn empty
working    60          read     ours    it may have filled a moment ago: history may lag
none       5           read     ours    as young as what history may lag
none       700000      read     ours    older than history reaches: its fill may be too
none       60          unread   ours    nothing says that it never filled
filled     60          read     ours    its own fill explains it
""")


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("row", ARMED, ids=ids(ARMED))
def test_an_armed_stop_alone_explains_no_position(row: list[str], side: Side) -> None:
    """RULES G1, lesson 17: with the store lost as well; where it is not sure, ours keeps its level.

    A week of history shows every entry of a life whose first order lies within it.
    """
    entry, age_s, history, whose, _ = row
    made_ms = NOW - 1_000 * int(age_s)
    price = on(side, "90743.3")
    entries = {
        "none": (),
        "cancelled": (an_entry(side=side, price=price, status=CANCELLED, intended_ms=made_ms),),
        "working": (an_entry(side=side, price=price, intended_ms=made_ms),),
        "filled": (a_filled_entry(side=side, price=price, intended_ms=made_ms),),
    }[entry]
    stop = a_stop(on(side, 90_380), side=side, intended_ms=made_ms)
    look = lost(stop, *entries, side=side)
    if history == "unread":
        look = replace(look, history=None)

    _, life = imported(look)

    assert life.origin is (Origin.IMPORTED if whose == "ours" else Origin.ORPHAN)


CLOSED = table("""
tp1    stop   floor    whose   why
0.006  0.007  expired  theirs  what our entry opened our exits have closed
0.006  0.006  expired  ours    a part of it is still there
0.006  0.007  working  ours    our floor rests: a fill may not be told yet
0.006  -      expired  ours    the stop was taken away
""")


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("row", CLOSED, ids=ids(CLOSED))
def test_a_life_that_closed_itself_explains_no_position(row: list[str], side: Side) -> None:
    """RULES G1, C2, lesson 17: the store was lost after the close; then somebody opened one."""
    tp1, stop, floor, whose, _ = row
    taken = (CANCELLED, "0") if stop == "-" else (FILLED, stop)
    orders = (
        a_filled_entry(side=side, price=on(side, "90743.3")),
        a_stop(on(side, 90_380), side=side, status=taken[0], filled=taken[1]),
        a_floor(on(side, 90_380), side=side, status=OrderStatus(floor)),
        a_tp1(on(side, 91_600), side=side, status=FILLED, filled=tp1),
    )

    _, life = imported(lost(*orders, side=side, quantity="0.002"))

    assert life.origin is (Origin.IMPORTED if whose == "ours" else Origin.ORPHAN)


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_our_stop_beside_an_orphan_leaves_once_its_own_rests(side: Side) -> None:
    """RULES G6, B1: it would close what is not ours, forty dollars below the price."""
    level = on(side, 88_037)
    life = a_life(
        side=side, origin=Origin.ORPHAN, generation=2, initial_stop=level, stop_level=None
    )
    armed = a_stop(on(side, 90_380), side=side)
    wide = a_floor(level, side=side, generation=2)
    without = a_situation(life, (armed,))
    covered = a_situation(life, (armed, wide))

    assert (cancelled(make_plan(without)), cancelled(make_plan(covered))) == ([], [armed.id])
    (leaving,) = [a for a in make_plan(covered).actions if isinstance(a, CancelOrder)]
    assert (leaving.proof, leaving.proven_by) == (Proof.TIGHTER_RESTS, wide.id)
    assert refuse_cancel(leaving, Grounds(covered, covered.ledger), [armed.id]) is None


def test_stops_for_the_other_side_explain_nothing() -> None:
    """Lesson 7: the stop of the previous trade does not belong to the reversed one."""
    _, life = imported(lost(a_stop(), side=SHORT, price=90_760))

    assert life.origin is Origin.ORPHAN


def test_the_recovered_past_does_not_hold_the_life_that_goes_on() -> None:
    """RULES H2: else it would be counted as two of the day's trades."""
    other = an_entry(generation=1, status=FILLED, filled="0.013")
    current = tuple(
        replace(o, terms=replace(o.terms, client_id=o.id._replace(generation=2)))
        for o in (a_filled_entry(), a_stop(), a_floor())
    )

    ledger, life = imported(lost(other, *current))

    assert (life.generation, [x.generation for x in ledger.past]) == (2, [1])


FOREIGN = table("""
side   mark   liquidation  level    why
long   90760  -            88037.2  three percent from the current mark
long   90760  61234.5      88037.2  liquidation is far
long   90760  88000        88453.8  inside liquidation by the buffer
long   90760  90700        90730    hardly room: half of what is left
short  91240  -            93977.2  mirrored
short  91240  94000        93543.8  mirrored, inside liquidation
""")


@pytest.mark.parametrize("row", FOREIGN, ids=ids(FOREIGN))
def test_another_ones_position_gets_one_wide_stop(row: list[str]) -> None:
    """RULES G1, lessons 17, 18, 42: from the current mark, inside liquidation, nothing else."""
    side, mark, liquidation, level, _ = row
    of = LONG if side == "long" else SHORT
    position = a_position(
        "0.5", of, liquidation_price=None if liquidation == "-" else d(liquidation)
    )
    look = replace(an_observation(position=position, price=mark), history=Fact((), NOW))

    ledger, drifts = reconcile(EMPTY, look, Limits())
    plan = make_plan(a_situation(ledger=ledger, observation=look))

    assert [x.kind for x in drifts] == [DriftKind.ORPHAN_POSITION, DriftKind.COVER_TOO_SMALL]
    assert [(t.role, t.trigger_price, t.close_position) for t in placed(plan)] == [
        (FLOOR, d(level), True)
    ]
    assert plan.actions == plan.actions[:1]


def test_the_foreign_level_follows_the_mark_until_a_stop_rests() -> None:
    """RULES G1: price beyond a level that never rested closes nothing and protects nothing."""
    look = replace(an_observation(position=a_position("0.5")), history=Fact((), NOW))
    ledger, _ = imported(look)
    later = an_observation(position=a_position("0.5"), price=80_000)

    refused, life = imported(later, ledger)
    plan = make_plan(a_situation(ledger=refused, observation=later))
    rested = refused.with_order(
        replace(
            a_floor(77_600),
            terms=replace(a_floor(77_600).terms, client_id=placed(plan)[0].client_id),
        )
    )
    _, kept = imported(
        an_observation(
            position=a_position("0.5"),
            price=79_000,
            reports=[report_of(o) for o in rested.orders],
        ),
        rested,
    )

    assert (life.initial_stop, placed(plan)[0].trigger_price) == (d(77_600), d(77_600))
    assert kept.initial_stop == d(77_600)


def test_a_stop_that_rested_once_fixes_the_foreign_level() -> None:
    """RULES B2: what rested is the level, though somebody removed it."""
    look = replace(an_observation(position=a_position("0.5")), history=Fact((), NOW))
    ledger, life = imported(look)
    mine = a_floor(life.initial_stop, generation=1, status=CANCELLED)
    removed = replace(
        mine, terms=replace(mine.terms, client_id=mine.id._replace(decision_hash="000000"))
    )
    later = an_observation(position=a_position("0.5"), price=91_500)

    _, kept = imported(later, ledger.with_order(removed))

    assert kept.initial_stop == life.initial_stop


def test_ours_is_recognised_when_history_comes_late() -> None:
    """RULES B2, G1: protected as a stranger's first, then at the level its own orders show."""
    blind = an_observation(position=a_position("0.013"))
    ledger, first = imported(blind)
    plan = make_plan(a_situation(ledger=ledger, observation=blind))
    wide = replace(a_floor(placed(plan)[0].trigger_price or 0), terms=placed(plan)[0])
    known = tuple(
        replace(o, terms=replace(o.terms, client_id=o.id._replace(generation=7)))
        for o in (a_filled_entry(), a_stop(90_500, status=CANCELLED))
    )
    look = lost(*known, reports=[report_of(wide)])

    ledger, life = imported(look, ledger.with_order(wide))
    plan = make_plan(a_situation(ledger=ledger, observation=look))

    assert first.origin is Origin.ORPHAN
    assert (life.origin, life.generation, life.stop_level) == (Origin.IMPORTED, 7, d(90_500))
    assert next((t.role, t.trigger_price) for t in placed(plan)) == (PRIMARY, d(90_500))
    assert cancelled(plan) == []


def test_a_strangers_position_stays_a_strangers_when_history_comes_late() -> None:
    """RULES G1: history that explains nothing changes nothing."""
    ledger, first = imported(an_observation(position=a_position("0.5")))

    after, life = imported(lost(quantity="0.5"), ledger)

    assert (life.origin, life.generation) == (Origin.ORPHAN, first.generation)
    assert after.history_read_ms == NOW


def test_nothing_enters_beside_a_position_that_is_not_ours() -> None:
    """RULES G1: entries blocked."""
    look = replace(an_observation(position=a_position("0.5")), history=Fact((), NOW))
    ledger, _ = imported(look)

    plan = make_plan(a_situation(ledger=ledger, observation=look))

    assert {a.rule for a in plan.actions if hasattr(a, "rule")} == {"place_floor"}
    assert held(plan) == []


UNKNOWN_LOOKS = table("""
missing     why
position    the position was not read
filters     no filters, no level
lists       a list was not read: our stops may be in it
flat        there is none
""")


@pytest.mark.parametrize("row", UNKNOWN_LOOKS, ids=ids(UNKNOWN_LOOKS))
def test_nothing_is_concluded_from_half_a_look(row: list[str]) -> None:
    """RULES C2: a position is believed on one read, but a whole one."""
    look = lost(a_stop())
    looks = {
        "position": replace(look, position=None),
        "filters": replace(look, instrument=None),
        "lists": replace(look, algo_orders=None),
        "flat": lost(a_stop(), quantity="0"),
    }

    ledger, _ = reconcile(EMPTY, looks[row[0]], Limits())

    assert ledger.life is None


def test_a_past_life_is_not_the_present_one() -> None:
    """RULES G3: generations are counted on."""
    past = PastLife(4, "older1", "t", 1, 2, None, None)
    ledger = a_ledger(generation=4, past=(past,))

    _, life = imported(an_observation(position=a_position("0.5")), ledger)

    assert life.generation == 5


def test_imported_levels_are_a_history_that_only_tightens() -> None:
    """RULES B2: what the database accepts: stops seen resting, each at least as tight."""
    orders = (
        a_filled_entry(),
        a_stop(90_500, revision=1),
        a_stop(90_400, revision=2),
        a_stop(90_600, revision=3),
    )

    ledger, _ = imported(lost(*orders))

    assert [(x.revision, x.level) for x in ledger.levels] == [(1, d(90_500)), (3, d(90_600))]


def test_without_filters_the_wide_level_is_told_as_it_was_computed() -> None:
    """RULES G1, E2: three percent from the mark is known before the tick it will be rounded to."""
    look = an_observation(position=a_position("0.5"), price="90761.11")
    unfiltered = replace(look, instrument=None)

    known = [wide_level(LONG, a_position("0.5"), x, Limits()) for x in (look, unfiltered)]

    assert known == [d("88038.3"), d("88038.2767")]
