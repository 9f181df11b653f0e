"""Withdrawing an entry is two steps that never share a plan (RULES E5, E6, D3, D4).

Between the last look and the cancel the entry may fill; the armed stop must not be gone by then.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.domain.action import CancelOrder, Proof
from engine.domain.condition import Command, Condition, HaltReason, OperatorCommand
from engine.domain.decision import Inbox
from engine.domain.limits import Limits
from engine.domain.observation import Observation
from engine.domain.order import Order
from engine.domain.position import ExitReason, Life
from engine.domain.situation import Situation
from engine.domain.terms import Side
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
    UNKNOWN,
    a_decision,
    a_filled_entry,
    a_flat_decision,
    a_floor,
    a_ledger,
    a_life,
    a_position,
    a_situation,
    a_stop,
    an_entry,
    an_id,
    an_inbox,
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


def entering(side: Side = LONG, *, life: Life | None = None, **changes: Any) -> Situation:
    """Return a working entry behind its armed stop."""
    orders = (
        an_entry(side=side, price=on(side, "90743.3")),
        a_stop(on(side, 90_380), side=side),
    )
    given = {"decision": a_decision(side), **changes}
    return a_situation(life or a_life("0", side=side), orders, **given)


def why(situation: Situation) -> str | None:
    life = make_plan(situation).ledger.life
    assert life is not None
    return life.withdrawing


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_wanted_entry_goes_on_working(side: Side) -> None:
    """Nothing happened, nothing is done."""
    assert make_plan(entering(side)).actions == ()


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_step_one_cancels_the_entry_and_leaves_the_stop(side: Side) -> None:
    """RULES E5: the cancel may lose the race with a fill."""
    situation = entering(side, price=on(side, 91_600))

    plan = make_plan(situation)

    assert cancelled(plan) == [an_id(ENTRY)]
    assert (why(situation), held(plan)) == ("tp1_reached", ["entry_not_proven_empty"])


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_step_two_cancels_the_stop_with_its_proof(side: Side) -> None:
    """RULES E5, F2: entry read final and empty, position read 0 after that."""
    life = a_life("0", side=side, withdrawing="price_left", withdrawing_ms=NOW - 2_000)
    entry = an_entry(side=side, price=on(side, "90743.3"), status=CANCELLED, finished_ms=NOW)
    stop = a_stop(on(side, 90_380), side=side)

    plan = make_plan(a_situation(life, (entry, stop)))

    (action,) = plan.actions
    assert isinstance(action, CancelOrder)
    assert (action.client_id, action.proof) == (stop.id, Proof.ENTRY_NEVER_FILLED)


UNPROVEN = table("""
entry               why
working             it may still fill
unknown             its fate is unknown
filled              it executed
partly              it executed in part
this_tick           read final in this very tick: the position read is older
no_moment           nobody knows when it ended
""")


@pytest.mark.parametrize("row", UNPROVEN, ids=ids(UNPROVEN))
def test_without_proof_the_armed_stop_stays(row: list[str]) -> None:
    """RULES E5: if anything executed, the stop becomes the primary."""
    entry = {
        "working": an_entry(cancel_sent_ms=NOW - 100),
        "unknown": an_entry(status=UNKNOWN, cancel_sent_ms=NOW - 100),
        "filled": a_filled_entry(),
        "partly": an_entry(status=CANCELLED, filled="0.001"),
        "this_tick": an_entry(status=CANCELLED, finished_ms=NOW + 40),
        "no_moment": an_entry(status=CANCELLED, finished_ms=None),
    }[row[0]]
    life = a_life("0", withdrawing="price_left", withdrawing_ms=NOW - 2_000)

    plan = make_plan(a_situation(life, (entry, a_stop())))

    assert cancelled(plan) == []
    assert "entry_not_proven_empty" in held(plan)


def _without(look: Observation, missing: str) -> Observation:
    if missing == "position":
        return replace(look, position=None)
    return replace(look, algo_orders=None)


@pytest.mark.parametrize("missing", ["position", "algo_orders"])
def test_without_a_picture_the_armed_stop_stays(missing: str) -> None:
    """RULES E5: the proof needs a position read of this tick."""
    life = a_life("0", withdrawing="price_left")
    situation = a_situation(life, (an_entry(status=CANCELLED), a_stop()))
    blind = replace(situation, observation=_without(situation.observation, missing))

    assert cancelled(make_plan(blind)) == []


def test_a_position_that_appeared_keeps_the_stop() -> None:
    """RULES E5: filled between the last look and the cancel: the decision is used, F applies."""
    life = a_life("0", withdrawing="price_left", withdrawing_ms=NOW - 900)
    ledger = a_ledger(life, (an_entry(cancel_sent_ms=NOW - 900), a_stop()), fills=())
    part = an_entry(status=CANCELLED, filled="0.004")
    look = seen(
        ledger,
        position=a_position("0.004"),
        reports=[report_of(a_stop())],
        lookups=[report_of(part)],
        is_second=True,
    )
    ledger, _ = reconcile(ledger, look, Limits())

    plan = make_plan(a_situation(ledger=ledger, observation=look))

    assert ledger.life is not None
    assert (ledger.life.is_open, ledger.life.quantity) == (True, d("0.004"))
    assert cancelled(plan, PRIMARY) == []
    assert [t.close_position for t in placed(plan)][:1] == [True]


def test_an_entry_never_sent_is_withdrawn_in_one_step() -> None:
    """RULES E5: with no entry there is nothing whose fill could be missed."""
    life = a_life("0")
    situation = a_situation(life, (a_stop(),), decision=a_decision(), price=91_600)

    plan = make_plan(situation)

    assert (why(situation), cancelled(plan), placed(plan)) == (
        "tp1_reached",
        [an_id(PRIMARY)],
        [],
    )


def test_a_withdrawal_once_begun_is_carried_through() -> None:
    """RULES E6: hysteresis; price coming back does not keep the entry."""
    life = a_life("0", withdrawing="price_left", withdrawing_ms=NOW - 1_100)
    old = an_entry(cancel_sent_ms=NOW - 1_001)
    fresh = an_entry(cancel_sent_ms=NOW - 1_000)

    plans = [
        make_plan(a_situation(life, (o, a_stop()), decision=a_decision())) for o in (old, fresh)
    ]

    assert [cancelled(plan) for plan in plans] == [[an_id(ENTRY)], []]


PRICES = table("""
price    sent  reason            why
90760    yes   -                 inside
91512.9  yes   -                 within leave_distance of the zone
91519    yes   price_left        0.8 % beyond its end
91600    yes   tp1_reached       the target came first
90650    yes   -                 beyond the stop-side end a resting limit has filled
90650    no    price_below_zone  not sent yet, it must not be
""")


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("row", PRICES, ids=ids(PRICES))
def test_price_that_leaves_takes_the_entry_with_it(row: list[str], side: Side) -> None:
    """RULES E6: beyond leave_distance, at TP1, beyond the stop-side end."""
    price, sent, reason, _ = row
    if side is SHORT and price in ("91512.9", "91519"):
        price = "91522" if price == "91519" else "91505"  # a percentage is not mirrored
    orders: tuple[Order, ...] = (a_stop(on(side, 90_380), side=side),)
    if sent == "yes":
        orders += (an_entry(side=side, price=on(side, "90743.3")),)

    situation = a_situation(
        a_life("0", side=side), orders, decision=a_decision(side), price=on(side, price)
    )

    assert why(situation) == (None if reason == "-" else reason)


def newer(**changes: Any) -> Inbox:
    return an_inbox(a_decision(id="newer1", made_ms=NOW - 3_000, **changes))


INBOXES = table("""
inbox       reason             why
none        -                  the file is gone, our decision still fresh
flat        flat_decision      flat
opposite    opposite_decision  the other side
same        -                  the same terms: only the date is refreshed
price       newer_terms        another zone
size        newer_terms        another size
leverage    newer_terms        another leverage
wider       newer_terms        a wider stop
older       -                  an older one says nothing
reads_flat  flat_decision      readable as flat, whatever else is broken
suspended   suspended          refused for three seconds
half        -                  refused for less: maybe half written
stale       decision_stale     ten minutes old
""")


@pytest.mark.parametrize("row", INBOXES, ids=ids(INBOXES))
def test_what_the_inbox_says_about_a_working_entry(row: list[str]) -> None:
    """RULES D3, D4, lesson 48: a broken document must not leave the entry free to fill."""
    kind, reason, _ = row
    life = a_life("0")
    if kind == "stale":
        life = replace(life, decision_made_ms=NOW - 600_001)
    inbox = {
        "none": an_inbox(None),
        "flat": an_inbox(a_flat_decision()),
        "opposite": an_inbox(a_decision(SHORT, id="oppos1", made_ms=NOW - 3_000)),
        "same": newer(),
        "price": newer(zone_low=d(90_600), zone_high=d(90_700), terms="b"),
        "size": newer(size_usdt=d(2_400), terms="c"),
        "leverage": newer(leverage=5, terms="d"),
        "wider": newer(stop_loss=d(90_300), terms="e"),
        "older": an_inbox(a_flat_decision(made_ms=NOW - 50_000)),
        "reads_flat": an_inbox(None, reads_flat=True),
        "suspended": an_inbox(a_decision(), suspended_since_ms=NOW - 3_000),
        "half": an_inbox(a_decision(), suspended_since_ms=NOW - 2_999),
        "stale": an_inbox(None),
    }[kind]

    assert why(entering(life=life, inbox=inbox)) == (None if reason == "-" else reason)


CONDITIONS = table("""
kind      reason         why
flatten   operator       keeper flatten
halt      operator       keeper halt
halted    halted         a halt stands
closing   closing        the position is being closed
spent     stop_spent     the armed stop fired against nothing
doubtful  stop_spent     the armed stop is not seen for long
refused   entry_rejected the exchange refused the entry
timeout   entry_timeout  it waited long enough
doubt     flat_in_doubt  the position may be gone
""")


@pytest.mark.parametrize("row", CONDITIONS, ids=ids(CONDITIONS))
def test_what_else_withdraws_an_entry(row: list[str]) -> None:
    """RULES C2, E7, E8, D4: entries are cancelled at the first doubt."""
    kind = row[0]
    reason = row[1].split()[0]
    life, entry, stop = a_life("0"), an_entry(), a_stop()
    condition = Condition()
    commands = {"flatten": Command.FLATTEN, "halt": Command.HALT}
    if kind in commands:
        command = OperatorCommand(1, commands[kind], "ann", "", NOW)
        condition = Condition(commands=(command,))
    elif kind == "halted":
        condition = Condition(halts=(HaltReason("manual", "", NOW),))
    elif kind == "closing":
        life = a_life("0.004", base_quantity=None, closing=ExitReason.FLATTEN)
    elif kind == "spent":
        stop = a_stop(status=EXPIRED)
    elif kind == "doubtful":
        stop = a_stop(doubtful_since_ms=NOW - 30_000)
    elif kind == "refused":
        entry = an_entry(status=REJECTED, code=-2019)
    elif kind == "timeout":
        life = a_life("0", armed_ms=NOW - 900_001)
    elif kind == "doubt":
        life = a_life("0.004", base_quantity=None, flat_seen_ms=NOW - 500)
        entry = an_entry(filled="0.004")

    situation = a_situation(
        life, (entry, stop, a_floor()), decision=a_decision(), condition=condition
    )

    assert why(situation) == reason


def test_a_filled_entry_has_nothing_left_to_withdraw() -> None:
    """RULES F10: what a decision says to a position is another rule's business."""
    situation = a_situation(
        a_life(), (a_filled_entry(), a_stop(), a_floor()), inbox=an_inbox(a_flat_decision())
    )

    assert why(situation) is None


def test_a_spent_stop_whose_fill_is_told_is_a_spent_stop() -> None:
    """RULES E8: FINISHED does not mean anything of ours was closed."""
    situation = a_situation(
        a_life("0"), (an_entry(), a_stop(status=FILLED, filled=0)), decision=a_decision()
    )

    assert why(situation) == "stop_spent"
