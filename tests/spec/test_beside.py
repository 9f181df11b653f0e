"""Somebody's position beside a life of ours that is not over: seen, and covered at once (G1).

Lesson 17: a manual trade is never absorbed as the keeper's own. Only executions of own entries
explain a position of ours; neither an armed stop nor the side it lies on does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.domain.action import CancelOrder, PlaceOrder, Proof
from engine.domain.drift import DriftKind
from engine.domain.identity import FOREIGN_HASH, ClientOrderId
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits, OrphanPolicy
from engine.domain.observation import Observation
from engine.domain.order import Fill, Order
from engine.domain.position import ExitReason, HedgedSide, Life, Origin
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, OrderType, Side
from engine.exchange.clearance import fits_the_life, never_widens
from engine.exchange.cover import Grounds
from engine.exchange.proofs import refuse_cancel
from engine.plan.planner import make_plan
from engine.reconcile.settle import reconcile
from engine.reconcile.whose import until_flat
from tests.builders import (
    CANCELLED,
    ENTRY,
    FLOOR,
    LONG,
    NOW,
    PRIMARY,
    REJECTED,
    SHORT,
    UNKNOWN,
    Number,
    a_decision,
    a_fill,
    a_filled_entry,
    a_floor,
    a_foreign_stop,
    a_ledger,
    a_life,
    a_position,
    a_situation,
    a_stop,
    an_entry,
    an_observation,
    cancelled,
    d,
    held,
    ids,
    on,
    placed,
    report_of,
    seen,
    table,
)

LIMITS = Limits()
WIDE = {LONG: d("88037.2"), SHORT: d("93977.2")}
"""Three percent from a mark of 90760, and of 91240 in the mirror."""

both_sides = pytest.mark.parametrize("side", [LONG, SHORT])


def a_trade(quantity: Number, number: int, *, side: Side = LONG, opens: bool = True) -> Fill:
    """Return somebody's trade, named already."""
    role = ENTRY if opens else PRIMARY
    made = a_fill(role, quantity, number=number, side=side, at_ms=NOW - 10_000 + number)
    return replace(made, client_id="web_1", exchange_order_id=f"77{number}")


def a_wide_stop(side: Side = LONG, *, generation: int = 2, revision: int = 1, **more: Any) -> Order:
    """Return the stop of ours that lies beside a life, resting."""
    stop = a_floor(WIDE[side], side=side, generation=generation, revision=revision, **more)
    client_id = ClientOrderId(FOREIGN_HASH, generation, FLOOR, revision)
    return replace(stop, terms=replace(stop.terms, client_id=client_id))


def looked(ledger: Ledger, look: Observation, limits: Limits = LIMITS) -> Ledger:
    return reconcile(ledger, look, limits)[0]


# -- whose it is -----------------------------------------------------------------------------------

WHOSE = table("""
entry      trades    held   whose    why
none       -         0.02   theirs   no entry was ever sent: an armed stop explains nothing
cancelled  -         0.02   theirs   the exchange's own last word: nothing executed
refused    -         0.02   theirs   refused with a code: it never rested
abandoned  -         0.02   ours     dead by our conclusion alone: it may have executed late
working    -         0.02   ours     it may have filled: cover comes before knowing
working    0.02      0.02   theirs   trades name somebody for all of it
working    0.005     0.02   ours     for a part of it only
working    ?0.02     0.02   theirs   of an order that is not ours, although not yet named
unknown    -         0.02   ours     of unknown fate
unknown    ?0.02     0.02   ours     and the trade may be its own
part       0.02      0.024  ours     ours filled as well: then it is ours, and somebody added
""")


