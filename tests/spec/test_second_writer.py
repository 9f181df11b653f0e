"""Another keeper under our name: seen by orders nobody here intended, answered by adding only.

RULES G4. What cannot be told from the store (a lease database restored from a backup, two of
them) is told by the exchange: an own order that no intent of ours names, made under our lease.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.domain.action import CancelOrder, Halt, PlaceOrder, Proof, Request
from engine.domain.condition import Condition, HaltReason
from engine.domain.identity import OrderRole
from engine.domain.order import Order
from engine.domain.situation import SECOND_WRITER, UNDER_WAY_MS, Situation
from engine.domain.terms import ActionClass
from engine.exchange.clearance import within_rights
from engine.exchange.cover import Grounds
from engine.plan.planner import make_plan
from engine.vitals import troubles
from tests.builders import (
    ENTRY,
    NOW,
    PRIMARY,
    a_decision,
    a_filled_entry,
    a_life,
    a_situation,
    a_stop,
    a_tp1,
    an_entry,
    an_open_situation,
    an_order,
    cancelled,
    held,
    placed,
    table,
)

SINCE_MS = NOW - 60_000


def leased(**changes: Any) -> Condition:
    return replace(Condition(lease_since_ms=SINCE_MS), **changes)


def strange(order: Order, made_ms: int = NOW - 1_000) -> Order:
    """Return an own order that was found on the exchange, and in no book of ours."""
    return replace(order, is_adopted=True, intended_ms=made_ms)


THEIRS = strange(a_stop(90_500, revision=7))
HALTED = (HaltReason(SECOND_WRITER, "seen a moment ago", NOW),)

SEEN = table("""
order        lease  is_theirs  why
adopted      held   yes        made under our lease, by nobody here
intended     held   no         an intent of ours names it
before       held   no         it was there when we came
under_way    held   no         a request of the holder before may arrive late
after        held   yes        but not that late
probe        held   no         somebody asked for it by hand
adopted      none   no         without a lease nothing says who writes
""")

ORDERS = {
    "adopted": THEIRS,
    "intended": a_stop(90_500, revision=7),
    "before": strange(a_stop(), SINCE_MS - 1),
    "under_way": strange(a_stop(), SINCE_MS + UNDER_WAY_MS),
    "after": strange(a_stop(), SINCE_MS + UNDER_WAY_MS + 1),
    "probe": strange(an_order(OrderRole.PROBE, trigger=88_000)),
}


@pytest.mark.parametrize("row", SEEN, ids=[row[-1] for row in SEEN])
def test_a_second_writer_is_an_order_nobody_here_intended(row: list[str]) -> None:
    """RULES G4: own prefix, no intent, created after our lease began."""
    name, lease, is_theirs, _ = row
    condition = leased() if lease == "held" else Condition()

    situation = an_open_situation(ORDERS[name], condition=condition)

    assert (situation.second_writer is not None) is (is_theirs == "yes")
    assert situation.stands_down is (is_theirs == "yes")


def test_it_halts_the_keeper_and_says_whose_order_it_was() -> None:
    """RULES G4: stand down, alarm; the halt outlives the order until an operator resumes."""
    situation = an_open_situation(THEIRS, condition=leased())

    halts = [a for a in make_plan(situation).actions if isinstance(a, Halt)]

    assert [halt.code for halt in halts] == [SECOND_WRITER]
    assert str(THEIRS.id) in halts[0].detail
    assert SECOND_WRITER in [code for code, _ in troubles(situation)]


def place(order: Order) -> PlaceOrder:
    return PlaceOrder(order.terms, ActionClass.PROTECT, "rule", "reason")


def cancel(order: Order, proof: Proof = Proof.NOT_A_STOP) -> CancelOrder:
    return CancelOrder(order.id, order.terms.book, ActionClass.RECONCILE, "rule", "why", proof)


REQUESTS: dict[str, Request] = {
    "a stop": place(a_stop()),
    "an entry": place(an_entry()),
    "a target": place(a_tp1()),
    "the cancel of an entry": cancel(an_entry()),
    "the cancel of a stop": cancel(a_stop(), Proof.TIGHTER_RESTS),
    "the cancel of a target": cancel(a_tp1()),
}

STANDING_DOWN: list[tuple[str, Situation]] = [
    ("seen in this tick", an_open_situation(THEIRS, condition=leased())),
    ("halted since", an_open_situation(condition=leased(halts=HALTED))),
]


@pytest.mark.parametrize(
    "situation", [s for _, s in STANDING_DOWN], ids=[n for n, _ in STANDING_DOWN]
)
@pytest.mark.parametrize(
    ("name", "is_sent"),
    [
        ("a stop", True),
        ("an entry", False),
        ("a target", False),
        ("the cancel of an entry", True),
        ("the cancel of a stop", False),
        ("the cancel of a target", False),
    ],
)
def test_beside_a_second_writer_the_gateway_only_adds(
    situation: Situation, name: str, is_sent: bool
) -> None:
    """RULES G4: judged at the one door as well, whatever the plan says."""
    refused = within_rights(REQUESTS[name], Grounds(situation, situation.ledger))

    assert (refused is None) is is_sent


def test_beside_a_second_writer_the_position_is_covered_and_nothing_else_is_touched() -> None:
    """RULES B6: harmless is never an excuse for naked."""
    naked = a_situation(
        a_life(), (a_filled_entry(), strange(a_tp1(91_700, revision=4))),
        condition=leased(), decision=a_decision(),
    )  # fmt: skip

    plan = make_plan(naked)

    assert PRIMARY in [terms.role for terms in placed(plan)]
    assert {t.role for t in placed(plan)} <= {PRIMARY, OrderRole.STOP_FLOOR}
    assert cancelled(plan) == []
    assert SECOND_WRITER in held(plan)


def test_an_operator_who_knows_better_is_obeyed() -> None:
    """``keeper resume --force``: the reason stands, and is overruled until it has gone once."""
    situation = an_open_situation(THEIRS, condition=leased(overruled=(SECOND_WRITER,)))

    assert situation.second_writer is not None
    assert not situation.stands_down
    assert within_rights(REQUESTS["a target"], Grounds(situation, situation.ledger)) is None


ENTRIES = table("""
takeover  intended  is_cancelled  why
yes       before    yes           its writer may only be frozen
yes       after     no            we sent it
no        before    no            the holder gave the lease up, or is gone for good
""")


@pytest.mark.parametrize("row", ENTRIES, ids=[row[-1] for row in ENTRIES])
def test_a_takeover_withdraws_the_entries_of_the_earlier_lease(row: list[str]) -> None:
    """RULES G4: the successor cancels entries of the earlier lease first."""
    takeover, intended, is_cancelled, _ = row
    at_ms = SINCE_MS - 5_000 if intended == "before" else SINCE_MS + 5_000
    entry = replace(an_entry(), intended_ms=at_ms)
    situation = a_situation(
        a_life("0"), (a_stop(), entry), decision=a_decision(),
        condition=leased(is_takeover=takeover == "yes"),
    )  # fmt: skip

    plan = make_plan(situation)

    assert ([own.role for own in cancelled(plan)] == [ENTRY]) is (is_cancelled == "yes")
    life = plan.ledger.life
    assert life is not None
    assert (life.withdrawing == "earlier_lease") is (is_cancelled == "yes")
    assert PRIMARY not in [own.role for own in cancelled(plan)]
