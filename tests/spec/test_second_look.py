"""A settled picture costs one round trip; what moved is asked once more, afterwards (RULES C3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.observation import Fact, Observation, Question, Topic
from engine.domain.order import OrderReport
from engine.domain.position import Origin
from engine.domain.terms import Book
from engine.reconcile.fills import fold_fills
from engine.reconcile.questions import TRADES_BACK_MS, TRADES_OVERLAP_MS, questions
from engine.reconcile.settle import reconcile
from tests.builders import (
    CANCELLED,
    ENTRY,
    INTENDED,
    NOW,
    PRIMARY,
    TRIGGERING,
    UNKNOWN,
    a_fill,
    a_filled_entry,
    a_floor,
    a_foreign_stop,
    a_ledger,
    a_life,
    a_position,
    a_stop,
    a_tp1,
    an_entry,
    an_id,
    d,
    ids,
    report_of,
    seen,
    table,
    the_usual_orders,
)

POSITION = Question(Topic.POSITION)
FILLS = Question(Topic.FILLS, since_ms=NOW - 50_000 - TRADES_OVERLAP_MS)


def about(role: str, book: Book = Book.ALGO) -> Question:
    return Question(Topic.ORDER, client_id=role, book=book)


def a_settled() -> Ledger:
    return a_ledger(a_life(), the_usual_orders())


def test_a_settled_picture_asks_nothing_more() -> None:
    """RULES C3: one round trip, the steady state."""
    ledger = a_settled()

    assert questions(ledger, seen(ledger)) == ()


def test_foreign_orders_do_not_unsettle_the_picture() -> None:
    """RULES C3: the set of own orders."""
    ledger = a_settled()
    listed = [report_of(o) for o in ledger.orders if o.status.is_resting]

    assert questions(ledger, seen(ledger, reports=[*listed, a_foreign_stop()])) == ()


def test_a_vanished_order_is_asked_for_by_id_after_the_position() -> None:
    """RULES C3, lesson 1: its fate, after the lists came back."""
    ledger = a_settled()
    listed = [report_of(o) for o in ledger.orders if o.status.is_resting and o.role is not PRIMARY]

    assert questions(ledger, seen(ledger, reports=listed)) == (
        POSITION,
        FILLS,
        about(str(an_id(PRIMARY))),
    )


def test_an_order_is_looked_for_in_its_own_book() -> None:
    """Lesson 3: an entry in the plain book, a stop in the other."""
    ledger = a_ledger(a_life("0"), (an_entry(), a_stop()))

    asked = questions(ledger, seen(ledger, reports=()))

    assert asked == (
        POSITION,
        Question(Topic.FILLS, since_ms=NOW - 60_000 - TRADES_OVERLAP_MS),
        about(str(an_id(ENTRY)), Book.REGULAR),
        about(str(an_id(PRIMARY))),
    )


CHANGES = table("""
change     why
position   the position differs
filled     an order executed in part
status     an order moved on
stranger   an own order nobody wrote down
unknown    a fate is open
trades     trades are still to come
""")


@pytest.mark.parametrize("row", CHANGES, ids=ids(CHANGES))
def test_whatever_moved_is_looked_at_twice(row: list[str]) -> None:
    """RULES C3: only that second picture is planned from."""
    ledger = a_settled()
    looks = {
        "position": seen(ledger, position=a_position("0.007")),
        "filled": _with(ledger, report_of(a_tp1(), quantity_filled=d("0.001"))),
        "status": _with(ledger, report_of(a_stop(), status=TRIGGERING)),
        "stranger": _with(ledger, report_of(a_stop(revision=5))),
        "unknown": seen(ledger),
        "trades": seen(ledger),
    }
    if row[0] == "unknown":
        unknown = a_stop(status=UNKNOWN, revision=2)
        ledger = replace(ledger, orders=(*ledger.orders, unknown))
    if row[0] == "trades":
        ledger = replace(ledger, fills=())

    asked = questions(ledger, looks[row[0]])

    assert asked[0] == POSITION
    assert (FILLS in asked) is (row[0] != "stranger")


def _with(ledger: Ledger, report: OrderReport) -> Observation:
    listed = {str(o.id): report_of(o) for o in ledger.orders if o.status.is_resting}
    listed[report.client_id] = report
    return seen(ledger, reports=list(listed.values()))


def test_trades_are_asked_from_a_little_before_the_last_known_one() -> None:
    """RULES C2: times are the exchange's own; fills are counted once anyway."""
    fill = a_fill(at_ms=NOW - 5_000)
    life = a_life(armed_ms=NOW - 900_000)
    ledger = a_ledger(life, the_usual_orders(), fills=(fill,))

    asked = questions(ledger, seen(ledger, position=a_position("0.007")))

    assert asked[1] == Question(Topic.FILLS, since_ms=NOW - 5_000 - TRADES_OVERLAP_MS)


def test_trades_are_asked_from_a_little_before_arming() -> None:
    """Exchange time as we know it may run ahead: an entry fills within a moment of its arming."""
    ledger = a_ledger(a_life(armed_ms=NOW), the_usual_orders(), fills=())

    asked = questions(ledger, seen(ledger))

    assert Question(Topic.FILLS, since_ms=NOW - TRADES_OVERLAP_MS) in asked


@pytest.mark.parametrize(
    ("client_id", "counts"),
    [(str(an_id(ENTRY)), True), (str(an_id(ENTRY, generation=9)), False), ("web_1", False)],
)
def test_a_trade_stamped_before_arming_counts_when_an_order_of_this_life_made_it(
    client_id: str, counts: bool
) -> None:
    """The campaign's drifting clock lost an entry's trade for ever; others' stay where they are."""
    fill = a_fill(at_ms=NOW - 700, client_id=client_id)
    ledger = a_ledger(a_life(armed_ms=NOW - 600), the_usual_orders(), fills=())

    folded, _ = fold_fills(ledger, replace(seen(ledger), fills=Fact((fill,), NOW)))

    assert (fill in folded.fills) is counts