@both_sides
@pytest.mark.parametrize("row", WHOSE, ids=ids(WHOSE))
def test_only_executions_of_own_entries_explain_a_position(row: list[str], side: Side) -> None:
    """RULES G1, C2, lesson 17: same side as the armed stop or not."""
    entry, trades, quantity, whose, _ = row
    price = on(side, "90743.3")
    given: dict[str, Any] = {"side": side, "price": price}
    entries = {
        "none": (),
        "cancelled": (an_entry(status=CANCELLED, **given),),
        "refused": (an_entry(status=REJECTED, code=-2019, **given),),
        "abandoned": (an_entry(status=REJECTED, exchange_id=None, **given),),
        "working": (an_entry(**given),),
        "unknown": (an_entry(status=UNKNOWN, **given),),
        "part": (an_entry(filled="0.004", **given),),
    }[entry]
    fills: tuple[Fill, ...] = ()
    if trades != "-":
        fills = (a_trade(trades.strip("?"), 1, side=side),)
        fills = tuple(replace(f, client_id="") for f in fills) if "?" in trades else fills
    life = a_life("0", side=side)
    ledger = a_ledger(life, (*entries, a_stop(on(side, 90_380), side=side)), fills=fills)

    after = looked(ledger, seen(ledger, position=a_position(quantity, side)))

    assert after.life is not None
    is_theirs = after.life.opened_ms is None
    assert is_theirs is (whose == "theirs")
    assert (after.life.withdrawing == "foreign_position") is is_theirs
    assert (after.beside is not None) is is_theirs
    assert after.position_quantity == d(quantity) * side.sign


@both_sides
def test_a_position_of_the_other_side_never_is_ours(side: Side) -> None:
    """RULES G1: a working entry cannot have made it."""
    orders = (an_entry(side=side), a_stop(on(side, 90_380), side=side))
    ledger = a_ledger(a_life("0", side=side), orders)

    after = looked(ledger, seen(ledger, position=a_position("0.02", side.opposite)))

    assert after.life is not None
    assert (after.life.withdrawing, after.life.opened_ms) == ("foreign_position", None)
    assert after.beside is not None
    assert after.beside.side is side.opposite


def test_what_somebody_traded_and_took_back_opens_nothing_of_ours() -> None:
    """RULES C2: bought and sold again by hand while our entry rests; the sale is told later."""
    ledger = a_ledger(a_life("0"), (an_entry(), a_stop()), fills=(a_trade("0.02", 1),))

    after = looked(ledger, seen(ledger, position=a_position(0)))

    assert after.life is not None
    assert after.life.opened_ms is None
    assert after.life.quantity == 0


def test_an_own_fill_that_the_position_does_not_show_yet_opens_it() -> None:
    """RULES C2: the read lags; our own trade does not."""
    mine = a_fill(quantity="0.004", number=2)
    ledger = a_ledger(
        a_life("0"), (an_entry(filled="0.004"), a_stop()), fills=(a_trade("0.02", 1), mine)
    )

    after = looked(ledger, seen(ledger, position=a_position(0)))

    assert after.life is not None
    assert after.life.opened_ms is not None


CLOSED = table("""
read         updated   beside  why
same         older     no      a read that lags the close shows what we had
same         newer     yes     opened after ours was closed
other        older     yes     the other side never was ours
flat         newer     no      nothing stands there
""")


@both_sides
@pytest.mark.parametrize("row", CLOSED, ids=ids(CLOSED))
def test_what_stands_beside_a_closed_life_is_not_ours(row: list[str], side: Side) -> None:
    """RULES G1, C2: protected in the same tick, not after the sweep."""
    read, updated, is_beside, _ = row
    life = a_life("0", side=side, opened_ms=NOW - 50_000, closed_ms=NOW - 500)
    fills = (a_fill(side=side), a_fill(PRIMARY, number=2, side=side, at_ms=NOW - 500))
    ledger = a_ledger(life, (a_stop(on(side, 90_380), side=side),), fills=fills)
    stamp = NOW - (501 if updated == "older" else 400)
    held_by = {"same": side, "other": side.opposite, "flat": side}[read]
    position = a_position(0 if read == "flat" else "0.02", held_by, updated_ms=stamp)

    after, drifts = reconcile(ledger, seen(ledger, position=position), LIMITS)

    assert (after.beside is not None) is (is_beside == "yes")
    orphans = [x for x in drifts if x.kind is DriftKind.ORPHAN_POSITION]
    assert len(orphans) == (1 if is_beside == "yes" else 0)


# -- closed and opened again between two looks ---------------------------------------------------

THROUGH = table("""
trades                      held   ended  why
+0.013own -0.013 +0.02      0.02   yes    sold ours and bought his own
+0.013own -0.03 +0.05       0.033  yes    sold more than ours, then bought
+0.013own -0.004 +0.02      0.029  no     ours never was gone: cut and added to
+0.013own +0.02             0.033  no     added to
+0.013own -0.013own +0.02   0.02   yes    our own stop ended it, somebody bought
+0.013own -0.013 +0.02      0.01   no     the later trades are more than is held
""")


