"""What became of a request, and what an unknown fate allows (RULES C4; lessons 27, 33, 37)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.domain.action import CancelOrder, Configure, Outcome, PlaceOrder
from engine.domain.drift import DriftKind
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.observation import NotFound
from engine.domain.order import Order, OrderReport
from engine.domain.terms import ActionClass, Book, Fate
from engine.plan.planner import make_plan
from engine.reconcile.orders import VISIBLE_WITHIN_MS
from engine.reconcile.outcomes import fold_outcomes
from engine.reconcile.settle import reconcile
from tests.builders import (
    CANCELLED,
    ENTRY,
    FILLED,
    INTENDED,
    NOW,
    PRIMARY,
    REJECTED,
    UNKNOWN,
    WORKING,
    a_decision,
    a_fill,
    a_filled_entry,
    a_floor,
    a_ledger,
    a_life,
    a_position,
    a_situation,
    a_stop,
    a_tp1,
    an_entry,
    an_id,
    d,
    ids,
    placed,
    report_of,
    seen,
    table,
)


def placing(order: Order, fate: Fate, code: int = 0, report: OrderReport | None = None) -> Outcome:
    action = PlaceOrder(order.terms, order.action_class, "rule", order.reason)
    return Outcome(
        action, fate, NOW + 40, dead_after_ms=NOW + 5_040, code=code, text="why", report=report
    )


OUTCOMES = table("""
fate      code   report   status    why
accepted  0      working  working   it rests
accepted  0      filled   filled    it executed at once
accepted  0      -        unknown   accepted without a word: look
rejected  -2021  -        rejected  the exchange said no
rejected  -4116  -        unknown   a duplicate exists: look, do not conclude
not_sent  0      -        rejected  it never left
unknown   -1007  -        unknown   it may have happened
""")


@pytest.mark.parametrize("row", OUTCOMES, ids=ids(OUTCOMES))
def test_an_outcome_says_what_is_known_of_the_request(row: list[str]) -> None:
    """RULES C4, lesson 27: rejected, not sent, unknown are three different things."""
    fate, code, word, status, _ = row
    stop = a_stop(status=INTENDED)
    reports = {
        "-": None,
        "working": report_of(stop, exchange_id="71"),
        "filled": report_of(stop, status=FILLED, quantity_filled=d("0.013")),
    }
    outcome = placing(stop, Fate(fate), int(code), reports[word])

    after = fold_outcomes(a_ledger(a_life(), (stop,)), [outcome]).order(stop.id)

    assert after is not None
    assert after.status.value == status
    assert (after.rested_ms is not None) is (word == "working")
    assert (after.finished_ms is not None) is after.status.is_final
    if status == "rejected":
        assert after.code == int(code)


def test_an_unknown_fate_remembers_until_when_it_may_still_happen() -> None:
    """RULES C4: timestamp + recvWindow + clock error."""
    entry = an_entry(status=INTENDED, dead_after_ms=NOW + 2_000)

    after = fold_outcomes(a_ledger(a_life("0"), (entry,)), [placing(entry, Fate.UNKNOWN)])

    known = after.order(entry.id)
    assert known is not None
    assert known.dead_after_ms == NOW + 5_040


def test_outcomes_of_cancels_are_no_final_word() -> None:
    """RULES C1: the next look asks for the order by id."""
    ledger = a_ledger(a_life(), (a_stop(),))
    cancel = CancelOrder(an_id(PRIMARY), Book.ALGO, ActionClass.RECONCILE, "r", "x")
    configure = Configure(3, None, ActionClass.ENTER, "arm", "leverage_differs")
    stranger = placing(a_tp1(), Fate.ACCEPTED)

    after = fold_outcomes(
        ledger,
        [Outcome(cancel, Fate.ACCEPTED, NOW), Outcome(configure, Fate.ACCEPTED, NOW), stranger],
    )

    assert after == ledger


ABANDONED = table("""
role   status    lookup     late  after     why
entry  unknown   not_found  no    unknown   it can still execute
entry  unknown   not_found  yes   rejected  no trace after its window
entry  unknown   -          yes   unknown   not asked, or asked in vain
entry  unknown   found      no    working   it is there
entry  intended  not_found  no    unknown   killed between writing and sending
entry  intended  not_found  yes   rejected  it never left
stop   unknown   not_found  yes   rejected  no trace after its window
stop   unknown   found      yes   working   the venue had forgotten it for a while
""")


@pytest.mark.parametrize("row", ABANDONED, ids=ids(ABANDONED))
def test_an_unknown_fate_is_abandoned_only_when_nothing_can_come_of_it(row: list[str]) -> None:
    """RULES C4, lesson 33: a submit resolved as rejected that is live fills twice."""
    role, status, lookup, late, after, _ = row
    make = an_entry if role == "entry" else a_stop
    order = make(status=UNKNOWN if status == "unknown" else INTENDED, dead_after_ms=NOW - 1)
    now = NOW - 1 + VISIBLE_WITHIN_MS + (1 if late == "yes" else 0)
    ledger = a_ledger(a_life("0"), (order,), levels=())
    words: dict[str, list[OrderReport | NotFound]] = {
        "-": [],
        "not_found": [NotFound(str(order.id))],
        "found": [report_of(order)],
    }
    look = seen(ledger, reports=(), lookups=words[lookup], now=now)

    reconciled, drifts = reconcile(ledger, look, Limits())

    known = reconciled.order(order.id)
    assert known is not None
    assert known.status.value == after
    assert (DriftKind.UNANSWERED in [x.kind for x in drifts]) is (after == "unknown")


TRACES = table("""
trace     after_s  status    why
none      11       rejected  its window is over, and nothing shows it
filled    11       unknown   a trade of it was told: its remainder may still rest
pushed    11       unknown   the stream told one
gap       11       unknown   the position is more than the trades explain
unnamed   11       unknown   a trade whose order nobody knows yet
filled    71       expired   not found for a minute more: nothing is left of it to wait for
gap       71       expired   the same
other     11       rejected  the position is explained without it
earlier   11       rejected  an earlier life's: this one's trades are none of its own
""")


@pytest.mark.parametrize("row", TRACES, ids=ids(TRACES))
def test_an_entry_is_abandoned_only_without_a_trace_in_trades_and_position(row: list[str]) -> None:
    """RULES C4, B3 b: visible by id, in trades or in the position; any of them is a trace."""
    trace, after_s, status, _ = row
    entry = an_entry(
        status=UNKNOWN,
        exchange_id=None,
        filled="0.004" if trace == "filled" else 0,
        dead_after_ms=NOW - 1_000 * int(after_s),
    )
    if trace == "pushed":
        entry = replace(entry, quantity_pushed=d("0.004"), pushed_ms=NOW - 500)
    first = an_entry("0.004", revision=9, status=CANCELLED, filled="0.004")
    held = {"none": "0", "pushed": "0"}.get(trace, "0.004")
    fills = {
        "filled": (a_fill(quantity="0.004"),),
        "unnamed": (a_fill(quantity="0.004", client_id="", exchange_order_id="99"),),
        "other": (a_fill(quantity="0.004", revision=9),),
    }.get(trace, ())
    orders = (first, entry) if trace == "other" else (entry,)
    number = 2 if trace == "earlier" else 1
    life = a_life(held, base_quantity=None, entry_final_ms=None, generation=number)
    ledger = a_ledger(life, (*orders, a_stop()), fills=fills)
    look = seen(ledger, lookups=[NotFound(str(entry.id))], fills=None)

    known = reconcile(ledger, look, Limits())[0].order(entry.id)

    assert known is not None
    assert known.status.value == status


def test_no_entry_follows_one_of_unknown_fate() -> None:
    """RULES B3, C4: no resend until nothing can come of it, and then under another id."""
    orders = (an_entry(status=UNKNOWN), a_stop())

    plan = make_plan(a_situation(a_life("0"), orders, decision=a_decision()))

    assert placed(plan, ENTRY) == []


def test_a_part_of_an_unknown_entry_that_shows_in_the_position_is_ours() -> None:
    """RULES C2, C4: the position is believed on one read, whatever the order says."""
    ledger = a_ledger(a_life("0"), (an_entry(status=UNKNOWN), a_stop()))
    look = seen(ledger, position=a_position(), reports=[report_of(a_stop())], is_second=True)

    reconciled, _ = reconcile(ledger, look, Limits())

    assert reconciled.life is not None
    assert (reconciled.life.is_open, reconciled.life.quantity) == (True, d("0.013"))
    assert a_situation(ledger=reconciled).quantity_to_cover == d("0.026")


LEARNED = table("""
life   fate      code   learned  why
armed  accepted  0      True     this account takes a stop while flat
armed  rejected  -4509  False    it does not
armed  rejected  -2022  False    it does not
armed  rejected  -1111  None     that was our mistake
armed  rejected  -2021  None     that was the price
armed  unknown   0      None     nobody knows
open   rejected  -4509  None     not flat
""")


@pytest.mark.parametrize("row", LEARNED, ids=ids(LEARNED))
def test_arming_teaches_whether_a_stop_rests_while_flat(row: list[str]) -> None:
    """RULES E9: found by trying, stored."""
    kind, fate, code, learned, _ = row
    stop = a_stop(status=INTENDED)
    ledger = a_ledger(a_life("0" if kind == "armed" else "0.013"), (stop,))
    report = report_of(stop) if fate == "accepted" else None

    after = fold_outcomes(ledger, [placing(stop, Fate(fate), int(code), report)])

    assert str(after.stop_while_flat) == learned


REFUSED = table("""
reason         code   starts  why
cover_missing  -4140  yes     the exchange refuses cover
cover_missing  -2021  no      would trigger: the closing rule's business
cover_missing  -4116  no      a duplicate: it exists
trail          -4140  no      a move, not cover
""")


@pytest.mark.parametrize("row", REFUSED, ids=ids(REFUSED))
def test_the_naked_limit_starts_with_the_first_refusal_of_cover(row: list[str]) -> None:
    """RULES F11, lesson 43: and only while the exchange refuses."""
    reason, code, starts, _ = row
    stop = a_stop(status=INTENDED, reason=reason)
    ledger = a_ledger(a_life(), (stop,))

    after = fold_outcomes(ledger, [placing(stop, Fate.REJECTED, int(code))])
    again = fold_outcomes(
        after, [replace(placing(stop, Fate.REJECTED, int(code)), at_ms=NOW + 900)]
    )

    assert after.life is not None
    assert again.life is not None
    since = NOW + 40 if starts == "yes" else None
    assert (after.life.cover_refused_since_ms, again.life.cover_refused_since_ms) == (since, since)


def test_cover_that_is_there_again_ends_the_naked_limit() -> None:
    """RULES F11: the clock belongs to missing cover alone."""
    life = a_life(cover_refused_since_ms=NOW - 4_000)
    ledger: Ledger = a_ledger(life, (a_filled_entry(), a_stop(), a_floor()))

    reconciled, _ = reconcile(ledger, seen(ledger), Limits())

    assert reconciled.life is not None
    assert reconciled.life.cover_refused_since_ms is None


def test_without_a_life_an_outcome_teaches_nothing() -> None:
    """RULES A5: what is learned belongs to a life."""
    stop = a_stop(status=INTENDED)
    ledger = a_ledger(orders=(stop,))

    after = fold_outcomes(ledger, [placing(stop, Fate.ACCEPTED, report=report_of(stop))])

    known = after.order(stop.id)
    assert known is not None
    assert (known.status, after.stop_while_flat) == (WORKING, None)
    assert known.status is not REJECTED
