"""Flat is believed when fills explain it, or after a long look; a position on one read (RULES C2).

A position read may lag a fill by seconds: calling a position gone that is there would sweep its
stops.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.domain.drift import DriftKind
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.observation import Observation
from engine.domain.order import Fill
from engine.domain.position import ExitReason, Life, Origin
from engine.domain.terms import Side
from engine.plan.planner import make_plan
from engine.reconcile.settle import reconcile
from tests.builders import (
    CANCELLED,
    EMERGENCY,
    ENTRY,
    EXPIRED,
    FILLED,
    FLOOR,
    LONG,
    NOW,
    PRIMARY,
    SHORT,
    TP1,
    TP2,
    ZONE_EXIT,
    a_decision,
    a_fill,
    a_filled_entry,
    a_floor,
    a_ledger,
    a_level,
    a_life,
    a_position,
    a_situation,
    a_stop,
    an_entry,
    cancelled,
    d,
    ids,
    placed,
    report_of,
    seen,
    table,
    the_usual_orders,
)


def flat_look(ledger: Ledger, *new: Fill, now: int = NOW, **changes: object) -> Observation:
    """Return a look that reads flat and tells every trade known, and ``new`` ones."""
    given = {"position": a_position(0), "fills": (*ledger.fills, *new), "now": now}
    return seen(ledger, **{**given, **changes})


def after(ledger: Ledger, look: Observation) -> tuple[Ledger, Life]:
    """Return the ledger after a look, and its life."""
    reconciled, _ = reconcile(ledger, look, Limits())
    assert reconciled.life is not None
    return reconciled, reconciled.life


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_flat_is_believed_at_once_when_fills_explain_it(side: Side) -> None:
    """RULES C2: own entries and all later fills sum to zero."""
    ledger = a_ledger(a_life(side=side), the_usual_orders(side))
    exit_fill = a_fill(PRIMARY, number=2, side=side, at_ms=NOW - 500)

    _, life = after(ledger, flat_look(ledger, exit_fill))

    assert (life.quantity, life.closed_ms, life.exit_reason) == (d(0), NOW - 500, ExitReason.STOP)


def test_flat_without_an_explaining_fill_is_a_doubt_and_nothing_is_swept() -> None:
    """RULES C2: a read that lags the fills must not cost the position its stops."""
    ledger = a_ledger(a_life(), the_usual_orders())

    ledger, life = after(ledger, flat_look(ledger))
    plan = make_plan(a_situation(ledger=ledger, position=a_position(0)))

    assert (life.closed_ms, life.quantity, life.flat_reads) == (None, d("0.013"), 1)
    assert plan.actions == ()


def test_flat_without_explanation_is_believed_after_three_reads_over_ten_seconds() -> None:
    """RULES C2, lesson 15: closed by hand where the trades stay silent."""
    ledger = a_ledger(a_life(), the_usual_orders())
    moments = [NOW, NOW + 5_000, NOW + 9_999]
    for now in moments:
        ledger, life = after(ledger, flat_look(ledger, now=now))
        assert life.closed_ms is None

    reconciled, drifts = reconcile(ledger, flat_look(ledger, now=NOW + 10_000), Limits())

    assert reconciled.life is not None
    assert reconciled.life.exit_reason is ExitReason.BY_USER
    assert [drift.kind for drift in drifts] == [DriftKind.PHANTOM_POSITION]


def test_two_reads_are_not_three_however_far_apart() -> None:
    """RULES C2: three reads agree."""
    ledger = a_ledger(a_life(), the_usual_orders())
    for now in (NOW, NOW + 20_000):
        ledger, life = after(ledger, flat_look(ledger, now=now))

        assert life.closed_ms is None


def test_a_position_seen_once_ends_the_doubt() -> None:
    """RULES C2: a position that exists is believed on one read."""
    ledger = a_ledger(a_life(), the_usual_orders())
    ledger, _ = after(ledger, flat_look(ledger))

    _, life = after(ledger, seen(ledger))

    assert (life.flat_seen_ms, life.flat_reads, life.quantity) == (None, 0, d("0.013"))


def test_flat_is_not_proven_while_the_entry_may_still_fill() -> None:
    """RULES C2, E5: the filled part was stopped out, the rest of the entry still works.

    Swept now, the next fill would be naked.
    """
    entry = an_entry(filled="0.004", status=an_entry().status)
    stop = a_stop(status=FILLED, filled="0.004")
    ledger = a_ledger(a_life("0.004", entry_final_ms=None), (entry, stop))
    exit_fill = a_fill(PRIMARY, "0.004", number=2, at_ms=NOW - 500)

    ledger, life = after(ledger, flat_look(ledger, exit_fill))
    plan = make_plan(a_situation(ledger=ledger, position=a_position(0), decision=a_decision()))

    assert (life.closed_ms, life.quantity) == (None, d(0))
    assert cancelled(plan) == [entry.id]
    assert [(t.quantity, t.trigger_price) for t in placed(plan)] == [(d("0.009"), d(90_380))]


def test_the_same_position_is_closed_once_the_entry_is_final() -> None:
    """RULES C2: with the last entry final and empty of remainder, fills explain flat."""
    entry = an_entry(filled="0.004", status=CANCELLED)
    life = a_life("0", opened_ms=NOW - 5_000, withdrawing="flat_in_doubt", flat_seen_ms=NOW - 900)
    fills = (a_fill(quantity="0.004"), a_fill(PRIMARY, "0.004", number=2, at_ms=NOW - 900))
    ledger = a_ledger(life, (entry, a_stop()), fills=fills)

    _, life = after(ledger, flat_look(ledger))

    assert life.closed_ms == NOW - 900


def test_an_execution_without_its_trade_is_not_flat() -> None:
    """RULES C2: position and trades both lag; the order itself says that it executed."""
    life = a_life("0")
    ledger = a_ledger(life, (an_entry(), a_stop()), fills=())
    look = flat_look(
        ledger, reports=[report_of(a_stop())], lookups=[report_of(a_filled_entry())], is_second=True
    )

    ledger, life = after(ledger, look)
    _, still = after(ledger, flat_look(ledger, now=NOW + 300))

    assert (life.quantity, life.closed_ms, life.is_open) == (d("0.013"), None, True)
    assert (still.quantity, still.closed_ms) == (d("0.013"), None)


def test_a_position_read_once_is_not_gone_because_a_stale_read_says_so() -> None:
    """RULES C2: no trade is known, so no trade explains flat."""
    ledger = a_ledger(a_life(), (an_entry(status=an_entry().status), a_stop()), fills=())

    _, life = after(ledger, flat_look(ledger))

    assert (life.closed_ms, life.quantity) == (None, d("0.013"))


def test_a_position_that_came_and_went_between_two_looks_is_a_trade() -> None:
    """Entry and stop filled within one tick: the life must close, its stops be swept (G6)."""
    ledger = a_ledger(a_life("0"), (an_entry(), a_stop()), fills=())
    entry_fill = a_fill(at_ms=NOW - 900)
    exit_fill = a_fill(PRIMARY, number=2, at_ms=NOW - 400)
    look = flat_look(
        ledger,
        entry_fill,
        exit_fill,
        reports=(),
        lookups=[report_of(a_filled_entry()), report_of(a_stop(status=FILLED, filled="0.013"))],
        is_second=True,
    )

    _, life = after(ledger, look)

    assert (life.opened_ms, life.closed_ms) == (NOW - 900, NOW - 400)
    assert life.exit_reason is ExitReason.STOP


def test_somebody_elses_round_trip_does_not_open_our_life() -> None:
    """Lesson 17: a foreign buy and sell while our stop is armed are not our position."""
    foreign = (
        a_fill(number=1, client_id="web_1", exchange_order_id="7"),
        a_fill(PRIMARY, number=2, client_id="web_2", exchange_order_id="8"),
    )
    ledger = a_ledger(a_life("0"), (a_stop(),), fills=())

    _, life = after(ledger, flat_look(ledger, *foreign))

    assert life.opened_ms is None


def test_an_imported_life_needs_the_long_look() -> None:
    """RULES C2: its older fills are not in the ledger, so they explain nothing."""
    ledger = a_ledger(a_life(origin=Origin.IMPORTED), (a_stop(),), fills=())

    _, life = after(ledger, flat_look(ledger))

    assert (life.closed_ms, life.quantity) == (None, d("0.013"))


TAKEN = table("""
origin    untold  trades        closed  why
imported  0.013   -0.013        yes     what was held, and its own stop took it all
imported  0.013   -0.006 -0.007  yes     in two parts
imported  0.013   -0.006        no      a part of it: the rest is not told
imported  0.013   +0.005 -0.018  yes     somebody added, and all of it left
imported  -       -0.013        no      nobody knows what was held before the first trade
orphan    0.013   -0.013        yes     somebody's position, that its stop, or he himself, closed
orphan    0.013   none          no      a look that forgot it: no trade says so
""")


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("row", TAKEN, ids=ids(TAKEN))
def test_trades_that_take_away_what_was_held_prove_flat(row: list[str], side: Side) -> None:
    """RULES C2: an imported life's entry may be too old to be told; what was held is not."""
    origin, untold, trades, closed, _ = row
    life = a_life(side=side, origin=Origin(origin), untold=None if untold == "-" else d(untold))
    ledger = a_ledger(life, (a_stop(side=side),), fills=())
    fills = tuple(
        a_fill(
            ENTRY if text[0] == "+" else PRIMARY,
            text[1:],
            number=number,
            side=side,
            at_ms=NOW - 900,
            client_id="web_1",
        )
        for number, text in enumerate(() if trades == "none" else trades.split(), start=1)
    )

    _, found = after(ledger, flat_look(ledger, *fills))

    assert (found.closed_ms is not None) is (closed == "yes")