@both_sides
@pytest.mark.parametrize("row", THROUGH, ids=ids(THROUGH))
def test_a_position_that_was_gone_in_between_is_another(row: list[str], side: Side) -> None:
    """RULES C2, G1: own entries and all later fills came to 0; what follows is not ours."""
    trades, quantity, is_ended, _ = row
    fills = tuple(_written(text, number, side) for number, text in enumerate(trades.split(), 1))
    life = a_life(side=side)
    orders = (a_filled_entry(side=side), a_stop(on(side, 90_380), side=side))
    if "-0.013own" in trades:
        orders = (orders[0], replace(orders[1], quantity_filled=d("0.013")))
    ledger = a_ledger(life, orders, fills=fills)

    position = a_position(quantity, side, updated_ms=NOW - 1_000)
    after = looked(ledger, seen(ledger, position=position))

    assert after.life is not None
    assert (after.life.closed_ms is not None) is (is_ended == "yes")
    assert (after.beside is not None) is (is_ended == "yes")
    if is_ended == "yes":
        assert after.fills == fills[:2]
        by_user = "-0.013own" not in trades
        assert after.life.exit_reason is (ExitReason.BY_USER if by_user else ExitReason.STOP)


def _written(text: str, number: int, side: Side) -> Fill:
    opens = text.startswith("+")
    quantity = text[1:].removesuffix("own")
    if not text.endswith("own"):
        return a_trade(quantity, number, side=side, opens=opens)
    role = ENTRY if opens else PRIMARY
    return a_fill(role, quantity, number=number, side=side, at_ms=NOW - 20_000 + number)


def test_while_an_entry_may_fill_the_trades_end_nothing() -> None:
    """RULES C2, A4: the remainder works on; flat in between was a pause."""
    fills = (
        a_fill(quantity="0.004"),
        a_trade("0.004", 2, opens=False),
        a_trade("0.02", 3),
    )
    life = a_life("0.004", base_quantity=None, entry_final_ms=None)
    ledger = a_ledger(life, (an_entry(filled="0.004"), a_stop(), a_floor()), fills=fills)

    after = looked(ledger, seen(ledger, position=a_position("0.02")))

    assert after.life is not None
    assert after.life.closed_ms is None


def test_a_closed_lifes_record_takes_no_later_trade_of_others() -> None:
    """Contracts, trade: exact against the exchange's numbers of this position, and no other's."""
    life = a_life("0", opened_ms=NOW - 50_000, closed_ms=NOW - 20_000)
    mine = (a_fill(), a_fill(PRIMARY, number=2, at_ms=NOW - 20_000))
    ledger = a_ledger(life, (a_filled_entry(),), fills=mine)
    later = a_trade("0.02", 3)

    after = looked(ledger, seen(ledger, fills=(*mine, later)))

    assert after.fills == mine


@pytest.mark.parametrize("origin", [Origin.ORPHAN, Origin.IMPORTED])
def test_trades_that_do_not_begin_with_the_entry_end_nothing(origin: Origin) -> None:
    """RULES C2: somebody's own additions and cuts, told from the middle, add up to nothing."""
    life = a_life(origin=origin)
    fills = (a_trade("0.02", 1), a_trade("0.02", 2, opens=False), a_trade("0.01", 3))

    assert until_flat(a_ledger(life, fills=fills), life) == fills


def test_a_trade_that_may_be_our_own_stops_is_not_taken_for_anothers() -> None:
    """RULES C2: not named yet, on the closing side: a child of ours executes like that."""
    unnamed = replace(a_trade("0.005", 3, opens=False), client_id="")
    fills = (a_fill(at_ms=NOW - 20_000), a_trade("0.013", 2, opens=False), unnamed)
    ledger = a_ledger(a_life(), (a_filled_entry(),), fills=fills)

    assert until_flat(ledger, a_life()) == fills


# -- the one stop ----------------------------------------------------------------------------------


