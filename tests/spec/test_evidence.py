"""An order rests from its first positive word until a contrary one (RULES C1).

Absence is not evidence: lists forget (lesson 1), and a forgotten stop placed again and again is a
storm of stops, or a covered position closed.
"""

from __future__ import annotations

import pytest

from engine.domain.drift import Drift, DriftKind
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.observation import NotFound, Observation
from engine.domain.order import Order, OrderReport, OrderStatus
from engine.domain.position import Origin
from engine.domain.terms import Book, OrderType, Side, WorkingPrice
from engine.plan.planner import make_plan
from engine.reconcile.settle import reconcile
from tests.builders import (
    CANCELLED,
    ENTRY,
    EXPIRED,
    FILLED,
    LONG,
    NOW,
    PRIMARY,
    REJECTED,
    SHORT,
    TRIGGERED,
    TRIGGERING,
    WORKING,
    a_fill,
    a_filled_entry,
    a_floor,
    a_foreign_stop,
    a_ledger,
    a_life,
    a_position,
    a_situation,
    a_stop,
    a_tp1,
    an_entry,
    an_id,
    an_order,
    d,
    held,
    ids,
    on,
    placed,
    report_of,
    seen,
    table,
    the_usual_orders,
)

LIMITS = Limits()


def without(ledger: Ledger, *gone: Order, **changes: object) -> Observation:
    """Return a look whose lists do not show these orders."""
    listed = [report_of(o) for o in ledger.orders if o.status.is_resting and o not in gone]
    return seen(ledger, **{"reports": listed, **changes})


def order_after(ledger: Ledger, look: Observation, order: Order) -> Order:
    reconciled, _ = reconcile(ledger, look, LIMITS)
    found = reconciled.order(order.id)
    assert found is not None
    return found


WORDS = table("""
word              status            doubtful  why
-                 working           yes       missing from its list and nothing else
not_found         working           yes       -2013 is not a contrary word
working           working           no        the list forgot, the lookup finds it
cancelled         cancelled         no        a contrary word
expired           expired           no        a contrary word
rejected          rejected          no        a contrary word
filled            filled            no        it executed
triggering        triggering        no        it fires
""")


@pytest.mark.parametrize("row", WORDS, ids=ids(WORDS))
def test_a_stop_missing_from_its_list_is_doubtful_until_a_word(row: list[str]) -> None:
    """RULES C1, lesson 1: not found is not absent."""
    word, status, doubtful, _ = row
    stop = a_stop()
    ledger = a_ledger(a_life(), (a_filled_entry(), stop, a_floor()))
    answers: dict[str, list[OrderReport | NotFound]] = {
        "-": [],
        "not_found": [NotFound(str(stop.id))],
    }
    lookups = answers[word] if word in answers else [report_of(stop, status=OrderStatus(word))]

    after = order_after(ledger, without(ledger, stop, lookups=lookups), stop)

    assert after.status is OrderStatus(status)
    assert (after.doubtful_since_ms == NOW) is (doubtful == "yes")


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_doubtful_cover_gets_one_more_stop_and_no_close(side: Side) -> None:
    """RULES C1: one more at the same level; no naked clock, no closing."""
    ledger = a_ledger(a_life(side=side), the_usual_orders(side))
    stop = ledger.orders[1]
    ledger, drifts = reconcile(ledger, without(ledger, stop), LIMITS)
    assert ledger.life is not None

    plan = make_plan(a_situation(ledger=ledger, observation=without(ledger, stop)))

    more = placed(plan)
    assert [(t.client_id.revision, t.trigger_price, t.quantity) for t in more] == [
        (2, on(side, 90_380), d("0.013"))
    ]
    assert (ledger.life.uncovered_quantity, ledger.life.naked_ms) == (d(0), 0)
    assert plan.ledger.life is not None
    assert plan.ledger.life.closing is None
    assert [x.kind for x in drifts] == [DriftKind.DOUBTFUL_ORDER]


def test_one_more_stop_is_enough_while_the_doubt_lasts() -> None:
    """Lessons 1, 9, 10: a list that stays forgetful does not collect stops."""
    doubtful = a_stop(doubtful_since_ms=NOW - 1_000)
    ledger = a_ledger(
        a_life(), (a_filled_entry(), doubtful, a_stop(revision=2), a_floor(), a_tp1())
    )
    ledger, _ = reconcile(ledger, without(ledger, doubtful), LIMITS)

    plan = make_plan(a_situation(ledger=ledger, observation=without(ledger, doubtful)))

    assert placed(plan, PRIMARY) == []