@pytest.mark.parametrize("origin", [Origin.IMPORTED, Origin.ORPHAN, Origin.DECISION])
def test_what_the_trades_do_not_explain_is_noted_while_it_stands(origin: Origin) -> None:
    """RULES C2: only by a read that no trade can be missing from; a decision's life needs none."""
    life = a_life("0.020", origin=origin)
    fills = (a_fill(TP1, "0.006", at_ms=NOW - 20_000),)
    ledger = a_ledger(life, (a_stop(),), fills=fills)
    fresh = replace(ledger, last_fill_ms=NOW - 1_000)
    look = seen(ledger, position=a_position("0.020"))

    _, found = after(ledger, look)
    _, lagging = after(fresh, look)

    assert found.untold == (None if origin is Origin.DECISION else d("0.026"))
    assert lagging.untold is None


def test_nothing_is_closed_for_its_price_while_an_imported_position_reads_flat() -> None:
    """RULES C2, F11: orders against nothing are only refused, and would name the wrong reason."""
    life = a_life(origin=Origin.IMPORTED, flat_seen_ms=NOW - 3_000, crossed_since_ms=NOW - 3_000)
    doubtful = a_situation(life, (a_stop(),), position=a_position(0), price=90_300)
    standing = a_situation(replace(life, flat_seen_ms=None), (a_stop(),), price=90_300)

    plans = [make_plan(situation) for situation in (doubtful, standing)]

    assert [plan.ledger.life is not None and plan.ledger.life.closing for plan in plans] == [
        None,
        ExitReason.EMERGENCY,
    ]