def beside_a_sweep(side: Side = LONG, *more: Order, known: HedgedSide | None = None) -> Ledger:
    """Return a long of ours that is closed and swept, and somebody's ``side`` beside it."""
    life = a_life("0", opened_ms=NOW - 50_000, closed_ms=NOW - 500)
    fills = (a_fill(), a_fill(PRIMARY, number=2, at_ms=NOW - 500))
    ledger = a_ledger(life, (a_filled_entry(), *more), fills=fills, beside=known)
    return replace(ledger, position_quantity=d("0.02") * side.sign)


def standing(ledger: Ledger, side: Side, limits: Limits = LIMITS, **changes: Any) -> Situation:
    """Return the tick in which somebody's position stands there."""
    position = a_position("0.02", side, updated_ms=NOW - 100)
    look = seen(ledger, **{"position": position, "price": on(side, 90_760), **changes})
    return a_situation(ledger=looked(ledger, look, limits), observation=look, limits=limits)


@both_sides
def test_it_is_protected_in_the_tick_that_finds_it(side: Side) -> None:
    """RULES G1: one closePosition stop 3 % from the current mark, under a generation of its own."""
    situation = standing(beside_a_sweep(side), side)

    (stop,) = placed(make_plan(situation))

    assert (stop.role, stop.trigger_price, stop.close_position) == (FLOOR, WIDE[side], True)
    assert stop.side is side.closing
    assert (stop.client_id.decision_hash, stop.client_id.generation) == (FOREIGN_HASH, 2)
    assert situation.ledger.generation == 2


STANDING = table("""
what       placed  holds                   why
resting    no      -                       its stop rests
lost       88100   -                       a lost stop comes back where it was
foreign    no      foreign_close_position  the exchange takes one such stop a direction
ignore     no      orphan_ignored          policy: leave it alone
""")


@pytest.mark.parametrize("row", STANDING, ids=ids(STANDING))
def test_it_gets_one_stop_and_no_more(row: list[str]) -> None:
    """RULES G1, F1, B2."""
    what, expected, why, _ = row
    rested = {"resting": [a_wide_stop()], "lost": [a_wide_stop(status=CANCELLED)]}.get(what, [])
    own = tuple(replace(o, terms=replace(o.terms, trigger_price=d(88_100))) for o in rested)
    ledger = beside_a_sweep(LONG, *own, known=HedgedSide(2, LONG))
    ledger = replace(ledger, generation=2)
    reports = [report_of(o) for o in own if o.status.is_resting]
    if what == "foreign":
        reports = [a_foreign_stop(88_000, close_position=True, quantity=None)]
    limits = Limits(orphan=OrphanPolicy.IGNORE) if what == "ignore" else LIMITS

    plan = make_plan(standing(ledger, LONG, limits, reports=reports))

    found = [t.trigger_price for t in placed(plan)]
    assert found == ([] if expected == "no" else [d(expected)])
    assert held(plan) == ([] if why == "-" else [why])


def test_it_is_let_go_of_only_when_proven_gone() -> None:
    """RULES C2: three looks over ten seconds; a look that forgot it must not sweep its stop."""
    stop = a_wide_stop()
    ledger = replace(beside_a_sweep(LONG, stop, known=HedgedSide(2, LONG)), generation=2)
    known = []
    for elapsed_ms in (0, 1_000, 9_999, 10_000):
        look = seen(ledger, position=a_position(0), now=NOW + elapsed_ms, fills=None)
        ledger = looked(ledger, look)
        plan = make_plan(a_situation(ledger=ledger, observation=look))
        known.append((ledger.beside is not None, cancelled(plan, FLOOR)))

    assert known == [(True, []), (True, []), (True, []), (False, [stop.id])]


def test_what_becomes_ours_stands_beside_nothing() -> None:
    """RULES G1, G6: our entry filled after all; the wide stop is an earlier order like any."""
    ledger = a_ledger(
        a_life("0", withdrawing="foreign_position"),
        (an_entry(filled="0.004"), a_stop(), a_wide_stop()),
        fills=(a_fill(quantity="0.004"),),
        generation=2,
        beside=HedgedSide(2, LONG),
    )

    after = looked(ledger, seen(ledger, position=a_position("0.024")))

    assert after.beside is None
    assert [o.generation for o in after.earlier_orders] == [2]