def test_a_positive_word_ends_the_doubt() -> None:
    """RULES C1: a list that shows it again is a positive word."""
    stop = a_stop(doubtful_since_ms=NOW - 1_000)
    ledger = a_ledger(a_life(), (a_filled_entry(), stop, a_floor()))

    after = order_after(ledger, seen(ledger), stop)

    assert after.doubtful_since_ms is None


def test_the_doubt_keeps_its_first_moment() -> None:
    """RULES C1: the alarm counts from the first look that missed it."""
    stop = a_stop(doubtful_since_ms=NOW - 29_000)
    ledger = a_ledger(a_life(), (a_filled_entry(), stop, a_floor()))

    after = order_after(ledger, without(ledger, stop), stop)

    assert after.doubtful_since_ms == NOW - 29_000


ALARMS = table("""
stop     since_ms  life      alarm  why
primary  29999     open      no     half a minute is not over
primary  30000     open      yes    the primary of a position
floor    30000     open      yes    and its floor
primary  30000     armed     yes    the armed stop of an entry
primary  30000     closed    no     flat: the sweep looks after it
primary  30000     none      no     an earlier life's: the gates hold
tp1      30000     open      no     a target covers nothing
primary  -         open      no     it is shown
""")


@pytest.mark.parametrize("row", ALARMS, ids=ids(ALARMS))
def test_cover_that_stays_in_doubt_is_an_alarm_after_half_a_minute(row: list[str]) -> None:
    """RULES C1: one more at the same level, an event, an alarm after 30 s; nothing is closed."""
    what, since_ms, kind, is_alarm, _ = row
    since = None if since_ms == "-" else NOW - int(since_ms)
    made = {
        "primary": a_stop(doubtful_since_ms=since),
        "floor": a_floor(doubtful_since_ms=since),
        "tp1": a_tp1(doubtful_since_ms=since),
    }
    lives = {"armed": a_life("0"), "closed": a_life("0", closed_ms=NOW - 500), "none": None}
    ledger = a_ledger(lives.get(kind, a_life()), (made[what],), fills=())
    look = seen(ledger, reports=() if since is not None else [report_of(made[what])])

    _, drifts = reconcile(ledger, look, LIMITS)

    found = [drift.order_id for drift in drifts if drift.kind is DriftKind.COVER_IN_DOUBT]
    assert found == ([str(made[what].id)] if is_alarm == "yes" else [])


def test_a_list_that_was_not_read_says_nothing_about_its_orders() -> None:
    """None means not known: a failed read makes nothing doubtful."""
    stop = a_stop()
    ledger = a_ledger(a_life(), (a_filled_entry(), stop))
    look = without(ledger, stop, algo_orders=None)

    after = order_after(ledger, look, stop)

    assert after == stop


def test_both_lists_are_read_each_for_its_own_book() -> None:
    """Lesson 3: a conditional order is never missing from the plain list."""
    entry, stop = an_entry(), a_stop()
    ledger = a_ledger(a_life("0"), (entry, stop))

    reconciled, drifts = reconcile(ledger, seen(ledger), LIMITS)

    assert drifts == ()
    assert [o.doubtful_since_ms for o in reconciled.orders] == [None, None]


def closings_beyond(ledger: Ledger, doubtful: Order) -> list[bool]:
    """Return whether it closes, at once, just within the grace and at its end, beyond the level."""
    closings = []
    for now in (NOW, NOW + 1_999, NOW + 2_000):
        look = without(ledger, doubtful, price=90_300, mark=90_300, now=now)
        ledger, _ = reconcile(ledger, look, LIMITS)
        plan = make_plan(a_situation(ledger=ledger, observation=look))
        closings.append(plan.ledger.life is not None and plan.ledger.life.closing is not None)
    return closings


def test_price_beyond_a_doubtful_stop_closes_after_the_grace() -> None:
    """RULES C1, lesson 4: had it been there, the position would be gone."""
    stop = a_stop(doubtful_since_ms=NOW - 5_000)
    ledger = a_ledger(a_life(), (a_filled_entry(), stop, a_floor()))

    assert closings_beyond(ledger, stop) == [False, False, True]


def test_price_beyond_a_doubtful_floor_closes_after_the_grace() -> None:
    """RULES C1: the primary is spent, and nobody knows of the floor what became of it."""
    spent = a_stop(status=FILLED, filled="0.007")
    floor = a_floor(doubtful_since_ms=NOW - 500)
    ledger = a_ledger(a_life("0.006"), (a_filled_entry(), spent, floor))

    assert closings_beyond(ledger, floor) == [False, False, True]