def test_sizes_are_the_exchanges_and_never_less_than_fresh_fills() -> None:
    """Lesson 13, RULES A4: while reads may lag a fill, the larger of the two counts."""
    fills = (a_fill(quantity="0.004"), a_fill(quantity="0.009", number=2, at_ms=NOW - 1_000))
    ledger = a_ledger(a_life("0.004"), (a_filled_entry(), a_stop()), fills=fills)

    _, lagging = after(ledger, seen(ledger, position=a_position("0.004")))
    later = seen(ledger, position=a_position("0.004"), now=NOW + 10_000)
    _, settled = after(ledger, later)

    assert (lagging.quantity, settled.quantity) == (d("0.013"), d("0.004"))


def test_a_gap_between_position_and_fills_is_told_with_both_numbers() -> None:
    """Lesson 16: a size mismatch resolves to the exchange's truth and is said."""
    ledger = a_ledger(a_life(), the_usual_orders())
    look = seen(ledger, position=a_position("0.020"), fills=ledger.fills)

    reconciled, drifts = reconcile(ledger, look, Limits())

    assert reconciled.life is not None
    assert reconciled.life.quantity == d("0.020")
    assert (DriftKind.QUANTITY_GAP, "position 0.02, fills 0.013") in [
        (drift.kind, drift.detail) for drift in drifts
    ]