# -- our life's end beside it ----------------------------------------------------------------------


def test_the_sweep_is_over_although_that_stop_rests() -> None:
    """RULES G6: the book is clean of the life's own orders; the stop beside it is not one."""
    ledger = replace(beside_a_sweep(LONG, a_wide_stop(), known=HedgedSide(2, LONG)), generation=2)
    look = seen(ledger, position=a_position("0.02", updated_ms=NOW - 100))

    after = looked(ledger, look)

    assert after.life is not None
    assert after.life.clean_reads == 1


@both_sides
def test_it_becomes_an_orphans_life_with_the_stop_it_has(side: Side) -> None:
    """RULES G1: the same generation, the same stop; a second one would be refused (-4130)."""
    stop = a_wide_stop(side)
    ledger = a_ledger(None, (stop,), generation=2, beside=HedgedSide(2, side, is_covered=True))
    ledger = replace(ledger, position_quantity=d("0.02") * side.sign)
    look = seen(ledger, position=a_position("0.02", side), price=on(side, 91_500))

    after = looked(ledger, look)
    plan = make_plan(a_situation(ledger=after, observation=look))

    assert after.beside is None
    assert after.life is not None
    assert (after.life.origin, after.life.generation) == (Origin.ORPHAN, 2)
    assert after.life.initial_stop == WIDE[side]
    assert plan.actions == ()


def test_a_look_without_the_lists_does_not_forget_it() -> None:
    """Lesson 31: what is not known now was known a moment ago."""
    one = HedgedSide(2, LONG, level=WIDE[LONG], is_covered=True)
    ledger = a_ledger(None, (a_wide_stop(),), generation=2, beside=one)
    look = replace(an_observation(position=a_position("0.02")), orders=None)

    assert looked(ledger, look).beside is not None
    assert looked(ledger, replace(look, position=None)).beside == one


def test_after_a_lost_store_the_stop_that_rests_is_the_orphans() -> None:
    """RULES B4, G1: it was placed before the store was lost, and only one of its kind can rest."""
    ledger = a_ledger(history_read_ms=None)
    stop = a_wide_stop(generation=7)
    look = an_observation(position=a_position("0.02"), reports=[report_of(stop)])

    after = looked(ledger, look)
    plan = make_plan(a_situation(ledger=after, observation=look))

    assert after.life is not None
    assert (after.life.generation, after.life.origin) == (7, Origin.ORPHAN)
    assert (placed(plan), cancelled(plan)) == ([], [])


DISARM = table("""
entry      cover    cancels  why
none       none     -        our stop is all that covers it: the wide one is only being placed
none       wide     stop     now something else does
cancelled  wide     stop     an entry that was withdrawn empty
working    wide     entry    step one first
none       ignore   stop     policy: nothing of ours may close it
""")


@both_sides
@pytest.mark.parametrize("row", DISARM, ids=ids(DISARM))
def test_the_armed_stop_leaves_once_something_else_covers_it(row: list[str], side: Side) -> None:
    """RULES E5, B1, G1: it must not close what is not ours, nor leave it naked for a moment."""
    entry, cover, leaving, _ = row
    given: dict[str, Any] = {"side": side, "price": on(side, "90743.3")}
    entries = {
        "none": (),
        "cancelled": (an_entry(status=CANCELLED, **given),),
        "working": (an_entry(**given),),
    }[entry]
    armed = a_stop(on(side, 90_380), side=side)
    wide = (a_wide_stop(side),) if cover == "wide" else ()
    trades = (a_trade("0.02", 1, side=side),)
    ledger = a_ledger(
        a_life("0", side=side, withdrawing="foreign_position", withdrawing_ms=NOW - 500),
        (*entries, armed, *wide),
        fills=trades,
        generation=2,
        beside=HedgedSide(2, side),
        position_quantity=d("0.02") * side.sign,
    )
    limits = Limits(orphan=OrphanPolicy.IGNORE) if cover == "ignore" else LIMITS
    situation = standing(ledger, side, limits)

    plan = make_plan(situation)
    grounds = Grounds(situation, plan.ledger)
    refused = [
        why
        for a in plan.actions
        if isinstance(a, CancelOrder)
        and (why := refuse_cancel(a, grounds, [a.client_id])) is not None
    ]

    found = {PRIMARY: "stop", ENTRY: "entry"}
    assert [found[i.role] for i in cancelled(plan)] == ([] if leaving == "-" else [leaving])
    assert refused == []