def test_a_stop_stuck_beyond_its_trigger_is_not_cover() -> None:
    """Lesson 4: TRIGGERING for ever while the position stands means close."""
    stuck = a_stop(status=TRIGGERING, triggered_ms=NOW - 2_000)
    life = a_life(crossed_since_ms=NOW - 2_000)
    ledger = a_ledger(life, (a_filled_entry(), stuck))
    look = seen(ledger, price=90_300)
    ledger, _ = reconcile(ledger, look, LIMITS)

    plan = make_plan(a_situation(ledger=ledger, observation=look))

    assert ledger.life is not None
    assert ledger.life.uncovered_quantity == d("0.013")
    assert [(t.role.value, t.type) for t in placed(plan)] == [("emergency", OrderType.MARKET)]


def test_each_trigger_is_judged_by_its_own_working_price() -> None:
    """RULES C3: a mark spike does not cross a stop that works on the last price."""
    ledger = a_ledger(a_life(), the_usual_orders())

    by_mark, _ = reconcile(ledger, seen(ledger, price=90_760, mark=90_300), LIMITS)
    by_last, _ = reconcile(ledger, seen(ledger, price=90_300, mark=90_760), LIMITS)

    assert by_mark.life is not None
    assert by_last.life is not None
    assert (by_mark.life.crossed_since_ms, by_last.life.crossed_since_ms) == (None, NOW)


def test_somebodys_position_is_judged_by_the_price_its_one_stop_works_on() -> None:
    """RULES G1, F4: its floor fired on the last price, far from mark, and its child was refused."""
    life = a_life(origin=Origin.ORPHAN, initial_stop=d(88_037), stop_level=None, base_quantity=None)
    fired = a_floor(88_037, status=REJECTED, rested_ms=NOW - 60_000)
    ledger = a_ledger(life, (fired,))
    limits = Limits(working_price=WorkingPrice.MARK)

    ledger, _ = reconcile(ledger, seen(ledger, price=88_000, mark=90_760), limits)

    assert ledger.life is not None
    assert ledger.life.crossed_since_ms == NOW


def test_a_word_we_do_not_know_changes_nothing() -> None:
    """A status the exchange invents tomorrow must not stop the keeper (lesson 7)."""
    stop = a_stop()
    ledger = a_ledger(a_life(), (a_filled_entry(), stop))
    strange = report_of(stop, status=OrderStatus.UNKNOWN)
    look = seen(ledger, reports=[strange])

    after = order_after(ledger, look, stop)

    assert after == stop


def test_other_terms_under_our_id_are_named() -> None:
    """An id is never used with other terms (RULES B3): if it is, it is said."""
    stop = a_stop()
    ledger = a_ledger(a_life(), (a_filled_entry(), stop, a_floor(), a_tp1()))
    moved = report_of(stop, trigger_price=d(90_100))

    _, drifts = reconcile(ledger, without(ledger, stop, lookups=[moved]), LIMITS)

    assert DriftKind.TERMS_DIFFER in [drift.kind for drift in drifts]


def test_an_own_order_the_ledger_lost_is_adopted() -> None:
    """DESIGN section 5: unknown by the ledger, ours by its id: adopt if it fits."""
    ledger = a_ledger(a_life(), (a_filled_entry(), a_stop()))
    lost = report_of(a_tp1(revision=4))

    reconciled, drifts = reconcile(
        ledger, seen(ledger, reports=[report_of(a_stop()), lost]), LIMITS
    )

    adopted = reconciled.order(a_tp1(revision=4).id)
    assert adopted is not None
    assert (adopted.status, adopted.is_adopted, adopted.terms.trigger_price) == (
        WORKING,
        True,
        d(91_600),
    )
    assert [x.kind for x in drifts] == [DriftKind.UNKNOWN_OWN_ORDER]


def test_the_next_revision_follows_the_adopted_one() -> None:
    """RULES G3: revision = 1 + the highest seen, the exchange's included."""
    ledger = a_ledger(a_life(), (a_filled_entry(), a_stop()))
    found = report_of(a_stop(revision=7))
    reconciled, _ = reconcile(ledger, seen(ledger, reports=[report_of(a_stop()), found]), LIMITS)

    assert reconciled.next_revision(PRIMARY) == 8