def test_a_flip_by_hand_closes_ours() -> None:
    """RULES G1: our position closed plus a position that is not ours."""
    ledger = a_ledger(a_life(), the_usual_orders())

    reconciled, drifts = reconcile(
        ledger, seen(ledger, position=a_position("0.005", SHORT)), Limits()
    )

    life = reconciled.life
    assert life is not None
    assert (life.exit_reason, life.closed_by, life.quantity) == (
        ExitReason.BY_USER,
        "user",
        d(0),
    )
    assert DriftKind.SIDE_DIFFERS in [drift.kind for drift in drifts]
    assert reconciled.position_quantity == d("-0.005")


def test_a_foreign_position_on_the_other_side_withdraws_an_armed_entry() -> None:
    """RULES G1, E3: nothing enters beside a position that is not ours."""
    ledger = a_ledger(a_life("0"), (a_stop(), an_entry()))

    _, life = after(ledger, seen(ledger, position=a_position("0.005", SHORT)))
    _, again = after(ledger, seen(ledger.with_life(life), position=a_position("0.005", SHORT)))

    assert (life.withdrawing, life.withdrawing_ms, life.opened_ms) == (
        "foreign_position",
        NOW,
        None,
    )
    assert again.withdrawing == "foreign_position"


PASSED_BY = table("""
entry    taken  listed  opened  why
filled   0.018  all     yes     the trades say it all: in, out, and 0.005 the other way
filled   0.015  all     no      0.002 the other way is not what is read: one of the two lags
filled   0.018  first   no      the close has not been told yet
filled   0.018  unnamed  yes    whoever took it away, it is gone
working  0.018  all     no      what may still fill is withdrawn first
""")


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("row", PASSED_BY, ids=ids(PASSED_BY))
def test_a_position_of_ours_that_came_and_went_between_two_looks_was_a_life(
    row: list[str], side: Side
) -> None:
    """RULES G1, F7: its trades are a trade's, though somebody's position on the other side stands.

    Given up as never opened, its record would miss them, and its stop never find a proof to leave.
    """
    entry, taken, listed, opened, _ = row
    order = a_filled_entry(side=side) if entry == "filled" else an_entry(side=side)
    ledger = a_ledger(a_life("0", side=side), (a_stop(side=side), order))
    theirs = a_fill(
        PRIMARY, taken, number=2, side=side, at_ms=NOW - 300,
        client_id="" if listed == "unnamed" else "web_1",
    )  # fmt: skip
    fills = (a_fill(side=side, at_ms=NOW - 400), theirs)[: 1 if listed == "first" else 2]
    look = seen(
        ledger,
        position=a_position("0.005", SHORT if side is LONG else LONG),
        fills=fills,
        reports=[] if entry == "filled" else [report_of(order)],
    )

    _, life = after(ledger, look)

    assert (life.opened_ms, life.closed_ms, life.exit_reason) == (
        (NOW - 400, NOW - 300, ExitReason.BY_USER) if opened == "yes" else (None, None, None)
    )
    assert (life.withdrawing == "foreign_position") is (opened == "no")


REASONS = table("""
role              number  by        reason            why
stop_primary      1       keeper    stop              the armed stop
stop_primary      2       keeper    breakeven_stop    moved to breakeven
stop_primary      3       keeper    trailing_stop     trailed
stop_floor        1       keeper    stop              the floor
tp1               1       keeper    tp1               everything left at TP1
tp2               1       keeper    tp2               the runner's target
liquidation_exit  1       keeper    liquidation_exit  the zone's edge
emergency         1       keeper    emergency         the ladder
""")


@pytest.mark.parametrize("row", REASONS, ids=ids(REASONS))
def test_why_a_position_ended_is_told_by_the_order_that_ended_it(row: list[str]) -> None:
    """Lesson 7: a fill is matched by generation and leg."""
    role, revision, by, reason, _ = row
    roles = {r.value: r for r in (ENTRY, PRIMARY, FLOOR, TP1, TP2, ZONE_EXIT, EMERGENCY)}
    levels = (
        a_level(90_380, 1),
        a_level("90806.9", 2, reason="breakeven"),
        a_level(91_000, 3, reason="trail"),
    )
    ledger = a_ledger(a_life(), the_usual_orders(), levels=levels)
    exit_fill = a_fill(roles[role], number=2, revision=int(revision), at_ms=NOW - 500)

    _, life = after(ledger, flat_look(ledger, exit_fill))

    assert (life.closed_by, life.exit_reason) == (by, ExitReason(reason))