# -- the gateway -----------------------------------------------------------------------------------


def grounds_of(ledger: Ledger, side: Side = LONG, **changes: Any) -> Grounds:
    situation = standing(ledger, side, **changes)
    return Grounds(situation, situation.ledger)


STOPS = table("""
form      judged      why
right     -           the one stop that closes it
quantity  beside      it does not size itself
entry     beside      nothing that opens, and no other role
wrong     beside      it closes the other side
flat      beside      nothing is held there
""")


@pytest.mark.parametrize("row", STOPS, ids=ids(STOPS))
def test_nothing_but_that_stop_leaves_under_its_generation(row: list[str]) -> None:
    """RULES G1, A5: judged once more at the door."""
    form, judged, _ = row
    ledger = replace(beside_a_sweep(LONG, known=HedgedSide(2, LONG)), generation=2)
    right = a_wide_stop().terms
    terms = {
        "right": right,
        "flat": right,
        "quantity": replace(right, close_position=False, quantity=d("0.02"), reduce_only=True),
        "entry": replace(right, type=OrderType.TAKE_PROFIT_MARKET),
        "wrong": replace(right, side=LONG.opening),
    }[form]
    more: dict[str, Any] = {"position": a_position(0)} if form == "flat" else {}

    said = fits_the_life(
        PlaceOrder(terms, ActionClass.PROTECT, "spec", "floor_missing"), grounds_of(ledger, **more)
    )

    assert (None if said is None else said.partition(":")[0]) == (None if judged == "-" else judged)


LEVELS = table("""
known    wanted  judged       why
-        88037   -            the first one lies where the mark puts it
88100    88100   -            where the last one rested
88100    88200   -            tighter
88100    88000   never_widen  wider than where the last one rested
90900    88000   -            price has passed that level: it protects nothing any more
""")


@pytest.mark.parametrize("row", LEVELS, ids=ids(LEVELS))
def test_its_next_stop_is_never_wider_than_the_last(row: list[str]) -> None:
    """RULES B2: as for a side of a hedge-mode account."""
    known, wanted, judged, _ = row
    level = None if known == "-" else d(known)
    ledger = replace(beside_a_sweep(LONG, known=HedgedSide(2, LONG, level=level)), generation=2)
    terms = replace(a_wide_stop().terms, trigger_price=d(wanted))

    said = never_widens(
        PlaceOrder(terms, ActionClass.PROTECT, "spec", "floor_missing"), grounds_of(ledger)
    )

    assert (None if said is None else said.partition(":")[0]) == (None if judged == "-" else judged)


def test_the_door_keeps_an_armed_stop_that_is_all_the_cover_there_is() -> None:
    """RULES B1, F2: what E5's proof says of our entry says nothing of somebody's position."""
    life: Life = a_life("0", withdrawing="foreign_position")
    ledger = a_ledger(life, (a_stop(),), generation=2, beside=HedgedSide(2, LONG))
    request = CancelOrder(
        a_stop().id,
        a_stop().terms.book,
        ActionClass.RECONCILE,
        "spec",
        "spec",
        Proof.ENTRY_NEVER_FILLED,
    )

    refused = refuse_cancel(request, grounds_of(ledger), [request.client_id])
    allowed = refuse_cancel(
        request,
        grounds_of(replace(ledger, orders=(*ledger.orders, a_wide_stop()))),
        [request.client_id],
    )

    assert refused is not None
    assert refused.startswith("proof: 0 would be left")
    assert allowed is None


def test_a_decision_waits_until_it_is_gone() -> None:
    """RULES G1: entries are blocked beside what is not ours."""
    ledger = a_ledger(None, (a_wide_stop(),), generation=2, beside=HedgedSide(2, LONG))
    ledger = replace(ledger, position_quantity=d("0.02"))
    shown = [report_of(a_wide_stop())]
    look = replace(an_observation(position=a_position("0.02"), reports=shown), orders=None)

    plan = make_plan(
        a_situation(ledger=looked(ledger, look), observation=look, decision=a_decision())
    )

    assert placed(plan) == []