def test_an_unnamed_trade_is_named_by_its_order() -> None:
    """Lesson 7: whose execution it was is asked by the exchange's own number."""
    fill = a_fill(client_id="", exchange_order_id="4711")
    ledger = a_ledger(a_life(), the_usual_orders(), fills=(fill,))

    assert questions(ledger, seen(ledger))[-1] == Question(
        Topic.ORDER, exchange_id="4711", book=Book.REGULAR
    )


def test_without_a_life_no_trades_are_asked() -> None:
    """A zombie's fate is asked; its trades belong to nobody."""
    ledger = a_ledger(orders=(a_stop(),))

    assert questions(ledger, seen(ledger, reports=())) == (POSITION, about(str(an_id(PRIMARY))))


def test_half_a_picture_is_not_asked_about() -> None:
    """RULES C3: nothing moved as far as anybody knows."""
    ledger = a_settled()

    for blind in (
        replace(seen(ledger), position=None),
        replace(seen(ledger), orders=None),
        replace(seen(ledger), algo_orders=None),
    ):
        assert questions(ledger, blind) == ()


NO_GAP = table("""
kind    why
orphan  somebody else's trades are not ours to know
old     the exchange no longer tells trades that old
armed   nothing filled yet
""")


@pytest.mark.parametrize("row", NO_GAP, ids=ids(NO_GAP))
def test_trades_that_cannot_come_are_not_waited_for(row: list[str]) -> None:
    """Weight: a gap that can never close must not be asked about every tick."""
    life = {
        "orphan": a_life(origin=Origin.ORPHAN),
        "old": a_life(armed_ms=NOW - TRADES_BACK_MS - 1),
        "armed": a_life("0"),
    }[row[0]]
    ledger = a_ledger(life, (a_stop(),), fills=())

    assert questions(ledger, seen(ledger)) == ()


STREAKS = table("""
look    before  after  why
calm    0       1      a settled picture
calm    1       2      two in a row
calm    2       2      two is all that is asked for
second  2       0      something moved: not settled
half    2       0      a list was not read
half    0       0      still nothing
""")


@pytest.mark.parametrize("row", STREAKS, ids=ids(STREAKS))
def test_settled_pictures_are_counted_in_a_row(row: list[str]) -> None:
    """RULES C3: entering needs two settled ticks in a row."""
    look, before, after, _ = row
    ledger = replace(a_ledger(), settled_streak=int(before))
    looks = {
        "calm": seen(ledger),
        "second": replace(seen(ledger), is_second=True),
        "half": replace(seen(ledger), orders=None),
    }

    reconciled, _ = reconcile(ledger, looks[look], Limits())

    assert reconciled.settled_streak == int(after)


AWAITED = table("""
change     settled  why
nothing    yes      only the fate of an armed stop is open, and the next one rests
intended   no       it became of unknown fate just now
entry      no       an entry of unknown fate may have opened something
doubtful   no       a stop that rested and is not shown
filled     no       the entry executed
position   no       the position moved
trades     no       trades came
unnamed    no       a trade whose order is not known yet
stranger   no       an order of ours the ledger did not know
""")


@pytest.mark.parametrize("row", AWAITED, ids=ids(AWAITED))
def test_a_stop_of_unknown_fate_alone_does_not_unsettle_the_picture(row: list[str]) -> None:
    """RULES C3, C4: for protection nothing waits; what can open nothing holds no entry back.

    Killed between the armed stop's intent and its sending, the keeper asked for that stop for
    fourteen seconds, and each look was a second one.
    """
    change = row[0]
    awaited = a_stop(status=INTENDED if change == "intended" else UNKNOWN)
    armed = a_stop(revision=2, doubtful_since_ms=NOW - 500 if change == "doubtful" else None)
    entry = an_entry(status=UNKNOWN) if change == "entry" else an_entry()
    known = a_fill(client_id="" if change == "unnamed" else "web_1", exchange_order_id="77")
    fills = (known,) if change == "unnamed" else ()
    ledger = a_ledger(a_life("0"), (awaited, armed, entry), fills=fills, settled_streak=1)
    reports = [report_of(armed), report_of(entry)]
    if change == "filled":
        reports[1] = report_of(entry, quantity_filled=d("0.004"))
    if change == "doubtful":
        reports = reports[1:]
    if change == "stranger":
        reports.append(report_of(a_stop(revision=9)))
    position = a_position("0.004" if change == "position" else 0)
    told = (known,) if change in ("trades", "unnamed") else None
    look = replace(seen(ledger, reports=reports, position=position, fills=told), is_second=True)

    reconciled, _ = reconcile(ledger, look, Limits())

    assert reconciled.settled_streak == (2 if row[1] == "yes" else 0)


def test_what_we_cancelled_ourselves_is_asked_without_its_trades() -> None:
    """Weight: it has most likely not traded; if it has, the gap asks for the trades."""
    ledger = a_ledger(a_life("0"), (an_entry(cancel_sent_ms=NOW - 100), a_stop()))

    asked = questions(ledger, seen(ledger, reports=[report_of(a_stop())]))

    assert asked == (POSITION, about(str(an_id(ENTRY)), Book.REGULAR))


def test_final_orders_are_not_asked_about() -> None:
    """RULES C1: a final word was said."""
    ledger = a_ledger(
        a_life(), (a_filled_entry(), a_stop(status=CANCELLED), a_stop(revision=2), a_floor())
    )

    assert questions(ledger, seen(ledger)) == ()