OTHERS = table("""
client_id              by        reason      why
autoclose-1764         exchange  liquidated  the exchange liquidated
adl_autoclose          exchange  adl         deleveraged
web_abc                user      by_user     somebody closed by hand
kp7f3aq2000s001        keeper    zombie      a stop of an earlier life fired
""")


@pytest.mark.parametrize("row", OTHERS, ids=ids(OTHERS))
def test_who_else_can_end_a_position(row: list[str]) -> None:
    """RULES G6: a zombie's fill is booked as one; a liquidation is not ours."""
    client_id, by, reason, _ = row
    ledger = a_ledger(a_life(), the_usual_orders())
    exit_fill = a_fill(
        PRIMARY, number=2, at_ms=NOW - 500, client_id=client_id, exchange_order_id="555"
    )

    _, life = after(ledger, flat_look(ledger, exit_fill))

    assert (life.closed_by, life.exit_reason) == (by, ExitReason(reason))


SIBLINGS = table("""
primary  floor      note           why
filled   expired    spent_sibling  the primary's child took all
filled   cancelled  -              we cancelled it
filled   part       -              it executed as well
none     expired    -              no stop executed: somebody closed by hand
""")


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("row", SIBLINGS, ids=ids(SIBLINGS))
def test_the_layer_that_ended_empty_says_that_the_other_took_all(
    row: list[str], side: Side
) -> None:
    """RULES F7: no alarm, and whoever reads the orders knows why it executed nothing."""
    primary, floor, note, _ = row
    first = a_stop(side=side, status=FILLED, filled="0.013")
    if primary == "none":
        first = a_stop(side=side, status=EXPIRED)
    second = {
        "expired": a_floor(side=side, status=EXPIRED, note="GTE"),
        "cancelled": a_floor(side=side, status=CANCELLED),
        "part": a_floor(side=side, status=FILLED, filled="0.004"),
    }[floor]
    life = a_life("0", side=side, opened_ms=NOW - 50_000, closed_ms=NOW - 500)
    ledger = a_ledger(life, (first, second), fills=())

    once, _ = after(ledger, seen(ledger, position=a_position(0)))
    twice, _ = after(once, seen(once, position=a_position(0)))

    told = once.order(second.id)
    assert told is not None
    assert told.note == ("spent_sibling: GTE" if note != "-" else second.note)
    assert twice.orders == once.orders


def test_the_ladder_ends_a_position_for_the_reason_it_was_begun() -> None:
    """Contracts: exit_reason flat_decision, not emergency, when a decision closed it."""
    life = a_life(closing=ExitReason.FLAT_DECISION, closing_ms=NOW - 900)
    ledger = a_ledger(life, the_usual_orders())

    _, closed = after(ledger, flat_look(ledger, a_fill(EMERGENCY, number=2, at_ms=NOW - 500)))

    assert closed.exit_reason is ExitReason.FLAT_DECISION


def test_without_a_position_read_nothing_is_concluded() -> None:
    """None means not known, never nothing there."""
    ledger = a_ledger(a_life(), the_usual_orders())

    reconciled, _ = reconcile(ledger, Observation(NOW), Limits())

    assert reconciled.life is not None
    assert (reconciled.life.quantity, reconciled.life.closed_ms) == (d("0.013"), None)
    assert reconciled.settled_streak == 0


def test_a_closed_life_only_notes_what_the_position_reads() -> None:
    """What appears after the close belongs to the next life."""
    life = a_life("0", opened_ms=NOW - 9_000, closed_ms=NOW - 800)
    ledger = a_ledger(life, (a_stop(),), fills=())

    reconciled, _ = reconcile(ledger, seen(ledger, position=a_position("0.002")), Limits())

    assert reconciled.position_quantity == d("0.002")
    assert reconciled.life is not None
    assert reconciled.life.closed_ms == NOW - 800


def test_naked_time_counts_up_to_the_close() -> None:
    """RULES A2: the last stretch before the exit is part of the integral."""
    life = a_life(uncovered_quantity=d("0.013"), accounted_ms=NOW - 900, naked_ms=100)
    ledger = a_ledger(life, (a_filled_entry(),))
    exit_fill = a_fill(EMERGENCY, number=2, at_ms=NOW - 400)

    _, closed = after(ledger, flat_look(ledger, exit_fill))

    assert (closed.naked_ms, closed.naked_quantity_s) == (600, d("0.0065"))