def test_the_child_of_a_conditional_order_is_not_another_order() -> None:
    """The child carries its parent's id in the plain book (binance-usdm.md section 1)."""
    stop = a_stop(status=TRIGGERED, child_id="4711", triggered_ms=NOW)
    ledger = a_ledger(a_life(), (a_filled_entry(), stop))
    child = report_of(
        stop, book=Book.REGULAR, type=OrderType.MARKET, exchange_id="4711", status=WORKING
    )
    look = seen(ledger, reports=[report_of(stop), child])

    reconciled, drifts = reconcile(ledger, look, LIMITS)

    assert len(reconciled.orders) == len(ledger.orders)
    assert drifts == ()


def test_the_child_of_an_unknown_parent_is_not_adopted_as_an_order_of_its_own() -> None:
    """An adopted child would look like a stop without a trigger."""
    parent = a_stop(status=TRIGGERED, child_id="4711", triggered_ms=NOW)
    ledger = a_ledger(a_life(), (a_filled_entry(), parent))
    other_id = str(an_id(PRIMARY, 9))
    child = report_of(
        parent, client_id=other_id, book=Book.REGULAR, exchange_id="4711", status=WORKING
    )

    reconciled, _ = reconcile(ledger, seen(ledger, reports=[report_of(parent), child]), LIMITS)

    assert reconciled.order(an_id(PRIMARY, 9)) is None


def test_foreign_orders_are_reported_and_left_alone() -> None:
    """DESIGN section 5: report, never touch."""
    ledger = a_ledger(a_life(), the_usual_orders())
    listed = [report_of(o) for o in ledger.orders if o.status.is_resting]
    look = seen(ledger, reports=[*listed, a_foreign_stop()])

    reconciled, drifts = reconcile(ledger, look, LIMITS)
    plan = make_plan(a_situation(ledger=reconciled, observation=look))

    assert drifts == (Drift(DriftKind.FOREIGN_ORDER, "sell stop_market 0.013", "web_1"),)
    assert reconciled.orders == tuple(
        o if o.status.is_final else reconciled.order(o.id) for o in ledger.orders
    )
    assert plan.actions == ()


def test_a_fill_is_counted_once_by_its_trade_id() -> None:
    """Lessons 7, 33: seen twice, counted once; two in one millisecond are two."""
    ledger = a_ledger(a_life("0"), (an_entry(), a_stop()), fills=())
    trades = (a_fill(quantity="0.004"), a_fill(quantity="0.009", number=2))
    look = seen(ledger, position=a_position(), fills=(*trades, *trades[:1]))

    once, _ = reconcile(ledger, look, LIMITS)
    twice, _ = reconcile(once, look, LIMITS)

    assert [f.fill_id for f in twice.fills] == ["1", "2"]
    entry = twice.order(an_id(ENTRY))
    assert entry is not None
    assert entry.quantity_filled == d("0.013")


def test_a_fill_is_named_by_the_order_that_executed() -> None:
    """Trades carry the exchange's order id only; for a conditional order its child's."""
    entry = an_entry(exchange_id="71", filled="0.013", status=FILLED)
    stop = a_stop(child_id="72")
    ledger = a_ledger(a_life(), (entry, stop), fills=())
    trades = (
        a_fill(client_id="", exchange_order_id="71"),
        a_fill(PRIMARY, number=2, client_id="", exchange_order_id="72"),
        a_fill(PRIMARY, number=3, client_id="", exchange_order_id="99"),
    )
    by_hand = report_of(an_entry(), client_id="web_9", exchange_id="99", status=FILLED)

    reconciled, _ = reconcile(ledger, seen(ledger, fills=trades, lookups=[by_hand]), LIMITS)

    assert [f.client_id for f in reconciled.fills] == [str(entry.id), str(stop.id), "web_9"]


def test_fills_before_the_life_belong_to_another() -> None:
    """Lesson 7: a fill is matched by generation, never by symbol only."""
    ledger = a_ledger(a_life(), (a_filled_entry(), a_stop()))
    another = str(an_id(PRIMARY, generation=0))
    older = a_fill(PRIMARY, number=9, at_ms=NOW - 61_000, client_id=another)

    reconciled, _ = reconcile(ledger, seen(ledger, fills=(*ledger.fills, older)), LIMITS)

    assert reconciled.fills == ledger.fills


GONE = table("""
life       age     position  lookup     freed  why
closed     60000   flat      not_found  yes    a minute without a trace
closed     59999   flat      not_found  no     not long enough
closed     60000   held      not_found  no     something may still depend on it
closed     60000   flat      -          no     not asked by id
open       60000   held      not_found  no     the stop of an open position stays doubtful
withdrawn  60000   flat      not_found  yes    an entry that is given up
armed      60000   flat      not_found  no     a life that goes on
none       60000   flat      not_found  yes    an earlier generation's
""")


@pytest.mark.parametrize("row", GONE, ids=ids(GONE))
def test_an_order_that_can_only_be_found_missing_is_let_go_after_a_minute(row: list[str]) -> None:
    """RULES G6, lesson 30: else the book never is clean and nothing enters again."""
    kind, age, position, lookup, freed, _ = row
    lives = {
        "closed": a_life("0", opened_ms=NOW - 90_000, closed_ms=NOW - 80_000),
        "open": a_life(),
        "withdrawn": a_life("0", withdrawing="price_left"),
        "armed": a_life("0"),
        "none": None,
    }
    stop = a_stop(doubtful_since_ms=NOW - int(age))
    ledger = a_ledger(lives[kind], (stop,))
    look = without(
        ledger,
        stop,
        position=a_position("0.013" if position == "held" else 0),
        lookups=[NotFound(str(stop.id))] if lookup == "not_found" else [],
    )

    reconciled, drifts = reconcile(ledger, look, LIMITS)

    after = reconciled.order(stop.id)
    assert after is not None
    assert (after.status is EXPIRED) is (freed == "yes")
    assert (DriftKind.VANISHED_OWN_ORDER in [x.kind for x in drifts]) is (freed == "yes")


REVIVED = table("""
order      word     status    why
let_go     working  working   found missing for a minute, and there it is
abandoned  working  working   no trace within its time, and there it is
not_sent   working  working   it had left after all
refused    working  rejected  the exchange itself had refused it
cancelled  working  cancelled  a stale list
let_go     filled   filled    it executed after all
let_go     expired  expired   now the exchange says so
""")


@pytest.mark.parametrize("row", REVIVED, ids=ids(REVIVED))
def test_what_ended_by_our_conclusion_alone_is_revived_by_a_word(row: list[str]) -> None:
    """RULES B3: where an assumption is violated the excess is seen, and can be cancelled."""
    kind, word, status, _ = row
    order = {
        "let_go": a_stop(status=EXPIRED, doubtful_since_ms=NOW - 90_000),
        "abandoned": a_stop(status=REJECTED, exchange_id=None, note="no trace"),
        "not_sent": a_stop(status=REJECTED, exchange_id=None, note="not sent"),
        "refused": a_stop(status=REJECTED, exchange_id=None, code=-2021),
        "cancelled": a_stop(status=CANCELLED),
    }[kind]
    ledger = a_ledger(a_life("0", withdrawing="price_left"), (order,), levels=())
    look = seen(ledger, reports=[report_of(order, status=OrderStatus(word))])

    after = order_after(ledger, look, order)

    assert after.status is OrderStatus(status)
    assert (after.finished_ms is None) is (status == "working")


def test_an_order_let_go_that_comes_back_is_adopted_again() -> None:
    """RULES G6: freed is not forgotten, a zombie beside a later life is known by its id."""
    life = a_life("0", generation=2)
    ledger = a_ledger(life, (a_stop(generation=2),), fills=())
    zombie = report_of(a_stop(91_000, generation=1))

    reconciled, drifts = reconcile(
        ledger, seen(ledger, reports=[report_of(ledger.orders[0]), zombie]), LIMITS
    )

    assert [o.id.generation for o in reconciled.earlier_orders] == [1]
    assert [x.kind for x in drifts] == [DriftKind.UNKNOWN_OWN_ORDER]


def test_a_final_order_nobody_asks_about_is_not_adopted() -> None:
    """History of earlier lives is not the ledger's business once it was read."""
    ledger = a_ledger(a_life(), (a_filled_entry(), a_stop()))
    old = report_of(an_order(ENTRY, price=90_000, generation=1, revision=5), status=CANCELLED)

    reconciled, _ = reconcile(
        ledger, seen(ledger, reports=[report_of(a_stop())], lookups=[old]), LIMITS
    )

    assert reconciled.order(an_id(ENTRY, 5)) is None


def test_a_refused_stop_is_told_by_what_the_exchange_said() -> None:
    """Lesson 37: success is stated only from a read; the note says why not."""
    stop = a_stop(status=OrderStatus.UNKNOWN)
    ledger = a_ledger(a_life(), (a_filled_entry(), stop))
    refused = report_of(stop, status=REJECTED, note="margin is insufficient")

    after = order_after(ledger, without(ledger, stop, lookups=[refused]), stop)

    assert (after.status, after.note, after.finished_ms) == (
        REJECTED,
        "margin is insufficient",
        NOW,
    )
    assert held(make_plan(a_situation(a_life(), (a_filled_entry(), a_stop())))) == []
